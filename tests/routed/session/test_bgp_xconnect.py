from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.model.xconnect_event import End, XconnectDown
from routed.octets import Cursor
from routed.session.bgp_xconnect import BgpXconnect, Passed, State
from routed.wire.bgp.codepoints import CeaseSubcode, ErrorCode, MessageType
from routed.wire.bgp.header import MAX_EXTENDED_MESSAGE, decode_message, encode_message
from routed.wire.bgp.notification import Notification, cease, decode_notification

OPEN = encode_message(MessageType.OPEN, bytes(10))
KEEPALIVE = encode_message(MessageType.KEEPALIVE)
UPDATE = encode_message(MessageType.UPDATE, bytes(4))
LONGEST = encode_message(MessageType.UPDATE, bytes(MAX_EXTENDED_MESSAGE - 19))
REFRESH = encode_message(MessageType.ROUTE_REFRESH, bytes([0, 1, 0, 1]))
NOTIFICATION = encode_message(MessageType.NOTIFICATION, bytes([ErrorCode.CEASE, CeaseSubcode.MAXIMUM_PREFIXES_REACHED]))
MESSAGES = [OPEN, KEEPALIVE, UPDATE, REFRESH, UPDATE + UPDATE, LONGEST]
BAD_MARKER = b"\x00" + KEEPALIVE[1:]
ENDS = pytest.mark.parametrize("end", list(End))


@pytest.fixture
def session() -> BgpXconnect:
    session = BgpXconnect()
    assert session.connected() == []
    return session


def cut(octets: bytes) -> list[tuple[MessageType, bytes]]:
    """Cut whole messages; anything else fails."""
    messages, c = [], Cursor(octets)
    while c.remaining:
        kind, body = decode_message(c)
        messages.append((kind, body.rest()))
    return messages


def last_words(octets: bytes) -> Notification:
    kind, body = cut(octets)[-1]
    assert kind == MessageType.NOTIFICATION
    return decode_notification(Cursor(body))


@ENDS
def test_what_one_end_says_goes_to_the_other_one_unchanged(session: BgpXconnect, end: End) -> None:
    said = b"".join(MESSAGES)
    assert session.receive(end, said) == []
    assert session.take_outbox(end.other) == said
    assert session.take_outbox(end.other) == b""
    assert session.take_outbox(end) == b""
    assert session.passed[end] == Passed(messages=7, octets=len(said))
    assert session.passed[end.other] == Passed()


@given(st.lists(st.sampled_from(MESSAGES), max_size=6), st.data())
def test_however_octets_come_whole_messages_go(messages: list[bytes], data: st.DataObject) -> None:
    """The order is kept, no octet is lost or made, and what is held back is less than a message."""
    said = b"".join(messages)
    cuts = sorted({0, len(said), *data.draw(st.lists(st.integers(0, len(said)), max_size=12))})
    session, passed, given_so_far = BgpXconnect(), b"", 0
    session.connected()
    for start, stop in pairwise(cuts):
        assert session.receive(End.PEER, said[start:stop]) == []
        octets = session.take_outbox(End.COLLECTOR)
        cut(octets)
        passed += octets
        given_so_far += stop - start
        assert given_so_far - len(passed) < MAX_EXTENDED_MESSAGE
    assert passed == said


@ENDS
@given(st.lists(st.sampled_from(MESSAGES), max_size=4), st.integers(0, 60))
def test_our_notification_stands_between_whole_messages(end: End, messages: list[bytes], missing: int) -> None:
    """Whatever part of a message had come when the stream ended."""
    session = BgpXconnect()
    session.connected()
    said = b"".join(messages)
    session.receive(end, said[: max(0, len(said) - missing)])
    session.end_of_stream(end)
    *passed, (kind, _) = cut(session.take_outbox(end.other))
    assert kind == MessageType.NOTIFICATION
    assert passed == cut(said)[: len(passed)]


@given(st.lists(st.tuples(st.sampled_from(End), st.binary(max_size=80)), max_size=8))
def test_any_octets_are_passed_on_or_end_the_session(chunks: list[tuple[End, bytes]]) -> None:
    session = BgpXconnect()
    session.connected()
    downs = [down for end, octets in chunks for down in session.receive(end, octets)]
    assert len(downs) == session.is_closed
    for end in End:
        cut(session.take_outbox(end))


@ENDS
def test_a_notification_is_passed_on_and_ends_the_session(session: BgpXconnect, end: End) -> None:
    down = XconnectDown(
        reason=f"the {'router' if end is End.PEER else 'collector'} sent cease/maximum prefixes reached (6/1)",
        by=end,
        passed_on=Notification(ErrorCode.CEASE, CeaseSubcode.MAXIMUM_PREFIXES_REACHED),
        told=frozenset({end.other}),
    )
    assert session.receive(end, UPDATE + NOTIFICATION + UPDATE) == [down]
    assert session.take_outbox(end.other) == UPDATE + NOTIFICATION
    assert session.take_outbox(end) == b""


@ENDS
def test_an_end_that_dies_without_a_word_is_a_cease_for_the_other_one(session: BgpXconnect, end: End) -> None:
    """RFC 4486 4, RFC 9003: an administrative reset with the reason as its text."""
    [down] = session.end_of_stream(end)
    assert (down.by, down.passed_on, down.told) == (end, None, {end.other})
    notification = last_words(session.take_outbox(end.other))
    assert (notification.code, notification.subcode) == (ErrorCode.CEASE, CeaseSubcode.ADMINISTRATIVE_RESET)
    assert notification.shutdown_text == down.reason
    assert session.take_outbox(end) == b""


@ENDS
@pytest.mark.parametrize(
    ("octets", "subcode"),
    [
        (BAD_MARKER, 1),
        (KEEPALIVE[:16] + b"\x00\x12\x04", 2),
        (KEEPALIVE[:16] + b"\x00\x14\x04", 2),
        (KEEPALIVE[:16] + b"\xff\xff\x01", 2),
        (KEEPALIVE[:16] + b"\x00\x13\x63", 3),
    ],
)
def test_a_bad_header_ends_the_session_at_both_ends(
    session: BgpXconnect, end: End, octets: bytes, subcode: int
) -> None:
    """RFC 4271 6.1 for who sent it; what came before it is passed on."""
    [down] = session.receive(end, UPDATE + octets)
    assert (down.by, down.told) == (end, frozenset(End))
    answer = last_words(session.take_outbox(end))
    assert (answer.code, answer.subcode) == (ErrorCode.MESSAGE_HEADER, subcode)
    passed = session.take_outbox(end.other)
    assert passed.startswith(UPDATE)
    assert last_words(passed).subcode == CeaseSubcode.ADMINISTRATIVE_RESET


def test_a_collector_that_is_not_there_is_a_rejection() -> None:
    session = BgpXconnect()
    assert session.unreachable("Connection refused") == [
        XconnectDown(reason="Connection refused", by=End.COLLECTOR, told=frozenset({End.PEER}))
    ]
    assert last_words(session.take_outbox(End.PEER)) == cease(CeaseSubcode.CONNECTION_REJECTED)
    assert not session.was_connected


def test_a_shutdown_is_told_to_both_ends(session: BgpXconnect) -> None:
    [down] = session.stop("good night")
    assert (down.by, down.told) == (None, frozenset(End))
    for end in End:
        assert last_words(session.take_outbox(end)) == cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, "good night")


def test_before_the_collector_is_there_it_is_told_nothing() -> None:
    for end_it in (lambda s: s.stop("good night"), lambda s: s.end_of_stream(End.PEER)):
        session = BgpXconnect()
        [down] = end_it(session)
        assert End.COLLECTOR not in down.told
        assert session.take_outbox(End.COLLECTOR) == b""


@ENDS
def test_after_the_end_nothing_happens(session: BgpXconnect, end: End) -> None:
    session.stop("")
    session.take_outbox(end)
    session.take_outbox(end.other)
    assert session.state is State.CLOSED
    assert session.was_connected
    assert session.receive(end, UPDATE) == session.end_of_stream(end) == session.stop("") == []
    assert session.unreachable("late") == []
    assert session.take_outbox(end.other) == b""
