"""The way of a batch of flows: what all plugins share, then what each of them wants, then it is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from flowcorr.correlate.filters import Filter, mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from flowcorr.columns._batch import Batch
    from flowcorr.columns._texts import Texts

    Stage = Callable[[Batch], object]

#: What a map that tags flows writes, and what several of them would write over each other.
TAG_COLUMNS: Final = ("tag", "tag2", "label", "tos")


class Plugin(Protocol):
    """What aggregates flows and writes them."""

    def take(self, batch: Batch, mask: NDArray[np.uint8] | None) -> None:
        """Take the flows of a batch, but for those whose mask is 0."""


@dataclass(slots=True)
class Outlet:
    """A plugin and what decides about its flows.

    Attributes:
        stages: of this plugin alone, in their order, before the filters.
        changes: the same behind them: what only this plugin sees otherwise.
        writes: the columns that both write, which the next plugin wants as they were.
    """

    plugin: Plugin
    filters: Sequence[Filter] = ()
    stages: Sequence[Stage] = ()
    changes: Sequence[Stage] = ()
    writes: Collection[str] = ()


@dataclass(slots=True)
class Pipeline:
    """Lets batches go their way.

    Attributes:
        prepare: called before each batch: what may have changed since the last one.
        stages: of all flows, in their order.
        outlets: of plugins.
    """

    texts: Texts
    prepare: Callable[[], None]
    stages: Sequence[Stage]
    outlets: Sequence[Outlet]
    flows: int = field(default=0)

    def run(self, batch: Batch) -> None:
        """Let a batch through; afterwards it is empty."""
        if len(batch):
            self.flows += len(batch)
            self.prepare()
            for stage in self.stages:
                stage(batch)
            for outlet in self.outlets:
                _give_out(batch, outlet)
        batch.clear()
        self.texts.sweep()


def _give_out(batch: Batch, outlet: Outlet) -> None:
    before = {name: batch.rows[name].copy() for name in outlet.writes if name in batch.layout}
    for stage in outlet.stages:
        stage(batch)
    mask = mask_of(outlet.filters, batch)
    for change in outlet.changes:
        change(batch)
    outlet.plugin.take(batch, mask)
    for name, values in before.items():
        batch.rows[name] = values
