"""Answers as text: frames as pmacct's client prints them, JSON lines for programs, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from lg.peers import is_peer, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lg.answer import Answer, Record
    from lg.broker import Outcome

#: Writes one page: what each looking glass said, in their order.
Page: TypeAlias = "Callable[[Sequence[Outcome]], None]"

#: The member that tells whose record it is, when several are asked.
SOURCE: Final = "looking_glass"
#: Columns of text in a table that goes to a file or another command, which is as wide as it needs.
NO_TERMINAL: Final = 1_000
#: Columns that come first, in this order, when there are such members; the others follow as they come.
COLUMNS: Final = (
    SOURCE,
    "bmp_router",
    "peer_ip_src",
    "peer_ip",
    "rd",
    "ip_prefix",
    "path_id",
    "bgp_nexthop",
    "as_path",
    "origin",
    "local_pref",
    "med",
    "comms",
)
#: Members that are the same in every record, or mean nothing to a person.
HIDDEN: Final = frozenset({"event_type", "as_path_id", "afi"})
#: Members whose text may go on in another line where a terminal is narrow.
LONG: Final = frozenset(
    {
        *("as_path", "comms", "ecomms", "lcomms", "srgb", "srv6_sids", "prefix_sid_tlvs"),
        *("routes", "counters", "refused"),
    }
)
NUMERIC: Final = frozenset({"local_pref", "med", "count", "path_id", "peer_as", "peer_tcp_port", "uptime"})


def frames_to(out: TextIO) -> Page:
    """Write each frame on a line, the header first."""

    def write(outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            out.writelines(
                f"{frame.decode()}\n" for frame in (outcome.answer.frames if outcome.answer is not None else ())
            )

    return write


def json_lines_to(out: TextIO, *, with_source: bool) -> Page:
    """Write each record, or number, on a line; with its source when several are asked."""

    def write(outcomes: Sequence[Outcome]) -> None:
        out.writelines(f"{orjson.dumps(record).decode()}\n" for record in records_of(outcomes, with_source=with_source))

    return write


def table_to(out: TextIO, *, with_source: bool, fields: Sequence[str] | None = None) -> Page:
    """Write a table of each page; of its columns those with nothing in them are left out."""
    console = Console(file=out, highlight=False, width=None if out.isatty() else NO_TERMINAL)

    def write(outcomes: Sequence[Outcome]) -> None:
        records = records_of(outcomes, with_source=with_source)
        if records and all(map(is_peer, records)):
            records = [summary(record) for record in records]
        if records:
            console.print(table_of(records, columns_of(records, fields)))

    return write


def records_of(outcomes: Sequence[Outcome], *, with_source: bool) -> list[Record]:
    """Return the records of a page, those of the first looking glass first; a number is a record too."""
    return [
        {SOURCE: str(outcome.server), **record} if with_source else record
        for outcome in outcomes
        if outcome.answer is not None
        for record in _records(outcome.answer)
    ]


def _records(answer: Answer) -> Sequence[Record]:
    return answer.rows if answer.count is None else [{"count": answer.count}]


def columns_of(records: Sequence[Record], fields: Sequence[str] | None = None) -> list[str]:
    """Return the members that are columns: those that were asked for, or all but the hidden ones."""
    present = dict.fromkeys(name for record in records for name in record)
    if fields is not None:
        return [name for name in (SOURCE, *fields) if name in present]
    first = [name for name in COLUMNS if name in present]
    return first + [name for name in present if name not in COLUMNS and name not in HIDDEN]


def table_of(records: Sequence[Record], columns: Sequence[str]) -> Table:
    """Return records as a table."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        justify: JustifyMethod = "right" if name in NUMERIC else "left"
        table.add_column(Text(printable(name)), justify=justify, overflow="fold", no_wrap=name not in LONG)
    for record in records:
        table.add_row(*(Text(cell(record.get(name))) for name in columns))
    return table


def cell(value: Any) -> str:
    """Write the value of a member for a person."""
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else orjson.dumps(value).decode())


def printable(text: str) -> str:
    """Write what would move a terminal's cursor, or change its colours, as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
