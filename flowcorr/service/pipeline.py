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
    from flowcorr.service.bugs import Bugs

    Stage = Callable[[Batch], object]

#: What a map that tags flows writes, and what several of them would write over each other.
TAG_COLUMNS: Final = ("tag", "tag2", "label", "tos")


class Plugin(Protocol):
    """What aggregates flows and writes them."""

    @property
    def name(self) -> str:
        """What it is called in the configuration."""

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
    bugs: Bugs
    prepare: Callable[[], None]
    stages: Sequence[Stage]
    outlets: Sequence[Outlet]
    flows: int = field(default=0)

    def run(self, batch: Batch) -> None:
        """Let a batch through; afterwards it is empty, whatever fails."""
        if len(batch):
            self.flows += len(batch)
            if self._prepared(batch):
                for outlet in self.outlets:
                    self._give_out(batch, outlet)
        batch.clear()
        self.texts.sweep()

    def _prepared(self, batch: Batch) -> bool:
        """Let a batch through what all plugins share; False when that failed."""
        try:
            self.prepare()
            for stage in self.stages:
                stage(batch)
        except Exception as error:  # noqa: BLE001 (our own bug costs this batch)
            self.bugs.in_batch("what all plugins share", len(batch) * len(self.outlets), error)
            return False
        return True

    def _give_out(self, batch: Batch, outlet: Outlet) -> None:
        before = {name: batch.rows[name].copy() for name in outlet.writes if name in batch.layout}
        try:
            _take(batch, outlet)
        except Exception as error:  # noqa: BLE001 (our own bug costs one plugin this batch)
            self.bugs.in_batch(f"plugin {outlet.plugin.name}", len(batch), error)
        for name, values in before.items():
            batch.rows[name] = values


def _take(batch: Batch, outlet: Outlet) -> None:
    for stage in outlet.stages:
        stage(batch)
    mask = mask_of(outlet.filters, batch)
    for change in outlet.changes:
        change(batch)
    outlet.plugin.take(batch, mask)
