"""How a connection ends that never gets a session: with the NOTIFICATION that says why."""

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from routed.model.event import Event, SessionDown
from routed.octets import Writer
from routed.service.pump import SessionProtocol
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.notification import Notification, encode_notification

#: Refused connections that may take their time to close; those beyond are closed without a word.
MAX_REFUSALS: Final = 128


class Refusals:
    """The connections that are being refused now: few, however many knock."""

    def __init__(self, clock: IReactorTime, *, on_bug: Callable[[Failure], None], on_gone: Callable[[], None]) -> None:
        self._clock, self._on_bug, self._on_gone = clock, on_bug, on_gone
        self._under_way = 0

    def refuse(self, notification: Notification) -> SessionProtocol | None:
        """Return what refuses a connection, or None to close it without a word."""
        if self._under_way == MAX_REFUSALS:
            return None
        self._under_way += 1
        return SessionProtocol(Refusal(notification), self._clock, Stranger(self._on_bug, self._gone))

    def _gone(self) -> None:
        self._under_way -= 1
        self._on_gone()


class Refusal:
    """A session that consists of one NOTIFICATION, for connections that never get a real one."""

    def __init__(self, notification: Notification) -> None:
        w = Writer()
        encode_notification(w, notification)
        self._outbox = encode_message(MessageType.NOTIFICATION, bytes(w))
        self._down = SessionDown(reason="refused", notification_sent=notification)

    def start(self, _now: float) -> Sequence[Event]:
        """Refuse."""
        return [self._down]

    def receive(self, _octets: bytes, _now: float) -> Sequence[Event]:
        """Ignore what comes."""
        return ()

    def timeout(self, _now: float) -> Sequence[Event]:
        """Have no deadline."""
        return ()

    def end_of_stream(self, _now: float) -> Sequence[Event]:
        """Have nothing to lose."""
        return [self._down]

    def deadline(self) -> float | None:
        """Have no deadline."""
        return None

    def take_outbox(self) -> bytes:
        """Return, once, the NOTIFICATION."""
        octets, self._outbox = self._outbox, b""
        return octets


class Stranger:
    """The owner of a refusal's pump: nobody is interested but those who count."""

    def __init__(self, on_bug: Callable[[Failure], None], on_gone: Callable[[], None]) -> None:
        self.caught, self.gone = on_bug, on_gone

    def deliver(self, _event: Event) -> None:
        """Know already."""

    def stuck(self, _now: float) -> Sequence[Event]:
        """Have nothing to end."""
        return ()
