"""The BMP collector: what the messages of routers do to tables and message log, in the order in which they came.

A router is never left waiting because a file is slow or a table is large: what cannot be done at once waits in a
backlog, and the router is read on until that is full. Only then is it paused, which is counted.

When a peer goes down its routes are swept in slices, a `delete` row a route, before the router's next message is looked
at, so that no row of the old session follows one of the new. A router that is lost is swept likewise; when it connects
again meanwhile, its new session waits for that.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import Deferred, gatherResults

from routed.model.bmp_event import MessageDiscarded, MessageReceived, MonitoringRun
from routed.model.event import Event, SessionDown
from routed.octets import Cursor
from routed.plumbing.log import Level
from routed.rib._monitoring import MonitoredRib
from routed.rib._monitoring import MonitoringRun as Run
from routed.rib._rib import sweep_all
from routed.service.backlog import Backlog
from routed.service.bmp_records import event_records
from routed.service.monitored import MonitoredRouter, RibKey, begin_internal
from routed.service.records import BMP_ROUTER
from routed.service.refusals import attribute_name
from routed.service.reports import Line
from routed.service.sweeper import ROUTES, Sweeper
from routed.service.tidier import Tidier
from routed.session.bmp_peers import TooManyPeersError, key_of
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.mirroring import RouteMirroring
from routed.wire.bmp.peer import decode_peer_header
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import StatisticsReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from routed.plumbing.log import Log
    from routed.rib._monitoring import Monitored
    from routed.rib._rib import Rib
    from routed.rib._rows import Rows
    from routed.rib._table import Table
    from routed.service.bmp_records import EventRecord
    from routed.service.message_log import MessageLog, Stream
    from routed.service.monitored import View
    from routed.service.reports import Reporter
    from routed.service.routers import Router
    from routed.service.settings import StationSettings
    from routed.service.tagging import Tagging
    from routed.wire.bmp.message import Message

#: A walk that is under way: each step is short, or says what to wait for.
Steps: TypeAlias = Iterator[Deferred[None] | None]


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """One router's session and the work that it made."""

    router: Router
    monitored: MonitoredRouter
    stream: Stream | None
    backlog: Backlog = field(default_factory=Backlog)
    work: Deferred[None] | None = None  # under way
    is_paused: bool = False
    refused: Tally[tuple[int, str]] = field(default_factory=Tally)  # (attribute, verdict): UPDATEs


class BmpCollector:
    """Subscribes to the routers of a listener."""

    def __init__(
        self,
        reactor: IReactorTime,
        rib: Rib,
        settings: StationSettings,
        *,
        log: Log,
        reporter: Reporter,
        tagging: Tagging,
        message_log: MessageLog | None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._rib, self._settings, self._log, self._reporter = rib, settings, log, reporter
        self._tagging, self._message_log, self._wall_clock = tagging, message_log, wall_clock
        self._sweeper = Sweeper(reactor)
        self._tidier = Tidier(reactor, rib, self._sweeper)
        self._sessions: dict[Router, Session] = {}
        self._leaving: dict[object, Deferred[None]] = {}  # by address: the sweep of a router that is lost
        self._works: set[Deferred[None]] = set()
        self._stopping = False

    # -- subscriber of the listener ---------------------------------------------------------------------------------

    def accepted(self, router: Router) -> None:
        """Open the router's part of the message log."""
        text = self._tagging.text_of(router.address, router.port, names=BMP_ROUTER)
        stream = None
        if self._message_log is not None:
            stream = self._message_log.stream(text)
            stream.open()
        monitored = MonitoredRouter(self._rib, text, set_pd=self._settings.set_pd)
        session = self._sessions[router] = Session(router=router, monitored=monitored, stream=stream)
        leaving = self._leaving.get(router.address)
        if leaving is not None:
            self._begin(session, iter([after(leaving)]))

    def event(self, router: Router, event: Event) -> None:
        """Take an event of a session now, or as soon as what came before it is done."""
        session, now = self._sessions[router], self._wall_clock()
        if session.work is None and room(session.stream) is None:
            steps = self._take(session, event, now)
            if steps is not None:
                self._begin(session, steps)
            return
        session.backlog.put(event, now)
        if session.backlog.octets > self._settings.backlog and not session.is_paused:
            session.is_paused = True
            session.monitored.counters.paused += 1
            self._warn(session, "paused", "is not read: more waits than bmp_daemon_backlog allows")
            router.pause()
        if session.work is None:
            self._begin(session, iter([room(session.stream)]))

    def closed(self, router: Router, down: SessionDown) -> None:
        """Let the router's routes go, after its last message."""
        session = self._sessions.pop(router)
        if self._stopping:
            session.backlog.clear()
            finish(session.stream)
            return
        session.backlog.put(down, self._wall_clock())
        if session.work is None:
            self._begin(session, iter(()))
        assert session.work is not None
        leaving = self._leaving[router.address] = session.work

        def gone(result: object) -> object:
            if self._leaving.get(router.address) is leaving:
                del self._leaving[router.address]
            return result

        leaving.addBoth(gone)

    def neighbors(self) -> list[MonitoredRouter]:
        """Return what is dumped, by slot."""
        sessions = sorted(self._sessions.values(), key=lambda session: session.router.slot)
        return [session.monitored for session in sessions]

    def start(self) -> None:
        """Begin to give memory back that is not in use any more."""
        self._tidier.start()

    def idle(self) -> Deferred[None]:
        """Return what fires when the work that is under way has ended."""
        return gatherResults(list(self._works)).addCallback(lambda _: None)

    def retag(self) -> None:
        """Tag everything anew, after the tag map has been read again."""
        for session in self._sessions.values():
            text = self._tagging.text_of(session.router.address, session.router.port, names=BMP_ROUTER)
            session.monitored.retag(text)
            if session.stream is not None:
                session.stream.text = text

    def stop(self) -> Deferred[None]:
        """From now on sessions end with the daemon: their routes are not swept.

        Returns: fires when the work that was under way has ended, and nothing is logged for it any more.
        """
        self._stopping = True
        self._tidier.stop()
        return self.idle()

    # -- one event after the other ----------------------------------------------------------------------------------

    def _begin(self, session: Session, steps: Steps) -> None:
        session.work = work = self._sweeper.walk(self._working(session, steps))
        self._works.add(work)

        def done(result: object) -> object:
            self._works.discard(work)
            if session.work is work:
                session.work = None
            return result

        work.addBoth(done)

    def _working(self, session: Session, steps: Steps) -> Steps:
        """Finish what has begun, then take what waits, one event after the other."""
        yield from steps
        while session.backlog and not self._stopping:
            event, arrived = session.backlog.take()
            more = self._take(session, event, arrived)
            if more is not None:
                yield from more
            if session.is_paused and session.backlog.octets <= self._settings.backlog // 2:
                session.is_paused = False
                session.router.resume()
            yield room(session.stream)

    def _take(self, session: Session, event: Event, arrived: float) -> Steps | None:
        """Carry an event out; return what is left of it when it is more than a few milliseconds of work."""
        match event:
            case MonitoringRun(octets=octets, count=count):
                session.monitored.counters.monitoring += count
                return self._apply(session, octets, arrived)
            case MessageReceived(message=message):
                session.monitored.counters.messages += 1
                return self._receive(session, message, arrived)
            case MessageDiscarded(kind=kind, reason=reason):
                session.monitored.counters.discarded += 1
                self._discard(session, kind, reason)
            case SessionDown():
                return self._lose(session, arrived)
        return None

    # -- routes -----------------------------------------------------------------------------------------------------

    def _apply(self, session: Session, octets: bytes, arrived: float) -> Steps | None:
        def find(header: bytes, says_how: bool) -> MonitoredRib | None:
            try:
                return session.monitored.find(header, says_how=says_how)
            except TooManyPeersError as error:
                self._discard(session, "route monitor", str(error))
                return None

        run = Run(self._rib, octets, session.monitored.by_header, find, session.monitored.stateless)
        if self._step(session, run, arrived) and not run.gone:
            return None
        return self._applying(session, run, arrived)

    def _applying(self, session: Session, run: Run, arrived: float) -> Steps:
        while not run.is_over and not self._stopping:
            yield room(session.stream)
            self._step(session, run, arrived)
        yield from self._sweeping(session, run.gone, arrived)

    def _step(self, session: Session, run: Run, arrived: float) -> bool:
        """Go one step on with a run; whether it is over."""
        stream = session.stream
        rows = None if stream is None else stream.monitored_rows(arrived)
        try:
            came_to = run.step(rows)
        finally:
            if stream is not None:
                stream.write(rows)
        if came_to is not None:
            self._account(session, came_to)
        return came_to is not None

    def _account(self, session: Session, came_to: Monitored) -> None:
        """Count what a run came to."""
        counters = session.monitored.counters
        counters.end_of_ribs += came_to.end_of_ribs
        counters.orphans += came_to.orphans
        counters.malformed += came_to.malformed
        if came_to.orphans and came_to.suspect is not None:
            address = peer_address(came_to.suspect)
            self._discard(session, "route monitor", f"missing peer up BMP message for peer {address}")
        if came_to.malformed:
            self._discard(session, "route monitor", f"malformed; {counters.malformed} of them so far")
        if came_to.refused:
            session.refused.update(came_to.refused)
            first, total = came_to.refusals[0], sum(session.refused.values())
            what = f"{attribute_name(first.attribute)}: {first.reason}, {first.verdict} (RFC 7606)"
            self._warn(session, "refused", f"{what}; {total} refused so far")

    # -- other messages ---------------------------------------------------------------------------------------------

    def _receive(self, session: Session, message: Message, arrived: float) -> Steps | None:
        monitored = session.monitored
        steps: Steps | None = None
        match message:
            case PeerUp():
                try:
                    peer, _ = monitored.peers.up(message)
                except TooManyPeersError as error:
                    self._discard(session, "peer up", str(error))
                    return None
                gone = monitored.up(peer)
                steps = self._sweeping(session, gone, arrived) if gone else None
            case PeerDown():
                peer_gone = monitored.peers.down(message.peer)
                if peer_gone is None:
                    self._discard(session, "peer down", f"missing peer up BMP message for peer {message.peer.address}")
                    return None
                steps = self._emptying(session, iter(monitored.down(peer_gone.key)), arrived)
            case RouteMirroring():
                monitored.counters.mirrored += 1
        self._record(session, message, arrived)
        return steps

    def _record(self, session: Session, message: Message, arrived: float) -> None:
        """Write the records of a message, and keep them for dumps."""
        for record in event_records(message, set_pd=self._settings.set_pd):
            if session.stream is not None:
                session.stream.record(partial(log_line, record, session.stream, arrived))
            if self._settings.keeps_events:
                self._keep(session.monitored, message, record)

    def _keep(self, monitored: MonitoredRouter, message: Message, record: EventRecord) -> None:
        events = monitored.events
        match message:
            case Initiation():
                events.init = record
            case PeerUp(peer=header):
                key = RibKey(header.is_post, header.is_out, header.is_loc, header.is_filtered)
                events.ups.setdefault(key_of(header), {})[key] = record
            case StatisticsReport() if self._settings.excludes_statistics:
                return
        events.add(record)

    # -- sweeping ---------------------------------------------------------------------------------------------------

    def _lose(self, session: Session, arrived: float) -> Steps:
        """Let everything that a router showed go, and say what its session came to."""
        self._report(session)
        yield from self._emptying(session, session.monitored.lost(), arrived)
        finish(session.stream)

    def _emptying(self, session: Session, views: Iterator[View], arrived: float) -> Steps:
        for view in views:
            tables = [(view.rib, family, table) for family, table in view.rib.detach()]
            yield from self._sweep(session, view, tables, arrived)

    def _sweeping(self, session: Session, gone: list[tuple[MonitoredRib, int, Table]], arrived: float) -> Steps:
        for entry in gone:
            yield from self._sweep(session, session.monitored.view_of(entry[0]), [entry], arrived)

    def _sweep(
        self, session: Session, view: View, tables: list[tuple[MonitoredRib, int, Table]], arrived: float
    ) -> Steps:
        """Remove the routes of tables that were taken out, in slices."""
        stream = session.stream
        for _, family, table in tables:
            done = False
            while not done and not self._stopping:
                rows: Rows | None = None if stream is None else stream.monitored_rows(arrived)
                if rows is not None:
                    begin_internal(rows, view)
                done = sweep_all(self._rib, family, table, ROUTES, rows)
                if stream is not None:
                    stream.write(rows)
                yield room(stream)

    # -- what is said -----------------------------------------------------------------------------------------------

    def _report(self, session: Session) -> None:
        c, refused = session.monitored.counters, sorted(session.refused.items())
        tally = "; ".join(f"{attribute_name(code)} {verdict} {count}" for (code, verdict), count in refused)
        self._log.info(
            f"[{session.router.name}] {c.monitoring} route monitoring messages of {len(session.monitored.peers)} peers"
            f" ({c.orphans} of unknown peers, {c.malformed} malformed), {c.messages} others, {c.discarded} discarded"
            + (f"; refused: {tally}" if tally else "")
        )

    def _discard(self, session: Session, message: str, reason: str) -> None:
        facts = {"peer": session.router.name, "message": message, "reason": reason}
        self._reporter.say_of(f"{session.router.name} {message}", Line.DISCARDED, facts)

    def _warn(self, session: Session, kind: str, text: str) -> None:
        name = session.router.name
        self._log.write_limited(f"{kind} {name}", 6, Level.WARN, f"[{name}] {text}")


def peer_address(octets: bytes) -> object:
    """Return the address in a per-peer header of 42 octets."""
    return decode_peer_header(Cursor(octets)).address


def log_line(record: EventRecord, stream: Stream, arrived: float, sequence: int) -> bytes:
    """Return the record of an event for the message log."""
    return record.log(sequence, stream.times.exact(arrived), stream.text, stream.times)


def after(work: Deferred[None]) -> Deferred[None]:
    """Return what fires when some work has ended, however it did."""
    ended: Deferred[None] = Deferred()

    def fire(result: object) -> object:
        ended.callback(None)
        return result

    work.addBoth(fire)
    return ended


def room(stream: Stream | None) -> Deferred[None] | None:
    """Return what a producer of rows waits for before the next ones; None for nothing."""
    return None if stream is None else stream.drained()


def finish(stream: Stream | None) -> None:
    """Close a router's part of the message log, and let its file go."""
    if stream is not None:
        stream.close()
        stream.release()
