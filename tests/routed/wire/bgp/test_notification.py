"""NOTIFICATION: every code has a name, every text is fit for a log."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, builds, integers, text

from routed.octets import Cursor, Writer
from routed.wire.bgp.codepoints import SUBCODES, CeaseSubcode, ErrorCode
from routed.wire.bgp.notification import (
    Notification,
    cease,
    decode_notification,
    encode_notification,
    hard_reset,
)

NOTIFICATIONS = builds(Notification, integers(0, 255), integers(0, 255), binary(max_size=40))


@given(notification=NOTIFICATIONS)
def test_any_notification_survives_the_round_trip(notification):
    w = Writer()
    encode_notification(w, notification)
    assert decode_notification(Cursor(bytes(w))) == notification


@given(notification=NOTIFICATIONS)
def test_any_notification_can_be_told(notification):
    assert f"({notification.code}/{notification.subcode})" in str(notification)
    assert notification.shutdown_text is None or notification.shutdown_text.isprintable()
    assert isinstance(notification.reason, Notification)


def test_every_error_code_has_a_registry_of_subcodes():
    assert set(SUBCODES) == set(ErrorCode)


@pytest.mark.parametrize(
    ("code", "subcode", "words"),
    [
        (1, 1, "message header/connection not synchronized (1/1)"),
        (2, 11, "open message/role mismatch (2/11)"),
        (3, 11, "update message/malformed as path (3/11)"),
        (4, 0, "hold timer expired/unspecific (4/0)"),
        (5, 3, "finite state machine/unexpected in established (5/3)"),
        (6, 2, "cease/administrative shutdown (6/2)"),
        (6, 10, "cease/bfd down (6/10)"),
        (7, 1, "route refresh message/invalid message length (7/1)"),
        (8, 0, "send hold timer expired/unspecific (8/0)"),
        (9, 9, "unassigned 9/unassigned 9 (9/9)"),
    ],
)
def test_codes_in_words(code, subcode, words):
    assert str(Notification(code, subcode)) == words


@pytest.mark.parametrize("subcode", [CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET])
@given(said=text(max_size=60).filter(str.isprintable).filter(bool))
def test_a_shutdown_communication_arrives(subcode, said):
    """RFC 9003 section 2."""
    notification = cease(subcode, said)
    assert notification.data[0] == len(notification.data) - 1
    assert notification.shutdown_text == said
    assert hard_reset(notification).shutdown_text == said


@pytest.mark.parametrize("length", [127, 128, 129, 254, 255])
def test_a_long_shutdown_communication_arrives_whole(length):
    """RFC 9003 section 2: more than the 128 octets of RFC 8203."""
    assert cease(CeaseSubcode.ADMINISTRATIVE_RESET, "x" * length).shutdown_text == "x" * length


def test_a_longer_one_is_cut_between_characters():
    notification = cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, "x" + "é" * 200)
    assert notification.data == bytes([255]) + ("x" + "é" * 127).encode()
    notification = cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, "é" * 200)
    assert notification.data == bytes([254]) + ("é" * 127).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", None),
        (b"\x00", ""),
        (b"\x02ok and more", "ok"),
        (b"\x05abc", "malformed: 05616263"),
        (b"\x03a\xffb", "a\\xffb"),
        (b"\x05a\nb\x1b\x00", "a\\nb\\x1b\\x00"),
    ],
)
def test_what_a_stranger_writes_is_made_harmless(data, said):
    """RFC 9003 section 4 and its security considerations."""
    assert Notification(6, 2, data).shutdown_text == said


def test_only_shutdown_and_reset_carry_text():
    assert Notification(6, 3, b"\x02ok").shutdown_text is None
    assert Notification(3, 2, b"\x02ok").shutdown_text is None
    assert cease(CeaseSubcode.OUT_OF_RESOURCES, "no memory").data == b""
    assert cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN).data == b""


def test_a_hard_reset_wraps_its_reason():
    """RFC 8538 section 3.1."""
    reason = Notification(ErrorCode.CEASE, CeaseSubcode.PEER_DE_CONFIGURED, b"why")
    wrapped = hard_reset(reason)
    assert wrapped == Notification(6, 9, b"\x06\x03why")
    assert wrapped.is_hard_reset
    assert wrapped.reason == reason
    assert reason.reason is reason
    assert not reason.is_hard_reset


@pytest.mark.parametrize("data", [b"", b"\x06"])
def test_a_hard_reset_without_a_reason_is_its_own(data):
    bare = Notification(6, 9, data)
    assert bare.reason is bare
    assert bare.shutdown_text is None
