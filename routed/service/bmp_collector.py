"""The BMP collector: what the messages of routers do to tables and message log, in the order in which they came.

A router is never left waiting because a file is slow or a table is large: what cannot be done at once waits in a
backlog, and the router is read on until that is full. Only then is it paused, which is counted.

When a peer goes down its routes are swept in slices, a `delete` row a route, before the router's next message is looked
at, so that no row of the old session follows one of the new. A router that is lost is swept likewise; when it connects
again meanwhile, its new session waits for that.

A bug of ours costs the session that it shows in: its connection is reset, and what it showed goes as if the router had
been lost. Should that fail too, the rest goes without rows.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import gatherResults
from twisted.python.failure import Failure

from routed.model.bmp_event import MessageDiscarded, MessageReceived, MonitoringRun
from routed.rib._monitoring import MonitoringRun as Run
from routed.rib._rib import sweep_all
from routed.service.bmp_account import BmpAccount
from routed.service.bmp_event_log import BmpEventLog
from routed.service.bmp_session import Session, after
from routed.service.message_log import finish, room
from routed.service.monitored import MonitoredRouter, begin_internal
from routed.service.records import BMP_ROUTER
from routed.service.revalidation import Logged
from routed.service.sweeper import ROUTES, Sweeper
from routed.service.tidier import Tidier
from routed.session.bmp_peers import TooManyPeersError
from routed.wire.bmp.mirroring import RouteMirroring
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from routed.model.event import Event, SessionDown
    from routed.plumbing.log import Log
    from routed.rib._monitoring import MonitoredRib
    from routed.rib._rib import Rib
    from routed.rib._rows import Rows
    from routed.service.message_log import MessageLog, Stream
    from routed.service.monitored import View
    from routed.service.reports import Reporter
    from routed.service.routers import Router
    from routed.service.settings import StationSettings
    from routed.service.sweeper import Steps
    from routed.service.tagging import Tagging
    from routed.wire.bmp.message import Message


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
        self._rib, self._settings, self._account = rib, settings, BmpAccount(log, reporter)
        self._event_log = BmpEventLog(settings, self._account)
        self._tagging, self._message_log, self._wall_clock = tagging, message_log, wall_clock
        self._sweeper = Sweeper(reactor)
        self._tidier = Tidier(reactor, rib, self._sweeper)
        self._sessions: dict[Router, Session] = {}
        self._leaving: dict[object, set[Session]] = {}  # by address: routers that are lost and being swept
        self._works: set[Deferred[None]] = set()
        self._roll: list[MonitoredRouter] | None = None
        self.end_of_ribs = 0  # of all routers, ever
        self._stopping = False

    def configure(self, settings: StationSettings) -> None:
        """Take over what may change while sessions last: the limit of what waits."""
        self._settings = settings
        self._event_log.configure(settings)

    # -- subscriber of the listener ---------------------------------------------------------------------------------

    def accepted(self, router: Router) -> None:
        """Open the router's part of the message log."""
        text = self._tagging.text_of(router.address, router.port, names=BMP_ROUTER)
        stream = None
        if self._message_log is not None:
            stream = self._message_log.stream(text)
            stream.open()
        monitored = MonitoredRouter(self._rib, text, set_pd=self._settings.set_pd)
        monitored.connected_at = self._wall_clock()
        self._roll = None
        session = self._sessions[router] = Session(router=router, monitored=monitored, stream=stream)
        leaving = self._leaving.get(router.address, ())
        if leaving:
            self._begin(session, (after(before.over) for before in tuple(leaving)))

    def event(self, router: Router, event: Event) -> None:
        """Take an event of a session now, or as soon as what came before it is done."""
        if self._stopping:
            return
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
            self._account.warn(session, "paused", "is not read: more waits than bmp_daemon_backlog allows")
            router.pause()
        if session.work is None:
            self._begin(session, iter([room(session.stream)]))

    def closed(self, router: Router, down: SessionDown) -> None:  # noqa: ARG002 (the listener says why)
        """Let the router's routes go, after its last message."""
        session = self._sessions.pop(router)
        self._roll = None
        session.lost_at = self._wall_clock()
        if self._stopping:
            finish(session.stream)
            return
        session.leaving = session.monitored.lost()
        leaving = self._leaving.setdefault(router.address, set())
        leaving.add(session)

        def over(_: None) -> None:
            leaving.remove(session)
            if not leaving:
                del self._leaving[router.address]

        session.over.addCallback(over)
        if session.work is None:
            self._begin(session, iter(()))

    def neighbors(self) -> list[MonitoredRouter]:
        """Return what is dumped, by slot; the list is not to be changed by others."""
        if self._roll is None:
            sessions = sorted(self._sessions.values(), key=lambda session: session.router.slot)
            self._roll = [session.monitored for session in sessions]
        return self._roll

    def logged(self) -> list[Logged]:
        """Return the RIBs whose routes are logged."""
        return [
            Logged(
                rib=view.rib,
                stream=session.stream,
                rows=partial(self._internal_rows, session.stream, view),
                is_there=partial(self._sessions.__contains__, router),
            )
            for router, session in self._sessions.items()
            if session.stream is not None
            for view in session.monitored.all_views()
        ]

    def _internal_rows(self, stream: Stream, view: View) -> Rows | None:
        """Return a buffer for rows of a view that no message causes."""
        rows = stream.monitored_rows(self._wall_clock())
        if rows is not None:
            begin_internal(rows, view)
        return rows

    def start(self) -> None:
        """Begin to give memory back that is not in use any more."""
        self._tidier.start()

    def idle(self) -> Deferred[None]:
        """Return what fires when no work is under way any more."""
        ended = gatherResults(list(self._works))
        return ended.addCallback(lambda _: self.idle() if self._works else None)

    def retag(self) -> None:
        """Tag everything anew, after the tag map has been read again."""
        for session in self._sessions.values():
            text = self._tagging.text_of(session.router.address, session.router.port, names=BMP_ROUTER)
            session.monitored.retag(text)
            if session.stream is not None:
                session.stream.text = text

    def stop(self) -> Deferred[None]:
        """From now on sessions end with the daemon: nothing of them is taken in, and their routes are not swept.

        Returns: fires when the work that was under way has ended, and nothing is logged for it any more.
        """
        self._stopping = True
        self._tidier.stop()
        return self.idle()

    # -- one event after the other ----------------------------------------------------------------------------------

    def _begin(self, session: Session, steps: Steps) -> None:
        session.work = work = self._sweeper.walk(self._working(session, steps))
        self._works.add(work)

        def done(result: object) -> None:
            self._works.remove(work)
            session.work = None
            if isinstance(result, Failure):
                self._contain(session, result)
            elif session.lost_at is not None:
                session.over.callback(None)

        work.addBoth(done)

    def _working(self, session: Session, steps: Steps) -> Steps:
        """Finish what has begun, then take what waits, one event after the other; then let a lost router go."""
        yield from steps
        while session.backlog and not self._stopping:
            event, arrived = session.backlog.take()
            more = self._take(session, event, arrived)
            if more is not None:
                yield from more
            self._resume(session)
            yield room(session.stream)
        if session.lost_at is not None:
            yield from self._lose(session, session.lost_at)

    def _resume(self, session: Session) -> None:
        """Read a router on when little enough waits."""
        if session.is_paused and session.backlog.octets <= self._settings.backlog // 2:
            session.is_paused = False
            session.router.resume()

    def _contain(self, session: Session, bug: Failure) -> None:
        """Let a bug cost one session."""
        session.router.fail(bug)
        session.backlog.clear()
        self._resume(session)  # or it would not hear that its connection is gone
        if session.lost_at is None or session.work is not None:
            return
        if session.is_given_up:
            session.over.callback(None)
            return
        session.is_given_up = True
        stream, session.stream = session.stream, None
        self._begin(session, iter(()))
        finish(stream)

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
                self._account.discard(session, kind, reason)
        return None

    # -- routes -----------------------------------------------------------------------------------------------------

    def _apply(self, session: Session, octets: bytes, arrived: float) -> Steps | None:
        def find(header: bytes, says_how: bool) -> MonitoredRib | None:
            try:
                found = session.monitored.find(header, says_how=says_how)
            except TooManyPeersError as error:
                self._account.complain(session, "route monitor", str(error))
                return None
            if found is None:
                session.orphan = header
            return found

        run = Run(self._rib, octets, session.monitored.by_header, find, session.monitored.stateless)

        def may_go_on() -> bool:
            return not run.filled_rows and not session.gone and room(session.stream) is None

        if self._sweeper.begin(partial(self._step, session, run, arrived), may_go_on) and not session.gone:
            return None
        return self._applying(session, run, arrived)

    def _applying(self, session: Session, run: Run, arrived: float) -> Steps:
        while not run.is_over:
            yield room(session.stream)
            if self._stopping:
                return
            self._step(session, run, arrived)
        yield from self._sweep(session, arrived)

    def _step(self, session: Session, run: Run, arrived: float) -> bool:
        """Go one step on with a run; whether it is over."""
        stream = session.stream
        rows = None if stream is None else stream.monitored_rows(arrived)
        try:
            came_to = run.step(rows)
        finally:
            session.take_out(run.gone)
            run.gone.clear()
            if stream is not None:
                stream.write(rows)
        if came_to is not None:
            self.end_of_ribs += came_to.end_of_ribs
            self._account.take(session, came_to)
        return came_to is not None

    # -- other messages ---------------------------------------------------------------------------------------------

    def _receive(self, session: Session, message: Message, arrived: float) -> Steps | None:
        monitored = session.monitored
        match message:
            case PeerUp():
                try:
                    peer, before = monitored.peers.up(message)
                except TooManyPeersError as error:
                    self._account.discard(session, "peer up", str(error))
                    return None
                monitored.counters.peers += before is None
                monitored.notes.take(peer.key, message, arrived)
                session.take_out(monitored.up(peer))
            case PeerDown():
                peer_gone = monitored.peers.down(message.peer)
                if peer_gone is None:
                    self._account.discard(
                        session, "peer down", f"missing peer up BMP message for peer {message.peer.address}"
                    )
                    return None
                for view in monitored.down(peer_gone.key):
                    session.empty(view)
            case RouteMirroring():
                monitored.counters.mirrored += 1
        self._event_log.take(session, message, arrived)
        return self._sweep(session, arrived) if session.gone else None

    # -- sweeping ---------------------------------------------------------------------------------------------------

    def _lose(self, session: Session, lost_at: float) -> Steps:
        """Let everything that a router showed go, and say what its session came to."""
        if not session.is_given_up:
            self._account.close(session)
        yield from self._sweep(session, lost_at)
        for view in session.leaving:
            session.empty(view)
            yield from self._sweep(session, lost_at)
            if self._stopping:
                break
            yield None
        finish(session.stream)

    def _sweep(self, session: Session, arrived: float) -> Steps:
        """Remove the routes of tables that were taken out, in slices."""
        stream = session.stream
        while session.gone and not self._stopping:
            view, family, table = session.gone[0]
            rows: Rows | None = None if stream is None else stream.monitored_rows(arrived)
            if rows is not None:
                begin_internal(rows, view)
            if sweep_all(self._rib, family, table, ROUTES, rows):
                session.gone.popleft()
            if stream is not None:
                stream.write(rows)
            yield room(stream)
