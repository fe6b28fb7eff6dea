"""Dumps of IS-IS: adjacencies, database and routes as they are, in one file of JSON records, by the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson
from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing.sink import SinkError, log_bug
from routed.rib.igp import next_hop_of
from routed.service.dump_schedule import Schedule
from routed.service.isis_records import describe_circuit, describe_lsp, describe_route
from routed.service.records import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from routed.plumbing.dump_file import DumpFile
    from routed.plumbing.log import Log
    from routed.plumbing.names import NameTemplate
    from routed.plumbing.sink import InThread
    from routed.service.isis import Isis
    from routed.service.records import TimeFormat

#: Records that are written at once: a few milliseconds of a thread.
RECORDS: Final = 512
#: The longest wait for an event, so that a step of the wall clock is noticed. Units: seconds.
LONGEST_WAIT: Final = 1.0


@dataclass(slots=True)
class IsisDumpCounters:
    """What dumps came to."""

    files: int = 0
    files_failed: int = 0
    skipped: int = 0
    rows: int = 0


class IsisDumper:
    """Dumps IS-IS by the clock; while a dump is being written no other one begins."""

    def __init__(
        self,
        reactor: IReactorTime,
        isis: Isis,
        file: NameTemplate,
        refresh_time: int,
        *,
        open_dump: Callable[[str], DumpFile],
        in_thread: InThread,
        times: TimeFormat,
        log: Log,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.counters = IsisDumpCounters()
        self._reactor, self._isis, self._file, self._open_dump = reactor, isis, file, open_dump
        self._in_thread, self._sequence, self._times, self._log = in_thread, Counter(), times, log
        self._wall_clock = wall_clock
        now = wall_clock()
        self._schedule = Schedule(now, int(now) - int(now) % 3_600, refresh_time, 1)
        self._alarm: IDelayedCall | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin to look at the clock."""
        wait = self._schedule.next.at - self._wall_clock()
        self._alarm = self._reactor.callLater(min(max(wait, 0.0), LONGEST_WAIT), self._look)

    async def stop(self) -> None:
        """Stop; a dump that is being written is finished."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._running is not None:
            await self._running

    def _look(self) -> None:
        self._alarm = None
        due = self._schedule.take(self._wall_clock())
        if due is not None:
            if self._running is None:
                done = ensureDeferred(self._dump(due.at)).addErrback(log_bug, "a dump of IS-IS")
                self._running = done
                done.addBoth(self._over)
                if done.called:
                    self._running = None
            else:
                self.counters.skipped += 1
        self.start()

    def _over(self, _: object) -> None:
        self._running = None

    async def _dump(self, at: int) -> None:
        name = self._file.expand({}, datetime.fromtimestamp(at).astimezone())
        dump = self._open_dump(name)
        stamp = self._times.whole(at).decode()
        # what is collected here are references; describing them is work for a thread
        records = self._records()
        count = 0
        dump.write(self._edge(stamp, "dump_init", {}), 1)
        while part := await self._in_thread(partial(self._render, records, stamp)):
            count += len(part)
            dump.write(b"".join(part), len(part))
            await dump.ready()
        dump.write(self._edge(stamp, "dump_close", {"entries": count}), 1)
        try:
            await dump.commit()
        except SinkError as error:
            self.counters.files_failed += 1
            self._log.error(f"[{name}] {error}")
            return
        self.counters.files += 1
        self.counters.rows += count

    def _edge(self, stamp: str, kind: str, facts: dict[str, int]) -> bytes:
        record = {"timestamp": stamp, "event_type": kind, **facts, "seq": self._sequence.take()}
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)

    def _records(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Return the records of a dump, made one by one from what there is now."""
        isis, now = self._isis, self._reactor.seconds()
        names, paths = isis.lsdb.hostnames(), isis.igp.paths
        circuits = [describe_circuit(circuit, names, now) for circuit in isis.circuits.values()]
        held = [(each.lsp, each.lifetime(now)) for each in isis.lsdb]

        def made() -> Iterator[tuple[str, dict[str, object]]]:
            for circuit in circuits:
                yield "adjacency", circuit
            for lsp, lifetime in held:
                yield "lsp", describe_lsp(lsp, lifetime, names)
            for prefix, route in () if paths is None else paths.routes.items():
                assert paths is not None, "it has routes"
                next_hop = next_hop_of(paths, route.originators[0], len(prefix.address))
                yield "route", describe_route(prefix, route, next_hop, names)

        return made()

    def _render(self, records: Iterator[tuple[str, dict[str, object]]], stamp: str) -> list[bytes]:
        """Write some records; in a thread."""
        part = []
        for kind, facts in records:
            record = {
                "timestamp": stamp,
                "event_type": "dump",
                "isis_type": kind,
                **facts,
                "seq": self._sequence.take(),
            }
            part.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            if len(part) >= RECORDS:
                break
        return part
