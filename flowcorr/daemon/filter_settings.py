"""From configuration to the filters of a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._column_tests import ColumnTests
from flowcorr.correlate._packet_program import COLUMNS, PacketFilter, Program
from flowcorr.correlate.filters import (
    Filter,
    FilterError,
    LabelFilter,
    TagFilter,
    parse_label_filter,
    parse_tag_filter,
)
from flowcorr.correlate.frame_tests import Graph, graph_of
from flowcorr.daemon.packet_filters import ExpressionError, compile_expression, expressions_of
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from routed.plumbing.config import Configuration


@dataclass(frozen=True, slots=True)
class FilterKind:
    """One key: the columns that its filter reads, and how it is made of its text."""

    columns: Callable[[str], Iterable[str]]
    make: Callable[[str, Layout, Texts], Filter]


def _programs(text: str) -> list[Program]:
    return [compile_expression(one) for one in expressions_of(text)]


def _tests(programs: Iterable[Program]) -> Graph | None:
    return graph_of(tuple(one.octets for one in programs))


def _packet_columns(text: str) -> Iterable[str]:
    tests = _tests(_programs(text))
    return COLUMNS if tests is None else tests.columns


def _packet_filter(text: str, layout: Layout, _texts: Texts) -> Filter:
    programs = _programs(text)
    tests = _tests(programs)
    return PacketFilter(layout, programs) if tests is None else ColumnTests(layout, tests)


def _tag_filter(text: str, _layout: Layout, _texts: Texts, column: str) -> Filter:
    return parse_tag_filter(column, text)


def _label_filter(text: str, _layout: Layout, texts: Texts) -> Filter:
    return parse_label_filter(text, texts)


#: By key, in the order in which they are asked.
KINDS: Final[Mapping[str, FilterKind]] = {
    "aggregate_filter": FilterKind(_packet_columns, _packet_filter),
    "pre_tag_filter": FilterKind(lambda _: ("tag",), partial(_tag_filter, column="tag")),
    "pre_tag2_filter": FilterKind(lambda _: ("tag2",), partial(_tag_filter, column="tag2")),
    "pre_tag_label_filter": FilterKind(lambda _: ("label",), _label_filter),
}


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """The filters of a plugin: keys and texts."""

    texts: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns that they read.

        Raises: FilterError, ExpressionError.
        """
        return frozenset(column for key, text in self.texts for column in KINDS[key].columns(text))

    def make(self, layout: Layout, texts: Texts) -> list[Filter]:
        """Make the filters.

        Raises: FilterError, ExpressionError.
        """
        return [KINDS[key].make(text, layout, texts) for key, text in self.texts]


def filter_settings(of_plugin: Configuration) -> FilterSettings:
    """Tell the filters of a plugin from what holds for it."""
    return FilterSettings(tuple((key, of_plugin.of(key, str)) for key in KINDS if of_plugin.is_set(key)))


def filters_are_understood(c: Configuration, daemon: str) -> Iterator[Problem]:  # noqa: ARG001 (as all checks)
    """Refuse filters that cannot be understood, and those that would hold for no plugin."""
    layout = Layout(BUILTIN.values())
    for key in KINDS:
        if c.is_set(key):
            text = f"{c.where(key)} {key} belongs to a plugin: write {key}[name]"
            yield Problem(Kind.BAD_VALUE, text)
        for name in c.of_plugins:
            of_plugin = c.for_plugin(name)
            if not of_plugin.is_set(key):
                continue
            where = f"{of_plugin.where(key)} {key}[{name}]"
            try:
                [made] = FilterSettings(((key, of_plugin.of(key, str)),)).make(layout, Texts())
            except (FilterError, ExpressionError) as error:
                yield Problem(Kind.BAD_VALUE, f"{where}: {error}")
                continue
            if isinstance(made, TagFilter | LabelFilter) and (last := made.last_asked) is not None:
                yield Problem(Kind.ADVICE, f"{where}: what stands behind {last} is never asked")
