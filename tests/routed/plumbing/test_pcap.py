"""Capture files of both formats, whole, cut and damaged."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers

from routed.plumbing.pcap import MAX_BLOCK, MAX_CAPTURED, CaptureError, Packet, read_packets
from tests.routed.plumbing.captures import block, enhanced, interface, option, pcap, section

PACKETS = [(1000.25, b"abcd"), (1001.5, b"efg")]


@pytest.fixture
def read(tmp_path: Path):
    path = tmp_path / "capture"

    def read(octets: bytes) -> list[Packet]:
        path.write_bytes(octets)
        return list(read_packets(path))

    return read


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_in_every_byte_order_and_resolution(read, order: str, nano: bool) -> None:
    packets = read(pcap(PACKETS, 113, order=order, nano=nano))
    assert packets == [(1000.25, 113, b"abcd", 4), (1001.5, 113, b"efg", 3)]


def test_link_type_has_sixteen_bits(read) -> None:
    assert read(pcap(PACKETS, 0x04000001))[0].link_type == 1


@pytest.mark.parametrize("order", "<>")
def test_pcapng_in_both_byte_orders(read, order: str) -> None:
    octets = section(order) + interface(order=order) + enhanced(b"abcde", 1000_250000, order=order)
    assert read(octets) == [(1000.25, 1, b"abcde", 5)]


def test_pcapng_interfaces_have_their_own_link_type_and_clock(read) -> None:
    octets = (
        section(options=option(4, b"us") + option(0, b""))
        + interface(1, option(9, b"\x09") + option(0, b"") + b"\xff" * 4)
        + interface(101, option(9, b"\x8a") + option(14, struct.pack("<q", 500)))
        + enhanced(b"a", 1000_250000000, 0)
        + enhanced(b"b", 1000 * 1024 + 512, 1)
    )
    assert read(octets) == [(1000.25, 1, b"a", 1), (1500.5, 101, b"b", 1)]


def test_pcapng_sections_begin_anew(read) -> None:
    octets = section() + interface(1) + enhanced(b"a", 0) + section(">") + interface(101, order=">")
    assert read(octets + enhanced(b"b", 0, order=">")) == [(0, 1, b"a", 1), (0, 101, b"b", 1)]


def test_pcapng_simple_and_obsolete_packets(read) -> None:
    simple = block(3, struct.pack("<I", 9) + b"abcd")
    obsolete = block(2, struct.pack("<HHIIII", 0, 0, 0, 1_500_000, 2, 3) + b"xy")
    assert read(section() + interface(snap=4) + simple + obsolete) == [(0, 1, b"abcd", 9), (1.5, 1, b"xy", 3)]


def test_pcapng_skips_other_blocks(read) -> None:
    assert read(section() + block(5, bytes(20)) + interface() + block(0x0BAD, b"abc") + enhanced(b"a", 0))


@pytest.mark.parametrize("octets", [pcap(PACKETS), section() + interface() + enhanced(b"abcd", 0) * 2])
def test_a_cut_file_gives_what_is_whole(tmp_path: Path, octets: bytes) -> None:
    path, found = tmp_path / "cut", []
    path.write_bytes(octets[:-1])
    with pytest.raises(CaptureError, match=rf"{path}\] cut at octet {len(octets) - 1}"):
        found.extend(read_packets(path))
    assert [packet.octets for packet in found] == [b"abcd"]


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (b"", "not a capture"),
        (b"\x03\x00\x00\x00\x06\x04", "not a capture"),
        (pcap([])[:20], "cut"),
        (pcap([]) + struct.pack("<4I", 0, 0, MAX_CAPTURED + 1, 0), "captured length 262145 is above 262144"),
        (struct.pack("<III", 0x0A0D0D0A, 28, 0), "byte-order magic"),
        (section() + struct.pack("<II", 1, 8), "block length 8"),
        (section() + struct.pack("<II", 1, 13), "block length 13"),
        (section() + struct.pack("<II", 1, MAX_BLOCK + 4), "is above"),
        (section() + interface()[:-4] + bytes(4), "not repeated"),
        (section() + enhanced(b"a", 0), "interface 0 is not described"),
        (section() + interface() + block(6, bytes(8)), "block of type 6 is too short"),
        (
            section() + interface() + block(6, struct.pack("<5I", 0, 0, 0, 5, 5) + b"abcd"),
            "length 5 is above 4",
        ),
        (section() + interface(options=option(14, b"abcd")), "block of type 1 is too short"),
    ],
)
def test_damage_is_named(read, octets: bytes, what: str) -> None:
    with pytest.raises(CaptureError, match=what):
        read(octets)


def test_the_longest_packet_is_read(read) -> None:
    (packet,) = read(pcap([(0, bytes(MAX_CAPTURED))]))
    assert len(packet.octets) == MAX_CAPTURED


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"none\] cannot be read: No such file"):
        list(read_packets(tmp_path / "none"))


CAPTURES = (pcap(PACKETS), section() + interface(options=option(9, b"\x09")) + enhanced(b"abcd", 5))


@given(octets=binary(max_size=80), at=integers(0, 80), which=integers(0, 1))
def test_any_file_is_read_or_refused(tmp_path_factory, octets: bytes, at: int, which: int) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    whole = CAPTURES[which]
    path.write_bytes(whole[:at] + octets + whole[at + len(octets) :])
    with suppress(CaptureError):
        list(read_packets(path))
