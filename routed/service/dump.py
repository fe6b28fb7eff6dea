"""Table dumps: at each event, the tables of the peers whose turn it is, each as it is when it is opened.

A thread renders and writes; the reactor only opens and closes snapshots, so sessions go on. Peers whose names expand to
the same file share it, in the order of their slots. A file appears under its name when it is whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing.log import Level
from routed.plumbing.sink import InThread, SinkError, log_bug
from routed.rib._dump import Snapshot
from routed.service.dump_schedule import Due, Schedule, slot_of
from routed.service.message_log import new_rows
from routed.service.mrt_dump import write_mrt
from routed.service.records import TimeFormat, dump_event
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from routed.plumbing.dump_file import DumpFile
    from routed.plumbing.log import Log
    from routed.rib._rows import Rows
    from routed.service.collector import Neighbor
    from routed.service.message_log import Counter
    from routed.service.settings import DumpSettings, RenderSettings

#: Rows rendered in one go of the thread: a few milliseconds, and a buffer that stays in the processor's cache.
ROWS: Final = 2_048
#: Buffers handed to the file in one go.
BUFFERS: Final = 8
#: The longest wait for an event, so that a step of the wall clock is noticed. Units: seconds.
LONGEST_WAIT: Final = 1.0

#: Makes the file of a dump from its name and that of the link to the latest.
OpenDump = Callable[[str, "str | None"], "DumpFile"]


class Neighbors(Protocol):
    """Who has tables to be dumped."""

    def neighbors(self) -> list[Neighbor]:
        """Return the routers that have a table, by slot."""


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
        source: Neighbors,
        open_dump: OpenDump,
        in_thread: InThread,
        sequence: Counter,
        log: Log,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.counters = DumpCounters()
        self._reactor, self._settings, self._render = reactor, settings, render
        self._source, self._open_dump, self._in_thread = source, open_dump, in_thread
        self._sequence, self._log, self._wall_clock = sequence, log, wall_clock
        self._times = TimeFormat(render)
        self._running: Deferred[None] | None = None
        self._alarm: IDelayedCall | None = None
        self._stopping = False
        now = wall_clock()
        hour = self._times.moment(now).replace(minute=0, second=0, microsecond=0)
        self._schedule = Schedule(now, int(hour.timestamp()), settings.refresh_time, settings.time_slots)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._wait()

    async def stop(self) -> None:
        """Stop; a dump that is being written is given up, so that the last whole one stays."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._stopping = True
        if self._running is not None:
            await self._running

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
        running = ensureDeferred(self._dump(due)).addErrback(log_bug)
        if not running.called:  # an event without peers is over at once
            self._running = running.addBoth(self._done)

    def _done(self, _: object) -> None:
        self._running = None

    async def _dump(self, due: Due) -> None:
        """Write all files of one event."""
        self.counters.events += 1
        began, sequence = time.monotonic(), self._sequence.take()
        slot = "" if self._settings.time_slots == 1 else f" - SLOT {due.slot + 1} / {self._settings.time_slots}"
        self._log.info(f"*** Dumping BGP tables{slot} - START (PID: {os.getpid()} RID: 1) ***")
        tables = entries = 0
        for name, neighbors in self._files(due).items():
            if self._stopping:
                break
            latest = self._settings.latest_file
            first = neighbors[0].text
            link = None if latest is None else latest.expand_for_peer(str(first.address), first.port)
            entries += await self._write_file(self._open_dump(name, link), neighbors, due, sequence)
            tables += len(neighbors)
        seconds = round(time.monotonic() - began)
        self._log.info(
            f"*** Dumping BGP tables{slot} - END "
            f"(PID: {os.getpid()} RID: 1 TABLES: {tables} ENTRIES: {entries} ET: {seconds}) ***"
        )

    def _files(self, due: Due) -> dict[str, list[Neighbor]]:
        """Return the peers of this event by the file that their tables go to."""
        moment = self._times.moment(due.at)
        files: dict[str, list[Neighbor]] = {}
        for neighbor in self._source.neighbors():
            if slot_of(neighbor.text.address, self._settings.time_slots) == due.slot:
                name = self._settings.file.expand_for_peer(str(neighbor.text.address), neighbor.text.port, moment)
                files.setdefault(name, []).append(neighbor)
        return files

    async def _write_file(self, file: DumpFile, neighbors: list[Neighbor], due: Due, sequence: int) -> int:
        """Write one file; how many routes are in it."""
        entries, is_whole = 0, False
        try:
            if self._settings.output is DumpFormat.MRT:
                entries = await write_mrt(file, neighbors, due.at, self._in_thread)
            else:
                for neighbor in neighbors:
                    if neighbor.table is not None:
                        entries += await self._write_table(file, neighbor, due, sequence)
            if self._stopping:
                return 0
            await file.commit()
            is_whole = True
        except SinkError as error:
            self.counters.files_failed += 1
            self._log.write_limited("dump failed", 6, Level.ERROR, f"table dump not written: {error}")
            return 0
        finally:
            if not is_whole:
                await file.abort()
        self.counters.files += 1
        self.counters.rows += entries
        return entries

    async def _write_table(self, file: DumpFile, neighbor: Neighbor, due: Due, sequence: int) -> int:
        """Write the records of one peer; how many routes it has."""
        assert neighbor.table is not None
        text, timestamp = neighbor.text, self._times.whole(due.at)
        file.write(dump_event(sequence, timestamp, text, b"dump_init", b'"dump_period": %d' % self._schedule.period), 1)
        rows = new_rows(self._render)  # its own: one that ran out of memory is of no more use
        rows.sequence = sequence
        rows.dump(timestamp, text.keys(peer_id=self._render.peer_id), text.dump_tag, text.dump_tagger)
        snapshot = Snapshot(neighbor.table.rib)
        entries = len(snapshot)
        try:
            while buffers := await self._in_thread(lambda: render(snapshot, rows)):
                for octets, count in buffers:
                    file.write(octets, count)
                await file.ready()
                if file.error is not None or self._stopping:
                    break
        finally:
            snapshot.close()
        facts = b'"entries": %d, "tables": 1' % entries
        file.write(dump_event(sequence, timestamp, text, b"dump_close", facts), 1)
        return entries


def render(snapshot: Snapshot, rows: Rows) -> list[tuple[bytes, int]]:
    """Render the next few buffers of rows, in a thread; none at the end."""
    buffers: list[tuple[bytes, int]] = []
    while len(buffers) < BUFFERS and snapshot.render(rows, ROWS):
        count = rows.count
        buffers.append((rows.take(), count))
    return buffers
