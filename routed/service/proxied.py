"""Connections that begin with a PROXY protocol header: wait for the header, then let the session begin.

What is accepted here has passed the test of its TCP source already. The session is made once the header has named the
address it is for; from then on the connection is the session's, and this is a wire between the two.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Protocol, TypeAlias, cast

from twisted.internet import protocol
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IProtocol, IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.octets import WireError
from routed.wire.proxy_protocol import Preface, PrefaceReader, Source

#: Seconds that a header may take from the connection on; a balancer sends it with the first packet.
HEADER_PATIENCE: Final = 10.0
#: Connections whose header is waited for: a balancer that connects all its routers anew, and more than it needs.
MAX_WAITING: Final = 4096

Accept: TypeAlias = Callable[[str, int], IProtocol | None]


class _Stream(Protocol):
    """What is asked of a transport here."""

    def loseConnection(self) -> None:
        """Close when everything is sent."""

    def abortConnection(self) -> None:
        """Reset."""


class Proxied:
    """The connections whose header is waited for.

    `accept` takes the address and port that the header names, or those of the TCP connection, and gives the session's
    protocol or None, which closes the connection. `on_refused` hears why a connection was closed without being offered.
    """

    def __init__(self, clock: IReactorTime, accept: Accept, on_refused: Callable[[str, str], None]) -> None:
        self.clock, self.accept, self.on_refused = clock, accept, on_refused
        self.waiting: set[ProxiedProtocol] = set()

    def expect(self, host: str, port: int) -> "ProxiedProtocol | None":
        """Return what reads the header of a connection from this TCP source, or None when too many wait already."""
        if len(self.waiting) >= MAX_WAITING:
            self.on_refused(host, f"more than {MAX_WAITING} connections without a PROXY header")
            return None
        return ProxiedProtocol(self, host, port)

    def stop(self) -> None:
        """Reset the connections whose header is waited for still."""
        for waiting in tuple(self.waiting):
            waiting.abort()


@implementer(IHalfCloseableProtocol)
class ProxiedProtocol(protocol.Protocol):
    """One connection: its header first, then whatever its session's protocol says."""

    def __init__(self, proxied: Proxied, host: str, port: int) -> None:
        self._proxied, self._host, self._port = proxied, host, port
        self._reader = PrefaceReader()
        self._session: IProtocol | None = None
        self._alarm: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the header."""
        self._stream = cast("_Stream", self.transport)
        self._proxied.waiting.add(self)
        self._alarm = self._proxied.clock.callLater(HEADER_PATIENCE, self._expire)

    def dataReceived(self, data: bytes) -> None:
        """Read the header, or pass on."""
        if self._session is not None:
            self._session.dataReceived(data)
        elif self._is_waiting:
            self._read(data)

    def readConnectionLost(self) -> None:
        """Learn that the peer says no more; who cannot handle that, or has no header yet, is closed."""
        if self._session is not None and IHalfCloseableProtocol.providedBy(self._session):
            cast("IHalfCloseableProtocol", self._session).readConnectionLost()
        else:
            self._stream.loseConnection()

    def writeConnectionLost(self) -> None:
        """Pass on that our direction is closed."""
        if self._session is not None and IHalfCloseableProtocol.providedBy(self._session):
            cast("IHalfCloseableProtocol", self._session).writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session if there is one."""
        self._end_wait()
        if self._session is not None:
            self._session.connectionLost(reason)

    def abort(self) -> None:
        """Reset the connection."""
        self._end_wait()
        self._stream.abortConnection()

    @property
    def _is_waiting(self) -> bool:
        return self in self._proxied.waiting

    def _end_wait(self) -> None:
        self._proxied.waiting.discard(self)
        if self._alarm is not None:
            alarm, self._alarm = self._alarm, None
            alarm.cancel()

    def _expire(self) -> None:
        self._alarm = None
        self._refuse(f"no whole PROXY header in {HEADER_PATIENCE:.0f} s")

    def _refuse(self, reason: str) -> None:
        self._proxied.on_refused(self._host, reason)
        self.abort()

    def _read(self, octets: bytes) -> None:
        try:
            preface = self._reader.receive(octets)
        except WireError as error:
            self._refuse(f"malformed PROXY header: {error}")
            return
        if preface is not None:
            self._begin(preface)

    def _begin(self, preface: Preface) -> None:
        """Let the session take the connection over, with the octets behind the header."""
        self._end_wait()
        session = self._proxied.accept(*self._named(preface.source))
        if session is None:
            self._stream.loseConnection()
            return
        self._session = session
        session.makeConnection(cast("ITransport", self.transport))
        if preface.octets:
            session.dataReceived(preface.octets)

    def _named(self, source: Source | None) -> tuple[str, int]:
        return (self._host, self._port) if source is None else (str(ip_address(source.address)), source.port)
