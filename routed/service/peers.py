"""A peer as the service layer knows it, and who wants to hear about peers."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Protocol

from twisted.python.failure import Failure

from routed.model.event import Event, PeerUp, SessionDown
from routed.service.pump import SessionProtocol
from routed.session.bgp_passive import BgpPassive
from routed.wire.bgp.notification import Notification

SHUTDOWN_TEXT: Final = "pmacct received SIGINT - shutting down"


@dataclass(slots=True)
class PeerCounters:
    """What one connection did; octets and messages are counted by its session."""

    bugs: int = 0
    pauses: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Connection:
    """One accepted connection, from its first moment (before any octet) to its last."""

    slot: int
    address: IPv4Address | IPv6Address
    port: int
    connected_at: float  # by the reactor's clock
    pump: SessionProtocol
    down: SessionDown | None = None
    holds: int = 0  # who paused it and did not resume it yet
    counters: PeerCounters = field(default_factory=PeerCounters)

    def pause(self) -> None:
        """Stop reading and hearing the peer until everybody who paused it resumed it; its hold timer does not suffer.

        What its session says meanwhile, the end included, is told when it is resumed.
        """
        self.counters.pauses += 1
        self.holds += 1
        if self.holds == 1:
            self.pump.pause()

    def resume(self) -> None:
        """Take one `pause` back; with the last one the peer is heard and read again."""
        self.holds -= 1
        if not self.holds:
            self.pump.resume()

    def fail(self, bug: Failure) -> None:
        """Let a bug that showed in the work which an event began cost this session."""
        self.pump.fail(bug)


@dataclass(slots=True, eq=False, kw_only=True)
class Peer(Connection):
    """A BGP speaker's connection."""

    session: BgpPassive
    router_id: IPv4Address | None = None  # from the OPEN on
    up: PeerUp | None = None  # from Established on, and not taken back
    up_at: float | None = None  # when that was, by the reactor's clock
    successors: list["Peer"] = field(default_factory=list)  # paused until the end of this one is heard

    @property
    def name(self) -> str:
        """The name that log lines begin with: the Router-ID once it is known, the address before."""
        return str(self.router_id or self.address)

    def reset(self, notification: Notification) -> None:
        """End the session with a NOTIFICATION, from inside an event's delivery or any other moment."""
        self.pump.end(lambda now: self.session.reset(notification, now))

    def stop(self) -> None:
        """End the session because we shut down, and say so (RFC 9003); no pause keeps that back."""
        self.pump.end(lambda now: self.session.stop(now, SHUTDOWN_TEXT))
        self.pump.catch_up()

    def wait_for(self, predecessor: "Peer") -> None:
        """Pause until the end of another session is heard; a pause may keep that back."""
        if predecessor.down is None:
            predecessor.successors.append(self)
            self.pause()


class Subscriber(Protocol):
    """Who hears about peers. For one peer: `accepted`, then its events, then `closed`; each exactly once or in order.

    A peer that is refused as a duplicate is accepted and closed at once. One that replaces another is accepted before
    the other one is closed, but has no event before. Slots are free again when `closed` is called.
    """

    def accepted(self, peer: Peer) -> None:
        """Take note of a connection that holds a slot now."""

    def event(self, peer: Peer, event: Event) -> None:
        """Take an event of the session; all but SessionDown."""

    def closed(self, peer: Peer, down: SessionDown) -> None:
        """Take note that the session is over; the transport may still be closing."""
