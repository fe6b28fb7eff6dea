"""Octets of frames in records of NetFlow and IPFIX (IE 315, RFC 7133)."""

import struct
from typing import Any, Final

import pytest

from flowcorr.columns.record_type import RecordType
from flowcorr.wire.decode_settings import DecodeSettings
from tests.flowcorr.collect.test_samples import IPV4, a, frame
from tests.flowcorr.exports import Input, export_set, ipfix, only, template

PORT: Final = 4789
#: Octets in front of the frame in a VXLAN: Ethernet, IPv4, UDP, VXLAN.
OUTER: Final = 14 + 20 + 8 + 8


def in_vxlan(inner: bytes, port: int = PORT) -> bytes:
    octets = struct.pack("!HHHH", 7, port, 0, 0) + bytes.fromhex("0800000000002a00") + inner
    header = b"\x45\x00" + struct.pack("!HHHBBH", 20 + len(octets), 0, 0, 64, 17, 0)
    return frame(header + a("10.5.0.1") + a("10.5.0.2") + octets)


def take(octets: bytes, *counters: int, rebase_port: int = 0) -> dict[str, Any]:
    """Read one record of a frame and perhaps of octets and packets."""
    fields = [(1, 4), (2, 4)][: len(counters)]
    record = octets + struct.pack(f"!{len(counters)}I", *counters)
    source = Input(decode=DecodeSettings(rebase_port=rebase_port))
    (row,) = source.take(ipfix(export_set(2, template(300, (315, len(octets)), *fields)), export_set(300, record)))
    return row


def test_a_frame_tells_what_no_element_does() -> None:
    row = take(frame(tags=bytes.fromhex("81000005")))
    names = ("record_type", "src_host", "dst_host", "proto", "src_port", "vlan", "etype", "packets", "bytes")
    assert only([row], *names) == [(RecordType.FRAME, "10.1.0.1", "10.2.0.2", 6, 1024, 5, 0x0800, 1, len(IPV4))]


def test_the_frame_in_a_vxlan_is_not_what_counts() -> None:
    row = take(in_vxlan(frame()))
    assert only([row], "src_host", "vxlan", "bytes") == [("10.5.0.1", 0x2A, OUTER - 14 + 14 + len(IPV4))]


def test_a_vxlan_without_an_identifier_is_none() -> None:
    """RFC 7348 section 5: the I flag."""
    octets = in_vxlan(frame()).replace(bytes.fromhex("0800000000002a00"), bytes.fromhex("0000000000002a00"))
    assert only([take(octets)], "src_host", "vxlan") == [("10.5.0.1", None)]


@pytest.mark.parametrize(("kind", "source"), [(1, "10.1.0.1"), (2, None)])
def test_a_frame_is_read_where_it_is_one_of_ethernet(kind: int, source: str | None) -> None:
    """IE 408: 1 is Ethernet, 2 is IEEE 802.11."""
    layout = template(300, (315, len(frame())), (408, 2), (1, 4))
    octets = export_set(300, frame() + struct.pack("!HI", kind, 1_000))
    assert only(Input().take(ipfix(export_set(2, layout), octets)), "src_host", "bytes") == [(source, 1_000)]


@pytest.mark.parametrize(
    ("counters", "octets"),
    [((), len(IPV4)), ((1_000, 2), 1_000 - 2 * OUTER), ((60, 2), 0)],
    ids=["a frame alone", "its outer headers are taken off", "never below 0"],
)
def test_the_frame_in_a_vxlan_is_what_counts_where_that_is_asked_for(counters: tuple[int, ...], octets: int) -> None:
    row = take(in_vxlan(frame(), 5_555), *counters, rebase_port=5_555)
    assert only([row], "src_host", "dst_port", "bytes") == [("10.1.0.1", 80, octets or None)]


@pytest.mark.parametrize("octets", [frame(), in_vxlan(frame(), 4_444), in_vxlan(b"")[:-8]])
def test_other_frames_count_as_they_are(octets: bytes) -> None:
    assert take(octets, 1_000, 2, rebase_port=5_555)["bytes"] == 1_000
