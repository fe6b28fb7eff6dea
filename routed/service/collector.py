"""The collector: what the events of sessions do to tables and message log. It alone writes the Adj-RIBs-In.

A peer's routes outlive its connection. When a session ends for good its tables are taken out at once and swept in
slices: a `delete` row a route, then `log_close`. A new session of the same peer may be established meanwhile, but is
not read before the sweep is over, so that no `delete` row of the old session follows an `update` row of the new one.

With graceful restart the tables stay, stale, until the peer has announced everything again (End-of-RIB), or does not
return in time; then the stale routes are swept. `log_close` is written when the session is lost.
"""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from routed.model.event import Event, PeerUp, RouteRefresh, SessionDown, UpdateRun
from routed.plumbing.log import Level
from routed.rib._rib import DOOMED, SHORT_LIVED, STALE, Rib, sweep_all, sweep_stale
from routed.rib._update import Applied, Run
from routed.rib.adj_rib_in import AdjRibIn
from routed.rib.families import FAMILIES, INDEX
from routed.service.message_log import finish, room
from routed.service.neighbor import Neighbor, RouteCounters, contain
from routed.service.refusals import NO_ROOM, attribute_name
from routed.service.restart import fell_silent, restart_families, restart_time
from routed.service.revalidation import Logged
from routed.service.sweeper import ROUTES, Sweeper
from routed.service.tidier import Tidier
from routed.wire.bgp.codepoints import CeaseSubcode, ErrorCode, RefreshSubtype
from routed.wire.bgp.notification import Notification, cease, hard_reset
from routed.wire.family import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twisted.internet.interfaces import IReactorTime

    from routed.plumbing.log import Log
    from routed.rib._table import Table
    from routed.service.message_log import MessageLog, Stream
    from routed.service.neighbor import Identity
    from routed.service.peers import Peer
    from routed.service.records import PeerText
    from routed.service.settings import SpeakerSettings
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
        self._reactor, self._rib, self._settings, self._log = reactor, rib, settings, log
        self._tagging, self._message_log, self._compare_ports = tagging, message_log, compare_ports
        self._sweeper = Sweeper(reactor)
        self._tidier = Tidier(reactor, rib, self._sweeper)
        self._max_retained = max_retained
        self._neighbors: dict[Identity, Neighbor] = {}
        self._retained: dict[Identity, Neighbor] = {}  # lost, their routes kept; the first lost first
        self._of_peer: dict[Peer, Neighbor] = {}
        self._streams: dict[Peer, Stream] = {}
        self._roll: list[Neighbor] | None = None  # as long as it is the same and shows the same way
        self.end_of_ribs = 0  # of all peers, ever
        self._stopping = False

    def configure(self, settings: SpeakerSettings, *, max_retained: int) -> None:
        """Take over what may change while sessions last: limits and patience."""
        self._settings, self._max_retained = settings, max_retained

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
        if neighbor is None or self._stopping:
            finish(stream)
            return
        self._report_session(neighbor)
        neighbor.runs.clear()
        neighbor.peer = None
        neighbor.stream = stream
        if down.graceful and self._settings.stale_time:
            self._retain(neighbor, peer, down)
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
            self._retained.pop(neighbor.identity, None)
            gone = neighbor.table.renew(up.context, preserved(up))
            self._sweep_out(neighbor, gone, self._streams.get(peer))
            if neighbor.stream is not None:
                neighbor.stream.release()
                neighbor.stream = None
            self._set_alarm(neighbor, self._settings.stale_time, lambda: self._end_patience(neighbor))
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
            self._walk(neighbor, self._applying(neighbor, peer), peer)

    def _applying(self, neighbor: Neighbor, peer: Peer) -> Iterator[Deferred[None] | None]:
        """Take in what waits; the peer is not read until that is done."""
        while neighbor.runs and not self._stopping:
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
            self._sweep_stale(neighbor, Family(afi, safi))
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
            self._report_refusals(neighbor, applied)
        if applied.dropped:
            self._warn(neighbor, "dropped", f"{applied.dropped} routes dropped: {NO_ROOM}")

    def _report_refusals(self, neighbor: Neighbor, applied: Applied) -> None:
        first = applied.refusals[0]
        what, total = attribute_name(first.attribute), sum(neighbor.refused.values())
        self._warn(neighbor, "refused", f"{what}: {first.reason}, {first.verdict} (RFC 7606); {total} refused so far")

    def _report_session(self, neighbor: Neighbor) -> None:
        """Say what a session came to."""
        c, refused = neighbor.counters, sorted(neighbor.refused.items())
        tally = "; ".join(f"{attribute_name(code)} {verdict} {count}" for (code, verdict), count in refused)
        self._log.info(
            f"[{neighbor.text.address}] {c.updates} UPDATEs: {c.announced} routes announced, {c.unchanged} again, "
            f"{c.withdrawn} withdrawn" + (f"; refused: {tally}" if tally else "")
        )
        neighbor.counters, neighbor.refused = RouteCounters(), Tally()
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
            self._sweep_stale(neighbor, family)

    # -- stale routes -----------------------------------------------------------------------------------------------

    def _retain(self, neighbor: Neighbor, peer: Peer, down: SessionDown) -> None:
        """Keep the routes of a peer that may come back."""
        up = peer.up
        assert up is not None
        assert neighbor.table is not None
        if neighbor.stream is not None:
            neighbor.stream.close()
        families = FAMILIES if fell_silent(down) else [entry.family for entry in restart_families(up)]
        self._sweep_out(neighbor, neighbor.table.age(families), neighbor.stream)
        for family in neighbor.table.doomed_families():
            self._sweep_stale(neighbor, family, DOOMED)
        patience = min(restart_time(up, down), self._settings.stale_time)
        self._set_alarm(neighbor, patience, lambda: self._begin_long_life(neighbor, up))
        self._retained[neighbor.identity] = neighbor
        if len(self._retained) > self._max_retained:  # tables of routers that are away are bounded like the others
            self._drop(next(iter(self._retained.values())))

    def _begin_long_life(self, neighbor: Neighbor, up: PeerUp) -> None:
        """The peer did not return in time: keep what may live long (RFC 9494 section 4.2)."""
        assert neighbor.table is not None
        long_lived = () if up.long_lived is None else up.long_lived.families
        patience = {entry.family: min(entry.stale_time, self._settings.stale_time) for entry in long_lived}
        self._live_on(neighbor, patience)
        if neighbor.table is not None:
            for family in neighbor.table.stale_families():
                self._sweep_stale(neighbor, family, SHORT_LIVED)

    def _live_on(self, neighbor: Neighbor, patience: dict[Family, int]) -> None:
        """Keep stale routes, those of each family for its own time, and look again when the next one is over."""
        assert neighbor.table is not None
        kept = {family: seconds for family, seconds in patience.items() if seconds > 0}
        self._sweep_out(neighbor, neighbor.table.drop_families(kept), neighbor.stream)
        if not len(neighbor.table):
            self._drop(neighbor)
            return
        wait = min(kept.values())
        rest = {family: seconds - wait for family, seconds in kept.items()}
        self._set_alarm(neighbor, wait, lambda: self._live_on(neighbor, rest))

    def _end_patience(self, neighbor: Neighbor) -> None:
        """The peer came back, but does not say when it has announced everything."""
        assert neighbor.table is not None
        for family in neighbor.table.stale_families():
            self._sweep_stale(neighbor, family)

    def _set_alarm(self, neighbor: Neighbor, seconds: float, action: Callable[[], None]) -> None:
        self._cancel_alarm(neighbor)

        def ring() -> None:
            neighbor.alarm = None
            action()

        neighbor.alarm = self._reactor.callLater(seconds, ring)

    def _cancel_alarm(self, neighbor: Neighbor) -> None:
        if neighbor.alarm is not None:
            neighbor.alarm.cancel()
            neighbor.alarm = None

    # -- sweeping ---------------------------------------------------------------------------------------------------

    def _drop(self, neighbor: Neighbor) -> None:
        """Let all routes of a peer go, then close its stream and forget it."""
        self._cancel_alarm(neighbor)
        self._retained.pop(neighbor.identity, None)
        tables = [] if neighbor.table is None else neighbor.table.detach()
        neighbor.table = None
        self._roll = None
        stream, neighbor.stream = neighbor.stream, None

        def forget(_: object) -> None:
            finish(stream)
            if neighbor.peer is None and neighbor.table is None and not neighbor.sweeps:
                self._neighbors.pop(neighbor.identity, None)

        self._sweep_out(neighbor, tables, stream)
        gatherResults(list(neighbor.sweeps)).addBoth(forget)  # all of them: each may write to the stream

    def _sweep_out(self, neighbor: Neighbor, tables: Iterable[tuple[int, Table]], stream: Stream | None) -> None:
        """Empty tables that were taken out, in slices; the peer is not read until that is done."""
        for family, table in tables:
            self._walk(neighbor, self._emptying(family, table, stream))

    def _sweep_stale(self, neighbor: Neighbor, family: Family, which: int = STALE) -> None:
        """Remove stale routes of a family, in slices; the peer is not read until that is done."""
        table = None if neighbor.table is None else neighbor.table.table(family)
        if table is None or not table.stale:
            return
        number = table.begin_sweep()  # from now on: a sweep under way ends
        self._walk(neighbor, self._renewing(neighbor, INDEX[family], table, number, which))

    def _walk(self, neighbor: Neighbor, steps: Iterator[Deferred[None] | None], concerned: Peer | None = None) -> None:
        """Let a peer wait for a walk; a bug in it costs the session that is concerned, if there is one."""
        if not neighbor.sweeps and neighbor.peer is not None:
            neighbor.peer.pause()
        walk = self._sweeper.walk(steps)
        neighbor.sweeps.add(walk)

        def done(result: object) -> None:
            neighbor.sweeps.discard(walk)
            if isinstance(result, Failure):
                contain(neighbor, concerned, result)
            if not neighbor.sweeps and neighbor.peer is not None:
                neighbor.peer.resume()

        walk.addBoth(done)

    def _emptying(self, family: int, table: Table, stream: Stream | None) -> Iterator[Deferred[None] | None]:
        done = False
        while not done and not self._stopping:
            rows = None if stream is None else stream.rows()
            done = sweep_all(self._rib, family, table, ROUTES, rows)
            if stream is not None:
                stream.write(rows)
            yield room(stream)

    def _renewing(
        self, neighbor: Neighbor, family: int, table: Table, number: int, which: int
    ) -> Iterator[Deferred[None] | None]:
        """Remove stale routes until that is done, or until the table ages again or is taken out meanwhile."""
        done = False
        while not done and not self._stopping and table.sweep_number == number:
            stream = neighbor.stream if neighbor.peer is None else self._streams.get(neighbor.peer)
            rows = None if stream is None else stream.rows()
            done = sweep_stale(self._rib, family, table, ROUTES, rows, which=which)
            if stream is not None:
                stream.write(rows)
            yield room(stream)

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
        self._stopping = True
        self._tidier.stop()
        for neighbor in self._neighbors.values():
            self._cancel_alarm(neighbor)
        sweeps = [walk for neighbor in self._neighbors.values() for walk in neighbor.sweeps]
        return gatherResults(sweeps).addCallback(lambda _: None)


def over_limit(peer: Peer) -> Notification:
    """Return what ends a session that has too many routes: its routes shall go, whatever grace was agreed."""
    limit = cease(CeaseSubcode.MAXIMUM_PREFIXES_REACHED)
    grace = None if peer.up is None else peer.up.graceful_restart
    return hard_reset(limit) if grace is not None and grace.notification else limit


def preserved(up: PeerUp) -> list[Family]:
    """Return the families whose forwarding state a returning peer says it preserved (RFC 4724 4.2, RFC 9494 4.2)."""
    kept = [entry.family for entry in restart_families(up) if entry.forwarding_preserved]
    if up.long_lived is not None:
        kept += [entry.family for entry in up.long_lived.families if entry.forwarding_preserved]
    return kept
