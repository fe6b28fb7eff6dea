"""The reference of primitives, written from their table: the page, and what a daemon answers to `-a`.

`python -m flowcorr.daemon.primitives_page > docs/primitives.md` brings the page up to date.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from flowcorr.columns.column import Kind
from flowcorr.correlate.primitives import (
    ALIASES,
    DAEMONS,
    FIELDS,
    FLOWS,
    NONE,
    REFUSED,
    REFUSED_IN,
    SUMS,
    Field,
    Form,
)
from flowcorr.service.render import NUMBERS

INTRODUCTION: Final = """\
# Primitives

This page is written by `python -m flowcorr.daemon.primitives_page` from the table that the daemons read.

`aggregate` lists primitives, comma separated, in any case and order, for each plugin: records that agree in all of them
are summed. A name that is unknown ends the start, and the nearest known one is named. `aggregate_primitives` defines
further ones; one that has the name of a built-in primitive takes its place. `flows` adds the number of flows to a
record, `none` stands alone for the total of everything.

The columns of this table: the key in JSON (a number, a string, or with some switches a list or a map), the header in
CSV and formatted output with the width of its column, and the daemons that fill the primitive; in the others it stays
empty, with a warning. An address that is not known is empty (`::` in formatted output), a number 0.
"""
SUMS_TITLE: Final = """\
## Sums of both directions

Each record counts twice: for its source and for its destination. Beside them go `tag`, `tag2`, `class` and `flows`.
"""
ORDER: Final = """\
## Order and counters

JSON records begin with `event_type` and have their keys in the order of the table, but for these: `timestamp_min` and
`timestamp_max` (with `*_stitching`) follow `timestamp_arrival`; custom primitives, in the order of `aggregate`, then
`stamp_inserted` and `stamp_updated` (with `*_history`), then `flows` stand in front of `vrf_name`; `packets` and
`bytes` are last. Records of events and options have no counters; in CSV their columns are empty.

Avro records (`acct_data`) have `vrf_name` and the like behind `srv6_seg_ipv6_list`, delays behind `mpls_label_bottom`,
custom primitives in the map `custom_primitives`, `class` as `class_legacy`, `packets`, `flows` and `bytes` last but for
`writer_id`.
"""
DIFFERENCES: Final = """\
## Different from pmacct

| pmacct | here |
|---|---|
| `tcpflags_encode_as_array`: no flag at all when ECE or CWR is set | all flags, `CWR` and `ECE` among them |
| `as_path_encode_as_array`: AS numbers of one digit are left out | all of them |
| `pre_tag_label_encode_as_map`: a label without `%` takes the key of the next one | it has an empty value |
| a text that is no UTF-8 is missing in JSON | what is no UTF-8 is U+FFFD |
| CSV is not quoted: a separator in a label or an AS set breaks the row | quoted as RFC 4180 says, where it must be |
| counters of events are missing in CSV: rows are shorter than the header | empty columns |
| formatted output refuses texts of any length | columns of 25 characters; a longer text moves the rest of its row |
| values above 2^63 - 1 are negative | as they are in JSON and CSV, the largest number in Avro |
| flows and events with equal primitives are one record | two records |
| `sampling_direction` and custom columns are misaligned with their headers | aligned |
| custom `u_int` and `hex` of 3, 5, 6 or 7 octets are empty | numbers |
| custom `vlen` primitives are empty where a field has a fixed length; a cut `raw` ends with `-` | filled; it does not |
"""


def page() -> str:
    """Write the whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            "| primitive | JSON | header | width | daemons | |",
            "|---|---|---|---|---|---|",
            *(_row(field) for field in FIELDS),
            "",
            SUMS_TITLE,
            *(f"- `{name}`: `{first}` and `{second}`, on `{first}`" for name, (first, second) in SUMS.items()),
            "",
            ORDER,
            "## Refused",
            "",
            *_refused(REFUSED.items()),
            "",
            DIFFERENCES,
        ]
    )


def listing(daemon: str) -> str:
    """List the primitives that a daemon fills, each with what it means."""
    meanings: dict[str, str] = {}
    for field in FIELDS:
        if DAEMONS[daemon] in field.daemons and (field.primitive, DAEMONS[daemon]) not in REFUSED_IN:
            meanings.setdefault(field.primitive, field.meaning.replace("`", ""))
    meanings |= {name: f"{first} and {second}, each flow counted for both" for name, (first, second) in SUMS.items()}
    meanings |= {name: f"another name of {other}" for name, other in ALIASES.items()}
    meanings |= {FLOWS: "number of flows, as a counter", NONE: "everything in one record"}
    width = max(map(len, meanings))
    return "\n".join(f"{name:<{width}} : {meaning}" for name, meaning in meanings.items())


def _row(field: Field) -> str:
    daemons = " ".join(name for name, letter in DAEMONS.items() if letter in field.daemons)
    header = "-" if field.header is None else f"`{field.header}`"
    width = "-" if field.header is None else str(field.width)
    return f"| `{field.primitive}` | `{field.key}` {_type(field)} | {header} | {width} | {daemons} | {field.meaning} |"


def _type(field: Field) -> str:
    if field.form in NUMBERS:
        return "number"
    if field.form is Form.SEGMENTS:
        return "list"
    return "string" if field.column.kind is not Kind.TIME else "time"


def _refused(refused: Iterable[tuple[str, str]]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for name, why in refused:
        by_reason.setdefault(why, []).append(f"`{name}`")
    for why, names in by_reason.items():
        yield f"- {', '.join(names)}: {why}"


if __name__ == "__main__":
    sys.stdout.write(page())
