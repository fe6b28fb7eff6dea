"""IPFIX over TCP: messages one behind another, cut by the length in their headers.

Source: RFC 7011 section 10.4.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

import socket
from collections.abc import Callable
from ipaddress import ip_address
from time import time
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITransport
from twisted.internet.protocol import Factory, Protocol

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.settings import Allow
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.service.flow_input import FlowInput

#: Exporters connected at a time.
MAX_CONNECTIONS: Final = 1024
#: Messages that are read at once.
_AT_ONCE: Final = 256
#: How long a connection has for its first whole message: who has nothing to say takes nobody's place. Units: seconds.
PATIENCE: Final = 60.0
#: After how much silence TCP asks whether an exporter is still there, how often, and up to when. Units: seconds, times.
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))

_VERSION: Final = 10
_HEADER_OCTETS: Final = 16


class IpfixStream(Protocol):
    """One connection."""

    transport: ITransport

    def __init__(self, factory: "IpfixStreams", address: bytes, port: int) -> None:
        self._factory = factory
        self._address = address
        self._port = port
        self._buffer = bytearray()
        self._datagrams = Datagrams(_AT_ONCE)
        self._alarm: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Count the connection, and wait for its first message."""
        self._factory.connections.add(self)
        self._alarm = self._factory.clock.callLater(PATIENCE, self._give_up)

    def dataReceived(self, data: bytes) -> None:
        """Read the messages that are whole; a stream that is no IPFIX is closed, nobody knows where it would go on."""
        self._buffer += data
        arrival = int(self._factory.now() * 1_000_000)
        at = 0
        while len(self._buffer) - at >= _HEADER_OCTETS:
            version = int.from_bytes(self._buffer[at : at + 2])
            length = int.from_bytes(self._buffer[at + 2 : at + 4])
            if version != _VERSION or length < _HEADER_OCTETS:
                self._factory.malformed += 1
                self.transport.loseConnection()
                self._buffer.clear()
                self._take()
                return
            if len(self._buffer) - at < length:
                break
            self._datagrams.append(bytes(self._buffer[at : at + length]), self._address, self._port, arrival)
            at += length
            if self._datagrams.is_full:
                self._take()
        if at:
            del self._buffer[:at]
            self._stop_waiting()
            self._take()

    def _take(self) -> None:
        self._factory.flows.take(self._datagrams)
        self._factory.flows.flush()
        self._datagrams.clear()

    def connectionLost(self, reason: object = None) -> None:  # noqa: ARG002 (Twisted passes it)
        """Forget the connection, and the message that did not come whole."""
        self._factory.connections.discard(self)
        self._stop_waiting()

    def _give_up(self) -> None:
        self._alarm = None
        self._factory.silent += 1
        self.transport.loseConnection()

    def _stop_waiting(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def ask_silent_ones(listening: socket.socket) -> None:
    """Let TCP notice exporters that are gone without a word, on all connections that a socket will accept."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        listening.setsockopt(socket.IPPROTO_TCP, option, value)


class IpfixStreams(Factory):
    """Accepts exporters that may connect.

    Attributes:
        connections: those that stand.
        accepted: all that ever stood.
        refused: connections of addresses that may not send.
        without_slot: connections beyond the ceiling.
        malformed: connections closed because what came was no IPFIX.
        silent: connections closed because no whole message came.
    """

    noisy = False

    def __init__(self, flows: FlowInput, allow: Allow, clock: IReactorTime, now: Callable[[], float] = time) -> None:
        self.clock = clock
        self.flows = flows
        self.allow = allow
        self.now = now
        self.connections: set[IpfixStream] = set()
        self.accepted = 0
        self.refused = 0
        self.without_slot = 0
        self.malformed = 0
        self.silent = 0

    def buildProtocol(self, addr: IPv4Address | IPv6Address) -> IpfixStream | None:  # type: ignore[override]  # of TCP
        """Return the protocol of a connection, None to close it."""
        host = ip_address(addr.host.partition("%")[0])
        address = IPV4_MAPPED + host.packed if host.version == 4 else host.packed
        if not self.allow(address):
            self.refused += 1
            return None
        if len(self.connections) >= MAX_CONNECTIONS:
            self.without_slot += 1
            return None
        self.accepted += 1
        return IpfixStream(self, address, addr.port)
