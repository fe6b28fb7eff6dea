"""The stream cutter: whole messages whatever TCP does, runs together, long ones skipped, bad headers final."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, lists, sampled_from

from routed.wire.bmp._stream import SAMPLE_OCTETS, SKIPPED, Stream
from routed.wire.bmp.header import MAX_MESSAGE
from tests.oracles.bmp_build import INITIATION, PEER_UP, ROUTE_MONITORING, TERMINATION, frame

ROUTE = frame(ROUTE_MONITORING, bytes(80))
ROUTE_V4 = frame(ROUTE_MONITORING, bytes(97), version=4)
INIT = frame(INITIATION, b"\0\1\0\2ok")
BARE = frame(TERMINATION)
UNKNOWN = frame(200, b"what")
LIMIT = 200
LONG = frame(PEER_UP, bytes(range(195)))
LONG_ROUTE = frame(ROUTE_MONITORING, bytes(500))
AT_LIMIT = frame(PEER_UP, bytes(LIMIT - 6))

MESSAGES = [ROUTE, ROUTE_V4, INIT, BARE, UNKNOWN, LONG, LONG_ROUTE, AT_LIMIT]


def entry(message):
    """What the cutter says of one message alone."""
    if len(message) > LIMIT:
        return SKIPPED, message[:SAMPLE_OCTETS], len(message)
    return message[5], message, 1


def joined(cut):
    """Join neighbouring runs of Route Monitoring: where TCP cut between two of them does not matter."""
    runs = []
    for kind, octets, count in cut:
        if runs and kind == runs[-1][0] == ROUTE_MONITORING:
            runs[-1] = (kind, runs[-1][1] + octets, runs[-1][2] + count)
        else:
            runs.append((kind, octets, count))
    return runs


def feed(stream, octets, cuts=()):
    places = sorted({0, len(octets), *(at for at in cuts if at <= len(octets))})
    return [each for a, b in pairwise(places) for each in stream.feed(octets[a:b])]


def test_consecutive_route_monitoring_comes_as_one_run_whatever_its_version():
    cut = Stream().feed(ROUTE + ROUTE_V4 + ROUTE + INIT + INIT + ROUTE_V4)
    assert cut == [(0, ROUTE + ROUTE_V4 + ROUTE, 3), (4, INIT, 1), (4, INIT, 1), (0, ROUTE_V4, 1)]


def test_a_message_of_an_unknown_type_is_an_entry_of_its_kind():
    assert Stream().feed(UNKNOWN + BARE) == [(200, UNKNOWN, 1), (5, BARE, 1)]


@given(messages=lists(sampled_from(MESSAGES), max_size=12), cuts=lists(integers(0, 3000)))
def test_segmentation_is_invisible(messages, cuts):
    stream = Stream(LIMIT)
    cut = feed(stream, b"".join(messages), cuts)
    assert stream.error is None
    assert joined(cut) == joined(map(entry, messages))


@pytest.mark.parametrize("message", MESSAGES, ids=len)
def test_one_octet_at_a_time(message):
    stream = Stream(LIMIT)
    octets = ROUTE + message + INIT
    assert joined(feed(stream, octets, range(len(octets)))) == joined(map(entry, (ROUTE, message, INIT)))


@given(octets=binary(max_size=200), cuts=lists(integers(0, 200)))
def test_any_octets_end_in_messages_or_one_error_wherever_they_are_cut(octets, cuts):
    stream, whole = Stream(40), Stream(40)
    assert joined(feed(stream, octets, cuts)) == joined(whole.feed(octets))
    assert str(stream.error) == str(whole.error)


@pytest.mark.parametrize("version", [0, 1, 2, 5, 255])
@pytest.mark.parametrize("cuts", [(), range(200)], ids=["at once", "octet by octet"])
def test_another_version_ends_the_stream(version, cuts):
    stream = Stream()
    assert feed(stream, INIT + frame(INITIATION, b"", version) + INIT, cuts) == [(4, INIT, 1)]
    assert str(stream.error) == f"BMP version {version} is not 3 or 4 at octet 0 (RFC 7854 4.1)"
    assert stream.feed(INIT) == []


@pytest.mark.parametrize("length", range(6))
def test_a_length_that_does_not_hold_the_header_ends_the_stream(length):
    stream = Stream()
    assert stream.feed(ROUTE + b"\3" + length.to_bytes(4, "big") + b"\0" + INIT) == [(0, ROUTE, 1)]
    assert str(stream.error) == f"length {length} is below 6 at octet 1 (RFC 7854 4.1)"


def test_a_header_is_judged_when_it_is_whole():
    stream = Stream()
    assert stream.feed(b"\3\0\0\0\0") == []
    assert stream.error is None
    assert stream.feed(b"\0") == []
    assert stream.error is not None


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_lengths_around_the_limit(extra):
    message = frame(PEER_UP, bytes(MAX_MESSAGE - 6 + extra))
    (found,) = Stream().feed(message)
    assert found == ((SKIPPED, message[:SAMPLE_OCTETS], len(message)) if extra > 0 else (PEER_UP, message, 1))


def test_a_long_message_is_reported_when_it_has_passed_and_the_session_goes_on():
    stream = Stream()
    header = b"\3" + (3_000_000_000).to_bytes(4, "big") + b"\0"
    assert stream.feed(INIT + header) == [(4, INIT, 1)]
    chunk = bytes(1_000_000)
    for _ in range(2_999):
        assert stream.feed(chunk) == []
    assert stream.feed(bytes(999_994) + ROUTE) == [(SKIPPED, header + bytes(42), 3_000_000_000), (0, ROUTE, 1)]
    assert stream.error is None


@pytest.mark.parametrize("length", [7, SAMPLE_OCTETS - 1, SAMPLE_OCTETS, SAMPLE_OCTETS + 1])
def test_of_a_skipped_message_no_more_is_kept_than_there_is(length):
    message = frame(PEER_UP, bytes(range(1, length - 5)))
    stream = Stream(6)
    assert stream.feed(message + BARE) == [(SKIPPED, message[:SAMPLE_OCTETS], length), (5, BARE, 1)]


def test_the_limit_is_fixed():
    assert Stream().max_length == MAX_MESSAGE
    with pytest.raises(AttributeError):
        Stream().max_length = 1


@pytest.mark.parametrize("octets", [bytearray(INIT), None])
def test_nothing_but_bytes_is_fed(octets):
    with pytest.raises(TypeError):
        Stream().feed(octets)
