"""The collector: what the events of sessions do to tables and message log. It alone writes the Adj-RIBs-In.

A peer's routes outlive its connection. When a session ends for good its tables are taken out at once and swept in
slices: a `delete` row a route, then `log_close`. A new session of the same peer may be established meanwhile, but is
not read before the sweep is over, so that no `delete` row of the old session follows an `update` row of the new one.

With graceful restart the tables stay (`retention.py`), and `log_close` is written when the session is lost.
"""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults

from routed.model.event import Event, PeerUp, RouteRefresh, SessionDown, UpdateRun
from routed.plumbing.log import Level
from routed.rib._update import Applied, Run
from routed.rib.adj_rib_in import AdjRibIn
from routed.service.message_log import finish, room
from routed.service.neighbor import Neighbor, RouteCounters
from routed.service.other_families import OtherFamilies, passed_over_text
from routed.service.refusals import NO_ROOM, refusal_text, tally_text
from routed.service.retention import Retention
from routed.service.revalidation import Logged
from routed.service.sweeper import Sweeper
from routed.service.tidier import Tidier
from routed.service.walks import Walks
from routed.wire.bgp.codepoints import CeaseSubcode, ErrorCode, RefreshSubtype
from routed.wire.bgp.notification import Notification, cease, hard_reset
from routed.wire.family import Family

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from routed.plumbing.log import Log
    from routed.rib._rib import Rib
    from routed.service.message_log import MessageLog, Stream
    from routed.service.neighbor import Identity
    from routed.service.peers import Peer
    from routed.service.records import PeerText
    from routed.service.settings import SpeakerSettings
    from routed.service.sweeper import Steps
    from routed.service.tagging import Tagging


class Collector:
    """Subscribes to the peers of a listener."""

    def __init__(
        self,
        reactor: IReactorTime,
        rib: Rib,
        settings: SpeakerSettings,
        *,
        log: Log,
        tagging: Tagging,
        message_log: MessageLog | None,
        compare_ports: bool,
        max_retained: int,
    ) -> None:
        self._rib, self._settings, self._log = rib, settings, log
        self._tagging, self._message_log, self._compare_ports = tagging, message_log, compare_ports
        self._sweeper = Sweeper(reactor)
        self._tidier = Tidier(reactor, rib, self._sweeper)
        self._walks = Walks(self._sweeper, rib, self._stream_of)
        stale_time = settings.stale_time
        self._retention = Retention(reactor, self._walks, self._drop, stale_time=stale_time, most=max_retained)
        self._neighbors: dict[Identity, Neighbor] = {}
        self._of_peer: dict[Peer, Neighbor] = {}
        self._streams: dict[Peer, Stream] = {}
        self._roll: list[Neighbor] | None = None  # as long as it is the same and shows the same way
        self.end_of_ribs = 0  # of all peers, ever

    def configure(self, settings: SpeakerSettings, *, max_retained: int) -> None:
        """Take over what may change while sessions last: limits and patience."""
        self._settings = settings
        self._retention.configure(stale_time=settings.stale_time, most=max_retained)

    # -- subscriber of the listener ---------------------------------------------------------------------------------

    def accepted(self, peer: Peer) -> None:
        """Open the peer's part of the message log."""
        if self._message_log is None:
            return
        stream = self._message_log.stream(self._text(peer))
        stream.open()
        stream.pauses(peer)
        self._streams[peer] = stream

    def event(self, peer: Peer, event: Event) -> None:
        """Take an event of a session."""
        match event:
            case UpdateRun(octets=octets, count=count):
                self._apply(peer, octets, count)
            case PeerUp():
                self._up(peer, event)
            case RouteRefresh(family=family, subtype=subtype):
                self._refresh(self._of_peer[peer], family, subtype)
            case _:
                """Others change no table."""

    def closed(self, peer: Peer, down: SessionDown) -> None:
        """Let the peer's routes go, or keep them for its return."""
        stream = self._streams.pop(peer, None)
        neighbor = self._of_peer.pop(peer, None)
        if stream is not None:
            stream.forget(peer)
        if neighbor is None or self._walks.are_over:
            finish(stream)
            return
        self._report_session(neighbor)
        neighbor.runs.clear()
        neighbor.peer = None
        neighbor.stream = stream
        if down.graceful and self._settings.stale_time:
            assert peer.up is not None
            self._retention.lost(neighbor, peer.up, down)
        else:
            self._drop(neighbor)

    def start(self) -> None:
        """Begin to give memory back that is not in use any more."""
        self._tidier.start()

    # -- sessions ---------------------------------------------------------------------------------------------------

    def _up(self, peer: Peer, up: PeerUp) -> None:
        neighbor = self._neighbor(peer)
        self._roll = None
        self._of_peer[peer] = neighbor
        neighbor.peer = peer
        if neighbor.sweeps:
            peer.pause()
        neighbor.text = self._text(peer)
        neighbor.slot, neighbor.asn = peer.slot, up.remote_open.asn
        if peer in self._streams:
            self._streams[peer].text = neighbor.text
        if neighbor.table is None:
            neighbor.table = AdjRibIn(self._rib, up.context)
        else:
            self._retention.returned(neighbor, up, self._streams.get(peer))
        neighbor.table.rib.own_as = neighbor.text.own_as

    def _neighbor(self, peer: Peer) -> Neighbor:
        identity = (peer.address, peer.port if self._compare_ports else 0)
        neighbor = self._neighbors.get(identity)
        if neighbor is None:
            neighbor = self._neighbors[identity] = Neighbor(identity=identity, text=self._text(peer), slot=peer.slot)
        return neighbor

    def _text(self, peer: Peer) -> PeerText:
        text = self._tagging.text_of(peer.address, peer.port, peer.router_id)
        return text if peer.up is None else replace(text, own_as=peer.up.local_open.asn)

    def retag(self) -> None:
        """Tag everything anew, after the tag map has been read again."""
        self._roll = None
        for peer, stream in self._streams.items():
            stream.text = self._text(peer)
            if peer in self._of_peer:
                self._of_peer[peer].text = stream.text

    def _apply(self, peer: Peer, octets: bytes, count: int) -> None:
        """Take a run of UPDATEs in; what is more than a few milliseconds of work goes on in slices."""
        neighbor = self._of_peer[peer]
        assert neighbor.table is not None, "UPDATEs follow PeerUp"
        neighbor.counters.updates += count
        run = Run(neighbor.table.rib, octets)
        if neighbor.runs:
            neighbor.runs.append(run)
            return

        def may_go_on() -> bool:
            return not run.filled_rows and room(self._streams.get(peer)) is None

        if not self._sweeper.begin(partial(self._step, neighbor, peer, run), may_go_on):
            neighbor.runs.append(run)
            self._walks.walk(neighbor, self._applying(neighbor, peer), peer)

    def _applying(self, neighbor: Neighbor, peer: Peer) -> Steps:
        """Take in what waits; the peer is not read until that is done."""
        while neighbor.runs and not self._walks.are_over:
            run = neighbor.runs[0]
            if self._step(neighbor, peer, run) and neighbor.runs:
                neighbor.runs.popleft()
            yield room(self._streams.get(peer))

    def _step(self, neighbor: Neighbor, peer: Peer, run: Run) -> bool:
        """Go one step on with a run; whether it is over."""
        stream = self._streams.get(peer)
        rows = None if stream is None else stream.rows()
        try:
            applied = run.step(rows)
        finally:
            if stream is not None:
                stream.write(rows)
        if applied is not None:
            self._account(neighbor, peer, applied)
        return applied is not None

    def _account(self, neighbor: Neighbor, peer: Peer, applied: Applied) -> None:
        """Count what a run came to, and draw the consequences."""
        assert neighbor.table is not None
        self._count(neighbor, applied)
        self.end_of_ribs += len(applied.end_of_rib)
        for afi, safi in applied.end_of_rib:
            self._walks.sweep_stale(neighbor, Family(afi, safi))
        if applied.reset is not None:
            peer.reset(Notification(ErrorCode.UPDATE_MESSAGE, applied.reset))
        elif self._settings.max_routes and len(neighbor.table) > self._settings.max_routes:
            peer.reset(over_limit(peer))

    def _count(self, neighbor: Neighbor, applied: Applied) -> None:
        counters = neighbor.counters
        counters.announced += applied.announced
        counters.unchanged += applied.unchanged
        counters.withdrawn += applied.withdrawn
        counters.unknown += applied.unknown
        counters.dropped += applied.dropped
        if applied.refused:
            neighbor.refused.update(applied.refused)
            self._warn(neighbor, "refused", refusal_text(applied.refusals[0], neighbor.refused))
        if applied.passed_over:
            counters.passed_over += applied.passed_over
            if news := neighbor.other_families.news(applied.other_families):
                self._log.info(f"[{neighbor.text.address}] {news}")
        if applied.dropped:
            self._warn(neighbor, "dropped", f"{applied.dropped} routes dropped: {NO_ROOM}")

    def _report_session(self, neighbor: Neighbor) -> None:
        """Say what a session came to."""
        c = neighbor.counters
        self._log.info(
            f"[{neighbor.text.address}] {c.updates} UPDATEs: {c.announced} routes announced, {c.unchanged} again, "
            f"{c.withdrawn} withdrawn{passed_over_text(c.passed_over)}{tally_text(neighbor.refused)}"
        )
        neighbor.counters, neighbor.refused, neighbor.other_families = RouteCounters(), Tally(), OtherFamilies()
        if neighbor.table is not None:
            neighbor.table.rib.begin_counts()

    def _warn(self, neighbor: Neighbor, kind: str, text: str) -> None:
        self._log.write_limited(f"{kind} {neighbor.identity}", 6, Level.WARN, f"[{neighbor.text.address}] {text}")

    def _refresh(self, neighbor: Neighbor, family: Family, subtype: int) -> None:
        """Follow an enhanced route refresh: what is not announced between its marks is gone (RFC 7313 section 4)."""
        assert neighbor.table is not None, "refreshes follow PeerUp"
        if subtype == RefreshSubtype.BEGIN:
            neighbor.table.begin_refresh(family)
        elif subtype == RefreshSubtype.END:
            self._walks.sweep_stale(neighbor, family)

    def _drop(self, neighbor: Neighbor) -> None:
        """Let all routes of a router go, then close its stream and forget it."""
        self._retention.forget(neighbor)
        tables = [] if neighbor.table is None else neighbor.table.detach()
        neighbor.table = None
        self._roll = None
        stream, neighbor.stream = neighbor.stream, None

        def forget(_: object) -> None:
            finish(stream)
            if neighbor.peer is None and neighbor.table is None and not neighbor.sweeps:
                self._neighbors.pop(neighbor.identity, None)

        self._walks.empty(neighbor, tables, stream)
        gatherResults(list(neighbor.sweeps)).addBoth(forget)  # all of them: each may write to the stream

    def _stream_of(self, neighbor: Neighbor) -> Stream | None:
        return neighbor.stream if neighbor.peer is None else self._streams.get(neighbor.peer)

    # -- for dumps and the end --------------------------------------------------------------------------------------

    def neighbors(self) -> list[Neighbor]:
        """Return the routers that have a table, by slot.

        The list is another one as soon as anything about them has changed, and not to be changed by others.
        """
        if self._roll is None:
            self._roll = sorted((n for n in self._neighbors.values() if n.table is not None), key=lambda n: n.slot)
        return self._roll

    def neighbor_of(self, peer: Peer) -> Neighbor | None:
        """Return whose session it is, from Established on."""
        return self._of_peer.get(peer)

    def logged(self) -> list[Logged]:
        """Return the RIBs whose routes are logged: those of established sessions."""
        found = []
        for peer, stream in self._streams.items():
            neighbor = self._of_peer.get(peer)
            if neighbor is not None and neighbor.table is not None:
                is_there = partial(self._streams.__contains__, peer)
                found.append(Logged(rib=neighbor.table.rib, stream=stream, rows=stream.rows, is_there=is_there))
        return found

    def stop(self) -> Deferred[None]:
        """From now on sessions end with the daemon: their routes are neither swept nor kept.

        Returns: fires when the sweeps that were under way have ended, and nothing is logged for them any more.
        """
        self._walks.are_over = True
        self._tidier.stop()
        for neighbor in self._neighbors.values():
            self._retention.forget(neighbor)
        sweeps = [walk for neighbor in self._neighbors.values() for walk in neighbor.sweeps]
        return gatherResults(sweeps).addCallback(lambda _: None)


def over_limit(peer: Peer) -> Notification:
    """Return what ends a session that has too many routes: its routes shall go, whatever grace was agreed."""
    limit = cease(CeaseSubcode.MAXIMUM_PREFIXES_REACHED)
    grace = None if peer.up is None else peer.up.graceful_restart
    return hard_reset(limit) if grace is not None and grace.notification else limit
