"""TCP streams: everything a network or a capture does to them. Where nothing else is said, time stands still."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import binary, data, integers, sampled_from

from routed.plumbing import tcp_streams as module
from routed.plumbing.pcap import read_packets
from routed.plumbing.tcp_segment import ACK, FIN, RST, SYN, Flow, Segment, read_segment
from routed.plumbing.tcp_streams import MAX_GAP, Closed, End, Octets, Opened, StreamEvent, TcpStreams

OUT = Flow(b"\xc0\0\2\1", 40000, b"\xc0\0\2\x09", 1790)
BACK = OUT.reversed()
SHARED = Path(__file__).resolve().parents[4] / "shared"
REAL = sorted((*SHARED.glob("data/bmp/**/*.pcap"), *SHARED.glob("conformance/cases/20*/*.pcap")))


def segment(
    sequence: int, payload: bytes = b"", flags: int = ACK, flow: Flow = OUT, time: float = 0.0, **fields
) -> Segment:
    fields = {"acknowledgment": 0, "length": len(payload)} | fields
    return Segment(flow, sequence % 2**32, flags=flags, payload=payload, time=time, **fields)


def syn(isn: int = 99) -> Sequence[Segment]:
    """A handshake; the first octet is 100, the acknowledgment that ends it too."""
    return segment(isn, flags=SYN), segment(isn + 1)


def feed(streams: TcpStreams, segments: Iterable[Segment]) -> list[StreamEvent]:
    return [event for each in segments for event in streams.receive(each)]


def told(*segments: Segment, streams: TcpStreams | None = None) -> list[object]:
    """What is told, in short: `open`, octets, and how it ended."""
    names = []
    for event in feed(streams or TcpStreams(), segments):
        match event:
            case Opened():
                names.append("open")
            case Octets(_, octets, _):
                names.append(octets)
            case Closed(_, end, _, _):
                names.append(end)
    return names


def test_a_connection_is_told_from_syn_to_fin() -> None:
    events = feed(
        TcpStreams(),
        [
            segment(99, flags=SYN, time=1),
            segment(499, flags=SYN | ACK, flow=BACK, acknowledgment=100, time=2),
            segment(100, time=3),
            segment(100, b"abc", time=4),
            segment(500, b"answer", flow=BACK, time=5),
            segment(103, b"de", flags=ACK | FIN, time=6),
            segment(506, flags=ACK | FIN, flow=BACK, time=7),
        ],
    )
    assert events == [
        Opened(OUT, 3),
        Octets(OUT, b"abc", 4),
        Octets(OUT, b"de", 6),
        Closed(OUT, End.FIN, "connection closed", 6),
    ]


def test_a_connection_that_is_refused_or_unanswered_is_not_told() -> None:
    assert told(segment(99, flags=SYN), segment(0, flags=RST | ACK, flow=BACK)) == []
    streams = TcpStreams()
    assert told(segment(99, flags=SYN), streams=streams) == []
    assert list(streams.end(0)) == []


def test_repeated_handshakes_change_nothing() -> None:
    answer = segment(499, flags=SYN | ACK, flow=BACK, acknowledgment=100)
    start, ack = syn()
    assert told(start, start, answer, answer, ack, ack, segment(100, b"a"), start, answer) == ["open", b"a"]


def test_the_answer_says_who_is_the_client() -> None:
    answer = segment(499, flags=SYN | ACK, flow=BACK, acknowledgment=100)
    assert told(answer, segment(500, b"to the client", flow=BACK), segment(100, b"a")) == ["open", b"a"]


@pytest.mark.parametrize("isn", [99, 2**32 - 1, 2**32 - 2, 0])
@pytest.mark.parametrize("following", [3, 1, 2])
def test_octets_in_the_syn_are_heard_once(isn: int, following: int) -> None:
    """RFC 7413: the receiver may take them or not; a capture that a tool wrote may not count the SYN."""
    start, counted = segment(isn, b"ab", flags=SYN), following != 2
    parts = (segment(isn + following, (b"c", b"abc")[following == 1]), segment(isn + 3 + counted, b"d"))
    assert told(start, start, *parts) == ["open", b"ab", b"c", b"d"]


def test_one_octet_in_the_syn_is_taken_as_the_standard_says() -> None:
    assert told(segment(99, b"a", flags=SYN), segment(100), segment(101, b"b")) == ["open", b"a", b"b"]


def test_early_segments_wait() -> None:
    streams = TcpStreams()
    parts = (segment(103, b"def"), segment(109, b"jkl"), segment(106, b"ghi"), segment(100, b"abc"))
    assert told(*syn(), *parts, streams=streams) == ["open", b"abc", b"def", b"ghi", b"jkl"]
    assert streams.counters.early_segments == 3
    assert told(segment(200), streams=streams) == []
    assert (streams.counters.early_segments, streams.counters.repeated_octets) == (3, 0)


def test_what_is_sent_twice_is_heard_once_and_first() -> None:
    streams = TcpStreams()
    parts = (segment(100, b"abc"), segment(100, b"ABC"), segment(101, b"BCde"), segment(104, b"E"), segment(99, b"x"))
    assert told(*syn(), *parts, streams=streams) == ["open", b"abc", b"de"]
    assert streams.counters.repeated_octets == 3 + 2 + 1 + 1


def test_early_segments_may_overlap() -> None:
    parts = (segment(102, b"cdef"), segment(102, b"cd"), segment(103, b"d"), segment(104, b"EFGH"), segment(100, b"ab"))
    assert b"".join(told(*syn(), *parts)[1:]) == b"abcdefGH"


@pytest.mark.parametrize("isn", [2**32 - 1, 2**32 - 2, 2**32 - 4])
def test_sequence_numbers_wrap(isn: int) -> None:
    parts = (segment(isn + 1, b"abc"), segment(isn + 7, b"ghi"), segment(isn + 4, b"def"), segment(isn + 2, b"bc"))
    assert told(*syn(isn), *parts, segment(isn + 10, flags=FIN | ACK)) == ["open", b"abc", b"def", b"ghi", End.FIN]


def test_sequence_numbers_wrap_more_than_once() -> None:
    half = segment(0, b"")._replace(payload=bytes(16), length=2**30)
    streams = TcpStreams()
    feed(streams, [segment(2**32 - 1, flags=SYN), segment(0)])
    stream = streams._streams[OUT]
    for turn in range(12):
        stream.at = turn * 2**30
        assert stream.position(half.sequence + turn * 2**30 & 0xFFFFFFFF) == stream.at


def test_a_fin_waits_for_what_is_before_it() -> None:
    parts = (segment(103, b"de", flags=FIN | ACK), segment(100, b"abc"))
    assert told(*syn(), *parts) == ["open", b"abc", b"de", End.FIN]
    assert told(*syn(), segment(103, flags=FIN | ACK), segment(100, b"abc")) == ["open", b"abc", End.FIN]


@pytest.mark.parametrize("flow", [OUT, BACK])
def test_a_reset_of_either_side_ends_the_stream(flow: Flow) -> None:
    assert told(*syn(), segment(100, b"a"), segment(101, flags=RST, flow=flow)) == ["open", b"a", End.RESET]


def test_a_reset_of_either_side_ends_both_directions_of_a_late_capture() -> None:
    parts = (segment(7, b"a"), segment(70, b"b", flow=BACK), segment(8, flags=RST))
    assert told(*parts) == ["open", b"a", "open", b"b", End.RESET, End.RESET]


def test_what_an_ended_connection_still_sends_is_ignored() -> None:
    parts = (segment(100, b"a", flags=FIN | ACK), segment(100, b"a"), segment(102, b"b"), segment(500, b"c", flow=BACK))
    assert told(*syn(), *parts, segment(102, flags=RST)) == ["open", b"a", End.FIN]


def test_the_same_ports_may_connect_again() -> None:
    once = (*syn(), segment(100, b"a", flags=FIN | ACK))
    again = (*syn(9999), segment(10000, b"b"))
    assert told(*once, *again) == ["open", b"a", End.FIN, "open", b"b"]
    assert told(*once[:-1], segment(100, b"a"), *again) == ["open", b"a", End.REPLACED, "open", b"b"]


def test_the_other_side_may_turn_out_to_be_the_client() -> None:
    parts = (segment(7, b"a", flow=BACK), *syn(), segment(100, b"b"), segment(8, b"c", flow=BACK))
    assert told(*parts) == ["open", b"a", End.REPLACED, "open", b"b"]


def test_a_late_capture_begins_with_the_first_payload_of_each_direction() -> None:
    parts = (segment(7), segment(7, b"a"), segment(70, flow=BACK), segment(70, b"b", flow=BACK), segment(6, b"x"))
    assert told(*parts, segment(8, b"c"), segment(71, flags=FIN, flow=BACK)) == [
        "open",
        b"a",
        "open",
        b"b",
        b"c",
        End.FIN,
    ]


def test_a_segment_that_was_not_captured_whole_leaves_a_gap() -> None:
    streams = TcpStreams()
    cut = segment(100, b"ab", length=4)
    assert told(*syn(), cut, segment(104, b"ef"), streams=streams) == ["open", b"ab"]
    assert told(segment(102, b"cd"), streams=streams) == [b"cd", b"ef"]
    assert streams.counters.cut_segments == 1


@pytest.mark.parametrize("last", [segment(105, flags=RST), segment(8, flags=SYN)])
def test_a_stream_that_ends_with_a_gap_says_so(last: Segment) -> None:
    streams = TcpStreams()
    (*_, closed) = feed(streams, [*syn(), segment(100, b"a"), segment(104, b"e"), last])
    assert closed == Closed(OUT, End.GAP, "3 octets are missing from the capture after 1", 0)
    assert streams.counters.streams_with_gap == 1


def test_a_gap_before_the_fin_is_one_too() -> None:
    streams = TcpStreams()
    feed(streams, [*syn(), segment(100, b"a"), segment(104, flags=FIN | ACK)])
    assert list(streams.end(5)) == [Closed(OUT, End.GAP, "3 octets are missing from the capture after 1", 5)]


def test_a_gap_may_stay_open_for_so_long() -> None:
    streams = TcpStreams()
    feed(streams, [*syn(), segment(101, b"b", time=10), segment(110, b"j", time=10 + MAX_GAP)])
    assert feed(streams, [segment(100, b"a", time=11 + MAX_GAP)])[:1] == [Octets(OUT, b"a", 11 + MAX_GAP)]
    assert feed(streams, [segment(111, b"k", time=11 + 2 * MAX_GAP)]) == []
    (closed,) = feed(streams, [segment(112, b"l", time=12 + 2 * MAX_GAP)])
    assert closed == Closed(OUT, End.GAP, "8 octets are missing from the capture after 2", 12 + 2 * MAX_GAP)
    assert feed(streams, [segment(102, bytes(8), time=300)]) == []


@pytest.mark.parametrize(("limit", "value"), [("MAX_KEPT", 2), ("MAX_KEPT_SEGMENTS", 2)])
def test_only_so_much_is_kept(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, value)
    parts = [segment(101 + at, b"x") for at in range(3)]
    assert told(*syn(), *parts[:2]) == ["open"]
    assert told(*syn(), *parts) == ["open", End.GAP]


def test_only_so_many_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FOLLOWED", 1)
    streams, other = TcpStreams(), OUT._replace(source_port=40001)
    assert told(*syn(), segment(5, b"x", flow=other), segment(6, b"y", flow=other), streams=streams) == ["open"]
    assert streams.counters.streams_not_followed == 1


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    streams = TcpStreams()
    for port in range(5):
        feed(streams, [segment(5, b"x", flags=FIN, flow=OUT._replace(source_port=port))])
    assert len(streams._ended) == 2


def test_a_forgotten_stream_is_silent_until_it_begins_anew() -> None:
    streams = TcpStreams()
    assert told(*syn(), segment(100, b"a"), streams=streams) == ["open", b"a"]
    streams.forget(OUT)
    streams.forget(OUT)
    assert told(segment(101, b"b", flags=FIN), segment(9, b"c", flow=BACK), streams=streams) == []
    assert told(*syn(7777), streams=streams) == ["open"]


def test_the_end_of_the_capture_ends_all_streams_and_forgets_everything() -> None:
    streams, other = TcpStreams(), OUT._replace(source_port=40001)
    feed(streams, [*syn(), segment(5, b"x", flow=other), segment(1, b"y", flags=FIN, flow=OUT._replace(source_port=9))])
    assert [closed[:2] for closed in streams.end(7)] == [(OUT, End.CAPTURE), (other, End.CAPTURE)]
    assert told(segment(5, b"z", flow=other), segment(1, b"y", flow=OUT._replace(source_port=9)), streams=streams) == [
        *("open", b"z"),
        *("open", b"y"),
    ]


@given(octets=binary(min_size=1, max_size=60), isn=integers(0, 2**32 - 1), draw=data())
def test_a_stream_survives_whatever_a_network_does(octets: bytes, isn: int, draw) -> None:
    """Cut anywhere, repeated, overlapping and in any order, but nothing lost."""
    cuts = sorted(draw.draw(integers(0, len(octets))) for _ in range(draw.draw(integers(0, 6))))
    ends = [*cuts, len(octets)]
    ranges = list(zip([0, *ends], ends, strict=False))
    ranges += [tuple(sorted((draw.draw(integers(0, len(octets))), draw.draw(integers(0, len(octets)))))) for _ in "abc"]
    order = draw.draw(integers(0, 2**16))
    ranges.sort(key=lambda each: hash((each, order)))
    parts = [
        segment(isn + 1 + start, octets[start:end], flags=ACK | (FIN if end == len(octets) else 0))
        for start, end in ranges
    ]
    opened, *found, end = told(*syn(isn), *parts)
    assert (opened, b"".join(found), end) == ("open", octets, End.FIN)


@given(draw=data())
def test_nothing_is_told_of_a_stream_that_is_not_open(draw) -> None:
    streams, is_open = TcpStreams(), set()
    for _ in range(draw.draw(integers(0, 30))):
        flow = draw.draw(sampled_from([OUT, BACK]))
        flags = draw.draw(integers(0, 31))
        each = segment(draw.draw(integers(-3, 6)), draw.draw(binary(max_size=3)), flags, flow, acknowledgment=1)
        for event in streams.receive(each):
            assert (event.flow in is_open) is not isinstance(event, Opened)
            if isinstance(event, Opened):
                is_open.add(event.flow)
            elif isinstance(event, Closed):
                is_open.remove(event.flow)
    assert {closed.flow for closed in streams.end(0)} == is_open


def missing_octets(octets: bytes) -> int:
    """Walk over BMP messages (version u8, length u32, type u8); return how many octets the last one lacks."""
    at = 0
    while at < len(octets):
        assert octets[at] in (3, 4), f"no BMP version at {at}"
        assert octets[at + 5] <= 6
        length = int.from_bytes(octets[at + 1 : at + 5], "big")
        assert length >= 6
        at += length
    return at - len(octets)


@pytest.mark.skipif(not REAL, reason="no recorded BMP captures beside the project: re-assembly of real ones NOT tested")
def test_recorded_captures_are_whole_messages() -> None:
    ends_inside_a_message = {"traffic-02.pcap": 29}
    for path in REAL:
        streams, found = TcpStreams(), {}
        segments = [read_segment(packet) for packet in read_packets(path)]
        for event in [*feed(streams, segments), *streams.end(0)]:
            assert not isinstance(event, Closed) or event.end is End.CAPTURE
            if isinstance(event, Octets):
                found.setdefault(event.flow, bytearray()).extend(event.octets)
        assert found, path
        assert {missing_octets(octets) for octets in found.values()} == {ends_inside_a_message.get(path.name, 0)}, path
