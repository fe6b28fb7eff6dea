"""The way of a batch of flows: what all plugins share, then what each of them wants, then it is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from flowcorr.correlate.filters import Filter, mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    """A plugin and what decides about its flows. `tags` are those of its own map, if it is not that of all."""

    plugin: Plugin
    filters: Sequence[Filter] = ()
    tags: Stage | None = None


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
            self._give_out(batch)
        batch.clear()
        self.texts.sweep()

    def _give_out(self, batch: Batch) -> None:
        untagged = _tags_of(batch) if any(outlet.tags is not None for outlet in self.outlets) else {}
        for outlet in self.outlets:
            if outlet.tags is not None:
                outlet.tags(batch)
            outlet.plugin.take(batch, mask_of(outlet.filters, batch))
            if outlet.tags is not None:
                for name, values in untagged.items():
                    batch.rows[name] = values


def _tags_of(batch: Batch) -> dict[str, NDArray[np.void]]:
    return {name: batch.rows[name].copy() for name in TAG_COLUMNS if name in batch.layout}
