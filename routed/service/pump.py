"""The pump: drives one session over one stream, and owns the stream's transport and the session's alarm.

It is the border between what never raises for a peer's octets (sessions answer those with events) and what may: an
exception that arrives here is our own bug. It is reported, that session is closed, and the daemon stays up.

How a stream ends:

- the session said why (a NOTIFICATION is in the outbox): our direction is closed behind it and the peer's is read into
  the void until it closes too, because closing with unread octets would make the kernel send a reset that overtakes
  the NOTIFICATION; a peer that does not close in time is reset;
- the peer ended it, or nothing is to be said: closed at once;
- a bug, or a peer that does not read (RFC 9687): reset at once.

A peer that its subscriber paused keeps its hold timer: it may send a little with every alarm of its session (a
KEEPALIVE is due three times per hold time), so what it said in time is not held against it.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Final, Protocol, cast

from twisted.internet import protocol
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.model.event import Event, SessionDown
from routed.service.send_hold import SendHold, Transport
from routed.session.contract import Session

#: Seconds that a peer has to take our last words and to close.
MAX_LINGER: Final = 2.0


class Owner(Protocol):
    """Who made a pump, and hears of everything in this order: events, bugs, the end."""

    def deliver(self, event: Event) -> None:
        """Take an event of the session; SessionDown is the last."""

    def caught(self, bug: Failure) -> None:
        """Take note of an exception from our own code."""

    def stuck(self, now: float) -> Iterable[Event]:
        """Make the session end because the peer does not read."""

    def gone(self) -> None:
        """Take note that the connection no longer exists."""


class Stream(Transport, Protocol):
    """What is asked of a TCP transport here."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Send small messages at once."""

    def loseConnection(self) -> None:
        """Close when everything is sent."""

    def loseWriteConnection(self) -> None:
        """Close our direction when everything is sent."""

    def abortConnection(self) -> None:
        """Reset."""

    def pauseProducing(self) -> None:
        """Stop reading."""

    def resumeProducing(self) -> None:
        """Read on."""


class Phase(Enum):
    """Where a stream is in its life."""

    WAITING = auto()
    RUNNING = auto()
    CLOSING = auto()  # the session is down; what the peer still sends is discarded
    GONE = auto()


@implementer(IHalfCloseableProtocol)
class SessionProtocol(protocol.Protocol):
    """Drive one session over one stream; the only owner of its transport and its alarm."""

    def __init__(self, session: Session, clock: IReactorTime, owner: Owner) -> None:
        self.loss: Failure | None = None  # how the stream ended, once it has
        self.last_heard = clock.seconds()  # when the peer last sent anything
        self._session, self._clock, self._owner = session, clock, owner
        self._phase = Phase.WAITING
        self._alarm: IDelayedCall | None = None
        self._abort: IDelayedCall | None = None
        self._paused = False

    def connectionMade(self) -> None:
        """Start the session."""
        self._stream = cast("Stream", self.transport)
        self._stream.setTcpNoDelay(True)
        self._outgoing = SendHold(self._stream, self._clock, self._stuck)
        self._phase = Phase.RUNNING
        if self._paused:
            self._stream.pauseProducing()
        self.drive(self._session.start)

    def dataReceived(self, data: bytes) -> None:
        """Give the session what the peer sent."""
        if self._paused and self._phase is Phase.RUNNING:
            self._stream.pauseProducing()  # this was the sip of an alarm
        self.last_heard = self._clock.seconds()
        self.drive(lambda now: self._session.receive(data, now))

    def readConnectionLost(self) -> None:
        """Learn that the peer says no more; what waits to be sent, our last words maybe, still goes out."""
        if self._phase is Phase.RUNNING:
            self.loss = connectionDone
            self.drive(self._session.end_of_stream)
        self._limit_linger()
        self._stream.loseConnection()

    def writeConnectionLost(self) -> None:
        """Know already: only our last words end our direction."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session if it has not ended itself."""
        self.loss = reason
        if self._phase is Phase.RUNNING:
            self.drive(self._session.end_of_stream)
        self._phase = Phase.GONE
        self._outgoing.stopProducing()
        self._disarm()
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self._owner.gone()

    def drive(self, step: Callable[[float], Iterable[Event]]) -> None:
        """Let the session take a step, send what it has to say, then deliver what happened."""
        if self._phase is not Phase.RUNNING:
            return
        try:
            events = step(self._clock.seconds())
            last_words = self._send()  # before the events: a NOTIFICATION leaves ahead of the close
            if self._deliver(events):
                self._close(last_words=last_words)
            elif self._phase is Phase.RUNNING:
                self._arm()
        except Exception:  # noqa: BLE001 (the one place that contains our own bugs)
            self._owner.caught(Failure())  # type: ignore[no-untyped-call]  # Twisted leaves it bare
            self.abort()

    def drop(self) -> None:
        """End the session as if the stream had been lost, without a word to the peer."""
        self.drive(self._session.end_of_stream)
        self.abort()

    def abort(self) -> None:
        """Reset the connection."""
        if self._phase in (Phase.RUNNING, Phase.CLOSING) and self.loss is None:
            self._stream.abortConnection()

    def set_send_hold(self, seconds: float) -> None:
        """Change how long the peer may refuse to read (RFC 9687 section 4)."""
        self._outgoing.seconds = seconds

    def pause(self) -> None:
        """Stop reading."""
        self._paused = True
        if self._phase is Phase.RUNNING:
            self._stream.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._phase is Phase.RUNNING:
            self._stream.resumeProducing()

    def _deliver(self, events: Iterable[Event]) -> bool:
        """Deliver events; say whether the last one of the session was among them.

        The owner may answer an event by ending the session: what the session had said after it is void.
        """
        for event in events:
            if self._phase is not Phase.RUNNING:
                return False
            if isinstance(event, SessionDown):
                self._phase = Phase.CLOSING
                self._owner.deliver(event)
                return True
            self._owner.deliver(event)
        return False

    def _send(self) -> bool:
        """Send the outbox; say whether there was anything."""
        octets = self._session.take_outbox()
        if octets:
            self._outgoing.write(octets)
        return bool(octets)

    def _arm(self) -> None:
        """Set the alarm to the session's deadline.

        A deadline that moves away with every message leaves the alarm alone: it rings early and is set again.
        """
        due = self._session.deadline()
        if due is None:
            self._disarm()
        elif self._alarm is None:
            self._alarm = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._ring)
        elif due < self._alarm.getTime():
            self._alarm.reset(max(0.0, due - self._clock.seconds()))

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        due = self._session.deadline()
        if due is None or due > self._clock.seconds():
            self._arm()
            return
        if self._paused:
            self._stream.resumeProducing()
        self.drive(self._session.timeout)

    def _stuck(self) -> None:
        self.drive(self._owner.stuck)
        self.abort()

    def _close(self, *, last_words: bool) -> None:
        self._disarm()
        if self.loss is not None:
            return
        self._outgoing.release()
        self._limit_linger()
        if last_words:
            self._stream.resumeProducing()
            self._stream.loseWriteConnection()
        else:
            self._stream.loseConnection()

    def _limit_linger(self) -> None:
        if self._abort is None:
            self._abort = self._clock.callLater(MAX_LINGER, self._stream.abortConnection)
