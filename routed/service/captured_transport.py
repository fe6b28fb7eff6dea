"""The transport of a session whose peer is in a capture: what is sent goes nowhere, what is closed is passed over."""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol, IPullProducer, IReactorTime, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.plumbing.tcp_segment import Flow


class Player(Protocol):
    """Who feeds the session."""

    reactor: IReactorTime

    def resumed(self) -> None:
        """Learn that the session is no longer paused."""

    def left(self, transport: "CapturedTransport") -> None:
        """Learn that the session has closed."""


@implementer(ITCPTransport)
class CapturedTransport:
    """The transport of a session whose peer is in a capture."""

    disconnecting = disconnected = False

    def __init__(self, player: Player, protocol: IProtocol, flow: Flow) -> None:
        self.is_paused = False
        self.protocol, self.flow = protocol, flow
        self._player = player
        self._producer: IPullProducer | None = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing: nothing is sent."""

    def getTcpNoDelay(self) -> bool:
        """Say what would be true if anything were sent."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Do nothing: there is nobody to be alive."""

    def getTcpKeepAlive(self) -> bool:
        """Say that there is none."""
        return False

    def write(self, data: bytes) -> None:  # noqa: ARG002 (nobody reads them)
        """Discard octets, and let the producer know that none wait."""
        if self._producer is not None:
            self._player.reactor.callLater(0, self._pull)

    def writeSequence(self, data: Iterable[bytes]) -> None:  # noqa: ARG002 (the same)
        """Discard octets."""
        self.write(b"")

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Return the router's address."""
        return _address(self.flow.source, self.flow.source_port)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address of the collector that the capture was made of."""
        return _address(self.flow.destination, self.flow.destination_port)

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        """Let a producer know now and after every write that nothing waits to be sent."""
        if not streaming:
            self._producer = producer
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Let it know no more."""
        self._producer = None

    def _pull(self) -> None:
        if self._producer is not None and not self.disconnected:
            self._producer.resumeProducing()

    def loseConnection(self, _connDone: Failure | None = None) -> None:  # noqa: N803 (Twisted's name)
        """Close, and be closed by the peer."""
        self._leave(ConnectionDone())

    def loseWriteConnection(self) -> None:
        """Close our direction; a peer that learns that we say no more closes too."""
        self._leave(ConnectionDone())

    def abortConnection(self) -> None:
        """Reset."""
        self._leave(ConnectionAborted())

    def pauseProducing(self) -> None:
        """Feed nothing."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Feed on."""
        if self.is_paused:
            self.is_paused = False
            self._player.resumed()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def _leave(self, why: Exception) -> None:
        if self.disconnecting:
            return
        self.disconnecting = True
        self._player.left(self)
        self._player.reactor.callLater(0, self.lose, why)

    def lose(self, why: Exception) -> None:
        """Tell the session that its connection is gone."""
        if self.disconnected:
            return
        self.disconnecting = self.disconnected = True
        self.protocol.connectionLost(Failure(why))  # type: ignore[no-untyped-call]  # Twisted leaves it bare


def _address(packed: bytes, port: int) -> IPv4Address | IPv6Address:
    kind = IPv4Address if len(packed) == 4 else IPv6Address
    return kind("TCP", str(ip_address(packed)), port)
