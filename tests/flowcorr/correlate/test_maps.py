"""Maps of flows: which rows match, where the search goes on, and what of a row is refused."""

from ipaddress import ip_address
from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import NO_ADDRESS
from flowcorr.columns.layout import Layout
from flowcorr.correlate.map_compiler import compile_map
from flowcorr.correlate.map_keys import MATCH_KEYS, prefix_octets
from flowcorr.correlate.map_stages import NextHopStage, RdStage, SourceSideStage
from flowcorr.correlate.maps import (
    AGENT,
    FLOW_TO_RD,
    NEXT_HOPS,
    PRE_TAG,
    SAMPLING,
    SOURCE_SIDE,
    MapKind,
    has_prefix,
    tagger,
)

LAYOUT = Layout(BUILTIN.values())


def octets(address: str) -> bytes:
    ip = ip_address(address)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


def pairs(row: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in row.split())


def compiled(kind: MapKind[Any], *rows: str) -> tuple[Any, list[str]]:
    made, refused = compile_map(kind, [(f"[map:{at}]", pairs(row)) for at, row in enumerate(rows, start=1)])
    return made, list(refused)


def tags_of(*rows: str, **values: Any) -> tuple[int, int, str]:
    texts = Texts()
    made, refused = compiled(PRE_TAG, *rows)
    assert not refused
    batch = Batch(LAYOUT, 1)
    for name, value in values.items():
        if BUILTIN[name].kind.is_text:
            values[name] = texts.id_of(value)
    batch.append(**values)
    tagger(made, LAYOUT, texts)(batch)
    row = batch.rows[0]
    return int(row["tag"]), int(row["tag2"]), texts.octets_of(int(row["label"])).decode()


ROUTER = {"exporter_address": octets("192.0.2.1")}


@pytest.mark.parametrize(
    ("condition", "matches", "differs"),
    [
        ("in=7", {"in_iface": 7}, {"in_iface": 8}),
        ("out=-7", {"out_iface": 8}, {"out_iface": 7}),
        ("source_id=9", {"export_proto_sysid": 9}, {"export_proto_sysid": 1}),
        ("src_net=10.0.0.0/9", {"src_host": octets("10.127.0.1")}, {"src_host": octets("10.128.0.1")}),
        ("dst_net=2001:db8::/33", {"dst_host": octets("2001:db8::1")}, {"dst_host": octets("2001:db8:8000::1")}),
        ("src_net=0.0.0.0/0", {"src_host": octets("10.0.0.1")}, {"src_host": octets("2001:db8::1")}),
        ("src_net=::/0", {"src_host": octets("2001:db8::1")}, {"src_host": octets("10.0.0.1")}),
        ("src_net=::/0", {"src_host": octets("::1")}, {"src_host": NO_ADDRESS}),
        ("dst_net=-::/0", {"dst_host": octets("10.0.0.1")}, {"dst_host": octets("2001:db8::1")}),
        ("ip_proto=tcp", {"proto": 6}, {"proto": 17}),
        ("ip_proto=-17", {"proto": 6}, {"proto": 17}),
        ("tcp_flags=12", {"tcpflags": 0x12}, {"tcpflags": 0x13}),
        ("is_multicast=true", {"dst_host": octets("224.0.0.1")}, {"dst_host": octets("223.0.0.1")}),
        ("is_multicast=true", {"dst_host": octets("ff02::1")}, {}),
        ("fwd_status=64", {"fwd_status": 66}, {"fwd_status": 130}),
        ("fwd_status=66", {"fwd_status": 66}, {"fwd_status": 65}),
        ("src_mac=00:11:22:33:44:55", {"src_mac": bytes.fromhex("001122334455")}, {"src_mac": bytes(6)}),
        ("direction=1", {"sampling_direction": ord("e")}, {"sampling_direction": ord("u")}),
        ("direction=0", {}, {"sampling_direction": ord("u")}),
        ("direction=0", {"sampling_direction": ord("i")}, {"record_type": 1}),
        ("sample_type=flow", {"record_type": 2}, {"record_type": 100}),
        ("sample_type=flow-mpls-ipv6", {"record_type": 13}, {"record_type": 3}),
        ("sample_type=0:3", {"sample_type": 3}, {"sample_type": 1}),
        ("mpls_vpn_rd=0:65000:7", {"mpls_vpn_rd": bytes.fromhex("0000fde800000007")}, {}),
        ("comms=65000:1,65000:2", {"std_comm": b"64999:1_65000:2"}, {"std_comm": b"65001:1"}),
        ("comms=65000:6...", {"std_comm": b"65000:6123"}, {"std_comm": b"65000:61"}),
        ("dst_roa=v", {"dst_roa": ord("v")}, {"dst_roa": ord("u")}),
        ("dst_as=64500 in=1", {"dst_as": 64500, "in_iface": 1}, {"dst_as": 64500, "in_iface": 2}),
        ("bgp_nexthop=192.0.2.9", {"peer_dst_ip": octets("192.0.2.9")}, {"peer_dst_ip": octets("192.0.2.8")}),
        ("is_bi_flow=false", {"biflow": 0}, {"biflow": 1}),
    ],
)
def test_what_rows_compare(condition: str, matches: dict[str, Any], differs: dict[str, Any]) -> None:
    row = f"set_tag=5 ip=192.0.2.0/24 {condition}"
    assert tags_of(row, **ROUTER, **matches)[0] == 5
    assert tags_of(row, **ROUTER, **differs)[0] == 0


def test_every_key_is_understood_or_refused_with_a_reason() -> None:
    for key in MATCH_KEYS.keys() - {"comms", "src_comms"}:  # any text may be a pattern
        made, refused = compiled(PRE_TAG, f"set_tag=1 {key}=nonsense!")
        assert (len(made), len(refused)) == (0, 1)
        assert refused[0].startswith(f"[map:1] '{key}': ")


def test_rows_without_ip_are_for_both_families_or_for_ipv4_alone() -> None:
    rows = [("[map:1]", {"set_tag": "5", "in": "1"}), ("[map:2]", {"set_tag": "6"})]
    for recirculate, tag_of_ipv6 in ((True, 5), (False, 0)):
        texts = Texts()
        made, _ = compile_map(PRE_TAG, rows, recirculate=recirculate)
        batch = Batch(LAYOUT, 2)
        batch.append(exporter_address=octets("192.0.2.1"), in_iface=1)
        batch.append(exporter_address=octets("2001:db8::1"), in_iface=1)
        tagger(made, LAYOUT, texts)(batch)
        assert list(batch.rows["tag"]) == [5, tag_of_ipv6]
    made, _ = compile_map(NEXT_HOPS, [("[map:1]", pairs("id=192.0.2.1 bgp_nexthop=192.0.2.2"))], recirculate=False)
    assert made.rows[0].exporter is None


def test_a_flow_is_not_handed_on_before_the_search_goes_on() -> None:
    assert tags_of("set_tag=5 return=false jeq=next", "set_tag=6", **ROUTER)[0] == 6
    made, refused = compiled(PRE_TAG, "set_tag=5 return=true jeq=next", "set_tag=6")
    assert len(made) == 1
    assert "'return'" in refused[0]


def test_the_first_row_that_matches_decides_and_only_for_its_exporters() -> None:
    rows = ("set_tag=1 ip=198.51.100.1", "set_tag=2 ip=192.0.2.0/24", "set_tag=3")
    assert tags_of(*rows, exporter_address=octets("192.0.2.1"))[0] == 2
    assert tags_of(*rows, exporter_address=octets("2001:db8::1"))[0] == 3
    rows = ("set_tag=6 ip=::/0", "set_tag=4 ip=0.0.0.0/0")
    assert [tags_of(*rows, exporter_address=octets(one))[0] for one in ("192.0.2.1", "2001:db8::1")] == [4, 6]


def test_exporters_of_agent_and_sampling_maps_are_of_the_family_of_the_row() -> None:
    found = [has_prefix(octets(one), *prefix_octets("::/0")) for one in ("192.0.2.1", "2001:db8::1", "::1")]
    assert found == [False, True, True]
    assert has_prefix(octets("192.0.2.1"), *prefix_octets("0.0.0.0/0"))


def test_jumps_stacks_and_labels() -> None:
    rows = (
        "set_tag=100 in=7 jeq=second",
        "set_tag=1",
        "set_tag=1000 label=second stack=sum jeq=next",
        "set_label=a%1 jeq=next",
        "set_label=b%2 jeq=last",
        "set_tag2=9",
        "set_tag=3 set_tag2=8 set_label=c label=last stack=or",
    )
    assert tags_of(*rows, in_iface=7) == (1103, 8, "a%1,b%2,c")
    assert tags_of(*rows, in_iface=8) == (1, 0, "")


def test_a_tag_that_counts_on() -> None:
    texts = Texts()
    made, _ = compiled(PRE_TAG, "set_tag=5++")
    batch = Batch(LAYOUT, 3)
    for _ in range(3):
        batch.append()
    rules = tagger(made, LAYOUT, texts)
    rules(batch)
    assert batch.rows["tag"].tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("kind", "row", "why"),
    [
        (PRE_TAG, "in=7", "required key missing"),
        (PRE_TAG, "set_tag=0", "0 is not from 1"),
        (PRE_TAG, "set_tag=1 stack=xor", "stack 'xor' is not one of sum, \\+, or"),
        (PRE_TAG, "set_tag=1 ip=nowhere", "'ip': 'nowhere' is neither address nor prefix"),
        (PRE_TAG, "set_tag=1 comms=-65000:1", None),
        (PRE_TAG, "set_tag=1 direction=-1", "'direction': cannot be negated"),
        (PRE_TAG, "set_tag=1 in=4294967296", "4294967296 is not from 0 to 4294967295"),
        (PRE_TAG, "set_tag=1 jeq=nowhere", "Unresolved label 'nowhere'"),
        (AGENT, "bgp_ip=192.0.2.1", "required key missing. Required keys are: 'ip'"),
        (AGENT, "bgp_ip=router ip=0.0.0.0/0", "'bgp_ip': 'router' is no address"),
        (FLOW_TO_RD, "id=0:1 ip=0.0.0.0/0", "'id': '0:1' is no route distinguisher"),
        (SAMPLING, "ip=0.0.0.0/0", "required key missing"),
        (SOURCE_SIDE, "id=ibgp ip=0.0.0.0/0", "'id': 'ibgp' is no number"),
    ],
)
def test_rows_that_are_refused_say_why(kind: MapKind[Any], row: str, why: str | None) -> None:
    _, refused = compiled(kind, row)
    if why is None:
        assert refused == ["[map:1] 'comms': cannot be negated. Line ignored."]
    else:
        [text] = refused
        assert why.replace("\\", "") in text


def test_what_rows_give() -> None:
    agent, _ = compiled(AGENT, "bgp_ip=192.0.2.1 bgp_port=179 ip=0.0.0.0/0", "id=2001:db8::1 ip=::/0 in=3")
    assert [(str(row.gives.address), row.gives.port) for row in agent.rows] == [
        ("192.0.2.1", 179),
        ("2001:db8::1", None),
    ]
    assert agent.columns == {"exporter_address", "in_iface"}
    rds, _ = compiled(FLOW_TO_RD, "id=1:192.0.2.1:5 ip=0.0.0.0/0", "id=2:4200000000:1 ip=::/0", "ip=10.0.0.1")
    assert [row.gives.hex() for row in rds.rows] == ["0001c00002010005", "0002fa56ea000001", "0000000000000000"]
    sides, _ = compiled(SOURCE_SIDE, "set_tag=65000 ip=0.0.0.0/0 src_mac=00:11:22:33:44:55", "id=bgp ip=0.0.0.0/0")
    assert [row.gives for row in sides.rows] == [65000, None]


def test_the_first_match_of_each_row_of_a_batch() -> None:
    made, _ = compiled(SAMPLING, "id=100 ip=192.0.2.0/24 in=1", "id=200 ip=192.0.2.0/24")
    batch = Batch(LAYOUT, 3)
    for exporter, in_iface in (("192.0.2.1", 1), ("192.0.2.1", 2), ("198.51.100.1", 1)):
        batch.append(exporter_address=octets(exporter), in_iface=in_iface)
    rules = made.rules(LAYOUT, Texts())
    assert rules.first(batch).tolist() == [1, 2, 0]
    seen: list[tuple[int, int]] = []
    rules.follow(batch, lambda row, rule: seen.append((row, rule)))
    assert seen == [(0, 0), (1, 1)]


def staged(stage: Any, kind: MapKind[Any], rows: tuple[str, ...], values: dict[str, Any], *column: str) -> Any:
    made, refused = compiled(kind, *rows)
    assert not refused
    batch = Batch(LAYOUT, 1)
    batch.append(**values)
    stage(*column, made, LAYOUT, Texts())(batch)
    return batch.rows[0]


def test_route_distinguishers_of_a_map() -> None:
    rows = ("id=0:65000:7 ip=192.0.2.0/24 in=7",)
    row = staged(RdStage, FLOW_TO_RD, rows, {**ROUTER, "in_iface": 7})
    assert (bytes(row["mpls_vpn_rd"]).hex(), row["mpls_vpn_rd_origin"]) == ("0000fde800000007", 4)
    rd = bytes.fromhex("0000fde800000009")
    row = staged(RdStage, FLOW_TO_RD, rows, {**ROUTER, "mpls_vpn_rd": rd, "mpls_vpn_rd_origin": 3})
    assert (bytes(row["mpls_vpn_rd"]), row["mpls_vpn_rd_origin"]) == (rd, 3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"src_mac": bytes.fromhex("001122334455")}, 65001),
        ({"in_iface": 3}, 77),
        ({"in_iface": 4, "source_neighbour_as": 9}, 65002),
        ({"in_iface": 4}, 0),
    ],
)
def test_numbers_of_the_source_side(values: dict[str, Any], expected: int) -> None:
    rows = (
        "set_tag=65001 ip=192.0.2.0/24 src_mac=00:11:22:33:44:55",
        "id=bgp ip=192.0.2.0/24 in=3",
        "id=65002 ip=192.0.2.0/24 peer_dst_as=9",
    )
    row = staged(SourceSideStage, SOURCE_SIDE, rows, {**ROUTER, "peer_src_as": 77, **values}, "peer_src_as")
    assert row["peer_src_as"] == expected


def test_next_hops_of_tunnel_ends() -> None:
    rows = ("id=203.0.113.9 bgp_nexthop=192.0.2.9",)
    row = staged(NextHopStage, NEXT_HOPS, rows, {"bgp_next_hop": octets("203.0.113.9")})
    assert bytes(row["bgp_next_hop"]) == octets("192.0.2.9")
    row = staged(NextHopStage, NEXT_HOPS, rows, {"bgp_next_hop": octets("203.0.113.8")})
    assert bytes(row["bgp_next_hop"]) == octets("203.0.113.8")


@pytest.mark.parametrize(
    ("value", "ids", "matches"),
    [
        ("7", (7, 0), True),
        ("7", (0, 7), True),
        ("7", (8, 9), False),
        ("-7", (7, 9), False),
        ("-7", (9, 7), False),
        ("-7", (8, 9), True),
    ],
)
def test_a_vrf_id_may_be_that_of_either_way(value: str, ids: tuple[int, int], matches: bool) -> None:
    rows = (f"id=0:65000:7 ip=192.0.2.1 mpls_vpn_id={value}", "id=0:65000:8 ip=192.0.2.1 in=99")
    row = staged(RdStage, FLOW_TO_RD, rows, {**ROUTER, "ingress_vrf_id": ids[0], "egress_vrf_id": ids[1]})
    assert bool(row["mpls_vpn_rd_origin"]) == matches
    assert not matches or bytes(row["mpls_vpn_rd"]).hex() == "0000fde800000007"


def test_a_vrf_id_of_either_way_stands_for_both() -> None:
    _, refused = compiled(FLOW_TO_RD, "id=0:65000:7 ip=::/0 mpls_vpn_id=7 mpls_vpn_id_in=8")
    assert refused == ["[map:1] 'mpls_vpn_id' does not go with 'mpls_vpn_id_in' and 'mpls_vpn_id_out'. Line ignored."]
