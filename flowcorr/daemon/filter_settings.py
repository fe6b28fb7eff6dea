"""From configuration to the filters of a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flowcorr.columns._texts import Texts
from flowcorr.correlate.filters import Filter, FilterError, parse_label_filter, parse_tag_filter
from routed.plumbing.statements import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.plumbing.config import Configuration

#: Key and column of each filter, in the order in which they are asked.
KEYS: Final = (("pre_tag_filter", "tag"), ("pre_tag2_filter", "tag2"), ("pre_tag_label_filter", "label"))


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """The filters of a plugin, by column."""

    texts: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns that they read."""
        return frozenset(column for column, _ in self.texts)

    def make(self, texts: Texts) -> list[Filter]:
        """Make the filters.

        Raises: FilterError.
        """
        return [
            parse_label_filter(text, texts) if column == "label" else parse_tag_filter(column, text)
            for column, text in self.texts
        ]


def filter_settings(of_plugin: Configuration) -> FilterSettings:
    """Tell the filters of a plugin from what holds for it."""
    return FilterSettings(tuple((column, of_plugin.of(key, str)) for key, column in KEYS if of_plugin.is_set(key)))


def filters_are_understood(c: Configuration, daemon: str) -> Iterator[Problem]:  # noqa: ARG001 (as all checks)
    """Refuse filters that cannot be understood, and those that would hold for no plugin."""
    for key, column in KEYS:
        if c.is_set(key):
            text = f"{c.where(key)} {key} belongs to a plugin: write {key}[name]"
            yield Problem(Kind.BAD_VALUE, text)
        for name in c.of_plugins:
            of_plugin = c.for_plugin(name)
            if not of_plugin.is_set(key):
                continue
            try:
                FilterSettings(((column, of_plugin.of(key, str)),)).make(Texts())
            except FilterError as error:
                yield Problem(Kind.BAD_VALUE, f"{of_plugin.where(key)} {key}[{name}]: {error}")
