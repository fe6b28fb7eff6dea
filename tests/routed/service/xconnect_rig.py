"""Xconnects with peers, collectors and a clock that do what a test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.model.xconnect_event import End
from routed.plumbing.metrics import Registry
from routed.service.listener import Policy
from routed.service.neighbors import NeighborsFile
from routed.service.reports import Reporter
from routed.service.xconnect import Half
from routed.service.xconnect_listener import Audience, Routing, XconnectListener
from routed.service.xconnect_map import Destination
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from tests.routed.service.doubles import Lines, Port, TcpWire, listener_settings

KEEPALIVE = encode_message(MessageType.KEEPALIVE)
UPDATE = encode_message(MessageType.UPDATE, bytes(4))
CEASE, ADMIN_SHUTDOWN, ADMIN_RESET, REJECTED = 6, 2, 4, 5
COLLECTOR = Destination(ip_address("10.0.0.1"), 17901)


class Wire(TcpWire):
    """A transport that can be full."""

    def loseWriteConnection(self) -> None:  # noqa: N802
        assert self.producer is None, "a transport with a producer never closes"
        super().loseWriteConnection()

    def loseConnection(self) -> None:  # noqa: N802
        assert self.producer is None, "the same"
        super().loseConnection()

    def abortConnection(self) -> None:  # noqa: N802
        self.disconnected = True


@dataclass
class Call:
    """A connection that is being opened."""

    target: tuple[str, int]
    half: Half
    fail: Callable[[str], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True

    def answer(self) -> Wire:
        wire = Wire()
        self.half.makeConnection(wire)
        return wire


@dataclass
class Rig:
    settings: dict[str, Any] = field(default_factory=dict)
    neighbors: NeighborsFile | None = None

    def __post_init__(self) -> None:
        self.clock, self.log, self.calls = Clock(), Lines(), []
        self.metrics = Registry()
        self.map: dict[str, Destination] = {}
        self.default: Destination | None = COLLECTOR
        self.bug_in_dial = False
        self.listener = XconnectListener(
            self.clock,
            self._listen,
            Policy(listener_settings(**{"max_peers": 4} | self.settings)),
            Routing(lambda address: self.map.get(str(address), self.default), self._dial),
            Audience(Reporter(self.log), self.metrics, self.neighbors),
        )
        self.listener.startService()

    def _listen(self, factory: Any) -> Any:
        self.factory = factory
        return Port()

    def _dial(self, address: Any, port: int, half: Any, fail: Callable[[str], None]) -> Call:
        if self.bug_in_dial:
            raise KeyError("bug")
        self.calls.append(Call((str(address), port), half, fail))
        return self.calls[-1]

    def connect(self, host: str = "192.0.2.1", port: int = 40000) -> tuple[Any, Wire]:
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        driver = self.factory.buildProtocol(address)
        wire = Wire(peerAddress=address)
        driver.makeConnection(wire)
        return driver, wire

    def pair(self, host: str = "192.0.2.1", port: int = 40000) -> "Joined":
        peer, peer_wire = self.connect(host, port)
        call = self.calls[-1]
        return Joined(peer, peer_wire, call.half, call.answer())

    @property
    def texts(self) -> list[str]:
        return self.log.texts

    def samples(self, group: str) -> dict[str, int]:
        return {sample.name: sample.value for sample in self.metrics.walk() if sample.name.startswith(group + "_")}


@dataclass
class Joined:
    """Both connections of a pair."""

    peer: Half
    peer_wire: Wire
    collector: Half
    collector_wire: Wire

    def of(self, end: End) -> tuple[Half, Wire]:
        return (self.peer, self.peer_wire) if end is End.PEER else (self.collector, self.collector_wire)


def lose(half: Any, reason: Exception | None = None) -> None:
    half.connectionLost(Failure(reason or ConnectionDone()))


ENDS = pytest.mark.parametrize("end", list(End))
