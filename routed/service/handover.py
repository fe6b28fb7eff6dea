"""Connections that have something to settle before their session begins: a header to read, a handshake to make.

The session's protocol is made once that is done, for the address that was found out. From then on the connection is
the session's, and what is here is a wire between the two.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from twisted.internet import protocol
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IProtocol, IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

#: Takes the address and port that a session is for; gives its protocol, or None to close the connection.
Accept: TypeAlias = Callable[[str, int], IProtocol | None]
#: Hears the TCP source of a connection that was closed without being offered, and why.
OnRefused: TypeAlias = Callable[[str, str], None]


class _Stream(Protocol):
    """What is asked of a transport here."""

    def loseConnection(self) -> None:
        """Close when everything is sent."""

    def abortConnection(self) -> None:
        """Reset."""


class WaitingRoom:
    """The connections that are not settled yet: so many at most, each for so many seconds."""

    def __init__(
        self, clock: IReactorTime, accept: Accept, on_refused: OnRefused, *, what: str, patience: float, limit: int
    ) -> None:
        self.clock, self.accept, self.on_refused = clock, accept, on_refused
        self.what, self.patience, self.limit = what, patience, limit
        self.waiting: set[Handover] = set()

    def has_room(self, host: str) -> bool:
        """Say whether one more connection may wait; tell if it may not."""
        if len(self.waiting) < self.limit:
            return True
        self.on_refused(host, f"more than {self.limit} connections wait for a {self.what}")
        return False

    def stop(self) -> None:
        """Reset the connections that wait."""
        for waiting in tuple(self.waiting):
            waiting.abort()


@implementer(IHalfCloseableProtocol)
class Handover(protocol.Protocol):
    """One connection: `settle` first, then whatever its session's protocol says."""

    def __init__(self, room: WaitingRoom, host: str, port: int) -> None:
        self.room, self.host, self.port = room, host, port
        self._session: IProtocol | None = None
        self._alarm: IDelayedCall | None = None

    def settle(self, octets: bytes) -> None:
        """Take octets that come before the session; to be overridden."""
        raise NotImplementedError

    def connectionMade(self) -> None:
        """Begin to wait."""
        self._stream = cast("_Stream", self.transport)
        self.room.waiting.add(self)
        self._alarm = self.room.clock.callLater(self.room.patience, self._expire)

    def dataReceived(self, data: bytes) -> None:
        """Settle, or pass on."""
        if self._session is not None:
            self._session.dataReceived(data)
        elif self.is_waiting:
            self.settle(data)

    def readConnectionLost(self) -> None:
        """Learn that the peer says no more; who cannot handle that, or is not settled, is closed."""
        if IHalfCloseableProtocol.providedBy(self._session):
            cast("IHalfCloseableProtocol", self._session).readConnectionLost()
        else:
            self._stream.loseConnection()

    def writeConnectionLost(self) -> None:
        """Pass on that our direction is closed."""
        if IHalfCloseableProtocol.providedBy(self._session):
            cast("IHalfCloseableProtocol", self._session).writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session if there is one."""
        self._end_wait()
        if self._session is not None:
            self._session.connectionLost(reason)

    @property
    def is_waiting(self) -> bool:
        """Whether the session has yet to begin."""
        return self in self.room.waiting

    def begin(self, host: str, port: int, octets: bytes = b"") -> None:
        """Let the session take the connection over, with the octets that are there already."""
        self._end_wait()
        session = self.room.accept(host, port)
        if session is None:
            self._stream.abortConnection()
            return
        self._session = session
        session.makeConnection(cast("ITransport", self.transport))
        if octets:
            session.dataReceived(octets)

    def refuse(self, reason: str) -> None:
        """Reset the connection and say why."""
        self.room.on_refused(self.host, reason)
        self.abort()

    def abort(self) -> None:
        """Reset the connection."""
        self._end_wait()
        self._stream.abortConnection()

    def _end_wait(self) -> None:
        self.room.waiting.discard(self)
        if self._alarm is not None:
            alarm, self._alarm = self._alarm, None
            alarm.cancel()

    def _expire(self) -> None:
        self._alarm = None
        self.refuse(f"no whole {self.room.what} in {self.room.patience:.0f} s")
