"""What brings parcels to an AMQP broker: every row a message, in order, each counted when the broker has confirmed it.

Messages are published in the order of the parcels and wait in that order for their confirmations; the front of the
line leaves when it is confirmed. When a connection is lost the whole line is published again over the next one, from
the first message that nobody has confirmed: some may arrive twice, none is missing, and none overtakes another.

A turn of the reactor publishes a few messages only, as much as `SLICE` allows; a broker that reads slowly pauses it.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from routed.plumbing.amqp_connection import AmqpError
from routed.plumbing.parcel import Parcel, rows_of
from routed.plumbing.sink import log_bug

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from routed.plumbing.amqp_connection import Connect, Publisher
    from routed.plumbing.amqp_settings import AmqpSettings
    from routed.plumbing.carrier import Reports

#: Messages that wait for their confirmation: enough to keep this client busy over a wide-area path; with more RabbitMQ
#: was no faster, and each is some objects for the collector of cycles to look at.
MAX_UNCONFIRMED: Final = 1_024
#: Messages published in one turn of the reactor, some milliseconds of it.
SLICE: Final = 64
#: The first wait after a connection was lost; each further one is twice as long. Units: seconds.
FIRST_RETRY: Final = 1.0

_JSON: Final = "application/json"
_AVRO: Final = "avro/binary"


@dataclass(slots=True, eq=False)
class _Message:
    """A row on its way. `ends`: the number of the parcel whose last row it is, or 0."""

    parcel: Parcel
    body: bytes
    ends: int
    is_confirmed: bool = False


@implementer(IPushProducer)
class AmqpCarrier:
    """Brings parcels to a broker over connections that come and go.

    Args:
        settings: what the operator says of the broker.
        connect: opens a connection.
    """

    def __init__(self, settings: AmqpSettings, connect: Connect, clock: IReactorTime) -> None:
        self._settings, self._connect, self._clock = settings, connect, clock
        self._hosts = cycle(settings.hosts)
        self._suffixes = cycle([f"_{n}" for n in range(settings.routing_keys)] or [""])
        self._reports: Reports | None = None
        self._parcels: deque[Parcel] = deque()  # not begun
        self._messages: Iterator[_Message] = iter(())  # of the parcel that was begun last
        self._line: deque[_Message] = deque()  # published, from the first that is not confirmed
        self._again: deque[_Message] = deque()  # of the line, to be published again
        self._publisher: Publisher | None = None
        self._retry = FIRST_RETRY
        self._alarm: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None
        self._connecting: Deferred[None] | None = None
        self._is_paused = self._is_alarmed = self._closing = False

    def start(self, reports: Reports) -> None:
        """Begin to connect."""
        self._reports = reports
        self._try()

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels, in order, connected or not."""
        self._parcels.extend(parcels)
        self._pump_soon()

    def reopen(self) -> None:
        """Go on with a fresh connection, at once."""
        self._retry = FIRST_RETRY
        if self._publisher is not None:
            self._publisher.close()
        elif self._alarm is not None:
            self._alarm.reset(0)

    def close(self) -> Deferred[None]:
        """Let go of everything; fires when no report will follow."""
        self._closing = True
        for call in (self._alarm, self._turn):
            if call is not None and call.active():
                call.cancel()
        if self._publisher is not None:
            return self._publisher.close()
        if self._connecting is not None:
            over: Deferred[None] = Deferred()
            self._connecting.addBoth(lambda _: over.callback(None))
            self._connecting.cancel()
            return over
        return succeed(None)

    # --- what the transport asks for

    def pauseProducing(self) -> None:
        """Publish no more: the broker reads slowly."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Publish again."""
        self._is_paused = False
        self._pump_soon()

    def stopProducing(self) -> None:
        """Publish no more: the connection is gone, which is told elsewhere too."""
        self._is_paused = True

    # --- the connection

    def _try(self) -> None:
        self._alarm = None
        self._connecting = Deferred.fromCoroutine(self._open())
        self._connecting.addErrback(log_bug, f"the AMQP broker of {self._settings.keys}host")

    async def _open(self) -> None:
        host, port = next(self._hosts)
        assert self._reports is not None
        try:
            publisher = await self._connect(host, port)
        except AmqpError as error:
            self._connecting = None
            if not self._closing:
                self._reports.down(str(error))
                self._try_later()
            return
        self._connecting = None
        if self._closing:
            await publisher.close()
            return
        self._publisher, self._retry, self._is_paused, self._is_alarmed = publisher, FIRST_RETRY, False, False
        self._again = deque(self._line)
        for message in self._line:
            message.is_confirmed = False
        publisher.lost.addCallback(self._on_lost)
        if not publisher.lost.called:
            publisher.pauses(self)
            publisher.alarms(self._on_alarm, self._on_all_clear)
            self._reports.up()
            self._pump_soon()

    def _on_lost(self, reason: str) -> str:
        self._publisher = None
        if not self._closing:
            assert self._reports is not None
            self._reports.down(reason)
            self._try_later()
        return reason

    def _on_alarm(self, reason: str) -> None:
        """Publish no more: the broker has no room, and reads nothing until it has."""
        assert self._reports is not None
        self._is_alarmed = True
        self._reports.down(f"{self._settings.keys}host: the broker takes nothing at the moment: {reason}")

    def _on_all_clear(self) -> None:
        assert self._reports is not None
        self._is_alarmed = False
        self._reports.up()
        self._pump_soon()

    def _try_later(self) -> None:
        self._alarm = self._clock.callLater(self._retry, self._try)
        self._retry = min(2 * self._retry, max(FIRST_RETRY, self._settings.retry))

    # --- messages

    @property
    def _may_publish(self) -> bool:
        return self._publisher is not None and not (self._is_paused or self._is_alarmed or self._closing)

    def _pump_soon(self) -> None:
        if self._turn is None and self._may_publish:
            self._turn = self._clock.callLater(0, self._pump)

    def _pump(self) -> None:
        """Publish some messages, then let others have their turn."""
        self._turn = None
        for _ in range(SLICE):
            message = self._next() if self._may_publish else None
            if message is None or self._publisher is None:
                return
            self._publish(self._publisher, message)
        self._pump_soon()

    def _next(self) -> _Message | None:
        """Return what is to be published next, in line; None when there is nothing or the line is long."""
        if self._again:
            return self._again.popleft()
        if len(self._line) >= MAX_UNCONFIRMED:
            return None
        message = next(self._messages, None)
        while message is None and self._parcels:
            self._messages = _messages(self._parcels.popleft())
            message = next(self._messages, None)
        if message is not None:
            self._line.append(message)
        return message

    def _publish(self, publisher: Publisher, message: _Message) -> None:
        schema, _, _ = message.parcel.framing.schema.partition(":")
        target = message.parcel.address.target + next(self._suffixes)
        confirmed = publisher.publish(target, message.body, _AVRO if schema else _JSON, schema)
        confirmed.addCallbacks(self._on_confirmed, self._on_refused, (publisher, message), {}, (publisher,), {})

    def _on_confirmed(self, _: object, publisher: Publisher, message: _Message) -> None:
        if publisher is self._publisher:
            message.is_confirmed = True
            self._advance()

    def _on_refused(self, failure: Failure, publisher: Publisher) -> None:
        """Publish again what the broker could not keep; what was lost with a connection is published by the next."""
        if publisher is self._publisher and not publisher.lost.called:
            assert self._reports is not None
            self._reports.down(f"{self._settings.keys}host: a message was refused: {failure.value}")
            publisher.close()  # the line goes again, in order, after a wait

    def _advance(self) -> None:
        """Let the confirmed front of the line go."""
        done = []
        while self._line and self._line[0].is_confirmed:
            message = self._line.popleft()
            if message.ends:
                done.append(message.ends)
        if done:
            assert self._reports is not None
            self._reports.delivered(done)
        self._pump_soon()


def _messages(parcel: Parcel) -> Iterator[_Message]:
    """Yield the rows of a parcel as messages."""
    bodies = rows_of(parcel)
    last = len(bodies) - 1
    return (_Message(parcel, body, parcel.number if at == last else 0) for at, body in enumerate(bodies))
