"""The stream cutter: whole messages whatever TCP does, every bad header found, nothing lost before it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, lists, sampled_from

from routed.wire.bgp._stream import Stream
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import HEADER_OCTETS, LENGTHS, MARKER, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, encode_message

OPEN = encode_message(MessageType.OPEN, bytes(10))
KEEPALIVE = encode_message(MessageType.KEEPALIVE)
UPDATE = encode_message(MessageType.UPDATE, bytes(60))
LONG_UPDATE = encode_message(MessageType.UPDATE, bytes(MAX_MESSAGE - HEADER_OCTETS))
NOTIFICATION = encode_message(MessageType.NOTIFICATION, b"\x06\x02")
REFRESH = encode_message(MessageType.ROUTE_REFRESH, b"\x00\x01\x00\x01")

MESSAGES = [OPEN, KEEPALIVE, UPDATE, LONG_UPDATE, NOTIFICATION, REFRESH]


def message_header(length, kind, marker=MARKER):
    return marker + length.to_bytes(2, "big") + bytes([kind])


def drain(stream, octets):
    """Feed octets, and go on behind each OPEN, as a session does."""
    cut = stream.feed(octets)
    while stream.is_held:
        cut += stream.feed(b"")
    return cut


def joined(cut):
    """Join neighbouring runs of UPDATEs: where TCP cut between two of them does not matter."""
    runs = []
    for kind, octets, count in cut:
        if runs and kind == runs[-1][0] == MessageType.UPDATE:
            runs[-1] = (kind, runs[-1][1] + octets, runs[-1][2] + count)
        else:
            runs.append((kind, octets, count))
    return runs


def split(octets, cuts):
    return [octets[a:b] for a, b in pairwise([0, *sorted(cuts), len(octets)])]


def test_consecutive_updates_come_as_one_run():
    cut = Stream().feed(UPDATE * 3 + KEEPALIVE + KEEPALIVE + UPDATE)
    assert cut == [(2, UPDATE * 3, 3), (4, KEEPALIVE, 1), (4, KEEPALIVE, 1), (2, UPDATE, 1)]


@given(messages=lists(sampled_from(MESSAGES), max_size=12), cuts=lists(integers(0, 2000)))
def test_segmentation_is_invisible(messages, cuts):
    octets = b"".join(messages)
    stream = Stream()
    cut = [each for part in split(octets, [at for at in cuts if at <= len(octets)]) for each in drain(stream, part)]
    assert stream.error is None
    assert joined(cut) == joined((message[18], message, 1) for message in messages)


def test_one_octet_at_a_time_and_an_incomplete_tail_stays_inside():
    stream = Stream()
    octets = UPDATE + KEEPALIVE + UPDATE
    cut = [each for at in range(len(octets) - 1) for each in stream.feed(octets[at : at + 1])]
    assert cut == [(2, UPDATE, 1), (4, KEEPALIVE, 1)]
    assert stream.feed(octets[-1:]) == [(2, UPDATE, 1)]


@pytest.mark.parametrize("kind", LENGTHS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("maximum", [MAX_MESSAGE, MAX_EXTENDED_MESSAGE])
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "in two parts"])
def test_lengths_on_each_side_of_both_limits(kind, maximum, whole):
    """RFC 4271 section 6.1, RFC 8654 section 4."""
    least, most = LENGTHS[kind].least, min(LENGTHS[kind].most, maximum)
    for length in (least - 1, least, most, most + 1):
        if length > MAX_EXTENDED_MESSAGE:
            continue
        stream = Stream(maximum)
        message = message_header(length, kind) + bytes(max(0, length - HEADER_OCTETS))
        cut = []
        for part in [message] if whole else [message[:10], message[10:]]:
            cut += stream.feed(part)
        if least <= length <= most:
            assert (cut, stream.error) == ([(kind, message, 1)], None)
        else:
            assert cut == []
            assert stream.error is not None
            assert stream.error.notification.data == length.to_bytes(2, "big")
            assert stream.error.offset == 16


@pytest.mark.parametrize("length", range(HEADER_OCTETS))
@pytest.mark.parametrize("kind", [*LENGTHS, 0, 6, 255])
def test_no_message_is_shorter_than_its_header(length, kind):
    stream = Stream()
    assert stream.feed(UPDATE + message_header(length, kind)) == [(2, UPDATE, 1)]
    assert (stream.error.notification.code, stream.error.notification.subcode) == (1, 2)


@pytest.mark.parametrize("kind", [0, 6, 77, 255])
def test_an_unknown_type_is_answered_with_it(kind):
    """RFC 4271 section 6.1."""
    stream = Stream()
    assert stream.feed(KEEPALIVE + message_header(19, kind)) == [(4, KEEPALIVE, 1)]
    notification = stream.error.notification
    assert (notification.code, notification.subcode, notification.data) == (1, 3, bytes([kind]))
    assert stream.error.offset == 18


@given(marker=binary(min_size=16, max_size=16).filter(lambda octets: octets != MARKER))
def test_a_broken_marker_ends_the_stream(marker):
    """RFC 4271 section 6.1."""
    stream = Stream()
    assert stream.feed(UPDATE + message_header(19, 4, marker) + KEEPALIVE) == [(2, UPDATE, 1)]
    assert (stream.error.notification.code, stream.error.notification.subcode) == (1, 1)
    assert stream.feed(KEEPALIVE) == []


@given(octets=binary(max_size=200), cuts=lists(integers(0, 300)))
def test_any_octets_end_in_messages_or_one_error(octets, cuts):
    stream = Stream()
    cut = [each for part in split(octets, [at for at in cuts if at <= len(octets)]) for each in drain(stream, part)]
    whole = Stream()
    assert joined(cut) == joined(drain(whole, octets))
    assert str(stream.error) == str(whole.error)


def test_what_lies_behind_an_open_waits_for_what_it_agrees():
    """RFC 8654 section 4: the messages behind may be longer."""
    message = encode_message(MessageType.UPDATE, bytes(5000))
    stream = Stream()
    assert stream.feed(OPEN + message) == [(1, OPEN, 1)]
    assert stream.is_held
    stream.max_length = MAX_EXTENDED_MESSAGE
    assert stream.feed(KEEPALIVE) == [(2, message, 1), (4, KEEPALIVE, 1)]
    assert not stream.is_held


def test_the_limit_may_change_while_a_message_is_incomplete():
    message = encode_message(MessageType.UPDATE, bytes(5000))
    stream = Stream(MAX_EXTENDED_MESSAGE)
    assert stream.feed(message[:100]) == []
    stream.max_length = MAX_MESSAGE
    assert stream.feed(message[100:]) == []
    assert stream.error.notification.data == len(message).to_bytes(2, "big")


def test_nothing_but_bytes_is_fed():
    with pytest.raises(TypeError):
        Stream().feed(bytearray(UPDATE))
    with pytest.raises(TypeError):
        Stream().feed(None)
