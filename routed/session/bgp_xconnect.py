"""A BGP session that is passed on between a peer and a collector: what goes to either end, and how both ends end.

Theory of operation: octets go through unchanged and unread, in whole messages, so that a NOTIFICATION of ours always
stands between two messages of theirs. Only headers are looked at (RFC 4271 section 4.1). Capabilities, timers and
errors in messages are a matter between the two ends; so messages may be as long as RFC 8654 allows, whether or not the
ends have agreed on it. What waits here is less than one message in each direction.

Both ends end together:

=============================  ======================  ============================
what happens at one end        it hears                the other one hears
=============================  ======================  ============================
it sends a NOTIFICATION        nothing                 that NOTIFICATION
its stream ends without one    nothing                 Cease/Administrative Reset
it sends a bad header          1/n (RFC 4271 6.1)      Cease/Administrative Reset
the collector is not there     nothing                 Cease/Connection Rejected
we shut down                   Cease/Admin. Shutdown   Cease/Admin. Shutdown
=============================  ======================  ============================

The resets say why in their text (RFC 9003).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from routed.model.xconnect_event import End, XconnectDown
from routed.octets import Cursor, Writer
from routed.wire.bgp._stream import Stream
from routed.wire.bgp.codepoints import CeaseSubcode, MessageType
from routed.wire.bgp.header import HEADER_OCTETS, MAX_EXTENDED_MESSAGE, HeaderError, encode_message
from routed.wire.bgp.notification import Notification, cease, decode_notification, encode_notification

#: What the ends are called in the texts that the other one reads.
_CALLED: Final[Mapping[End, str]] = {End.PEER: "the router", End.COLLECTOR: "the collector"}


class State(Enum):
    """Where a session is; before the collector is there nothing goes through."""

    CONNECTING = "waiting for the collector"
    PASSING = "passing on"
    CLOSED = "closed"


@dataclass(slots=True)
class Passed:
    """What was taken from one end for the other."""

    messages: int = 0
    octets: int = 0
    pauses: int = 0  # times that it was not read because the other one did not read


class BgpXconnect:
    """Both ends of one session. Every step returns events; what is to be sent is in the outboxes by then."""

    def __init__(self) -> None:
        self.state = State.CONNECTING
        self.was_connected = False
        self.passed: Final[Mapping[End, Passed]] = {end: Passed() for end in End}
        self._streams: Final[Mapping[End, Stream]] = {end: Stream(MAX_EXTENDED_MESSAGE) for end in End}
        self._outboxes: Final[Mapping[End, list[bytes]]] = {end: [] for end in End}

    @property
    def is_closed(self) -> bool:
        """Tell whether the event was reported."""
        return self.state is State.CLOSED

    def connected(self) -> list[XconnectDown]:
        """Learn that the collector is there."""
        assert self.state is State.CONNECTING, "a collector connects once"
        self.state, self.was_connected = State.PASSING, True
        return []

    def unreachable(self, reason: str) -> list[XconnectDown]:
        """Learn that the collector cannot be had."""
        return self._close(reason, {End.PEER: cease(CeaseSubcode.CONNECTION_REJECTED)}, by=End.COLLECTOR)

    def receive(self, end: End, octets: bytes) -> list[XconnectDown]:
        """Take in what one end sent, cut anywhere; what comes after the end is void."""
        stream = self._streams[end]
        while not self.is_closed:
            for kind, messages, count in stream.feed(octets):
                self._pass_on(end, messages, count)
                if kind == MessageType.NOTIFICATION:
                    return self._passed_on(end, messages)
            if stream.error is not None:
                return self._refuse(end, stream.error)
            if not stream.is_held:
                break
            octets = b""
        return []

    def end_of_stream(self, end: End) -> list[XconnectDown]:
        """Learn that nothing more will come from an end."""
        what = "closed the connection"
        return self._close(f"{_CALLED[end]} {what}", self._reset(end, what), by=end)

    def stop(self, text: str) -> list[XconnectDown]:
        """Shut down and tell the operators of both ends why (RFC 9003)."""
        farewell = cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, text)
        return self._close(str(farewell), dict.fromkeys(End, farewell))

    def take_outbox(self, end: End) -> bytes:
        """Return, once, the octets to send to an end: whole messages."""
        outbox = self._outboxes[end]
        octets = b"".join(outbox)
        outbox.clear()
        return octets

    def _pass_on(self, end: End, messages: bytes, count: int) -> None:
        passed = self.passed[end]
        passed.messages += count
        passed.octets += len(messages)
        self._outboxes[end.other].append(messages)

    def _passed_on(self, end: End, message: bytes) -> list[XconnectDown]:
        notification = decode_notification(Cursor(message[HEADER_OCTETS:], HEADER_OCTETS))
        self.state = State.CLOSED
        reason = f"{_CALLED[end]} sent {notification.reason}"
        return [XconnectDown(reason=reason, by=end, passed_on=notification, told=frozenset({end.other}))]

    def _refuse(self, end: End, error: HeaderError) -> list[XconnectDown]:
        farewells = {end: error.notification, **self._reset(end, "broke the session")}
        return self._close(f"{_CALLED[end]} sent a bad header: {error}", farewells, by=end)

    def _reset(self, end: End, what: str) -> dict[End, Notification]:
        return {end.other: cease(CeaseSubcode.ADMINISTRATIVE_RESET, f"{_CALLED[end]} {what}")}

    def _close(self, reason: str, farewells: Mapping[End, Notification], by: End | None = None) -> list[XconnectDown]:
        if self.is_closed:
            return []
        if self.state is State.CONNECTING:  # nobody is there to hear it
            farewells = {end: farewell for end, farewell in farewells.items() if end is End.PEER}
        self.state = State.CLOSED
        for end, farewell in farewells.items():
            self._outboxes[end].append(_message(farewell))
        return [XconnectDown(reason=reason, by=by, told=frozenset(farewells))]


def _message(notification: Notification) -> bytes:
    w = Writer()
    encode_notification(w, notification)
    return encode_message(MessageType.NOTIFICATION, bytes(w))
