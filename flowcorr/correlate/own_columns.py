"""Columns that a plugin has for itself begin with what the protocol said; then look-ups write into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowcorr.columns._batch import Batch
    from flowcorr.columns.column import Column


class OwnColumns:
    """Copies built-in columns into those that stand for them; pairs of a name and a column."""

    def __init__(self, pairs: Iterable[tuple[str, Column]]) -> None:
        self._pairs = [(name, column.name) for name, column in pairs]

    def __call__(self, batch: Batch) -> None:
        """Copy them."""
        rows = batch.rows
        for name, own in self._pairs:
            rows[own] = rows[name]
