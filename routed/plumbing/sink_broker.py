"""The sink of a broker: a bounded queue in memory, then a spool on disk, then back-pressure; nothing lost in silence.

Every buffer of rows becomes a parcel with a number. Parcels are handed to the carrier in order, up to `WINDOW`
octets at a time, and forgotten when the broker has confirmed them. What happens while it does not:

1. *memory*: parcels wait, up to half of the queue's size besides the window;
2. *spool*: then, or when the broker has confirmed nothing for `SPILL_AFTER`, all that is not confirmed is written to
   disk, and so is all that comes after it, until everything that is on disk is on its way: from then on parcels wait in
   memory again. So the disk holds an unbroken sequence, and a `kill -9` while the broker is away loses at most what
   came in the second before;
3. *back-pressure*: when the spool has no room (or there is none) producers are asked to wait. With the policy `drop`,
   rows that come then are dropped and counted instead.

The reactor's thread owns all state. The parcels that are not confirmed are, by number: those that fly, those that
wait, those on disk that have not been read, those that are pending to be written. Of these, flying ones may be on
disk as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing.carrier import WINDOW, Carrier, Reports
from routed.plumbing.metrics import SinkCounters, counter, gauge
from routed.plumbing.parcel import Address, Parcel, ParcelQueue
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import NO_WATCH, TEXT, Framing, InThread, SinkState, Watch, log_bug
from routed.plumbing.spooler import Spooler, SpoolReports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from routed.plumbing.spool import Found, Spool

#: How long the broker may confirm nothing before what waits for it is put on disk. Units: seconds.
SPILL_AFTER: Final = 1.0
#: Different reasons that are told of one absence of the broker; their numbers make no difference.
MOST_REASONS: Final = 5
_NUMBER: Final = re.compile("[0-9]+")
#: How long the end of the daemon waits for a broker that goes on confirming. Units: seconds.
CLOSE_PATIENCE: Final = 5.0


@dataclass(slots=True)
class BrokerCounters(SinkCounters):
    """What went through the sink of a broker; `rows_written` are those that the broker has confirmed."""

    rows_refused: int = counter("rows that the broker will never take, among those lost")
    pauses: int = counter("times that producers were asked to wait")
    disconnections: int = counter("times that the broker went away")


@dataclass(slots=True)
class BrokerLevels:
    """What is in the sink of a broker at the moment."""

    up: int = gauge("1 when the broker is reached, else 0")
    rows_waiting: int = gauge("rows in memory that were not handed to the client of the broker")
    octets_waiting: int = gauge("octets in memory that the broker has not confirmed")
    octets_spooled: int = gauge("octets on disk")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOptions:
    """How a sink bounds what waits.

    `drops`: when there is no room, new rows are dropped and producers not paused. `patient`: producers would rather
    wait for a slow broker than have their rows go through the disk; a broker that is away is not waited for.
    """

    bounds: Bounds = Bounds()  # noqa: RUF009 (frozen)
    drops: bool = False
    patient: bool = False


DEFAULT_OPTIONS: Final = BrokerOptions()


class AddressLane:
    """The way to one address of a broker."""

    def __init__(self, sink: BrokerSink, address: Address) -> None:
        self._sink, self._address = sink, address

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        """Take a buffer of whole rows."""
        self._sink.take(self._address, octets, rows, framing)


class BrokerSink:
    """Everything between producers of rows and a carrier.

    Args:
        name: for the log.
        carrier: what speaks to the broker.
        spool: where parcels go when memory is full or the broker away; None keeps them in memory.
    """

    def __init__(
        self,
        name: str,
        carrier: Carrier,
        spool: Spool | None,
        *,
        clock: IReactorTime,
        in_thread: InThread,
        watch: Watch = NO_WATCH,
        options: BrokerOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.counters, self.levels = BrokerCounters(), BrokerLevels()
        self.spooler: Spooler | None = None
        self._name, self._carrier, self._clock, self._watch = name, carrier, clock, watch
        self._bounds, self._options = options.bounds, options
        self._next = 1
        self._waiting = ParcelQueue()  # to be sent next
        self._flying: dict[int, Parcel] = {}  # sent and not confirmed
        self._window = 0  # what they weigh
        self._is_spooling = False  # what is taken goes to disk
        self._read = 0  # while spooling: the number up to which nothing has to be read from disk
        self._is_reading = False
        self._is_up: bool | None = None  # not known yet
        self._failing = self._full = self._closing = self._losing = self._pause_told = False
        self._quiet_since = clock.seconds()  # when the broker last confirmed something, or had nothing to confirm
        self._alarm: IDelayedCall | None = None
        self._reasons: set[str] = set()  # why it is failing, told already
        self._room: list[Deferred[None]] = []  # who waits for room
        self._idle: Deferred[None] | None = None  # fires when the end need not wait for more confirmations
        self._closed: Deferred[None] | None = None
        if spool is not None:
            self._is_spooling = self._is_reading = True  # until it is known to be empty
            reports = SpoolReports(
                opened=self._on_opened, fetched=self._on_fetched, changed=self._judge, say=self._report_reason
            )
            self.spooler = Spooler(spool, clock, in_thread, reports)
            self.spooler.open()
        carrier.start(
            Reports(delivered=self._on_delivered, refused=self._on_refused, up=self._on_up, down=self._on_down)
        )
        self._tick()

    def lane(self, address: Address) -> AddressLane:
        """Return the way to an address."""
        return AddressLane(self, address)

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        """Take a buffer of whole rows that has no address of its own."""
        self.take(Address(""), octets, rows, framing)

    def take(self, address: Address, octets: bytes, rows: int, framing: Framing) -> None:
        """Take a buffer of whole rows for an address."""
        parcel = Parcel(self._next, address, octets, rows, framing)
        is_above = self._held + parcel.weight > self._bounds.limit or (self._options.drops and self._full)
        if self._closing or is_above:
            self._lose(rows, "the daemon ends" if self._closing else "there is no room for them")
            return
        self._next += 1
        if self._is_spooling and self.spooler is not None:
            self.spooler.put((parcel,))
        else:
            self._waiting.put(parcel)
            self._send()
            if self._held > self._bounds.full and not self._options.patient:
                self._spill()
        self._judge()

    def ready(self) -> Deferred[None] | None:
        """Return what fires when there is room; None when there is now. Nothing breaks where nobody asks."""
        if not self._full:
            return None
        room: Deferred[None] = Deferred()
        self._room.append(room)
        return room

    def reopen(self) -> None:
        """Go on with a fresh connection."""
        self._carrier.reopen()

    def close(self) -> Deferred[None]:
        """Deliver what waits while the broker takes it, leave the rest in the spool; fires when all is over."""
        if self._closed is None:
            self._closing, self._closed = True, Deferred()
            ensureDeferred(self._close()).addErrback(log_bug, f"the end of {self._name}")
        waiting: Deferred[None] = Deferred()
        self._closed.addCallback(lambda _: waiting.callback(None))
        return waiting

    # What the carrier says.

    def _on_delivered(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            parcel = self._flying.pop(number, None)
            if parcel is not None:
                self._window -= parcel.weight
                self.counters.rows_written += parcel.rows
                self.counters.octets_written += len(parcel.octets)
        self._quiet_since = self._clock.seconds()
        self._on_up()
        self._judge()

    def _on_refused(self, number: int, rows: int, reason: str) -> None:
        if number in self._flying:
            self.counters.rows_written -= rows  # all of the parcel are added when it is done with
            self.counters.rows_refused += rows
            self._lose(rows, f"refused for good: {reason}")

    def _on_up(self) -> None:
        self._is_up = True
        self._report(failing=False)
        self._send()

    def _on_down(self, reason: str) -> None:
        self.counters.disconnections += bool(self._is_up)
        self.counters.failures += 1
        self._is_up = False
        self._report(failing=True, reason=reason)
        self._judge()

    # What the spool says.

    def _on_opened(self, found: Found | None) -> None:
        """Begin where the process before ended."""
        spooler = self.spooler
        assert spooler is not None
        early = spooler.pending.take_all()
        self._is_reading = False
        if found is None:
            self.spooler = None
        else:
            early = [parcel._replace(number=found.last + parcel.number) for parcel in early]
            self._next += found.last
            self._read = found.first - 1
        if found is None or found.is_empty:
            self._is_spooling = False
            for parcel in early:
                self._waiting.put(parcel)
        else:
            self._report_reason(f"spool: parcels {found.first} to {found.last} of an earlier run are delivered first")
            spooler.put(early)
        self._send()

    def _on_fetched(self, parcels: Sequence[Parcel]) -> None:
        self._is_reading = False
        if parcels:
            self._read = parcels[-1].number
        else:
            self._is_spooling = False  # everything that was on disk is on its way
        for parcel in parcels:
            self._waiting.put(parcel)
        self._send()
        self._judge()

    # What happens in between.

    @property
    def _held(self) -> int:
        """Octets in memory besides those that fly."""
        return self._waiting.octets + (0 if self.spooler is None else self.spooler.pending.octets)

    def _send(self) -> None:
        """Hand to the carrier what the window has room for, and see to it that more comes."""
        if self._closing and self._is_up is False:
            return
        parcels = []
        while self._waiting and self._window < WINDOW:
            parcel = self._waiting.take()
            self._flying[parcel.number] = parcel
            self._window += parcel.weight
            parcels.append(parcel)
        if parcels:
            self._carrier.send(parcels)
        if self._is_spooling and not self._is_reading and not self._waiting and not self._closing:
            assert self.spooler is not None
            if self._window < WINDOW:
                self._is_reading = True
                self.spooler.fetch(self._read, WINDOW - self._window)

    def _spill(self) -> None:
        """From now on keep everything on disk, beginning with what is not confirmed."""
        if self.spooler is None or self._is_spooling:
            return
        self._is_spooling = True
        on_disk, waiting = self.spooler.last, self._waiting.take_all()
        self._read = waiting[0].number - 1 if waiting else self._next - 1
        self.spooler.put(parcel for parcel in (*self._flying.values(), *waiting) if parcel.number > on_disk)
        self._send()

    def _confirmed(self) -> int:
        """Return the number up to which everything has been delivered."""
        if self._flying:
            return next(iter(self._flying)) - 1
        if self._waiting:
            return self._waiting.first.number - 1
        return self._read if self._is_spooling else self._next - 1

    def _tick(self) -> None:
        """Look whether the broker takes what it is given, and let go of what it has taken."""
        self._alarm = self._clock.callLater(SPILL_AFTER, self._tick)
        if not self._flying and not self._waiting:
            self._quiet_since = self._clock.seconds()
            self._pause_told = False
        elif self._clock.seconds() - self._quiet_since >= SPILL_AFTER:
            self._spill()
        if self.spooler is not None:
            self.spooler.forget(self._confirmed())

    def _judge(self) -> None:
        """Ask producers to wait, or to go on, as what is held demands."""
        held, bounds, spooler = self._held, self._bounds, self.spooler
        self.levels.up, self.levels.octets_waiting = int(bool(self._is_up)), held + self._window
        self.levels.rows_waiting = self._waiting.rows + (0 if spooler is None else spooler.pending.rows)
        self.levels.octets_spooled = 0 if spooler is None else spooler.octets
        has_room = spooler is not None and spooler.has_room and (self._is_spooling or not self._options.patient)
        if self._full and held <= bounds.drained:
            self._full = self._losing = False
            self._watch.on_drained()
            room, self._room = self._room, []
            for waiting in room:
                waiting.callback(None)
        elif not self._full and held > ((bounds.full + bounds.limit) // 2 if has_room else bounds.full):
            self._full = True
            self.counters.pauses += 1
            if not self._options.drops:
                self._tell_pause()
                self._watch.on_full()
        if spooler is not None and spooler.is_full:
            spooler.forget(self._confirmed())
        if (
            self._idle is not None
            and not self._idle.called
            and (self._is_up is False or not (self._flying or self._waiting))
        ):
            self._idle.callback(None)

    def _tell_pause(self) -> None:
        """Say once, until the broker has caught up, that producers wait; patient ones do so all the time."""
        if not self._pause_told and not self._options.patient:
            self._pause_told = True
            self._report_reason("no room: whoever writes here waits")

    async def _close(self) -> None:
        """Wait for confirmations while they come, put the rest on disk, let go of everything."""
        if self._is_up is not False and (self._flying or self._waiting):
            self._idle = Deferred()
            await self._idle.addTimeout(CLOSE_PATIENCE, self._clock, lambda *_: None)
        if self._alarm is not None:
            self._alarm.cancel()
        if self._flying or self._waiting:
            self._spill()
        lost = self._waiting.rows + sum(parcel.rows for parcel in self._flying.values())
        if self.spooler is not None:
            self.spooler.forget(self._confirmed())
            await self.spooler.rest()
            lost = self.spooler.pending.rows
        await self._carrier.close()
        if self.spooler is not None:
            await self.spooler.close()
        if lost:
            self.counters.rows_lost += lost
            self._report_reason(f"closed with {lost} rows that could not be delivered")
        assert self._closed is not None
        self._closed.callback(None)

    def _lose(self, rows: int, reason: str) -> None:
        self.counters.rows_lost += rows
        if not self._losing:
            self._losing = True  # one line until there is room again
            self._report_reason(f"rows are dropped: {reason}")

    def _report_reason(self, reason: str) -> None:
        self._report(failing=self._failing, reason=reason, always=True)

    def _report(self, *, failing: bool, reason: str = "", always: bool = False) -> None:
        """Tell the owner when the condition changes, or when there is something to say all the same."""
        changed = always or failing is not self._failing
        self._failing = failing
        if not failing:
            self._reasons.clear()
        elif not always:
            kind = _NUMBER.sub("0", reason)
            changed = kind not in self._reasons and len(self._reasons) < MOST_REASONS
            self._reasons.add(kind)
        if changed:
            self._watch.on_state(
                SinkState(
                    name=self._name,
                    failing=failing,
                    reason=reason,
                    rows_queued=self._waiting.rows + sum(parcel.rows for parcel in self._flying.values()),
                    rows_lost=self.counters.rows_lost,
                )
            )
