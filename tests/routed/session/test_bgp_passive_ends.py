"""How passive BGP sessions end: what the peer is told, and whose routes stay (RFC 4724, RFC 8538)."""

import pytest

from routed.model.event import NotificationReceived
from routed.session.bgp_passive import State
from routed.wire.bgp.capability import GracefulRestart
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.notification import Notification, hard_reset
from tests.routed.session.bgp_passive_rig import NOTIFICATION, PRESERVED, assert_refused, established, in_state


def test_a_notification_is_reported_with_its_text():
    """RFC 9003."""
    notice, down = established().receive(NOTIFICATION, 1.0)
    assert notice == NotificationReceived(6, 2, b"\x03bye", "bye")
    assert down.reason == "peer sent cease/administrative shutdown (6/2)"
    assert down.notification_received == Notification(6, 2, b"\x03bye")
    assert down.notification_sent is None


def test_stopping_tells_the_peer_why():
    """RFC 9003."""
    session = established()
    assert_refused(session, session.stop(1.0, "maintenance"), 6, 2, b"\x0bmaintenance")


def test_stopping_is_a_hard_reset_where_a_notification_would_not_end_the_grace():
    """RFC 8538 section 5."""
    session = established(GracefulRestart(notification=True, families=PRESERVED))
    events = session.stop(1.0, "bye")
    assert not events[-1].graceful
    assert_refused(session, events, 6, 9, b"\x06\x02\x03bye")


def test_a_reset_sends_what_it_is_given():
    session = established()
    events = session.reset(Notification(3, 1, b"\x40\x01"), 1.0)
    assert events[-1].reason == "update message/malformed attribute list (3/1)"
    assert_refused(session, events, 3, 1, b"\x40\x01")


LOST = "the connection is lost"
SENT = Notification(3, 1)
RECEIVED = Notification(6, 4)


@pytest.mark.parametrize(
    ("capability", "end", "graceful"),
    [
        (None, LOST, False),
        (GracefulRestart(), LOST, False),  # a helper has no families to keep
        (GracefulRestart(families=PRESERVED), LOST, True),
        (GracefulRestart(families=PRESERVED), SENT, False),
        (GracefulRestart(families=PRESERVED), RECEIVED, False),
        (GracefulRestart(notification=True, families=PRESERVED), LOST, True),
        (GracefulRestart(notification=True, families=PRESERVED), SENT, True),
        (GracefulRestart(notification=True, families=PRESERVED), RECEIVED, True),
        (GracefulRestart(notification=True, families=PRESERVED), hard_reset(RECEIVED), False),
    ],
    ids=str,
)
def test_who_keeps_routes_when_a_session_ends(capability, end, graceful):
    """RFC 4724 section 4.2, RFC 8538 section 4."""
    session = established(*([] if capability is None else [capability]))
    if end is LOST:
        events = session.end_of_stream(1.0)
    elif end is SENT:
        events = session.reset(end, 1.0)
    else:
        body = bytes([end.code, end.subcode]) + end.data
        events = session.receive(encode_message(MessageType.NOTIFICATION, body), 1.0)
    assert events[-1].graceful is graceful


@pytest.mark.parametrize(
    "capabilities",
    [[], [GracefulRestart(families=PRESERVED)], [GracefulRestart(notification=True, families=PRESERVED)]],
    ids=["no grace", "grace", "grace after notifications"],
)
def test_a_silent_peer_takes_nothing_back(capabilities):
    """RFC 8538 section 4 asks for the N bit; we do not: see `_outlives`."""
    session = established(*capabilities)
    assert session.timeout(90.0)[-1].graceful


def test_a_session_that_never_was_has_no_routes_to_keep():
    session = in_state(State.OPEN_CONFIRM, GracefulRestart(families=PRESERVED))
    assert not session.end_of_stream(1.0)[-1].graceful
