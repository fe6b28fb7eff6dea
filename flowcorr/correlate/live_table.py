"""Sums that go on until somebody erases them: the aggregation of the `memory` plugin.

There are no time bins. The table has room for so many entries; what belongs to a further one is counted as refused,
with its packets and bytes, while the entries that are there go on.
"""

from typing import TYPE_CHECKING, Final

from numpy import uint8
from numpy.typing import NDArray

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout
from flowcorr.correlate._groupby import NO_MEMORY
from flowcorr.correlate._live import LiveGroupBy, Snapshot
from flowcorr.correlate.aggregate import Aggregate, plan_key

if TYPE_CHECKING:
    from flowcorr.correlate._bin import Bin

#: Microseconds of a second.
SECOND: Final = 1_000_000
#: What an entry takes beside its key: its sums, and its places among the slots, half of which may be empty.
ENTRY_OCTETS: Final = 32 + 2 * 8


class LiveTable:
    """Sums the records of one plugin by key.

    Args:
        most_entries: that there may be.
        most_octets: that these may take, without their texts; None for any number.
    """

    def __init__(
        self,
        layout: Layout,
        aggregate: Aggregate,
        texts: Texts,
        most_entries: int,
        *,
        most_octets: int | None = None,
        whole_seconds: bool = False,
        dscp: bool = False,
    ) -> None:
        self.plan = plan_key(aggregate, layout, whole_seconds=whole_seconds, dscp=dscp)
        self.texts = texts
        if most_octets is not None:
            most_entries = max(1, min(most_entries, most_octets // (ENTRY_OCTETS + self.plan.octets)))
        self.sums = LiveGroupBy(layout, texts, self.plan, most_entries)
        self._erased: list[Bin] = []

    def __len__(self) -> int:
        return self.sums.open_entries

    @property
    def octets(self) -> int:
        """Return the memory of the table, without its texts."""
        return self.sums.octets

    def add(self, batch: Batch, mask: NDArray[uint8] | None, now: float) -> None:
        """Sum the rows of a batch, but for those whose mask is 0.

        Raises: MemoryError when there is none for an entry.
        """
        self.sums.add(batch, mask, 0, int(now * SECOND))
        if self.sums.stopped == NO_MEMORY:
            raise MemoryError("no memory for an entry of a table")

    def snapshot(self) -> Snapshot:
        """Return the table as it is now; whoever takes it closes it."""
        return self.sums.snapshot()

    def erase(self) -> None:
        """Begin anew; the memory of what was there comes back by `release`."""
        erased = self.sums.erase()
        if erased is not None:
            self._erased.append(erased)

    def release(self, most: int) -> bool:
        """Let go of some erased entries that nobody looks at; tell whether none of these is left."""
        done = True
        for erased in tuple(self._erased):
            if self.sums.is_seen(erased):
                continue
            if erased.release(most):
                self._erased.remove(erased)
            else:
                done = False
        return done
