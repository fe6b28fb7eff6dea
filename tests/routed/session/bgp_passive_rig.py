"""A passive BGP session in the state that a test wants, and octets for it."""

from routed.model.event import NotificationSent, SessionDown
from routed.octets import Cursor, Writer
from routed.session.bgp_passive import BgpPassive, State
from routed.session.negotiation import LocalSpeaker
from routed.wire.bgp.capability import EnhancedRouteRefresh, Multiprotocol, PreservedFamily
from routed.wire.bgp.capability import RouteRefresh as RouteRefreshCapability
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import decode_message, encode_message
from routed.wire.bgp.notification import Notification, decode_notification
from routed.wire.bgp.open import Capabilities, OpenMessage, encode_open
from routed.wire.family import IPV4_UNICAST

OWN = LocalSpeaker(router_id=b"\x0a\x00\x00\xfe")
KEEPALIVE = encode_message(MessageType.KEEPALIVE)
UPDATE = encode_message(MessageType.UPDATE, bytes(4))
NOTIFICATION = encode_message(MessageType.NOTIFICATION, b"\x06\x02\x03bye")
REFRESH = encode_message(MessageType.ROUTE_REFRESH, b"\x00\x01\x00\x01")
REFRESHABLE = (Multiprotocol(IPV4_UNICAST), RouteRefreshCapability(), EnhancedRouteRefresh())
PRESERVED = (PreservedFamily(IPV4_UNICAST, forwarding_preserved=True),)


def open_octets(*capabilities, hold_time=90, my_as=65000, bgp_identifier=b"\x0a\x00\x00\x01"):
    message = OpenMessage(
        my_as=my_as,
        hold_time=hold_time,
        bgp_identifier=bgp_identifier,
        parameters=(Capabilities(capabilities),) if capabilities else (),
    )
    w = Writer()
    encode_open(w, message)
    return encode_message(MessageType.OPEN, bytes(w))


def admit_all(_open_message):
    return None


def started(local=OWN, admit=admit_all, now=0.0):
    session = BgpPassive(local, admit)
    assert session.start(now) == []
    return session


def in_state(state, *capabilities, now=0.0, **fields):
    session = started(now=now)
    if state is not State.OPEN_WAIT:
        session.receive(open_octets(*capabilities, **fields), now)
    if state is State.ESTABLISHED:
        session.receive(KEEPALIVE, now)
    if state is State.CLOSED:
        session.end_of_stream(now)
    assert session.state is state
    session.take_outbox()
    return session


def established(*capabilities, **fields):
    return in_state(State.ESTABLISHED, *capabilities, **fields)


def messages_in(octets):
    c = Cursor(octets)
    messages = []
    while c.remaining:
        kind, body = decode_message(c)
        messages.append((kind, body.rest()))
    return messages


def assert_refused(session, events, code, subcode, data=b""):
    """The NOTIFICATION is in the outbox, reported, and the session is down for good."""
    *_, (kind, body) = messages_in(session.take_outbox())
    assert kind == MessageType.NOTIFICATION
    sent = decode_notification(Cursor(body))
    assert sent == Notification(code, subcode, data)
    notice, down = events[-2:]
    assert (notice.code, notice.subcode, notice.data) == (code, subcode, data)
    assert isinstance(notice, NotificationSent)
    assert isinstance(down, SessionDown)
    assert (down.notification_sent, down.notification_received) == (sent, None)
    assert session.state is State.CLOSED
    assert session.deadline() is None
