"""Rows as JSON, and which entries become rows."""

from ipaddress import IPv6Address
from typing import Any

import numpy as np
import pytest

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.correlate.primitives import FIELDS, Form
from flowcorr.service._checks import BYTES, BYTES_A_PACKET, PACKETS, PACKETS_A_FLOW, Check
from flowcorr.service.formats import make_renderer
from flowcorr.service.render import STATUS_NAMES, Output, RowSettings
from flowcorr.wire.custom_primitive import CustomPrimitive, ElementField, Semantics
from tests.flowcorr.service.rows import EVERYTHING, NOW, Rows, one_json


def test_an_empty_record_has_every_field_in_order() -> None:
    rows = Rows(EVERYTHING)
    rows.add()
    [row] = rows.json(has_history=True)
    stamps = {"stamp_inserted": "2026-09-21 14:13:00", "stamp_updated": "2026-09-21 14:13:20"}
    expected = ["event_type"]
    for field in FIELDS:
        if field.key == "vrf_name":
            expected += [*stamps, "flows"]
        expected.append(field.key)
    assert list(row) == [*expected, "packets", "bytes"]
    assert {key: row[key] for key in stamps} == stamps
    empty = {
        "class": "unknown",
        "mac_src": "00:00:00:00:00:00",
        "etype": "0",
        "ip_src": "",
        "as_path": "",
        "mpls_vpn_rd": "0:0:0",
        "mpls_vpn_rd_origin": "unknown",
        "ip_proto": "0",
        "fwd_status": "0",
        "tcp_flags": 0,
        "tunnel_tcp_flags": "0",
        "mpls_label_stack": "",
        "srv6_seg_ipv6_list": [],
        "sampling_direction": "u",
        "roa_dst": "u",
        "timestamp_start": "0000-00-00 00:00:00.000000",
    }
    assert {key: row[key] for key in empty} == empty


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


@pytest.mark.parametrize(
    ("switch", "primitive", "value", "shown"),
    [
        ("flags_as_array", "tcpflags", 0x1B, ["ACK", "PSH", "SYN", "FIN"]),
        ("flags_as_array", "tcpflags", 0xC2, ["CWR", "ECE", "SYN"]),  # pmacct writes none at all
        ("flags_as_array", "tunnel_tcpflags", 0, []),
        ("status_as_text", "fwd_status", 195, "CONSUMED For us"),
        ("status_as_text", "fwd_status", 0, "UNKNOWN Unclassified"),
        ("status_as_text", "fwd_status", 70, "FORWARDED Unclassified"),
        ("status_as_text", "fwd_status", 256, "UNKNOWN Unclassified"),
        ("stack_as_array", "mpls_label_stack", bytes.fromhex("0000004500005ef1"), ["0-69", "1-24305"]),
        ("stack_as_array", "mpls_label_stack", b"", []),
        ("stack_as_array", "mpls_label_stack", b"abc", []),
        ("as_path_as_array", "as_path", b"9_64500_{1,2}", ["9", "64500", "{1,2}"]),
        ("as_path_as_array", "src_as_path", b"", []),
        ("communities_as_array", "lrg_comm", b"1:2:3_4:5:6", ["1:2:3", "4:5:6"]),
        ("label_as_map", "label", b"nkey%node%90,pkey%x", {"nkey": "node%90", "pkey": "x"}),
        ("label_as_map", "label", b"a%1,,b,a%2,", {"b": "", "a": "2"}),
        ("label_as_map", "label", b"%,,", {"": ""}),
        ("label_as_map", "label", b"", {}),
        ("protocols_numeric", "proto", 6, "6"),
    ],
)
def test_encodings_that_can_be_asked_for(switch: str, primitive: str, value: Any, shown: object) -> None:
    row = one_json(primitive, {primitive: value}, **{switch: True})
    key = next(field.key for field in FIELDS if field.primitive == primitive)
    assert row[key] == shown


def test_the_first_key_of_many_equal_labels() -> None:
    labels = b",".join(b"k%d%%v" % number for number in range(100))
    row = one_json("label", {"label": labels}, label_as_map=True)
    assert len(row["label"]) == 100


@pytest.mark.parametrize(
    ("value", "number", "status"),
    [(64, 1, "Unknown"), (66, 1, "Not Fragmented"), (128, 2, "Unknown"), (143, 2, "Hardware"), (194, 3, "Incomplete")],
)
def test_forwarding_statuses_stand_at_their_numbers(value: int, number: int, status: str) -> None:
    name = STATUS_NAMES[value].decode()
    assert name.startswith(("UNKNOWN", "FORWARDED", "DROPPED", "CONSUMED")[number])
    assert status in name


def test_every_form_has_a_row() -> None:
    assert {field.form for field in FIELDS} == set(Form) - {Form.NUMBER_TEXT, Form.OCTETS}


def test_custom_primitives_are_strings() -> None:
    defined = {
        "number": (Semantics.U_INT, 4, 1610612736, "1610612736"),
        "hexes": (Semantics.HEX, 2, 0x0AFF, "aff"),
        "address": (Semantics.IP, 4, IPV4_MAPPED + bytes([192, 0, 2, 1]), "192.0.2.1"),
        "hardware": (Semantics.MAC, 6, bytes(6), "00:00:00:00:00:00"),
        "octets": (Semantics.RAW, None, b"\x00\xffA", "00-FF-41"),
        "words": (Semantics.STR, None, b'a "b"', 'a "b"'),
    }
    custom = {
        name: CustomPrimitive(
            name=name, field=ElementField(1), pointers=(), length=length, semantics=semantics, where="[x:1]"
        )
        for name, (semantics, length, _, _) in defined.items()
    }
    rows = Rows("octets, words, number, hexes, address, hardware, vrf_name", custom)
    rows.add(**{f"custom:{name}": value for name, (_, _, value, _) in defined.items()})
    [row] = rows.json()
    shown = {name: text for name, (_, _, _, text) in defined.items()}
    assert list(row)[1:7] == ["octets", "words", "number", "hexes", "address", "hardware"]
    assert {name: row[name] for name in defined} == shown


@pytest.mark.parametrize(
    ("checks", "all_checks", "kept"),
    [
        ((), False, {1, 2, 3}),
        ((Check(PACKETS, 10),), False, {2, 3}),
        ((Check(PACKETS, 10, is_maximum=True),), False, {1}),
        ((Check(BYTES_A_PACKET, 100),), True, {2}),
        ((Check(PACKETS, 100), Check(BYTES, 50)), False, {2, 3}),
        ((Check(PACKETS, 100), Check(BYTES, 50)), True, {3}),
        ((Check(PACKETS_A_FLOW, 1),), True, {2}),
    ],
)
def test_rows_that_fail_their_checks_are_left_out(checks: tuple[Check, ...], all_checks: bool, kept: set[int]) -> None:
    rows = Rows("tag, flows")
    rows.add(tag=1, packets=0, bytes=0, flows=0)
    rows.add(tag=2, packets=10, bytes=1000, flows=2)
    rows.add(tag=3, packets=100, bytes=50, flows=0)
    assert {row["tag"] for row in rows.json(checks=checks, all_checks=all_checks)} == kept
    assert rows.left_out == 3 - len(kept)


def test_entries_are_written_in_an_order_that_is_given() -> None:
    rows = Rows("tag")
    for tag in range(5):
        rows.add(tag=tag)
    rows.aggregation.add(rows.batch, None, NOW)
    [flush] = rows.aggregation.take_all()
    renderer = make_renderer(rows.aggregate, rows.aggregation.plan, RowSettings(output=Output.EVENT_CSV))
    order = np.array([3, 1], np.uint32)
    assert renderer.render(flush.bins[0], 0, NOW, order=order) == 2
    assert renderer.take() == b"3\n1\n"
    with pytest.raises(MemoryError):
        renderer.render(flush.bins[0], 0, NOW, order=np.array([5], np.uint32))
    assert flush.release(1) is False
    with pytest.raises(ValueError, match="released"):
        renderer.render(flush.bins[0], 0, NOW)
