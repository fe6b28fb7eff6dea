"""The pump: drives one session over one stream, and owns the stream's transport and the session's alarm.

It is the border between what never raises for a peer's octets (sessions answer those with events) and what may: an
exception that arrives here is our own bug. It is reported, that session is closed, and the daemon stays up.

How a stream ends:

- the session said why (a NOTIFICATION is in the outbox): our direction is closed behind it and the peer's is read into
  the void until it closes too, because closing with unread octets would make the kernel send a reset that overtakes
  the NOTIFICATION; a peer that does not close in time is reset;
- the peer ended it, or nothing is to be said: closed at once;
- a bug, or a peer that does not read (RFC 9687): reset at once.

A paused peer is neither read nor heard: what its session says meanwhile, its end included, is kept in order and
delivered when the peer is resumed, even if the stream is gone by then. When the owner itself ends the session, what it
has not heard by then is void, but for the end.

A paused peer keeps its hold timer: it may send a little with every alarm of its session (a KEEPALIVE is due three times
per hold time), so what it said in time is not held against it.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
#: Octets that a paused peer may send, all of which are kept; a pause that outlasts them may cost it the session.
MAX_SIPPED: Final = 1 << 20


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
    LOST = auto()  # the connection no longer exists, and the owner does not know yet
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
        self._sipped = 0  # octets that a paused peer sent since something is kept
        self._kept: deque[Event] = deque()  # what the owner has yet to hear
        self._delivering = False

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
            self._sipped += len(data)
        self.last_heard = self._clock.seconds()
        self.drive(lambda now: self._session.receive(data, now))

    def readConnectionLost(self) -> None:
        """Learn that the peer says no more; what waits to be sent, our last words maybe, still goes out."""
        if self._phase is Phase.RUNNING:
            self.loss = connectionDone
            self.drive(self._session.end_of_stream)
            self._outgoing.release()
        self._limit_linger()
        self._stream.loseConnection()

    def writeConnectionLost(self) -> None:
        """Know already: only our last words end our direction."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session if it has not ended itself."""
        self.loss = reason
        self.drive(self._session.end_of_stream)
        self._phase = Phase.LOST
        self._outgoing.stopProducing()
        self._disarm()
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self._part()

    def drive(self, step: Callable[[float], Iterable[Event]]) -> None:
        """Let the session take a step, send what it has to say, then deliver what happened, or keep it for `resume`."""
        with self._contained():
            self._take(step, is_void=False)

    def end(self, step: Callable[[float], Iterable[Event]]) -> None:
        """Let the session take its last step, because of which what is kept is void."""
        with self._contained():
            self._take(step, is_void=True)

    def drop(self) -> None:
        """End the session as if the stream had been lost, without a word to the peer."""
        self.drive(self._session.end_of_stream)
        self.abort()

    def catch_up(self) -> None:
        """Deliver what is kept, paused or not."""
        with self._contained():
            self._deliver(despite_pause=True)
        self._part()

    def abort(self) -> None:
        """Reset the connection."""
        if self._phase in (Phase.RUNNING, Phase.CLOSING) and self.loss is None:
            self._stream.abortConnection()

    def fail(self, bug: Failure) -> None:
        """Let a bug of our own cost this session; what is kept is void."""
        self._kept.clear()
        self._owner.caught(bug)
        self.abort()

    def set_send_hold(self, seconds: float) -> None:
        """Change how long the peer may refuse to read (RFC 9687 section 4)."""
        self._outgoing.seconds = seconds

    def pause(self) -> None:
        """Stop reading and delivering; an event that is being delivered is the last one."""
        self._paused = True
        if self._phase is Phase.RUNNING:
            self._stream.pauseProducing()

    def resume(self) -> None:
        """Deliver what is kept, then read on."""
        self._paused = False
        with self._contained():
            if not self._delivering:  # else that goes on when the owner returns
                self._deliver()
            if self._phase is Phase.RUNNING and not self._paused:
                self._stream.resumeProducing()
        self._part()

    def _take(self, step: Callable[[float], Iterable[Event]], *, is_void: bool) -> None:
        if self._phase is not Phase.RUNNING:
            return
        events = tuple(step(self._clock.seconds()))
        last_words = self._send()  # before the events: a NOTIFICATION leaves ahead of the close
        is_over = bool(events) and isinstance(events[-1], SessionDown)
        if is_over:
            self._phase = Phase.CLOSING
            if is_void:
                self._kept.clear()
        self._kept.extend(events)
        self._deliver()
        if is_over:
            self._close(last_words=last_words)
        elif self._phase is Phase.RUNNING:
            self._arm()

    def _deliver(self, *, despite_pause: bool = False) -> None:
        """Deliver what is kept, in order, as far as the owner does not pause the peer."""
        is_nested, self._delivering = self._delivering, True
        try:
            while self._kept and (despite_pause or not self._paused):
                self._owner.deliver(self._kept.popleft())
        finally:
            self._delivering = is_nested
        if not self._kept:
            self._sipped = 0

    def _part(self) -> None:
        """Tell the owner that the connection is gone, once it has heard everything else."""
        if self._phase is Phase.LOST and not self._kept:
            self._phase = Phase.GONE
            self._owner.gone()

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """Let a bug of our own cost this session, and nothing else."""
        try:
            yield
        except Exception:  # noqa: BLE001 (the one place that contains our own bugs)
            self.fail(Failure())  # type: ignore[no-untyped-call]  # Twisted leaves it bare

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
        if self._paused and self._sipped < MAX_SIPPED:
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
