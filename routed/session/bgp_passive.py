"""The passive side of a BGP session: a collector that is called, answers, and never announces a route.

Implements RFC 4271 section 8 with Idle, Connect and Active left to the listener, RFC 4724 and RFC 8538 as a helper,
RFC 6608, RFC 7313 and RFC 9003. The send hold timer of RFC 9687 belongs to whoever owns the socket.

Theory of operation: our OPEN waits for the peer's, because it mirrors what the peer offers; it leaves with our first
KEEPALIVE in one write. UPDATEs are not read here: runs of them leave as one event, in constant work per run.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import ClassVar, Final

from routed.model.event import (
    Event,
    NotificationReceived,
    NotificationSent,
    OpenReceived,
    PeerUp,
    RouteRefresh,
    SessionDown,
    UpdateRun,
)
from routed.octets import Cursor, WireError, Writer
from routed.session.errors import ProtocolViolation
from routed.session.negotiation import Agreement, LocalSpeaker, negotiate
from routed.wire.bgp._stream import Stream
from routed.wire.bgp.codepoints import (
    CeaseSubcode,
    ErrorCode,
    FsmSubcode,
    MessageType,
    OpenSubcode,
    RefreshSubtype,
)
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.end_of_rib import encode_end_of_rib
from routed.wire.bgp.header import HEADER_OCTETS, MAX_EXTENDED_MESSAGE, encode_message
from routed.wire.bgp.notification import (
    BgpError,
    Notification,
    cease,
    decode_notification,
    encode_notification,
    hard_reset,
)
from routed.wire.bgp.open import OpenMessage, decode_open, encode_open
from routed.wire.bgp.refresh import RouteRefreshMessage, decode_route_refresh, encode_route_refresh

#: KEEPALIVEs go out three times as often as the peer needs them (RFC 4271 section 4.4).
_KEEPALIVES_PER_HOLD_TIME: Final = 3

Admit = Callable[[OpenMessage], Notification | None]


class State(Enum):
    """Where a session is; the names of RFC 4271 where it has them."""

    OPEN_WAIT = "waiting for the peer's OPEN"
    OPEN_CONFIRM = "waiting for the peer's first KEEPALIVE"
    ESTABLISHED = "established"
    CLOSED = "closed"


class Input(Enum):
    """What the peer can do; messages have their type code."""

    OPEN = MessageType.OPEN.value
    UPDATE = MessageType.UPDATE.value
    NOTIFICATION = MessageType.NOTIFICATION.value
    KEEPALIVE = MessageType.KEEPALIVE.value
    ROUTE_REFRESH = MessageType.ROUTE_REFRESH.value
    END_OF_STREAM = "end of stream"


#: Every legal step of a session; a pair that is absent is a ProtocolViolation.
STEPS: Final[Mapping[tuple[State, Input], State]] = {
    (State.OPEN_WAIT, Input.OPEN): State.OPEN_CONFIRM,
    (State.OPEN_WAIT, Input.NOTIFICATION): State.CLOSED,
    (State.OPEN_WAIT, Input.END_OF_STREAM): State.CLOSED,
    (State.OPEN_CONFIRM, Input.KEEPALIVE): State.ESTABLISHED,
    (State.OPEN_CONFIRM, Input.NOTIFICATION): State.CLOSED,
    (State.OPEN_CONFIRM, Input.END_OF_STREAM): State.CLOSED,
    (State.ESTABLISHED, Input.UPDATE): State.ESTABLISHED,
    (State.ESTABLISHED, Input.KEEPALIVE): State.ESTABLISHED,
    (State.ESTABLISHED, Input.ROUTE_REFRESH): State.ESTABLISHED,
    (State.ESTABLISHED, Input.NOTIFICATION): State.CLOSED,
    (State.ESTABLISHED, Input.END_OF_STREAM): State.CLOSED,
}

#: The subcode that answers a violation (RFC 6608 section 3); waiting for an OPEN is its OpenSent.
VIOLATIONS: Final[Mapping[State, FsmSubcode]] = {
    State.OPEN_WAIT: FsmSubcode.UNEXPECTED_IN_OPEN_SENT,
    State.OPEN_CONFIRM: FsmSubcode.UNEXPECTED_IN_OPEN_CONFIRM,
    State.ESTABLISHED: FsmSubcode.UNEXPECTED_IN_ESTABLISHED,
}

#: What a malformed OPEN is answered with where no clause names a subcode (RFC 4271 section 6.2).
_MALFORMED_OPEN: Final = Notification(ErrorCode.OPEN_MESSAGE, OpenSubcode.UNSPECIFIC)


class BgpPassive:
    """One session. `admit` may refuse a peer by its OPEN, which is acceptable in itself by then."""

    def __init__(self, settings: LocalSpeaker, admit: Admit) -> None:
        self.state = State.OPEN_WAIT
        self.agreement: Agreement | None = None  # once the peer's OPEN is accepted
        self.received = dict.fromkeys(MessageType, 0)
        self.sent = dict.fromkeys(MessageType, 0)
        self._settings = settings
        self._admit = admit
        self._stream = Stream()
        self._outbox = bytearray()
        self._events: list[Event] = []
        self._requests: set[bytes] = set()  # for a refresh, in this turn
        self._is_up = False  # PeerUp was reported
        self._hold_until: float | None = None
        self._keepalive_at: float | None = None

    @property
    def is_closed(self) -> bool:
        """Tell whether the last event was reported."""
        return self.state is State.CLOSED

    @property
    def context(self) -> DecodeContext | None:
        """Return the agreed facts that UPDATEs are read by."""
        return None if self.agreement is None else self.agreement.context

    @property
    def hold_time(self) -> int | None:
        """Return the agreed hold time."""
        return None if self.agreement is None else self.agreement.hold_time

    def start(self, now: float) -> list[Event]:
        """Begin to wait for the peer's OPEN."""
        self._hold_until = now + self._settings.open_wait
        return self._take_events()

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take in octets, cut anywhere; whatever they break is answered here, in one place."""
        self._requests.clear()
        try:
            self._read(octets, now)
        except ProtocolViolation as violation:
            self._refuse(Notification(ErrorCode.FINITE_STATE_MACHINE, VIOLATIONS[self.state]), str(violation))
        except BgpError as error:
            self._refuse(error.notification, str(error))
        except WireError as error:  # the fields of an OPEN: all else that is decoded here has its own code
            self._refuse(_MALFORMED_OPEN, str(error))
        return self._take_events()

    def timeout(self, now: float) -> list[Event]:
        """Give up on a silent peer, or tell it that we are alive."""
        if self._hold_until is not None and now >= self._hold_until:
            self._refuse(Notification(ErrorCode.HOLD_TIMER_EXPIRED), f"nothing heard while {self.state.value}")
        elif self._keepalive_at is not None and now >= self._keepalive_at:
            self._send_keepalive(now)
        return self._take_events()

    def end_of_stream(self, now: float) -> list[Event]:  # noqa: ARG002 (the session contract)
        """Learn that the connection is gone."""
        if not self.is_closed:
            self._step(Input.END_OF_STREAM)
            self._close("connection closed by the peer", graceful=self._outlives(None))
        return self._take_events()

    def stop(self, now: float, text: str = "") -> list[Event]:
        """Shut the session down for good and tell the peer's operator why (RFC 9003)."""
        farewell = cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, text)
        return self.reset(hard_reset(farewell) if self._outlives(farewell) else farewell, now)

    def reset(self, notification: Notification, now: float) -> list[Event]:  # noqa: ARG002 (the session contract)
        """End the session with a NOTIFICATION; only a hard reset costs a peer the grace of RFC 8538."""
        if not self.is_closed:
            self._refuse(notification, str(notification.reason))
        return self._take_events()

    def deadline(self) -> float | None:
        """Return when `timeout` is due next."""
        due = [moment for moment in (self._hold_until, self._keepalive_at) if moment is not None]
        return min(due, default=None)

    def take_outbox(self) -> bytes:
        """Return, once, the octets to send."""
        octets = bytes(self._outbox)
        self._outbox.clear()
        return octets

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _read(self, octets: bytes, now: float) -> None:
        """Act on every complete message; what lies behind an OPEN is cut when that has been acted on."""
        stream = self._stream
        while not self.is_closed:
            for kind, messages, count in stream.feed(octets):
                self.received[MessageType(kind)] += count
                received = Input(kind)
                self._step(received)
                self._REACTIONS[received](self, messages, count, now)
                if self.is_closed:
                    return
            if stream.error is not None:
                raise stream.error
            if not stream.is_held:
                return
            octets = b""

    def _step(self, received: Input) -> None:
        following = STEPS.get((self.state, received))
        if following is None:
            raise ProtocolViolation(self.state, received)
        self.state = following

    def _on_open(self, message: bytes, _count: int, now: float) -> None:
        """Answer the peer's OPEN with ours and a KEEPALIVE, or refuse it."""
        remote_open = decode_open(_body(message))
        self._events.append(OpenReceived(remote_open))
        agreement = negotiate(self._settings, remote_open)
        if refusal := self._admit(remote_open):
            self._refuse(refusal, str(refusal))
            return
        self.agreement = agreement
        w = Writer()
        encode_open(w, agreement.local_open)
        self._send(MessageType.OPEN, bytes(w))
        self._send_keepalive(now)
        self._hold_until = now + (agreement.hold_time or self._settings.open_wait)
        if agreement.context.extended_messages:
            self._stream.max_length = MAX_EXTENDED_MESSAGE

    def _on_keepalive(self, _message: bytes, _count: int, now: float) -> None:
        self._heard(now)
        if not self._is_up:
            self._establish()

    def _on_updates(self, messages: bytes, count: int, now: float) -> None:
        self._heard(now)
        self._events.append(UpdateRun(messages, count))

    def _on_notification(self, message: bytes, _count: int, _now: float) -> None:
        received = decode_notification(_body(message))
        self._events.append(
            NotificationReceived(received.code, received.subcode, received.data, received.shutdown_text)
        )
        self._close(f"peer sent {received.reason}", notification_received=received, graceful=self._outlives(received))

    def _on_route_refresh(self, message: bytes, _count: int, _now: float) -> None:
        """Report an agreed refresh; ignore any other, and unknown subtypes (RFC 7313 section 5).

        A request that is repeated within one read asks for nothing new, and costs nothing.
        """
        if message in self._requests:
            return
        refresh = decode_route_refresh(_body(message))
        agreement = self.agreement
        assert agreement is not None
        is_request = refresh.subtype == RefreshSubtype.REQUEST
        if is_request:
            self._requests.add(message)
        is_agreed = agreement.route_refresh if is_request else agreement.enhanced_route_refresh
        if not is_agreed or not refresh.subtype.is_assigned or refresh.family not in agreement.context.families:
            return
        self._events.append(RouteRefresh(refresh.family, refresh.subtype))
        if is_request and agreement.enhanced_route_refresh:
            self._send_refresh(RouteRefreshMessage(refresh.family, RefreshSubtype.BEGIN))
            self._send_refresh(RouteRefreshMessage(refresh.family, RefreshSubtype.END))

    def _establish(self) -> None:
        """Report the session; a peer that restarts waits for our End-of-RIB (RFC 4724 section 4.1)."""
        agreement = self.agreement
        assert agreement is not None
        self._is_up = True
        self._events.append(
            PeerUp(
                local_open=agreement.local_open,
                remote_open=agreement.remote_open,
                context=agreement.context,
                hold_time=agreement.hold_time,
                graceful_restart=agreement.graceful_restart,
                long_lived=agreement.long_lived,
            )
        )
        if agreement.graceful_restart is not None:
            for family in sorted(agreement.context.families):
                w = Writer()
                encode_end_of_rib(w, family)
                self._send(MessageType.UPDATE, bytes(w))

    def _heard(self, now: float) -> None:
        """Restart the hold timer, which only KEEPALIVE and UPDATE do (RFC 4271 section 8.2.2)."""
        self._hold_until = now + self.hold_time if self.hold_time else None

    def _send(self, kind: MessageType, body: bytes = b"") -> None:
        self._outbox += encode_message(kind, body)
        self.sent[kind] += 1

    def _send_keepalive(self, now: float) -> None:
        self._send(MessageType.KEEPALIVE)
        self._keepalive_at = now + self.hold_time / _KEEPALIVES_PER_HOLD_TIME if self.hold_time else None

    def _send_refresh(self, message: RouteRefreshMessage) -> None:
        w = Writer()
        encode_route_refresh(w, message)
        self._send(MessageType.ROUTE_REFRESH, bytes(w))

    def _refuse(self, notification: Notification, reason: str) -> None:
        """Send a NOTIFICATION, report it and close."""
        w = Writer()
        encode_notification(w, notification)
        self._send(MessageType.NOTIFICATION, bytes(w))
        self._events.append(
            NotificationSent(notification.code, notification.subcode, notification.data, notification.shutdown_text)
        )
        self._close(reason, notification_sent=notification, graceful=self._outlives(notification))

    def _close(
        self,
        reason: str,
        *,
        graceful: bool,
        notification_sent: Notification | None = None,
        notification_received: Notification | None = None,
    ) -> None:
        self.state = State.CLOSED
        self._hold_until = self._keepalive_at = None
        self._events.append(
            SessionDown(
                reason=reason,
                notification_sent=notification_sent,
                notification_received=notification_received,
                graceful=graceful,
            )
        )

    def _outlives(self, notification: Notification | None) -> bool:
        """Tell whether the peer's routes stay, stale, when the session ends with this NOTIFICATION or with none.

        Source: RFC 4724 section 4.2; RFC 8538 section 4 where both sides set the N bit (ours is the peer's).
        Departs: silence until the hold timer expires takes nothing back, whatever was agreed. RFC 4271 and 4724 let the
        routes go because they would attract traffic; a collector forwards nothing, and its tables are for people.
        """
        if self.agreement is None or not self._is_up:
            return False
        if notification is not None and notification.code == ErrorCode.HOLD_TIMER_EXPIRED:
            return True
        grace = self.agreement.graceful_restart
        if grace is None or not grace.families:
            return False
        if notification is None:
            return True
        return grace.notification and not notification.is_hard_reset

    #: What is done about each message that is allowed now; the step of `STEPS` is taken by then.
    _REACTIONS: ClassVar[Mapping[Input, Callable[["BgpPassive", bytes, int, float], None]]] = {
        Input.OPEN: _on_open,
        Input.UPDATE: _on_updates,
        Input.NOTIFICATION: _on_notification,
        Input.KEEPALIVE: _on_keepalive,
        Input.ROUTE_REFRESH: _on_route_refresh,
    }


def _body(message: bytes) -> Cursor:
    """Return a cursor behind the header, its offsets counted from the start of the message."""
    return Cursor(message[HEADER_OCTETS:], HEADER_OCTETS)
