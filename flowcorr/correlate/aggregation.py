"""The aggregation of one plugin: records go in, finished bins come out when they are due.

Memory is bounded by entries: when the open bins hold as many as may be, or there are too many of them, all are written
early, as records that will be continued. Nothing is lost by that; whoever reads the output sums over key and bin, as
with a refresh that is shorter than a bin.

Bins are the choice of exporters, and each is some memory and a file of its own. So it happens seldom that all are
written because there are too many: when it has just happened, records of times that have no bin are counted when they
come. The times of a capture that is replayed are believed.
"""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from numpy import uint8
from numpy.typing import NDArray

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import Column
from flowcorr.columns.layout import Layout
from flowcorr.correlate._bin import Bin
from flowcorr.correlate._groupby import ALL_TIME, DONE, FULL, NO_MEMORY, GroupBy
from flowcorr.correlate.aggregate import Aggregate, plan_key
from flowcorr.correlate.bins import Bins, Deadlines, Length, round_off

#: Microseconds of a second.
SECOND: Final = 1_000_000
#: Open bins of a plugin: flow times are chosen by exporters. More than a record may be spread over.
MOST_BINS: Final = 2_048
#: After bins were written because they were too many, how long that is not done again. Units: seconds.
CROWD_PATIENCE: Final = 60.0
#: Entries of all open bins where nothing is configured: some 200 MB of common keys.
MOST_ENTRIES: Final = 1 << 21


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationSettings:
    """How a plugin aggregates. `zone` is None for local time."""

    refresh: int = 60
    startup_delay: int = 0
    history: Length | None = None
    offset: int = 0
    roundoff: str = ""
    zone: tzinfo | None = None
    whole_seconds: bool = False
    dscp: bool = False
    stitching: bool = False
    pro_rating: bool = False
    most_entries: int = MOST_ENTRIES
    replays: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns that it needs beside those of the key."""
        return (BUILTIN["time_end"],) if self.stitching or self.pro_rating else ()


@dataclass(frozen=True, slots=True)
class Finished:
    """Bins to be written and then released; `is_early` when that is not because of the time.

    `start` is that of the last bin that this flush is about, whether or not it holds anything; None without bins.
    """

    bins: tuple[Bin, ...]
    is_early: bool
    start: int | None = None

    def __len__(self) -> int:
        return sum(map(len, self.bins))

    def release(self, most: int) -> bool:
        """Let go of some entries, in the thread of the texts; tell whether none is left."""
        return all(found.release(most) for found in self.bins)


class Aggregation:
    """Sums the records of one plugin by key and time bin. Its clock is the wall clock, in seconds since 1970."""

    def __init__(
        self, layout: Layout, aggregate: Aggregate, texts: Texts, settings: AggregationSettings, now: float
    ) -> None:
        self.plan = plan_key(aggregate, layout, whole_seconds=settings.whole_seconds, dscp=settings.dscp)
        self.flushed_early = 0
        self._replays = settings.replays
        self._crowded_at = -CROWD_PATIENCE
        self._groups = GroupBy(
            layout,
            texts,
            self.plan,
            settings.most_entries,
            stitching=settings.stitching,
            pro_rating=settings.pro_rating,
        )
        base = round_off(now, settings.roundoff, settings.zone)
        self._deadlines = Deadlines(settings.refresh, settings.startup_delay, base, now)
        self._early: list[Finished] = []
        self._bins: Bins | None = None
        self._current = self._held_back = 0
        if settings.history is not None:
            self._bins = Bins(settings.history, base, settings.offset, settings.zone)
            self._current = self._bins.around(now)[0]
            self._held_back = settings.startup_delay // settings.history.nominal

    @property
    def entries(self) -> int:
        """Return the entries in memory, those that wait to be written included."""
        return self._groups.entries

    @property
    def open_entries(self) -> int:
        """Return the entries of bins that are not finished."""
        return self._groups.open_entries

    @property
    def most_entries(self) -> int:
        """Return how many entries the bins may have that are not finished."""
        return self._groups.most_entries

    @property
    def octets(self) -> int:
        """Return the memory of open bins."""
        return self._groups.octets

    @property
    def unsplit(self) -> int:
        """Return the records that lasted too long to be spread over bins."""
        return self._groups.unsplit

    @property
    def misdated(self) -> int:
        """Return the records that were counted when they came, because there were too many bins."""
        return self._groups.misdated

    def add(self, batch: Batch, mask: NDArray[uint8] | None, now: float) -> None:
        """Sum the rows of a batch, but for those whose mask is 0.

        Raises: MemoryError when there is none for an entry.
        """
        at, microseconds = 0, int(now * SECOND)
        while True:
            at = self._groups.add(batch, mask, at, microseconds)
            stopped = self._groups.stopped
            if stopped == DONE:
                return
            if stopped == NO_MEMORY:
                raise MemoryError("no memory for an entry of an aggregation")
            if stopped == FULL:
                self._finish_early()
            elif self._groups.open_bins >= MOST_BINS and not self._groups.crowded:
                if not self._replays and self._crowded_at <= now < self._crowded_at + CROWD_PATIENCE:
                    self._groups.crowded = True
                    continue
                self._crowded_at = now
                self._finish_early()
            if stopped != FULL:
                self._open_bin(self._groups.wanted)

    def deadline(self) -> float:
        """Return when `take_finished` wants to be called next."""
        return 0.0 if self._early else float(self._deadlines.next)

    def due(self, now: float) -> bool:
        """Tell whether there is something to take."""
        return now >= self.deadline()

    def take_finished(self, now: float) -> list[Finished]:
        """Return what is to be written by now, in this order; an empty flush is one too."""
        finished, self._early = self._early, []
        if self._deadlines.take(now):
            until = self._until(now)
            start = None if self._bins is None else self._bins.around(until // SECOND - 1)[0]
            finished.append(Finished(tuple(self._groups.finish(until)), is_early=False, start=start))
        return finished

    def take_all(self) -> list[Finished]:
        """Return everything, at the end of the daemon."""
        finished, self._early = self._early, []
        return [*finished, self._finish_all(is_early=False)]

    def _until(self, now: float) -> int:
        """Return the end of the bins that this flush writes."""
        if self._bins is None:
            return ALL_TIME[1]
        start, end = self._bins.around(now)
        has_advanced = start > self._current
        self._current = start
        until = start if has_advanced else end
        return self._bins.before(until, self._held_back) * SECOND

    def _finish_early(self) -> None:
        self._early.append(self._finish_all(is_early=True))
        self.flushed_early += 1

    def _finish_all(self, *, is_early: bool) -> Finished:
        return Finished(tuple(self._groups.finish(ALL_TIME[1])), is_early=is_early)

    def _open_bin(self, when: int) -> None:
        if self._bins is None:
            self._groups.open_bin(*ALL_TIME)
        else:
            start, end = self._bins.around(when // SECOND)
            self._groups.open_bin(start * SECOND, end * SECOND)
