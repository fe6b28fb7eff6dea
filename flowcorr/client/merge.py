"""One answer out of those of several tables: rows of one key are one row, whose counters are sums."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What is summed; everything else of a row is its key.
COUNTERS: Final = ("packets", "flows", "bytes")
#: What the largest rows are told by where the question does not say.
DEFAULT_COUNTER: Final = "bytes"

Row = dict[str, Any]


def merge_rows(tables: Iterable[Iterable[bytes]], question: Mapping[str, Any]) -> list[Row]:
    """Sum the rows of JSON of several tables, and choose the largest where the question is about them."""
    rows: dict[str, Row] = {}
    for table in tables:
        for line in table:
            row = json.loads(line)
            counters = {name: row.pop(name) for name in COUNTERS if name in row}
            known = rows.setdefault(json.dumps(row), row)
            for name, count in counters.items():
                known[name] = known.get(name, 0) + count
    if "top" not in question:
        return list(rows.values())
    counter = question["top"] or DEFAULT_COUNTER
    return sorted(rows.values(), key=lambda row: -row.get(counter, 0))[: question.get("most")]


def merge_counts(answers: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Sum lines of numbers, a line for each query."""
    for lines in zip(*answers, strict=True):
        columns = zip(*(map(int, line.split()) for line in lines), strict=True)
        yield b" ".join(b"%d" % sum(column) for column in columns) + b"\n"


def of_each(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every table is asked: all of its rows, since the largest of one need not be those of all."""
    return {**{name: value for name, value in question.items() if name not in {"top", "most"}}, "output": "json"}
