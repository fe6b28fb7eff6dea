"""Answers from the table of a `memory` plugin: which entries a question is about, and what is said of them.

An answer is a line of JSON, `{"ok": true, ...}` or `{"error": "..."}`, and behind it the rows as they were asked for.
What takes time is done in a thread, on a snapshot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from flowcorr.correlate.key_match import KeyQueries, key_queries
from flowcorr.correlate.primitives import MEMORY_ORDER, Form, fields_by_primitive
from flowcorr.service import _pieces as r
from flowcorr.service._pieces import Piece
from flowcorr.service._render import Renderer
from flowcorr.service.memory_question import ALL, COUNTERS, Do, Question, QuestionError
from flowcorr.service.render import Output, RowPieces, RowSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from flowcorr.correlate._live import Snapshot
    from flowcorr.correlate.aggregate import Aggregate
    from flowcorr.correlate.live_table import LiveTable

#: What a formatted column shows of a primitive that the table does not have.
_BLANK: Final = "0"
#: What a formatted column shows where an entry has nothing, by form; and where it has no AS path.
_BLANKS: Final = {Form.ADDRESS: b"0", Form.LIST: b"0"}
PATHS: Final = ("AS_PATH", "SRC_AS_PATH")
NO_PATH: Final = b"^$"


@dataclass(slots=True)
class Table:
    """A table that is asked about, and how its rows look where a question does not say."""

    live: LiveTable
    aggregate: Aggregate
    rows: RowSettings
    began: float  # when it was made or erased. Units: seconds since 1970
    erased: bool = False

    def erase(self, now: float) -> None:
        """Begin anew."""
        self.live.erase()
        self.began, self.erased = now, True


class Listing:
    """The rows of an answer, a buffer at a time; `number` and `next` are called in a thread, all else is not."""

    def __init__(self, table: Table, question: Question, now: float) -> None:
        self.question = question
        self._table, self._now = table, int(now)
        self._queries = queries_of(table, question)
        self._snapshot = table.live.snapshot()
        self._order: NDArray[np.uint32] | None = None
        self._at = self._entries = 0
        pieces = _pieces(table, question)
        self._header = pieces.header
        self._renderer = pieces.renderer

    def number(self) -> bytes:
        """Find the entries; return what stands in front of their rows.

        Raises: QuestionError.
        """
        order = _chosen(self._snapshot, self._queries, self.question)
        self._order = order if order is None else np.ascontiguousarray(order)
        self._entries = len(self._snapshot) if order is None else len(order)
        return head({"entries": self._entries}) + self._header

    def next(self) -> bytes:
        """Return the next rows; nothing at the end."""
        if self._at < self._entries:
            self._at = self._renderer.render(self._snapshot, self._at, self._now, order=self._order)
            return self._renderer.take()
        return b""

    def last(self) -> bytes:
        """Return what stands behind the rows."""
        if self.question.output in {Output.FORMATTED, Output.EVENT_FORMATTED}:
            return b"\nFor a total of: %d entries\n" % self._entries
        return b""

    def reset(self) -> None:
        """Set the entries to zero, where that was asked for."""
        if self.question.reset:
            everything = np.arange(self._entries, dtype=np.uint32)
            self._table.live.sums.clear(self._snapshot, everything if self._order is None else self._order)

    def close(self) -> None:
        """Let go of the snapshot and the texts."""
        self._snapshot.close()
        if self._queries is not None:
            self._queries.close()


class Counting(Listing):
    """The sums of the entries that match, a line for each query or one for all."""

    def number(self) -> bytes:
        """Find the entries and sum them up."""
        assert self._queries is not None
        pairs = _matches(self._snapshot, self._queries)
        self._order = np.unique(pairs[:, 1])
        self._entries = len(self._order)
        counters = self._snapshot.counters(np.ascontiguousarray(pairs[:, 1]))
        found = len(self._queries.queries)
        sums = [_sums(pairs[:, 0], values, found) for values in counters]
        sums.append(np.bincount(pairs[:, 0], minlength=found).astype(np.uint64))
        lines = [[int(column[number]) for column in sums] for number in self._queries.numbers]
        if self.question.sum:
            lines = [[sum(column) for column in zip(*lines, strict=True)]]
        self._header = b"".join(map(self._line, lines))
        return head({"entries": self._entries}) + self._header

    def _line(self, sums: Sequence[int]) -> bytes:
        """Write packets, bytes, flows and entries, or one of them."""
        packets, octets, flows, entries = sums
        if self.question.counter == ALL:
            return b"%d %d %d %d\n" % (packets, octets, flows, entries)
        return b"%d\n" % sums[COUNTERS.index(self.question.counter)]

    def next(self) -> bytes:
        """Return nothing: all has been said."""
        return b""

    def last(self) -> bytes:
        """Return nothing: all has been said."""
        return b""


def short_answer(table: Table, question: Question, now: float) -> bytes:
    """Answer what takes no time."""
    return head({}) + _SHORT[question.do](table, question, now)


def head(facts: dict[str, object]) -> bytes:
    """Return the line that an answer begins with."""
    return json.dumps({"ok": True, **facts}).encode() + b"\n"


def refusal(why: str) -> bytes:
    """Return an answer that is none."""
    return json.dumps({"error": why}).encode() + b"\n"


def queries_of(table: Table, question: Question) -> KeyQueries | None:
    """Understand what is to match, in the thread of the texts; None when everything does.

    Raises: MatchError.
    """
    if not question.values:
        return None
    live = table.live
    return key_queries(table.aggregate, live.plan, live.texts, question.primitives, question.values)


def _chosen(snapshot: Snapshot, queries: KeyQueries | None, question: Question) -> NDArray[np.uint32] | None:
    """Return the numbers of the entries asked for, in their order; None for all."""
    chosen = snapshot.listed() if queries is None else _in_turn(_matches(snapshot, queries))
    if question.top is None:
        return chosen
    counters = snapshot.counters(chosen)[COUNTERS.index(question.top)]
    best = np.argsort(~counters, kind="stable")[: question.most]  # ~: the largest first, equal ones in their order
    return best.astype(np.uint32) if chosen is None else chosen[best]


def _matches(snapshot: Snapshot, queries: KeyQueries) -> NDArray[np.uint32]:
    try:
        return snapshot.matches(queries.queries)
    except ValueError as error:
        raise QuestionError(str(error)) from error


def _in_turn(pairs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return entries in the order of the queries that they match, each once."""
    entries = pairs[np.argsort(pairs[:, 0], kind="stable"), 1]
    _, first = np.unique(entries, return_index=True)
    chosen: NDArray[np.uint32] = entries[np.sort(first)]
    return chosen


def _sums(numbers: NDArray[np.uint32], values: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
    """Sum values by number, exactly, modulo 2**64 as counters are."""
    sums = np.zeros(count, np.uint64)
    np.add.at(sums, numbers, values)
    return sums


@dataclass(frozen=True, slots=True)
class _Rows:
    header: bytes
    renderer: Renderer


def _pieces(table: Table, question: Question) -> _Rows:
    """Return how rows are written, and the line above them.

    JSON has neither an `event_type` nor times of bins: a table has no end.
    """
    settings = replace(
        table.rows,
        output=question.output,
        separator=question.separator,
        time_layout=r.SINCE_EPOCH if question.epoch else r.RFC9557,
        utc=question.utc or table.rows.utc,
        protocols_numeric=question.numeric or table.rows.protocols_numeric,
    )
    rows = RowPieces(table.aggregate, table.live.plan, settings)
    style, header = question.output.style, b""
    if style == r.JSON:
        _, first, *others = rows.json()
        pieces = [first._replace(lead=b"{" + first.lead.removeprefix(b", ")), *others]
    else:
        columns = rows.named_columns(MEMORY_ORDER)
        if style == r.FORMATTED:
            blanks = {field.header: _BLANKS.get(field.form, b"") for field in table.aggregate.fields}
            blanks |= dict.fromkeys(PATHS, NO_PATH)
            columns = [(name, _with_blank(piece, blanks.get(name, b""))) for name, piece in columns]
        if question.all_columns:
            columns = _with_all(columns)
        separator = settings.separator if style == r.CSV else ""
        if style == r.CSV:
            pieces = [
                one._replace(lead=separator.encode() * bool(number) + one.lead, width=0)
                for number, (_, one) in enumerate(columns)
            ]
            line = separator.join(name for name, _ in columns)
        else:
            pieces = [one for _, one in columns]
            line = "".join(name.ljust(one.width or len(one.lead)) for name, one in columns)
        header = line.encode() + b"\n"
    renderer = Renderer(
        tuple(pieces),
        style=style,
        separator=settings.separator.encode(),
        layout=settings.time_layout,
        utc=settings.utc,
        whole_seconds=settings.whole_seconds,
        flag_at=table.live.plan.flag,
    )
    return _Rows(header, renderer)


def _with_blank(piece: Piece, blank: bytes) -> Piece:
    """Return a column that shows something where there is nothing."""
    return piece._replace(names=(blank,)) if blank and piece.operation in {r.TEXT, r.ADDRESS} else piece


def _with_all(columns: list[tuple[str, Piece]]) -> list[tuple[str, Piece]]:
    """Return columns with those of all other primitives, which have nothing to show."""
    there = dict(columns)
    found: list[tuple[str, Piece]] = []
    fields = fields_by_primitive()
    for primitive in MEMORY_ORDER:
        for field in fields[primitive]:
            if field.header is not None:
                blank = Piece(r.LITERAL, lead=_BLANK.ljust(field.width).encode())
                found.append((field.header, there.pop(field.header, blank)))
    return [*found, *there.items()]


def _status(table: Table, question: Question, now: float) -> bytes:
    live = table.live
    facts = {
        "entries": len(live),
        "most_entries": live.sums.most_entries,
        "octets": live.octets,
        "refused_records": live.sums.refused_records,
        "refused_packets": live.sums.refused_packets,
        "refused_bytes": live.sums.refused_bytes,
        "snapshots": live.sums.looked_at,
        "seconds": round(now - table.began),
    }
    if question.output is Output.JSON:
        return json.dumps(facts).encode() + b"\n"
    return "".join(f"{name}: {value}\n" for name, value in facts.items()).encode()


def _age(table: Table, _: Question, now: float) -> bytes:
    return b"%d\n" % round(now - table.began) if table.erased else b"never\n"


def _erase(table: Table, _: Question, now: float) -> bytes:
    table.erase(now)
    return b"OK: Clearing stats.\n"


def _custom(table: Table, question: Question, _: float) -> bytes:
    names = [field for field in table.aggregate.fields if field.is_custom]
    if question.output is Output.JSON:
        return json.dumps({field.primitive: field.meaning for field in names}).encode() + b"\n"
    return "".join(f"{field.primitive}  {field.meaning}\n" for field in names).encode()


_SHORT: Final[dict[Do, Callable[[Table, Question, float], bytes]]] = {
    Do.STATUS: _status,
    Do.AGE: _age,
    Do.ERASE: _erase,
    Do.CUSTOM: _custom,
}
