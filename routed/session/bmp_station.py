"""The station's side of a BMP session: it listens, and never says a word (RFC 7854 section 3.2).

Framing and message formats are here; what messages mean for peers and their tables is for whoever takes the events,
because only he knows which of them he has carried out.

A malformed message costs itself. What leaves no way to find the next one, another version or a length that cannot be,
ends the session, as does a Termination message. There are no timers in BMP: a router that is gone without a word is
noticed by TCP keepalives, which belong to whoever owns the socket.
"""

from typing import Final

from routed.model.bmp_event import MessageDiscarded, MessageReceived, MonitoringRun
from routed.model.event import Event, SessionDown
from routed.octets import WireError
from routed.wire.bmp._stream import SKIPPED, Stream
from routed.wire.bmp.codepoints import MessageType
from routed.wire.bmp.header import MAX_MESSAGE
from routed.wire.bmp.message import Unknown, decode_message
from routed.wire.bmp.termination import Termination

#: What is kept of a message that is discarded.
SAMPLE_OCTETS: Final = 256


class BmpStation:
    """One session with a router."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.is_closed = False
        self._stream = Stream(max_message)

    def start(self, now: float) -> list[Event]:  # noqa: ARG002 (the session contract, here and below)
        """Begin to listen."""
        return []

    def receive(self, octets: bytes, now: float) -> list[Event]:  # noqa: ARG002
        """Take in octets, cut anywhere."""
        events: list[Event] = []
        if self.is_closed:
            return events
        for kind, messages, count in self._stream.feed(octets):
            if kind == MessageType.ROUTE_MONITORING:
                events.append(MonitoringRun(messages, count))
                continue
            event = self._read(kind, messages, count)
            events.append(event)
            if isinstance(event, MessageReceived) and isinstance(event.message, Termination):
                return [*events, self._close("the router terminated the session")]
        if self._stream.error is not None:
            events.append(self._close(str(self._stream.error)))
        return events

    def timeout(self, now: float) -> list[Event]:  # noqa: ARG002
        """Do nothing: BMP has no timers."""
        return []

    def end_of_stream(self, now: float) -> list[Event]:  # noqa: ARG002
        """Learn that the connection is gone."""
        return [] if self.is_closed else [self._close("connection closed by the router")]

    def stop(self, now: float) -> list[Event]:  # noqa: ARG002
        """End the session; a station has no message to say so."""
        return [] if self.is_closed else [self._close("shut down")]

    def deadline(self) -> None:
        """Return None: BMP has no timers."""

    def take_outbox(self) -> bytes:
        """Return nothing: a station never writes."""
        return b""

    def _read(self, kind: int, octets: bytes, count: int) -> Event:
        if kind == SKIPPED:
            return MessageDiscarded("too long", f"{count} octets", octets, count)
        try:
            message = decode_message(octets)
        except WireError as error:
            return MessageDiscarded("malformed", str(error), octets[:SAMPLE_OCTETS], len(octets))
        if isinstance(message, Unknown):
            return MessageDiscarded(
                "unknown", f"unknown message type ({int(message.kind)})", octets[:SAMPLE_OCTETS], len(octets)
            )
        return MessageReceived(message, len(octets))

    def _close(self, reason: str) -> SessionDown:
        self.is_closed = True
        return SessionDown(reason=reason)
