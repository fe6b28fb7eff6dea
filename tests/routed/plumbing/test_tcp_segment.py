"""Packets of every link layer and of both IP versions."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis.strategies import binary, sampled_from

from routed.plumbing.ip_packet import Skipped
from routed.plumbing.pcap import Packet
from routed.plumbing.tcp_segment import ACK, SYN, Flow, Segment, read_segment
from tests.routed.plumbing.captures import COLLECTOR, ROUTER, ethernet, ipv4, ipv6, tcp

SIX = {"source": ("2001:db8::1", 40000), "destination": ("2001:db8::9", 1790)}
FOUR_FLOW = Flow(ip_address(ROUTER[0]).packed, 40000, ip_address(COLLECTOR[0]).packed, 1790)
SIX_FLOW = Flow(ip_address("2001:db8::1").packed, 40000, ip_address("2001:db8::9").packed, 1790)

SEGMENT = tcp(b"abc", seq=7, ack=8, flags=SYN | ACK, options=bytes(8))
FOUR, FOUR_OPTIONS = ipv4(SEGMENT), ipv4(SEGMENT, options=bytes(12))
SIX_PLAIN = ipv6(SEGMENT, **SIX)


def extended(*headers: tuple[int, bytes]) -> bytes:
    """IPv6 with extension headers, each with its type and its octets behind the next header."""
    types = [kind for kind, _ in headers] + [6]
    body = b"".join(bytes([following]) + octets for following, (_, octets) in zip(types[1:], headers, strict=True))
    return ipv6(body + SEGMENT, protocol=types[0], **SIX)


EXTENDED = extended((0, bytes(7)), (60, b"\1" + bytes(14)), (44, bytes(7)), (51, b"\1" + bytes(10)), (43, bytes(7)))


def read(octets: bytes, link_type: int = 1, length: int | None = None) -> Segment | Skipped:
    return read_segment(Packet(5.0, link_type, octets, len(octets) if length is None else length))


PACKETS = {
    "ethernet": (1, ethernet(FOUR)),
    "padding": (1, ethernet(FOUR) + bytes(6)),
    "options": (1, ethernet(FOUR_OPTIONS)),
    "vlan": (1, ethernet(FOUR, 0x8100)),
    "q-in-q": (1, ethernet(FOUR, 0x88A8, 0x8100)),
    "old q-in-q": (1, ethernet(SIX_PLAIN, 0x9100, 0x8100)),
    "ethernet v6": (1, ethernet(SIX_PLAIN)),
    "extension headers": (1, ethernet(EXTENDED)),
    "cooked": (113, bytes(14) + b"\x08\x00" + FOUR),
    "cooked vlan": (113, bytes(14) + b"\x81\x00\x00\x07\x86\xdd" + SIX_PLAIN),
    "cooked v2": (276, b"\x86\xdd" + bytes(18) + SIX_PLAIN),
    "cooked v2 vlan": (276, b"\x81\x00" + bytes(18) + b"\x00\x07\x08\x00" + FOUR),
    "null": (0, struct.pack("<I", 2) + FOUR),
    "null of another machine": (0, struct.pack(">I", 30) + SIX_PLAIN),
    "loop": (108, struct.pack(">I", 24) + SIX_PLAIN),
    "raw": (101, FOUR),
    "raw BSD": (12, SIX_PLAIN),
    "raw OpenBSD": (14, FOUR),
    "IPv4": (228, FOUR),
    "IPv6": (229, SIX_PLAIN),
    "IPv4 without a length": (101, ipv4(SEGMENT, total=0)),
    "IPv6 without a length": (101, ipv6(SEGMENT, total=0, **SIX)),
}


@pytest.mark.parametrize("name", PACKETS)
def test_a_segment_is_found(name: str) -> None:
    link_type, octets = PACKETS[name]
    segment = read(octets, link_type)
    assert isinstance(segment, Segment)
    assert segment == Segment(segment.flow, 7, 8, SYN | ACK, b"abc", 3, 5.0)
    assert segment.flow in (FOUR_FLOW, SIX_FLOW)
    assert segment.flow.reversed().reversed() == segment.flow


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (bytes(12) + b"\x08\x06" + bytes(28), Skipped.OTHER),
        (ethernet(ipv4(bytes(8), protocol=17)), Skipped.OTHER),
        (ethernet(ipv6(bytes(8), protocol=58, **SIX)), Skipped.OTHER),
        (bytes(12) + b"\x08\x00" + b"\x50" + bytes(40), Skipped.OTHER),
        (ethernet(ipv4(SEGMENT, fragment=0x2000)), Skipped.FRAGMENT),
        (ethernet(ipv4(SEGMENT, fragment=5)), Skipped.FRAGMENT),
        (ethernet(extended((44, b"\0\0\1\0\0\0\0"))), Skipped.FRAGMENT),
        (ethernet(extended((44, b"\0\1\0\0\0\0\0"))), Skipped.FRAGMENT),
        (b"", Skipped.SHORT),
        (ethernet(FOUR)[:14], Skipped.SHORT),
        (ethernet(FOUR)[:40], Skipped.SHORT),
        (ethernet(EXTENDED)[:60], Skipped.SHORT),
        (bytes(12) + b"\x08\x00" + b"\x44" + FOUR[1:], Skipped.SHORT),
        (ethernet(ipv4(SEGMENT[:12] + b"\x40" + SEGMENT[13:])), Skipped.SHORT),
        (ethernet(ipv4(SEGMENT[:12] + b"\xf0" + SEGMENT[13:])), Skipped.SHORT),
    ],
)
def test_other_packets_are_skipped_for_a_reason(octets: bytes, why: Skipped) -> None:
    assert read(octets) is why


def test_an_unknown_link_type_is_skipped() -> None:
    assert read(FOUR, 147) is Skipped.LINK_TYPE


def test_a_segment_that_is_cut_knows_its_length() -> None:
    octets = ethernet(FOUR)
    segment = read(octets[:-2], length=len(octets))
    assert isinstance(segment, Segment)
    assert (segment.payload, segment.length) == (b"a", 3)


@given(
    head=sampled_from([octets for _, octets in PACKETS.values()]),
    tail=binary(max_size=60),
    link=sampled_from([0, 1, 101, 113, 276]),
)
def test_any_packet_is_read_or_skipped(head: bytes, tail: bytes, link: int) -> None:
    for octets in (tail, head[: len(tail)] + tail, tail + head):
        assert isinstance(read(octets, link), Segment | Skipped)
