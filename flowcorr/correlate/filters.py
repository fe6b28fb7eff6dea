"""Filters of a plugin: which flows of a batch it takes, by their tags and labels.

The entries of a filter are tried from the left. One that matches lets a flow through, or keeps it back when it is
negated; a negated one that does not match lets it through at once, so what stands behind it is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flowcorr.columns._batch import Batch
    from flowcorr.columns._texts import Texts

MAX_ENTRIES: Final = 96
MAX_TAG: Final = 2**64 - 1
#: Stands for a flow without a label.
NO_LABEL: Final = "null"


class FilterError(ValueError):
    """A filter that cannot be understood; the text says why."""


class Filter(Protocol):
    """What decides about the flows of a batch."""

    def passes(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell for each flow whether it passes."""


@dataclass(frozen=True, slots=True)
class TagEntry:
    """Tags from `low` to `high`."""

    low: int
    high: int
    negated: bool

    def __str__(self) -> str:
        value = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return f"-{value}" if self.negated else value


@dataclass(frozen=True, slots=True)
class TagFilter:
    """`pre_tag_filter` and `pre_tag2_filter`."""

    column: str
    entries: tuple[TagEntry, ...]

    @property
    def last_asked(self) -> str | None:
        """Return the entry behind which others are never asked, if there are any."""
        return next((str(entry) for entry in self.entries[:-1] if entry.negated), None)

    def passes(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell for each flow whether its tag passes; 0 is that of a flow without one."""
        tags = batch.rows[self.column]
        passing = np.zeros(len(tags), dtype=np.bool_)
        undecided = ~passing
        for entry in self.entries:
            matches = (tags >= np.uint64(entry.low)) & (tags <= np.uint64(entry.high))
            passing |= undecided & (matches != entry.negated)
            if entry.negated:
                break
            undecided &= ~matches
        return passing


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """`pre_tag_label_filter`."""

    entries: tuple[str, ...]
    texts: Texts
    column: str = "label"

    @property
    def last_asked(self) -> str | None:
        """Return the entry behind which others are never asked, if there are any."""
        return next((entry for entry in self.entries[:-1] if entry.startswith("-")), None)

    def passes(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell for each flow whether one of its labels passes."""
        ids, which = np.unique(batch.rows[self.column], return_inverse=True)
        answers = [self._lets_through(self.texts.octets_of(int(one)).decode(errors="replace")) for one in ids]
        return np.array(answers, dtype=np.bool_)[which]

    def _lets_through(self, label: str) -> bool:
        labels = label.split(",") if label else [NO_LABEL]
        for entry in self.entries:
            negated = entry.startswith("-")
            matches = entry.removeprefix("-") in labels
            if matches or negated:
                return matches != negated
        return False


def parse_tag_filter(column: str, text: str) -> TagFilter:
    """Read `N`, `N-M`, `-N` and `-N-M`, divided by commas.

    Raises: FilterError.
    """
    entries = [_tag_entry(entry.strip()) for entry in text.split(",")]
    if len(entries) > MAX_ENTRIES:
        raise FilterError(f"{len(entries)} entries are more than {MAX_ENTRIES}")
    return TagFilter(column, tuple(entries))


def parse_label_filter(text: str, texts: Texts) -> LabelFilter:
    """Read labels divided by commas.

    Raises: FilterError.
    """
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise FilterError(f"{len(entries)} entries, not 1 to {MAX_ENTRIES}")
    return LabelFilter(entries, texts)


def mask_of(filters: Sequence[Filter], batch: Batch) -> NDArray[np.uint8] | None:
    """Return 1 for each flow that passes all filters, 0 for the others; None without filters."""
    if not filters:
        return None
    passing = filters[0].passes(batch)
    for one in filters[1:]:
        passing &= one.passes(batch)
    return passing.view(np.uint8)


def _tag_entry(text: str) -> TagEntry:
    low, dash, high = text.removeprefix("-").partition("-")
    if not low.isdecimal() or (dash and not high.isdecimal()):
        raise FilterError(f"'{text}' is none of N, N-M, -N, -N-M")
    entry = TagEntry(int(low), int(high) if dash else int(low), text.startswith("-"))
    if entry.high > MAX_TAG or (dash and entry.high <= entry.low):
        raise FilterError(f"'{text}' is no range of tags")
    return entry
