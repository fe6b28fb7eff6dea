"""Table dumps: at each event, the tables of the peers whose turn it is, each as it is when it is opened.

A thread renders and writes; the reactor only opens and closes snapshots, so sessions go on. Peers whose names expand to
the same file share it, in the order of their slots. A file appears under its name when it is whole. Brokers get the
same rows at the same time, each peer's to its own address.

What goes wrong with one place, a bug included, costs that place alone. One that takes nothing for a minute (a hung
disk) loses its dump, so that the snapshot does not stay open; no other dump begins while its thread is stuck.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, cast

from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing.log import Level
from routed.plumbing.sink import InThread, log_bug, reason_of
from routed.rib._dump import Snapshot
from routed.service.bmp_records import mark_keys
from routed.service.dump_place import DumpPlace, Everywhere
from routed.service.dump_schedule import Due, Schedule, slot_of
from routed.service.encoding import JsonEncoding
from routed.service.mrt_dump import write_mrt
from routed.service.records import TimeFormat, dump_event
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from datetime import datetime

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from routed.plumbing.log import Log
    from routed.plumbing.sink import Framing, Lane
    from routed.rib._rib import PeerRib
    from routed.rib._rows import Rows
    from routed.service.bmp_records import EventRecord
    from routed.service.encoding import Encoding
    from routed.service.neighbor import Neighbor
    from routed.service.records import Counter, PeerText
    from routed.service.settings import DumpSettings, RenderSettings
    from routed.service.validation import Validation

#: Rows of a buffer: enough to make what is done for each buffer cheap, and in the processor's cache while it is filled.
ROWS: Final = 2048
#: Buffers rendered and handed to the file in one go of the thread: some milliseconds, while the last go is written.
BUFFERS: Final = 8
#: The longest wait for an event, so that a step of the wall clock is noticed. Units: seconds.
LONGEST_WAIT: Final = 1.0
#: How long the end of the daemon waits for a dump to be given up. Units: seconds.
STOP_PATIENCE: Final = 5.0

#: Makes the file of a dump from its name and that of the link to the latest.
OpenDump = Callable[[str, "str | None"], DumpPlace]
#: Makes what takes the dump of a time to a broker.
OpenBrokerDump = Callable[["datetime"], DumpPlace]


class Dumpable(Protocol):
    """A router whose tables are dumped together."""

    text: PeerText

    def ribs(self) -> Sequence[PeerRib]:
        """Return its tables, in the order of dumps."""

    def begin_dump(self, rows: Rows, rib: PeerRib, timestamp: bytes, render: RenderSettings) -> None:
        """Let the rows that follow be those of one of them."""

    def closing_facts(self, entries: int) -> bytes:
        """Return the keys of the closing record that are its own."""

    def take_events(self) -> Sequence[EventRecord]:
        """Return the events that follow the routes, which the next dump need not show if this one is written."""

    def events_written(self, *, is_whole: bool) -> None:
        """Learn whether what was taken is in a dump now."""


class Source(Protocol):
    """Who has tables to be dumped."""

    def neighbors(self) -> Sequence[Dumpable]:
        """Return the routers that have tables, by slot."""


@dataclass(slots=True)
class DumpCounters:
    """What dumps came to."""

    events: int = 0
    skipped: int = 0
    files: int = 0
    files_failed: int = 0
    rows: int = 0


class Dumper:
    """Dumps tables by the clock."""

    def __init__(
        self,
        reactor: IReactorTime,
        settings: DumpSettings,
        render: RenderSettings,
        *,
        source: Source,
        open_dump: OpenDump,
        brokers: Sequence[OpenBrokerDump] = (),
        encoding: Encoding | None = None,
        in_thread: InThread,
        sequence: Counter,
        log: Log,
        protocol: str = "BGP",
        wall_clock: Callable[[], float] = time.time,
        validation: Validation | None = None,
    ) -> None:
        self.counters = DumpCounters()
        self._reactor, self._settings, self._render = reactor, settings, render
        self._source, self._open_dump, self._in_thread = source, open_dump, in_thread
        self._brokers, self._encoding = brokers, encoding or JsonEncoding(render)
        self._sequence, self._log, self._wall_clock = sequence, log, wall_clock
        self._protocol, self._validation = protocol, validation
        self._times = TimeFormat(render)
        self._running: Deferred[None] | None = None
        self._alarm: IDelayedCall | None = None
        self._stopping = False
        self._schedule = self._begin_schedule()

    def start(self) -> None:
        """Begin to look at the clock."""
        self._wait()

    def configure(self, settings: DumpSettings | None) -> None:
        """Follow another schedule from now on, or none; a dump that is being written goes on."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if settings is not None:
            self._settings = settings
            self._schedule = self._begin_schedule()
            self._wait()

    async def stop(self) -> None:
        """Stop; a dump that is being written is given up, so that the last whole one stays.

        A file that is stuck in its disk is not waited for.
        """
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._stopping = True
        if self._running is not None:
            over: Deferred[None] = Deferred()
            self._running.addBoth(over.callback)
            await over.addTimeout(STOP_PATIENCE, self._reactor, self._leave)

    def _leave(self, _: object, seconds: float) -> None:
        self._log.warning(f"the table dump that is being written is stuck: not waited for after {seconds:.0f} s")

    def _begin_schedule(self) -> Schedule:
        now = self._wall_clock()
        hour = self._times.moment(now).replace(minute=0, second=0, microsecond=0)
        return Schedule(now, int(hour.timestamp()), self._settings.refresh_time, self._settings.time_slots)

    def _wait(self) -> None:
        delay = min(LONGEST_WAIT, max(0.0, self._schedule.next.at - self._wall_clock()))
        self._alarm = self._reactor.callLater(delay, self._look)

    def _look(self) -> None:
        due = self._schedule.take(self._wall_clock())
        if due is not None:
            if self._running is not None:
                self.counters.skipped += 1
                self._log.warning("a table dump is due while the last one is being written: skipped")
            else:
                self._begin(due)
        self._wait()

    def _begin(self, due: Due) -> None:
        running = ensureDeferred(self._dump(due)).addErrback(log_bug, "the table dumps of an event")
        if not running.called:  # an event without peers is over at once
            self._running = running.addBoth(self._done)

    def _done(self, _: object) -> None:
        self._running = None

    async def _dump(self, due: Due) -> None:
        """Write all files of one event."""
        self.counters.events += 1
        began, sequence = time.monotonic(), self._sequence.take()
        slot = "" if self._settings.time_slots == 1 else f" - SLOT {due.slot + 1} / {self._settings.time_slots}"
        self._log.info(f"*** Dumping {self._protocol} tables{slot} - START (PID: {os.getpid()} RID: 1) ***")
        tables = entries = 0
        for name, neighbors in self._files(due).items():
            if self._stopping:
                break
            entries += await self._write_file(name, neighbors, due, sequence)
            tables += len(neighbors)
        seconds = round(time.monotonic() - began)
        self._log.info(
            f"*** Dumping {self._protocol} tables{slot} - END "
            f"(PID: {os.getpid()} RID: 1 TABLES: {tables} ENTRIES: {entries} ET: {seconds}) ***"
        )

    def _files(self, due: Due) -> dict[str, list[Dumpable]]:
        """Return the peers of this event by the file that their tables go to; all by "" where none does."""
        moment, file = self._times.moment(due.at), self._settings.file
        files: dict[str, list[Dumpable]] = {}
        for neighbor in self._source.neighbors():
            if slot_of(neighbor.text.address, self._settings.time_slots) == due.slot:
                name = ""
                if file is not None:
                    name = file.expand_for_peer(str(neighbor.text.address), neighbor.text.port, moment)
                files.setdefault(name, []).append(neighbor)
        return files

    def _places(self, name: str, first: PeerText, due: Due) -> Everywhere:
        """Open every place that the tables of some peers go to."""
        places = [open_dump(self._times.moment(due.at)) for open_dump in self._brokers]
        if self._settings.file is not None:
            latest = self._settings.latest_file
            link = None if latest is None else latest.expand_for_peer(str(first.address), first.port)
            places.insert(0, self._open_dump(name, link))
        return Everywhere(places, self._reactor, self._fail)

    async def _write_file(self, name: str, neighbors: list[Dumpable], due: Due, sequence: int) -> int:
        """Write one file, and the same to brokers; how many routes are there. It fails alone."""
        places = self._places(name, neighbors[0].text, due)
        whole = 0
        try:
            entries = await self._fill(places, neighbors, due, sequence)
            if not self._stopping and (whole := await places.commit()):
                self.counters.files += whole
                self.counters.rows += entries
                return entries
        except Exception as error:  # noqa: BLE001 (the other files are as good as before)
            self._fail(f"{name}: {reason_of(error)}")
            log_bug(error, f"the table dump {name}")
        finally:
            for neighbor in neighbors:
                neighbor.events_written(is_whole=bool(whole))
        await places.abort()
        return 0

    def _fail(self, problem: str) -> None:
        self.counters.files_failed += 1
        self._log.write_limited("dump failed", 6, Level.ERROR, f"table dump not written: {problem}")

    async def _fill(self, places: Everywhere, neighbors: list[Dumpable], due: Due, sequence: int) -> int:
        """Write the tables of some peers; how many routes they have."""

        async def goes_on() -> bool:
            await places.ready()
            return bool(places) and not self._stopping

        if self._settings.output is DumpFormat.MRT:
            peers = cast("list[Neighbor]", neighbors)  # only keys of BGP take this format
            return await write_mrt(places.lane(neighbors[0].text), peers, due.at, self._in_thread, goes_on)
        entries = 0
        for neighbor in neighbors:
            if not await goes_on():
                break
            entries += await self._write_tables(places.lane(neighbor.text), neighbor, due, sequence, goes_on)
        return entries

    async def _write_tables(
        self, file: Lane, neighbor: Dumpable, due: Due, sequence: int, goes_on: Callable[[], Awaitable[bool]]
    ) -> int:
        """Write the records of one router; how many routes it has."""
        text, timestamp = neighbor.text, self._times.whole(due.at)
        period = b'"dump_period": %d' % self._schedule.period
        self._write_event(file, dump_event(sequence, timestamp, text, b"dump_init", period))
        rows = self._encoding.new_rows()  # its own: one that ran out of memory is of no more use
        rows.sequence, rows.marker = sequence, mark_keys
        if self._validation is not None:
            self._validation.prepare(rows)
        entries = 0
        for rib in neighbor.ribs():
            neighbor.begin_dump(rows, rib, timestamp, self._render)
            snapshot = Snapshot(rib)
            entries += len(snapshot)
            try:
                while buffers := await self._in_thread(partial(render, snapshot, rows, self._encoding)):
                    for octets, framing, count in buffers:
                        file.write(octets, count, framing)
                    if not await goes_on():
                        return entries
            finally:
                snapshot.close()
        for record in neighbor.take_events():
            self._write_event(file, record.dump(sequence, timestamp, text, self._times))
        facts = neighbor.closing_facts(entries)
        self._write_event(file, dump_event(sequence, timestamp, text, b"dump_close", facts))
        return entries

    def _write_event(self, file: Lane, line: bytes) -> None:
        octets, framing = self._encoding.event(line)
        file.write(octets, 1, framing)


def render(snapshot: Snapshot, rows: Rows, encoding: Encoding) -> list[tuple[bytes, Framing, int]]:
    """Render the next few buffers of rows, in a thread; none at the end."""
    buffers: list[tuple[bytes, Framing, int]] = []
    while len(buffers) < BUFFERS and snapshot.render(rows, ROWS):
        count = rows.count
        buffers.append((*encoding.take(rows), count))
    return buffers
