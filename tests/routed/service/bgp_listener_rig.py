"""A BGP listener with peers and a clock that do what a test says, and a subscriber that keeps what it hears."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.model.event import Event, SessionDown
from routed.octets import Writer
from routed.service.bgp_listener import Audience, BgpListener
from routed.service.listener import Policy
from routed.service.neighbors import NeighborsFile
from routed.service.peers import Peer
from routed.service.pump import SessionProtocol
from routed.service.reports import Reporter
from routed.session.bgp_passive import BgpPassive
from routed.session.negotiation import LocalSpeaker
from routed.wire.bgp.capability import FourOctetAs, GracefulRestart, Multiprotocol, PreservedFamily
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.open import Capabilities, OpenMessage, encode_open
from routed.wire.family import IPV4_UNICAST
from tests.routed.service.doubles import Lines, Port, TcpWire, listener_settings

KEEPALIVE = encode_message(MessageType.KEEPALIVE)
CEASE = 6
REJECTED, COLLISION, SHUTDOWN = 5, 7, 2


def open_message(router_id: bytes = bytes([192, 0, 2, 1]), hold_time: int = 180, *, graceful: bool = False) -> bytes:
    capabilities: list[Any] = [Multiprotocol(IPV4_UNICAST), FourOctetAs(65001)]
    if graceful:
        capabilities.append(
            GracefulRestart(restart_time=120, families=(PreservedFamily(IPV4_UNICAST, forwarding_preserved=True),))
        )
    w = Writer()
    message = OpenMessage(
        my_as=65001, hold_time=hold_time, bgp_identifier=router_id, parameters=(Capabilities(tuple(capabilities)),)
    )
    encode_open(w, message)
    return encode_message(MessageType.OPEN, bytes(w))


class History:
    """A subscriber that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Peer]] = []
        self.downs: list[SessionDown] = []
        self.events: list[Event] = []
        self.bug_in = ""

    def accepted(self, peer: Peer) -> None:
        self._hear("accepted", peer)

    def event(self, peer: Peer, event: Event) -> None:
        self.events.append(event)
        self._hear(type(event).__name__, peer)

    def closed(self, peer: Peer, down: SessionDown) -> None:
        self.downs.append(down)
        self._hear("closed", peer)

    def _hear(self, what: str, peer: Peer) -> None:
        self.heard.append((what, peer))
        if what == self.bug_in:
            raise KeyError("bug")

    def story(self) -> list[tuple[str, int]]:
        return [(what, peer.slot) for what, peer in self.heard if what in {"accepted", "closed", "PeerUp"}]


@dataclass
class Rig:
    settings: dict[str, Any] = field(default_factory=dict)
    allows: Callable[[Any], bool] = lambda _address: True
    check_router_id: bool = True
    neighbors: NeighborsFile | None = None

    def __post_init__(self) -> None:
        self.clock, self.log, self.history, self.port = Clock(), Lines(), History(), Port()
        self.clock.advance(1000)
        settings = listener_settings(**{"max_peers": 4} | self.settings)
        speaker = LocalSpeaker(router_id=bytes([10, 0, 0, 1]), asn=65000)
        self.listener = BgpListener(
            self.clock,
            self._listen,
            Policy(settings, self.allows, self.check_router_id),
            Audience(self.history, Reporter(self.log), self.neighbors),
            lambda admit: BgpPassive(speaker, admit),
        )
        self.listener.startService()

    def _listen(self, factory: Any) -> Port:
        self.factory = factory
        return self.port

    def connect(self, host: str = "192.0.2.1", port: int = 40000) -> tuple[SessionProtocol, TcpWire] | None:
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        pump = self.factory.buildProtocol(address)
        if pump is None:
            return None
        wire = TcpWire(peerAddress=address)
        pump.makeConnection(wire)
        return pump, wire

    def establish(self, host: str = "192.0.2.1", port: int = 40000, **facts: Any) -> tuple[SessionProtocol, TcpWire]:
        link = self.connect(host, port)
        assert link is not None
        link[0].dataReceived(open_message(**facts) + KEEPALIVE)
        return link

    @property
    def texts(self) -> list[str]:
        return self.log.texts


def lose(pump: SessionProtocol, reason: Exception | None = None) -> None:
    pump.connectionLost(Failure(reason or ConnectionDone()))
