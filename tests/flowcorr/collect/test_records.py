"""Records of NetFlow v5, v9 and IPFIX become rows."""

import struct
from ipaddress import ip_address
from typing import Any

import pytest

from flowcorr.columns.record_type import RecordType
from flowcorr.wire.decode_settings import DecodeSettings
from tests.flowcorr.exports import NOW, Input, export_set, ipfix, only, template, v5, v5_record, v9

US = 1_000_000


def a(address: str) -> bytes:
    return ip_address(address).packed


def record(fields: list[tuple[int, Any, int]], *more: bytes, version: int = 10, **header: Any) -> tuple[bytes, bytes]:
    """A template set and a data set from (element, value, length)."""
    octets = b"".join(
        value if isinstance(value, bytes) else int(value).to_bytes(length, "big") for _, value, length in fields
    )
    make, set_id = (ipfix, 2) if version == 10 else (v9, 0)
    layout = template(300, *((element, length) for element, _, length in fields))
    return make(export_set(set_id, layout), **header), make(export_set(300, octets, *more), **header)


def row_of(fields: list[tuple[int, Any, int]], names: str = "", **options: Any) -> dict[str, Any]:
    header = options.pop("header", {})
    version = options.pop("version", 10)
    (row,) = Input(names, **options).take(*record(fields, version=version, **header))
    return row


def test_a_v5_record_has_all_its_fields() -> None:
    (row,) = Input().take(v5(v5_record(), sequence=7, sampling=0x4064, engine=(1, 2)))
    assert row == {
        "src_host": "10.0.0.1",
        "dst_host": "10.0.0.2",
        "next_hop": "10.0.0.3",
        "peer_src_ip": "192.0.2.1",
        "sender_address": "192.0.2.1",
        "exporter_address": "192.0.2.1",
        "in_iface": 1,
        "out_iface": 2,
        "packets": 3,
        "bytes": 400,
        "flows": 1,
        "src_port": 1024,
        "dst_port": 80,
        "tcpflags": 0x12,
        "proto": 6,
        "tos": 8,
        "etype": 0x800,
        "src_as": 64500,
        "dst_as": 64501,
        "src_mask": 24,
        "dst_mask": 16,
        "family": 4,
        "record_type": RecordType.IPV4_V5,
        "flowset_id": 256,
        "sampling_rate": 100,
        "export_proto_version": 5,
        "export_proto_seqno": 7,
        "export_proto_sysid": 2,
        "engine_type": 1,
        "timestamp_arrival": NOW * US,
        "timestamp_export": NOW * US,
        "timestamp_start": (NOW - 10) * US,
        "timestamp_end": (NOW - 5) * US,
        "bin_time": (NOW - 10) * US,
        "time_end": (NOW - 5) * US,
    }


@pytest.mark.parametrize(
    ("proto", "seen"), [(6, (1024, 80, 0x12)), (17, (1024, 80, None)), (1, (None, 80, None)), (47, (None, None, None))]
)
def test_v5_ports_and_flags_are_those_of_protocols_that_have_them(proto: int, seen: tuple[int | None, ...]) -> None:
    rows = Input("src_port dst_port tcpflags").take(v5(v5_record(proto=proto)))
    assert only(rows, "src_port", "dst_port", "tcpflags") == [seen]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 8])
def test_counters_have_any_length(length: int) -> None:
    """RFC 7011 section 6.2: reduced-size encoding."""
    row = row_of([(8, a("10.0.0.1"), 4), (1, 200, length), (2, 3, length)])
    assert (row["bytes"], row["packets"], row["flows"]) == (200, 3, 1)


@pytest.mark.parametrize(
    ("elements", "octets"),
    [
        ({1: 10, 85: 20, 23: 30}, 10),
        ({85: 20, 23: 30}, 20),
        ({23: 30, 352: 40}, 30),
        ({352: 40}, 40),
        ({1: 0, 85: 9}, None),
    ],
)
def test_the_first_counter_of_a_template_counts(elements: dict[int, int], octets: int | None) -> None:
    row = row_of([(8, a("10.0.0.1"), 4), *((element, value, 4) for element, value in reversed(elements.items()))])
    assert row.get("bytes") == octets


def test_ipv6_records_have_their_addresses_and_masks() -> None:
    row = row_of(
        [(27, a("2001:db8::1"), 16), (28, a("2001:db8::2"), 16), (29, 48, 1), (30, 64, 1), (31, 0x12345, 3), (1, 1, 4)]
    )
    assert (row["src_host"], row["dst_host"], row["src_mask"], row["dst_mask"]) == (
        "2001:db8::1",
        "2001:db8::2",
        48,
        64,
    )
    assert (row["flow_label"], row["family"], row["record_type"], row["etype"]) == (0x12345, 6, 3, 0x86DD)


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "version", "first", "family"),
    [
        ("10.0.0.1", "::", None, 4, 4),
        ("0.0.0.0", "2001:db8::1", None, 4, 6),
        ("10.0.0.1", "::", None, 6, 4),
        ("10.0.0.1", "2001:db8::1", None, 6, 6),
        ("10.0.0.1", "2001:db8::1", None, 4, 4),
        ("10.0.0.1", "2001:db8::1", 6, 4, 6),
        ("10.0.0.1", "2001:db8::1", 4, 6, 4),
    ],
)
def test_a_template_with_both_families_leaves_it_to_the_record(
    ipv4: str, ipv6: str, version: int | None, first: int, family: int
) -> None:
    addresses = [(8, a(ipv4), 4), (27, a(ipv6), 16)]
    fields: list[tuple[int, Any, int]] = list(addresses if first == 4 else reversed(addresses))
    row = row_of([*fields, (1, 1, 4), (9, 24, 1), (29, 48, 1), *([(60, version, 1)] if version else [])])
    assert (row["family"], row["src_host"], row["src_mask"]) == ((4, ipv4, 24) if family == 4 else (6, ipv6, 48))


def test_the_last_of_repeated_elements_counts() -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (8, a("10.0.0.2"), 4), (1, 5, 4), (7, 1, 2), (7, 2, 2)])
    assert (row["src_host"], row["src_port"]) == ("10.0.0.2", 2)


V9_TIMES = {"uptime": 100_000, "seconds": NOW}


@pytest.mark.parametrize(
    ("version", "fields", "start", "end"),
    [
        (9, [(22, 90_500, 4), (21, 99_999, 4)], NOW - 9, NOW),
        (9, [(22, 100_500, 4), (21, 101_500, 4)], NOW, NOW + 1),  # its clock passes the header's
        (9, [(150, NOW - 3, 4), (151, NOW - 1, 4)], NOW - 3, NOW - 1),
        (10, [(152, (NOW - 3) * 1000 + 5, 8), (153, (NOW - 1) * 1000, 8)], NOW - 3 + 0.005, NOW - 1),
        (10, [(154, ((NOW - 3 + 2208988800) << 32) + (1 << 31), 8)], NOW - 2.5, None),  # NTP format
        (10, [(156, ((NOW - 3 + 2208988800) << 32) + (1 << 30), 8)], NOW - 2.75, None),
        (10, [(156, ((NOW - 3 + 2208988800) << 32) + 4294, 8)], NOW - 3 + 1e-6, None),  # the nearest microsecond
        (10, [(154, struct.pack("!QQ", NOW - 3, 7), 16)], NOW - 3 + 7e-6, None),
        (10, [(158, 1_500_000, 4), (159, 500_000, 4)], NOW - 1.5, NOW - 0.5),
        (10, [(22, 1500, 4), (21, 2500, 4), (160, (NOW - 10) * 1000, 8)], NOW - 8.5, NOW - 7.5),
        (10, [(22, 1500, 4), (152, NOW * 1000, 8)], NOW, None),  # an uptime of unknown start says nothing
        (10, [], NOW, None),
    ],
)
def test_times(version: int, fields: list[tuple[int, Any, int]], start: float, end: float | None) -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), *fields], version=version, header=V9_TIMES if version == 9 else {})
    assert row["timestamp_start"] == row["bin_time"] == round(start * US)
    assert row.get("timestamp_end") == row.get("time_end") == (None if end is None else round(end * US))


def test_bin_time_prefers_microseconds_where_the_primitive_prefers_the_observation() -> None:
    row = row_of([(1, 5, 4), (154, (NOW + 2208988800) << 32, 8), (323, (NOW - 5) * 1000, 8), (8, a("10.0.0.1"), 4)])
    assert (row["timestamp_start"], row["bin_time"]) == ((NOW - 5) * US, NOW * US)


@pytest.mark.parametrize("element", [150, 152, 154, 156, 158, 323])
def test_times_that_no_clock_shows_are_unknown(element: int) -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (element, 2**64 - 1, 8)])
    assert -(2**61) < row.get("timestamp_start", 0) < 2**61


def test_uptimes_wrap() -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (22, 2**32 - 3000, 4)], version=9, header={"uptime": 2000})
    assert row["timestamp_start"] == (NOW - 5) * US


def test_bins_may_go_by_arrival_while_primitives_stay() -> None:
    decode = DecodeSettings(time_of_arrival=True)
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (152, 5000, 8), (153, 6000, 8)], decode=decode)
    assert (row["timestamp_start"], row["timestamp_end"]) == (5 * US, 6 * US)
    assert "bin_time" not in row
    assert "time_end" not in row


def test_uptimes_may_be_seconds_for_bins() -> None:
    decode = DecodeSettings(time_from_uptime_seconds=True)
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (22, 90, 4)], decode=decode, version=9, header=V9_TIMES)
    assert row["bin_time"] == (NOW - 10) * US


@pytest.mark.parametrize(
    ("fields", "vlans"),
    [
        ([(58, 5, 2), (59, 6, 2)], (5, 5, 6)),
        ([(59, 6, 2)], (6, None, 6)),
        ([(58, 5, 2), (59, 6, 2), (61, 1, 1)], (6, 5, 6)),
        ([(58, 5, 2), (59, 6, 2), (61, 0, 1)], (5, 5, 6)),
        ([(243, 7, 2)], (7, 7, None)),
    ],
)
def test_vlans(fields: list[tuple[int, Any, int]], vlans: tuple[int | None, ...]) -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), *fields])
    assert tuple(row.get(name) for name in ("vlan", "in_vlan", "out_vlan")) == vlans


@pytest.mark.parametrize(
    ("use", "fields", "peer"),
    [
        (False, [(18, a("10.1.1.1"), 4), (15, a("10.2.2.2"), 4)], "10.1.1.1"),
        (False, [(15, a("10.2.2.2"), 4)], None),
        (True, [(15, a("10.2.2.2"), 4)], "10.2.2.2"),
        (False, [(18, a("0.0.0.0"), 4)], "0.0.0.0"),
        (False, [(18, a("0.0.0.0"), 4), (63, a("2001:db8::9"), 16)], "2001:db8::9"),
        (False, [(47, a("10.3.3.3"), 4)], "10.3.3.3"),
    ],
)
def test_next_hops(use: bool, fields: list[tuple[int, Any, int]], peer: str | None) -> None:
    decode = DecodeSettings(use_ip_next_hop=use)
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), *fields], decode=decode)
    assert row.get("peer_dst_ip") == peer


def labels(*values: int) -> list[tuple[int, Any, int]]:
    return [(70 + index, value, 3) for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "stack", "bottom"),
    [
        ((69 << 4, 24305 << 4 | 1, 99 << 4), (69, 24305), 24305),
        ((5 << 4 | 1,), (5,), 5),
        ((0 << 4 | 1, 7 << 4), (0,), None),
        ((0, 7 << 4 | 1), (0, 7), 7),
        ((0, 0), (), None),
        ((3 << 4, 0, 7 << 4), (3,), None),
    ],
)
def test_label_stacks(values: tuple[int, ...], stack: tuple[int, ...], bottom: int | None) -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), *labels(*values)])
    assert row.get("mpls_label_stack", b"") == b"".join(label.to_bytes(4) for label in stack)
    assert row.get("mpls_label_bottom") == bottom
    assert row["record_type"] == RecordType.MPLS_IPV4


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ([(8, a("10.0.0.1"), 4), (2, 1, 4)], RecordType.EVENT),  # no octets
        ([(8, a("10.0.0.1"), 4), (230, 1, 1), (1, 1, 4)], RecordType.EVENT),
        ([(8, a("10.0.0.1"), 4), (1, 1, 4)], RecordType.IPV4),
        ([(8, a("10.0.0.1"), 4), (58, 300, 2), (1, 1, 4)], RecordType.VLAN_IPV4),
        ([(27, a("::1"), 16), (58, 300, 2), (70, 0, 3), (1, 1, 4)], RecordType.VLAN_MPLS_IPV6),
        ([(56, bytes(6), 6), (1, 1, 4)], RecordType.L2),
        ([(10, 5, 4), (1, 1, 4)], RecordType.L2),
        ([(60, 4, 1), (1, 1, 4)], RecordType.IPV4),
        ([(60, 6, 1), (58, 300, 2), (1, 1, 4)], RecordType.VLAN_IPV6),
        ([(60, 0, 1), (1, 1, 4)], RecordType.L2),
        ([(315, bytes(20), 20)], RecordType.FRAME),
    ],
)
def test_record_types(fields: list[tuple[int, Any, int]], kind: RecordType) -> None:
    row = row_of(fields)
    assert row["record_type"] == kind
    assert ("flows" in row) == (kind < RecordType.EVENT)


@pytest.mark.parametrize(("said", "direction"), [(0, "i"), (1, "e"), (255, "u")])
def test_directions(said: int, direction: str) -> None:
    assert row_of([(8, a("10.0.0.1"), 4), (61, said, 1), (1, 1, 4)])["sampling_direction"] == ord(direction)
    assert "sampling_direction" not in row_of([(8, a("10.0.0.1"), 4), (1, 1, 4)])


def test_events_have_no_counters() -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (230, 1, 1), (225, a("192.0.2.7"), 4), (227, 99, 2), (1, 9, 4), (2, 9, 4)])
    assert (row["nat_event"], row["post_nat_src_host"], row["post_nat_src_port"]) == (1, "192.0.2.7", 99)
    assert not {"bytes", "packets", "flows"} & set(row)


def test_variable_length_fields_move_what_follows() -> None:
    layout = template(300, (8, 4), (82, 65535), (1, 4), (12, 4))
    records = [
        a("10.0.0.1") + bytes([len(name)]) + name + (100 + i).to_bytes(4, "big") + a("10.0.0.9")
        for i, name in enumerate((b"", b"a", b"x" * 254))
    ]
    long = a("10.0.0.2") + b"\xff" + struct.pack("!H", 300) + b"y" * 300 + (500).to_bytes(4, "big") + a("10.0.0.8")
    rows = Input("src_host dst_host").take(ipfix(export_set(2, layout)), ipfix(export_set(300, *records, long)))
    assert only(rows, "src_host", "bytes", "dst_host") == [
        ("10.0.0.1", 100, "10.0.0.9"),
        ("10.0.0.1", 101, "10.0.0.9"),
        ("10.0.0.1", 102, "10.0.0.9"),
        ("10.0.0.2", 500, "10.0.0.8"),
    ]


def test_srv6_has_the_packet_around_in_tunnel_columns() -> None:
    fields: list[tuple[int, Any, int]] = [
        (27, a("2001:db8::1"), 16),
        (28, a("2001:db8::2"), 16),
        (4, 4, 1),
        (8, a("10.0.0.1"), 4),
        (12, a("10.0.0.2"), 4),
        (4, 6, 1),
        (7, 80, 2),
        (1, 5, 4),
    ]
    row = row_of(fields)
    assert row["record_type"] == RecordType.SRV6_IPV4
    assert (row["src_host"], row["dst_host"], row["family"]) == ("10.0.0.1", "10.0.0.2", 4)
    assert (row["proto"], row["src_port"]) == (6, 80)
    assert (row["tunnel_src_host"], row["tunnel_dst_host"], row["tunnel_proto"]) == ("2001:db8::1", "2001:db8::2", 4)


def test_srv6_may_have_ipv6_within() -> None:
    around = [(27, a("2001:db8::1"), 16), (28, a("2001:db8::2"), 16), (4, 41, 1)]
    within = [(27, a("2001:db8::3"), 16), (28, a("2001:db8::4"), 16), (4, 6, 1)]
    row = row_of([*around, *within, (8, bytes(4), 4), (1, 5, 4)])
    assert row["record_type"] == RecordType.SRV6_IPV6
    assert (row["src_host"], row["tunnel_src_host"], row["tunnel_proto"]) == ("2001:db8::3", "2001:db8::1", 41)


def test_a_frame_in_srv6_has_no_inner_addresses() -> None:
    row = row_of(
        [(27, a("2001:db8::1"), 16), (28, a("2001:db8::2"), 16), (4, 143, 1), (7, 80, 2), (6, 2, 1), (1, 5, 4)]
    )
    assert row["record_type"] == RecordType.SRV6_L2
    assert not {"src_host", "dst_host", "src_port", "tcpflags"} & set(row)
    assert (row["tunnel_src_host"], row["tunnel_src_port"]) == ("2001:db8::1", 80)


def test_two_addresses_without_srv6_fill_no_tunnel() -> None:
    row = row_of([(27, a("2001:db8::1"), 16), (8, a("10.0.0.1"), 4), (4, 6, 1), (60, 4, 1), (1, 5, 4)])
    assert row["src_host"] == "10.0.0.1"
    assert "tunnel_src_host" not in row


def test_delays_are_exact_where_their_sum_is_known() -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (2, 4, 4), (600, 24, 4), (603, 100, 8), (601, 10, 4), (602, 40, 4)])
    assert [row[f"path_delay_{each}_usec"] for each in ("avg", "min", "max")] == [25, 10, 40]
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (2, 4, 4), (600, 24, 4), (603, 0, 8)])
    assert row["path_delay_avg_usec"] == 24


@pytest.mark.parametrize(("kind", "column"), [(1, "vxlan"), (2, "nvgre")])
def test_layer2_segments(kind: int, column: str) -> None:
    row = row_of([(8, a("10.0.0.1"), 4), (1, 5, 4), (351, kind << 56 | 0xABCDEF, 8)])
    assert row[column] == 0xABCDEF
    assert {"vxlan", "nvgre"} & set(row) == {column}
