"""Values as characters."""

from ipaddress import IPv6Address

import pytest

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.correlate.primitives import FIELDS
from tests.flowcorr.service.rows import one_json


@pytest.mark.parametrize(
    ("primitive", "value", "shown"),
    [
        ("tag", 2**64 - 1, 2**64 - 1),
        ("src_mac", b"\x00\x11\x22\xaa\xbb\xcc", "00:11:22:aa:bb:cc"),
        ("etype", 0x0800, "800"),
        ("etype", 0x86DD, "86dd"),
        ("src_host", IPV4_MAPPED + bytes([10, 0, 0, 255]), "10.0.0.255"),
        ("src_host", bytes(16), "::"),
        ("dst_net", IPV4_MAPPED + bytes(4), "0.0.0.0"),
        ("dst_host", IPv6Address("2001:db8::1:0:0:1").packed, "2001:db8::1:0:0:1"),
        ("proto", 6, "tcp"),
        ("proto", 58, "ipv6-icmp"),
        ("proto", 200, "200"),
        ("proto", 255, "others"),
        ("sampling_direction", ord("e"), "e"),
        ("sampling_direction", 0xFF, "u"),
        ("dst_roa", ord("V"), "V"),
        ("fwd_status", 2**32 - 1, "4294967295"),
        ("mpls_vpn_rd", bytes.fromhex("0000fde800000007"), "0:65000:7"),
        ("mpls_vpn_rd", bytes.fromhex("0800000060000000"), "vrfid:1610612736"),
        ("mpls_label_stack", bytes.fromhex("0000004500005ef1"), "69_24305"),
        ("srv6_seg_ipv6_list", bytes(15) + b"\1" + bytes(15) + b"\2", ["0-::1", "1-::2"]),
        ("timestamp_start", 1_700_000_000_123_456, "2023-11-14 22:13:20.123456"),
        ("timestamp_start", -1, "0000-00-00 00:00:00.000000"),
        ("std_comm", b"64500:1_no-export", "64500:1_no-export"),
        ("class", b"facebook/ssl", "facebook/ssl"),
    ],
)
def test_values_as_json_has_them(primitive: str, value: object, shown: object) -> None:
    row = one_json(primitive, {primitive: value})
    key = next(field.key for field in FIELDS if field.primitive == primitive)
    assert row[key] == shown
