"""Compiles the rows of a map: what a row compares, in the order in which that is asked, and what it gives."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from flowcorr.correlate._match import Test
from flowcorr.correlate.map_keys import MATCH_KEYS, Condition, MapValueError, MatchKey, prefix_octets
from flowcorr.correlate.maps import FlowMap, FlowRow, RowRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from flowcorr.correlate._packet_program import Program
    from flowcorr.correlate.maps import MapKind

T = TypeVar("T")

MAX_ROW_NAME: Final = 31


def no_programs(text: str) -> Program:
    """Refuse all expressions."""
    raise MapValueError(f"'{text}' cannot be compiled: there are no packet filters")


class RowCompiler(Generic[T]):
    """Compiles rows of one kind; `program` compiles expressions of packet filters, or raises MapValueError.

    Without `recirculate`, rows of maps that tag flows are for exporters of IPv4 alone where they have no `ip`.
    """

    def __init__(
        self, kind: MapKind[T], program: Callable[[str], Program] = no_programs, *, recirculate: bool = True
    ) -> None:
        self._kind, self._program = kind, program
        self._anyone = None if recirculate or not kind.recirculates else prefix_octets("0.0.0.0/0")
        self._needs = [(frozenset(wanted), wanted[0]) for wanted in kind.needs]
        ranked = enumerate(kind.matchers)  # in the order of the table, the cheap ones first
        self._matchers: dict[str, tuple[int, str, MatchKey]] = {
            key: (rank, key, MATCH_KEYS[key]) for rank, key in ranked
        }

    def compile(self, where: str, pairs: Mapping[str, str]) -> FlowRow[T]:
        """Compile a row.

        Raises: RowRefusedError.
        """
        for wanted, first in self._needs:
            if wanted.isdisjoint(pairs):
                raise RowRefusedError(f"required key missing. Required keys are: '{first}'. Line ignored.")
        name = pairs.get("label")
        if name is not None and len(name) > MAX_ROW_NAME:
            raise RowRefusedError(f"'label' is longer than {MAX_ROW_NAME} chars. Line ignored.")
        matchers, kind = self._matchers, self._kind
        asked = [matchers[key] for key in pairs if key in matchers]
        if len(asked) > 1:
            asked.sort(key=_RANK)
        key = ""
        try:
            conditions: list[Condition] = []
            for _, key, match in asked:
                found = match.conditions(pairs[key])
                if key in kind.columns:
                    found = [one._replace(column=kind.columns[key]) for one in found]
                conditions += found
            key = "filter"
            if key in pairs and kind.filters:
                conditions.append(Condition(Test.PACKET, "family", self._program(pairs[key])))
            key = "ip"
            exporter = prefix_octets(pairs[key]) if key in pairs else self._anyone
            key = ""
            gives = kind.gives(pairs)
        except MapValueError as error:
            key = key or next((setter for setter in kind.setters if setter in pairs), "")
            raise RowRefusedError(f"'{key}': {error}. Line ignored.") from None
        return FlowRow(where, exporter, tuple(conditions), name, pairs.get("jeq"), gives)


_RANK: Final = itemgetter(0)


def compile_map(
    kind: MapKind[T],
    rows: Iterable[tuple[str, Mapping[str, str]]],
    program: Callable[[str], Program] = no_programs,
    *,
    recirculate: bool = True,
) -> tuple[FlowMap[T], Collection[str]]:
    """Compile the rows of a map, each with its place in the file; return it and why which rows are left out."""
    compiler = RowCompiler(kind, program, recirculate=recirculate)
    compiled: list[FlowRow[Any]] = []
    refused: list[str] = []
    for where, pairs in rows:
        try:
            if kind.either:
                compiled += [compiler.compile(where, one) for one in kind.rows_of(pairs)]
            else:
                compiled.append(compiler.compile(where, pairs))
        except RowRefusedError as error:
            refused.append(f"{where} {error}")
    made: FlowMap[T] = FlowMap(compiled)
    return made, [*refused, *made.unresolved()]
