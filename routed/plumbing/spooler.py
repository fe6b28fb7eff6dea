"""The reactor's side of a spool: what is to be written, read and forgotten, one call of a thread at a time.

The owner, a broker's sink, says what goes to disk and asks for what comes next; what the disk says to that is counted
and reported here. A disk that refuses is tried again every `DISK_RETRY`; a spool that cannot be opened is done without.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing.metrics import counter
from routed.plumbing.parcel import Parcel, ParcelQueue
from routed.plumbing.sink import log_bug, reason_of
from routed.plumbing.spool_segment import DamageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twisted.internet.interfaces import IReactorTime

    from routed.plumbing.sink import InThread
    from routed.plumbing.spool import Found, Spool

#: How long a disk is left alone that refused. Units: seconds.
DISK_RETRY: Final = 1.0
#: How long another process may keep the spool, such as the one before a restart, which still ends. Units: seconds.
LOCK_PATIENCE: Final = 30.0
#: Octets read or written in one go of a thread.
STEP: Final = 8 << 20


@dataclass(slots=True)
class SpoolCounters:
    """What went through a spool."""

    rows_spooled: int = counter("rows written to disk")
    rows_replayed: int = counter("rows read from disk")
    full: int = counter("times that there was no room")
    failures: int = counter("calls that the disk refused")
    damages: int = counter("places that could not be read")


@dataclass(frozen=True, slots=True)
class SpoolReports:
    """What a spooler tells its owner.

    `opened`: it is known what an earlier run has left; None: there is no spool. `fetched`: what was asked for, empty
    when nothing is left on disk and nothing is about to be; what the disk does not take comes straight from memory.
    `changed`: how much waits for the disk, or whether there is room on it. `say`: for the log.
    """

    opened: Callable[[Found | None], None]
    fetched: Callable[[Sequence[Parcel]], None]
    changed: Callable[[], None]
    say: Callable[[str], None]


class Spooler:
    """Moves parcels to disk and back."""

    def __init__(self, spool: Spool, clock: IReactorTime, in_thread: InThread, reports: SpoolReports) -> None:
        self.counters = SpoolCounters()
        self.pending = ParcelQueue()  # to be written, behind everything that is on disk
        self.is_full = self.is_failing = self.is_broken = False
        self._spool, self._clock, self._in_thread, self._reports = spool, clock, in_thread, reports
        self._is_open = self._running = self._closing = False
        self._fetch_after: int | None = None  # the number behind which the next parcels are wanted
        self._fetch_octets = 0
        self._delivered = self._forgotten = 0
        self._nap: Deferred[None] | None = None
        self._began = clock.seconds()
        self._waiting: list[Deferred[None]] = []  # for the end of all work

    @property
    def last(self) -> int:
        """Return the newest number that was ever on disk."""
        return self._spool.last

    @property
    def octets(self) -> int:
        """Return how much is on disk."""
        return self._spool.octets

    @property
    def has_room(self) -> bool:
        """Tell whether what is put is written soon."""
        return not (self.is_full or self.is_failing or self.is_broken)

    def open(self) -> None:
        """Find out what an earlier run has left."""
        self._wake()

    def put(self, parcels: Iterable[Parcel]) -> None:
        """Write parcels, whose numbers rise, behind what is on disk."""
        for parcel in parcels:
            self.pending.put(parcel)
        self._wake()

    def fetch(self, after: int, octets: int) -> None:
        """Read what follows a number."""
        self._fetch_after, self._fetch_octets = after, octets
        self._end_nap()
        self._wake()

    def forget(self, up_to: int) -> None:
        """Let go of the parcels up to a number, which have been delivered."""
        if up_to > self._delivered:
            self._delivered = up_to
            self._wake()

    def rest(self) -> Deferred[None]:
        """Return what fires when everything that can be done is done; from now on a refusal is not waited out."""
        self._closing = True
        self._end_nap()
        resting: Deferred[None] = Deferred()
        self._waiting.append(resting)
        self._wake()
        return resting

    def close(self) -> Deferred[None]:
        """Let go of the directory."""
        return self._in_thread(self._spool.close).addErrback(log_bug, "the end of a spool")

    def _wake(self) -> None:
        if not self._running:
            self._running = True
            ensureDeferred(self._work()).addErrback(log_bug, "a spool")

    async def _work(self) -> None:
        """Do what is to be done until there is nothing."""
        try:
            while not self.is_broken and await self._survive():
                pass
        finally:
            self._running = False
            waiting, self._waiting = self._waiting, []
            for resting in waiting:
                resting.callback(None)

    async def _survive(self) -> bool:
        """Do one thing, come what may; whether there may be more to do."""
        try:
            return await self._step()
        except DamageError as damage:
            self.counters.damages += 1
            self._reports.say(f"spool: {damage}: skipped what cannot be read")
        except Exception as error:  # noqa: BLE001 (none may end the sink)
            self.counters.failures += 1
            if not isinstance(error, OSError):
                log_bug(error, "a spool")
            if not self._is_open and not self._may_still_open(error):
                self._do_without(reason_of(error))
                return False
            if not self.is_failing:
                self.is_failing = True
                self._reports.say(f"spool: {reason_of(error)}: tried again every {DISK_RETRY:.0f} s")
                self._reports.changed()
            if self._closing:
                return False
            await self._sleep()
        return True

    def _may_still_open(self, error: Exception) -> bool:
        """Tell whether whoever has the spool is waited for."""
        is_waited_for = self._clock.seconds() - self._began < LOCK_PATIENCE
        return isinstance(error, BlockingIOError) and is_waited_for and not self._closing

    async def _step(self) -> bool:
        if not self._is_open:
            found = await self._in_thread(self._spool.open)
            self._is_open = True
            for problem in found.problems:
                self.counters.damages += 1
                self._reports.say(f"spool: {problem}")
            self._delivered = self._forgotten = found.first - 1
            self._reports.opened(found)
        elif self._delivered > self._forgotten and self._spool.octets:
            up_to = self._delivered
            await self._in_thread(partial(self._spool.discard, up_to))
            self._forgotten, self.is_full = up_to, False
            self._reports.changed()
        elif self._fetch_after is not None and (self.is_full or self.is_failing or not self.pending):
            await self._fetch(self._fetch_after)
            return True
        elif self.pending and not self.is_full:
            await self._write()
        else:
            return False
        self.is_failing = False
        return True

    async def _write(self) -> None:
        batch = self.pending.head(STEP)
        try:
            await self._in_thread(partial(self._spool.append, batch))
        finally:
            while self.pending and self.pending.first.number <= self._spool.last:
                self.counters.rows_spooled += self.pending.take().rows
            if self._spool.last >= batch[0].number:
                self._reports.changed()
        if self._spool.last < batch[-1].number:
            self.is_full = True
            self.counters.full += 1
            self._reports.say("spool is full")
            self._reports.changed()

    async def _fetch(self, after: int) -> None:
        """Read what follows; behind all that is on disk comes what the disk does not take."""
        parcels: Sequence[Parcel] = await self._in_thread(
            partial(self._spool.read, after, min(STEP, self._fetch_octets))
        )
        if not parcels and self.pending and self.has_room:
            return  # it is written first
        self._fetch_after = None
        self.counters.rows_replayed += sum(parcel.rows for parcel in parcels)
        if not parcels:
            parcels = [parcel for parcel in self.pending.take_all() if parcel.number > after]
        self._reports.fetched(parcels)

    def _do_without(self, reason: str) -> None:
        self.is_broken = True
        self._reports.say(f"spool: {reason}: rows wait in memory alone, and a kill loses them")
        self._reports.opened(None)

    async def _sleep(self) -> None:
        self._nap = Deferred()
        alarm = self._clock.callLater(DISK_RETRY, self._end_nap)
        await self._nap
        if alarm.active():
            alarm.cancel()

    def _end_nap(self) -> None:
        if self._nap is not None:
            nap, self._nap = self._nap, None
            nap.callback(None)
