"""The BGP listener: accepts connections in the documented order of tests, and keeps account of the peers it has.

1. the address (v4-mapped ones become IPv4); 2. the allow file; 3. a slot, or Cease/Connection Rejected; 4. batch
admission; 5. the peer exists and its subscriber hears so; 6. duplicates: of a peer that has a session already, either
the old one is replaced or the new one refused; 7. usage and neighbors file.

At OPEN the Router-ID is compared with those of the other peers. Two sessions with one speaker are a collision
(RFC 4271 section 6.8), and the identifier itself is well-formed, so the refusal is Cease/Connection Collision
Resolution and not Bad BGP Identifier. Only an established session defends its identifier: who merely sent an OPEN
gives way to the next one, so that a stranger locks no router out.
"""

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final, TypeAlias

from twisted.internet import protocol
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.python.failure import Failure

from routed.model.event import Event, OpenReceived, PeerUp, SessionDown, UpdateRun
from routed.plumbing.metrics import DaemonCounters
from routed.service.admission import Slots, Verdict, judge_duplicate, residual_hold_time
from routed.service.listener import Address, Listener, Policy
from routed.service.neighbors import NeighborsFile
from routed.service.peers import Peer, Subscriber
from routed.service.pump import SessionProtocol
from routed.service.refusal import Refusals
from routed.service.reports import Line, Reporter
from routed.service.roster import Roster, standing_of
from routed.service.send_hold import send_hold_time
from routed.session.bgp_passive import BgpPassive, State
from routed.wire.bgp.codepoints import CeaseSubcode, ErrorCode
from routed.wire.bgp.notification import Notification, cease
from routed.wire.bgp.open import OpenMessage

Admit: TypeAlias = Callable[[OpenMessage], Notification | None]

_REJECTED: Final = cease(CeaseSubcode.CONNECTION_REJECTED)
_COLLISION: Final = cease(CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
_SEND_HOLD_EXPIRED: Final = Notification(ErrorCode.SEND_HOLD_TIMER_EXPIRED)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears about peers."""

    subscriber: Subscriber
    reporter: Reporter
    neighbors: NeighborsFile | None = None
    counters: DaemonCounters = field(default_factory=DaemonCounters)


class BgpListener(Listener):
    """Accepts peers from its start to its stop."""

    def __init__(
        self,
        clock: IReactorTime,
        listen: Callable[[protocol.Factory], IListeningPort],
        policy: Policy,
        audience: Audience,
        make_session: Callable[[Admit], BgpPassive],
    ) -> None:
        slots = Slots(policy.settings.max_peers)
        super().__init__(clock, listen, policy, reporter=audience.reporter, slots=slots, counters=audience.counters)
        self.peers = Roster(slots, compare_ports=policy.settings.compare_ports)
        self._subscriber, self._neighbors = audience.subscriber, audience.neighbors
        self._make_session = make_session
        self._refusals = Refusals(clock, on_bug=lambda bug: self.caught(bug, "a refusal"), on_gone=self.disconnected)

    def sessions(self) -> Iterable[Peer]:
        """Return the peers that are to be told that we shut down."""
        return self.peers

    def stopped(self) -> None:
        """Leave an empty neighbours file behind."""
        if self._neighbors is not None:
            self._neighbors.show(lambda: ())
            self._neighbors.flush()

    def refuse(self) -> SessionProtocol | None:
        """Say that there is no slot, as far as refusals can be afforded."""
        return self._refusals.refuse(_REJECTED)

    def close(self, peer: Peer, down: SessionDown) -> None:
        """Strike a peer off; its transport may live on until our last words are sent."""
        if peer.down is not None:
            return
        peer.down = down
        self.peers.remove(peer)
        self._show_neighbors()
        try:
            self._tell_end(peer, down)
        finally:
            for successor in peer.successors:
                successor.resume()

    def _tell_end(self, peer: Peer, down: SessionDown) -> None:
        try:
            self._reporter.down(peer.name, down, _errno(peer.pump.loss))
        finally:
            self._subscriber.closed(peer, down)

    def event(self, peer: Peer, event: Event) -> None:
        """Pass an event on, and keep what the listener itself must know."""
        if not isinstance(event, UpdateRun):
            if isinstance(event, PeerUp):
                peer.up, peer.up_at = event, self._clock.seconds()
                peer.pump.set_send_hold(send_hold_time(event.hold_time))
            elif isinstance(event, OpenReceived):
                self._name(peer, event.open_message)
            self._reporter.event(peer.name, event)
        self._subscriber.event(peer, event)

    def enrol(self, address: Address, port: int) -> SessionProtocol | None:
        """Give a connection its slot, then settle with the session that the peer may have already."""
        link = _Link(self)
        session = self._make_session(link.admit)
        pump = SessionProtocol(session, self._clock, link)
        slot = self.peers.slots.take()
        link.peer = peer = Peer(
            slot=slot, address=address, port=port, connected_at=self._clock.seconds(), session=session, pump=pump
        )
        before = self.peers.add(peer)
        is_welcome = False
        try:
            is_welcome = self._welcome(peer, before)
        finally:
            if not is_welcome:
                self._strike(peer, before)
        return pump if is_welcome else self._refusals.refuse(_REJECTED)

    def _welcome(self, peer: Peer, before: Peer | None) -> bool:
        """Tell that a peer is there; say whether it may stay."""
        self._subscriber.accepted(peer)
        if before is not None and not self._may_replace(peer, before):
            return False
        slots = self.peers.slots
        self._reporter.say(Line.USAGE, peer=peer.address, in_use=slots.in_use, max_peers=slots.max_peers)
        self._show_neighbors()
        return True

    def _strike(self, peer: Peer, before: Peer | None) -> None:
        """Take a peer off again that was accepted and may not stay."""
        peer.down = SessionDown(reason="refused", notification_sent=_REJECTED)
        self.peers.remove(peer, reinstate=before)
        self._subscriber.closed(peer, peer.down)

    def _may_replace(self, peer: Peer, before: Peer) -> bool:
        """Replace the session a peer has, or refuse its new connection."""
        if before.session.is_closed:  # a pause keeps the news back
            peer.wait_for(before)
            return True
        standing, now = standing_of(before), self._clock.seconds()
        verdict = judge_duplicate(standing, now)
        if verdict is not Verdict.REFUSE:
            self._replace(peer, before, verdict)
            return True
        self.counters.connections_duplicate += 1
        self._reporter.say(Line.DUPLICATE, peer=peer.address, residual=residual_hold_time(standing, now))
        return False

    def _replace(self, peer: Peer, before: Peer, verdict: Verdict) -> None:
        """End a session in favour of a newer one; who restarts gracefully hears nothing (RFC 4724 section 5)."""
        self.counters.sessions_replaced += 1
        self._reporter.say(Line.REPLENISHING, peer=before.name)
        if verdict is Verdict.REPLACE_RESTARTED:
            before.pump.drop()
        else:
            before.reset(_COLLISION)
        peer.wait_for(before)

    def admit(self, peer: Peer, message: OpenMessage) -> Notification | None:
        """Compare the Router-ID of an OPEN with those of the other peers; return what refuses it."""
        if not self._policy.check_router_id:
            return None
        router_id = IPv4Address(message.bgp_identifier)
        holder = self.peers.holder(router_id)
        if holder is None or holder is peer:
            return None
        if holder.session.is_closed:
            peer.wait_for(holder)
            return None
        verdict = judge_duplicate(standing_of(holder), self._clock.seconds())
        defends = holder.session.state is State.ESTABLISHED and holder.address != peer.address
        if verdict is Verdict.REFUSE and defends:
            self._reporter.say(Line.DUPLICATE_ROUTER_ID, peer=peer.name)
            return _COLLISION
        self._replace(peer, holder, verdict)
        return None

    def _name(self, peer: Peer, message: OpenMessage) -> None:
        """Call the peer by its Router-ID from now on."""
        router_id = IPv4Address(message.bgp_identifier)
        if self.peers.holder(router_id) is None:
            self.peers.claim_router_id(peer, router_id)
        peer.router_id = router_id

    def _show_neighbors(self) -> None:
        if self._neighbors is not None:
            self._neighbors.show(lambda: (str(peer.address) for peer in self.peers))


class _Link:
    """The owner of a peer's pump: leads from the connection to the listener's account of it."""

    peer: Peer

    def __init__(self, listener: BgpListener) -> None:
        self._listener = listener

    def admit(self, message: OpenMessage) -> Notification | None:
        """Ask whether the peer may be who it says."""
        return self._listener.admit(self.peer, message)

    def deliver(self, event: Event) -> None:
        """Pass an event on."""
        if isinstance(event, SessionDown):
            self._listener.close(self.peer, event)
        else:
            self._listener.event(self.peer, event)

    def caught(self, bug: Failure) -> None:
        """Report a bug once per session: the first says what is wrong."""
        self.peer.counters.bugs += 1
        if self.peer.counters.bugs == 1:
            self._listener.caught(bug, f"the session of {self.peer.name}")

    def stuck(self, now: float) -> Sequence[Event]:
        """End the session of a peer that does not read."""
        return self.peer.session.reset(_SEND_HOLD_EXPIRED, now)

    def gone(self) -> None:
        """Count the connection out; a session that a bug kept from saying so is over too."""
        self._listener.disconnected()
        self._listener.close(self.peer, SessionDown(reason="internal error"))


def _errno(loss: Failure | None) -> int | None:
    """Return how the peer ended the stream, 0 for in good order; None when it was not the peer who did.

    Twisted does not say which error it met; whatever it was, the connection is as good as reset.
    """
    if loss is None or isinstance(loss.value, ConnectionAborted):
        return None
    return 0 if isinstance(loss.value, ConnectionDone) else errno.ECONNRESET
