"""Samples of sFlow become rows."""

import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest

from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns.record_type import RecordType
from flowcorr.model.event import CounterSample
from flowcorr.wire.decode_settings import DecodeSettings
from tests.flowcorr.exports import NOW, Input, only, packed

CORPUS: Final = Path(__file__).parents[2] / "fuzz" / "corpus" / "sflow"
AGENT: Final = "10.0.0.1"


def a(address: str) -> bytes:
    return ip_address(address).packed


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("!II", kind, len(body)) + body


def words(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}I", *values)


def raw(frame: bytes, length: int = 1000, protocol: int = 1) -> bytes:
    return block(1, words(protocol, length, 4, len(frame)) + frame)


def flow(
    *records: bytes,
    source: int = 2,
    rate: int = 100,
    pool: int = 0,
    sequence: int = 1,
    interfaces: tuple[int, int] = (2, 3),
) -> bytes:
    return block(1, words(sequence, source, rate, pool, 0, *interfaces, len(records)) + b"".join(records))


def v5(*samples: bytes, sequence: int = 1, agent: bytes | None = None, sub_agent: int = 0) -> bytes:
    address = agent or words(1) + a(AGENT)
    return words(5) + address + words(sub_agent, sequence, 0, len(samples)) + b"".join(samples)


TCP: Final = struct.pack("!HHIIBB", 1024, 80, 0, 0, 0x50, 0x12) + bytes(6)
IPV4: Final = b"\x45\x08" + struct.pack("!HHHBBH", 40, 0, 0, 64, 6, 0) + a("10.1.0.1") + a("10.2.0.2") + TCP
ETHERNET: Final = bytes.fromhex("020000000002020000000001")


def frame(packet: bytes = IPV4, kind: int = 0x0800, tags: bytes = b"") -> bytes:
    return ETHERNET + tags + kind.to_bytes(2) + packet


def source(**decode: Any) -> Input:
    return Input(settings=IntakeSettings(is_sflow=True, decode=DecodeSettings(**decode), wants_counters=True))


def test_a_sampled_frame_has_its_headers() -> None:
    (row,) = source().take(
        v5(flow(raw(frame(tags=bytes.fromhex("8100600588a8e007"))), pool=100), sequence=9, sub_agent=4)
    )
    assert row == {
        "src_mac": bytes.fromhex("020000000001"),
        "dst_mac": bytes.fromhex("020000000002"),
        "vlan": 5,
        "in_vlan": 5,
        "in_cvlan": 7,
        "cos": 3,
        "etype": 0x0800,
        "src_host": "10.1.0.1",
        "dst_host": "10.2.0.2",
        "src_port": 1024,
        "dst_port": 80,
        "proto": 6,
        "tos": 8,
        "tcpflags": 0x12,
        "in_iface": 2,
        "out_iface": 3,
        "sampling_direction": ord("i"),
        "sampling_rate": 100,
        "sample_type": 1,
        "packets": 1,
        "bytes": 1000,
        "flows": 1,
        "family": 4,
        "record_type": RecordType.IPV4,
        "peer_src_ip": AGENT,
        "sender_address": AGENT,
        "exporter_address": AGENT,
        "export_proto_version": 5,
        "export_proto_seqno": 9,
        "export_proto_sysid": 4,
        "timestamp_arrival": NOW * 1_000_000,
        "bin_time": NOW * 1_000_000,
    }


def test_extended_records_say_what_headers_do_not() -> None:
    gateway = words(1) + a("10.9.9.9") + words(65000, 65001, 65002, 2, 2, 1, 65003, 1, 2, 65004, 65005)
    gateway += words(2, 65000 << 16 | 1, 65000 << 16 | 2, 150)
    (row,) = source().take(
        v5(
            flow(
                raw(frame()),
                block(1001, words(5, 6, 7, 0)),
                block(1002, words(1) + a("10.8.8.8") + words(24, 16)),
                block(1003, gateway),
                block(1006, words(1) + a("10.8.8.8") + words(2, 5 << 12, 6 << 12 | 0x100, 0)),
                block(1007, words(1) + a("10.7.0.1") + words(1) + a("10.7.0.2")),
                block(1009, words(3) + b"abc\0" + words(77, 1, 0)),
                block(4711, bytes(12)),
            )
        )
    )
    names = ("vlan", "in_vlan", "out_vlan", "cos", "src_mask", "dst_mask", "next_hop", "peer_dst_ip", "bgp_next_hop")
    assert only([row], *names) == [(5, 5, 7, 6, 24, 16, "10.8.8.8", "10.9.9.9", "10.9.9.9")]
    names = ("src_as", "peer_src_as", "peer_dst_as", "dst_as", "as_path", "std_comm", "local_pref")
    assert only([row], *names) == [(65001, 65002, 65003, 65005, b"65003_65004_65005", b"65000:1_65000:2", 150)]
    names = ("mpls_label_top", "mpls_label_bottom", "mpls_pw_id", "post_nat_src_host", "post_nat_dst_host")
    assert only([row], *names) == [(5, 6, 77, "10.7.0.1", "10.7.0.2")]


def ipv6(first: int, behind: bytes) -> bytes:
    header = b"\x60\0\0\0" + struct.pack("!HBB", len(behind), first, 64)
    return header + a("2001:db8::1") + a("2001:db8::2") + behind


#: A header of destination options, in front of another one.
OPTIONS: Final = bytes([60, 0]) + bytes(6)


@pytest.mark.parametrize(
    ("first", "headers", "proto", "ports"),
    [
        (0, bytes([6, 0]) + bytes(6), 6, (1024, 80)),
        (43, bytes([6, 1]) + bytes(14), 6, (1024, 80)),
        (51, bytes([6, 4]) + bytes(22), 6, (1024, 80)),
        (44, bytes([6, 0, 0, 1]) + bytes(4), 6, (1024, 80)),
        (44, bytes([6, 0, 0, 8]) + bytes(4), 6, (None, None)),
        (60, OPTIONS * 15 + bytes([6, 0]) + bytes(6), 6, (1024, 80)),
        (60, OPTIONS * 16 + bytes([6, 0]) + bytes(6), 60, (None, None)),
    ],
    ids=["hop-by-hop", "routing", "authentication", "first fragment", "later fragment", "sixteen", "too many"],
)
def test_headers_behind_that_of_ipv6_are_passed_over(
    first: int, headers: bytes, proto: int, ports: tuple[int | None, int | None]
) -> None:
    """RFC 8200 section 4; RFC 4302 section 2.2 counts the length of its header in another way."""
    rows = source().take(v5(flow(raw(frame(ipv6(first, headers + TCP), 0x86DD)))))
    assert only(rows, "proto", "src_port", "dst_port") == [(proto, *ports)]


@pytest.mark.parametrize(("organization", "rows"), [("000000", 1), ("0000f8", 0)])
def test_snap_has_a_type_where_its_organization_is_that_of_ethernet(organization: str, rows: int) -> None:
    """RFC 1042."""
    packet = bytes.fromhex(f"aaaa03{organization}0800") + IPV4
    found = source().take(v5(flow(raw(frame(packet, len(packet))))))
    assert only(found, "src_host", "etype") == [("10.1.0.1", 0x0800)] * rows


@pytest.mark.parametrize(("use", "peer"), [(False, None), (True, "10.8.8.8")])
def test_a_router_may_be_the_peer(use: bool, peer: str | None) -> None:
    rows = source(use_ip_next_hop=use).take(
        v5(flow(raw(frame()), block(1002, words(1) + a("10.8.8.8") + words(24, 16))))
    )
    assert only(rows, "peer_dst_ip") == [(peer,)]


@pytest.mark.parametrize("count", [128, 129])
def test_paths_and_communities_have_a_ceiling(count: int) -> None:
    """What is beyond it is read all the same: the last AS is the destination's."""
    numbers = range(1, count + 1)
    gateway = words(1) + a("10.9.9.9") + words(65000, 65001, 65002, 1, 2, count, *numbers, count, *numbers, 150)
    (row,) = source().take(v5(flow(raw(frame()), block(1003, gateway))))
    assert row["as_path"] == "_".join(map(str, range(1, 129))).encode()
    assert row["std_comm"] == "_".join(f"0:{number}" for number in range(1, 129)).encode()
    assert (row["dst_as"], row["local_pref"]) == (count, 150)


def test_a_router_is_not_the_peer_where_bgp_says_who_is() -> None:
    gateway = words(1) + a("10.9.9.9") + words(65000, 65001, 65002, 0, 0, 150)
    router = words(1) + a("10.8.8.8") + words(24, 16)
    rows = source(use_ip_next_hop=True).take(v5(flow(raw(frame()), block(1003, gateway), block(1002, router))))
    assert only(rows, "peer_dst_ip", "next_hop") == [("10.9.9.9", "10.8.8.8")]


@pytest.mark.parametrize("word", [0x3FFFFFFF, 0x80000002, 0x40000101])
def test_what_is_no_interface_is_none(word: int) -> None:
    (row,) = source().take(v5(flow(raw(frame()), interfaces=(2, word))))
    assert "out_iface" not in row


def test_tunnels_have_the_packet_within_in_columns_of_their_own() -> None:
    vxlan = struct.pack("!HHHH", 7, 4789, 0, 0) + bytes.fromhex("0800000000002a00") + frame()
    outer = (
        b"\x45\x00" + struct.pack("!HHHBBH", 20 + len(vxlan), 0, 0, 64, 17, 0) + a("10.5.0.1") + a("10.5.0.2") + vxlan
    )
    (row,) = source().take(v5(flow(raw(frame(outer)))))
    assert (row["src_host"], row["proto"], row["vxlan"]) == ("10.5.0.1", 17, 0x2A)
    names = (
        "tunnel_src_host",
        "tunnel_dst_host",
        "tunnel_proto",
        "tunnel_src_port",
        "tunnel_dst_port",
        "tunnel_tcpflags",
    )
    assert only([row], *names) == [("10.1.0.1", "10.2.0.2", 6, 1024, 80, 0x12)]
    (row,) = source(rebase_port=4789).take(v5(flow(raw(frame(outer)))))
    assert (row["src_host"], row["proto"]) == ("10.1.0.1", 6)
    assert row["bytes"] == 1000 - 14 - 20 - 8 - 8


def test_what_is_not_ip_counts_only_where_that_is_asked_for() -> None:
    arp = v5(flow(raw(frame(bytes(28), 0x0806))), flow(raw(frame())))
    i = source()
    assert len(i.take(arp)) == 1
    assert i.intake.refused["sampled packet is not IP"] == 1
    rows = source(accept_any_type=True).take(arp)
    assert only(rows, "record_type", "etype") == [(RecordType.L2, 0x0806), (RecordType.IPV4, 0x0800)]


@pytest.mark.parametrize(("kind", "octets"), [(0x0800, 19), (0x86DD, 39)])
def test_a_header_that_is_cut_counts_without_addresses(kind: int, octets: int) -> None:
    packet = {0x0800: IPV4, 0x86DD: b"\x60" + bytes(60)}[kind]
    (row,) = source().take(v5(flow(raw(frame(packet[:octets], kind)))))
    assert (row["etype"], row["bytes"], row["family"]) == (kind, 1000, 4 if kind == 0x0800 else 6)
    assert not {"src_host", "proto"} & row.keys()


def test_the_type_of_a_labelled_packet_is_that_behind_its_labels() -> None:
    rows = source().take(v5(flow(raw(frame(words(5 << 12 | 0x100) + IPV4, 0x8847)))))
    assert only(rows, "etype", "mpls_label_top", "src_host") == [(0x0800, 5, "10.1.0.1")]


@pytest.mark.parametrize(("proto", "ports", "flags"), [(6, (7, 8), 2), (17, (7, 8), None), (1, (None, None), None)])
def test_records_of_ip_have_ports_where_the_protocol_has(
    proto: int, ports: tuple[int | None, int | None], flags: int | None
) -> None:
    record = block(3, words(60, proto) + a("10.1.0.1") + a("10.2.0.2") + words(7, 8, 2, 4))
    assert only(source().take(v5(flow(record))), "src_port", "dst_port", "tcpflags", "tos") == [(*ports, flags, 4)]


@pytest.mark.parametrize(("priorities", "cos"), [((6, 1), 6), ((0, 1), 1)])
def test_the_priority_out_counts_where_there_is_none_in(priorities: tuple[int, int], cos: int) -> None:
    (row,) = source().take(v5(flow(raw(frame()), block(1001, words(5, priorities[0], 7, priorities[1])))))
    assert row["cos"] == cos


@pytest.mark.parametrize(("vlan", "vlans"), [(4095, (4095, 7, 4095)), (4096, (None, 7, 7)), (0xFFFFFFFF, (None, 7, 7))])
def test_an_unknown_vlan_is_none(vlan: int, vlans: tuple[int | None, ...]) -> None:
    rows = source().take(v5(flow(raw(frame()), block(1001, words(vlan, 0, 7, 0)))))
    assert only(rows, "in_vlan", "out_vlan", "vlan") == [vlans]


def test_the_rate_is_what_a_source_really_samples() -> None:
    i = source(renormalize=True)
    samples = [
        flow(raw(frame()), sequence=n, pool=pool) for n, pool in ((1, 1000), (2, 1500), (4, 1700), (3, 1600), (5, 1000))
    ]
    rows = i.take(*(v5(sample, sequence=n) for n, sample in enumerate(samples)))
    # first, 500 for one, 200 for two, out of order, begun anew
    assert [row["packets"] for row in rows] == [100, 500, 100, 100, 100]
    assert {row["sampling_rate"] for row in rows} == {1}


def test_agents_are_told_apart_whatever_their_addresses_have_in_common() -> None:
    i = Input("export_proto_sysid", settings=IntakeSettings(is_sflow=True))
    agents = ["2001:db8::1", "2001:db8::2"]
    for agent in agents:
        i.take(v5(flow(raw(frame())), agent=words(2) + a(agent)))
    assert [each.address for each in i.intake.exporters.values()] == [packed(agent) for agent in agents]


def test_who_sends_for_an_agent_must_be_allowed() -> None:
    i = Input("src_host", settings=IntakeSettings(is_sflow=True), allow=lambda address: address == packed("192.0.2.1"))
    assert len(i.take(v5(flow(raw(frame()))))) == 1
    assert i.take(v5(flow(raw(frame()))), sender="192.0.2.2") == []
    assert i.intake.refused["not allowed"] == 1


def test_counter_samples_are_reported() -> None:
    i = source()
    counters = block(2, words(1, 2, 0))
    assert len(i.take(v5(counters, flow(raw(frame())), counters, sequence=7, sub_agent=3))) == 1
    reported = [each for each in i.events if isinstance(each, CounterSample)]
    assert reported == [CounterSample(packed(AGENT), 105, 3, 7, NOW * 1_000_000, counters)] * 2


@pytest.mark.parametrize(("name", "rows", "counters"), [("v2", 1, 0), ("v4", 1, 1), ("v5", 3, 0)])
def test_versions(name: str, rows: int, counters: int) -> None:
    i = source()
    found = i.take((CORPUS / f"built-{name}.bin").read_bytes())
    assert len(found) == rows
    assert sum(isinstance(each, CounterSample) for each in i.events) == counters
    assert {row["dst_as"] for row in found} == {65004}
    assert {row["in_vlan"] for row in found} == {5}


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (words(5, 1), "short datagram"),
        (words(7, 1, 0, 0, 0, 0, 0), "unknown version"),
        (words(5, 9, 0, 0, 0, 0, 0), "short datagram"),
        (v5(flow(raw(frame())))[:-8], "sample"),
        (v5(words(1, 0xFFFFFFFF)), "sample"),
    ],
)
def test_malformed_datagrams_are_counted(octets: bytes, reason: str) -> None:
    i = source()
    assert i.take(octets) == []
    assert {each: count for each, count in i.intake.refused.items() if count} == {reason: 1}


def test_a_datagram_with_fewer_samples_than_it_says_keeps_those_and_is_counted() -> None:
    i = source()
    datagram = words(5, 1) + a(AGENT) + words(0, 1, 0, 2) + flow(raw(frame()))
    assert len(i.take(datagram)) == 1
    assert i.intake.refused["sample"] == 1


def test_samples_of_unknown_kinds_are_passed_over() -> None:
    assert len(source().take(v5(block(5, bytes(40)), flow(raw(frame()))))) == 1
