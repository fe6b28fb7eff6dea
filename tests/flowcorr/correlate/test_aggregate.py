import pytest

from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.column import Kind
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import AggregateError, parse_aggregate, plan_key
from flowcorr.correlate.primitives import AVRO_ORDER, CSV_ORDER, FIELDS, JSON_ORDER, REFUSED, SUMS, fields_by_primitive
from flowcorr.wire.custom_primitive import CustomPrimitive, ElementField, Semantics

#: As the outputs of pmacct have them, without GeoIP and what is ours.
JSON_KEYS = """
    tag tag2 label class mac_src mac_dst vlan vlan_in vlan_out cvlan_in cvlan_out cos etype as_src as_dst comms ecomms
    lcomms as_path local_pref med roa_dst peer_as_src peer_as_dst peer_ip_src peer_ip_dst comms_src ecomms_src
    lcomms_src as_path_src local_pref_src med_src roa_src iface_in iface_out mpls_vpn_rd mpls_vpn_rd_origin mpls_pw_id
    ip_src net_src ip_dst net_dst mask_src mask_dst port_src port_dst tcp_flags fwd_status mpls_label_stack
    srv6_seg_ipv6_list path_delay_avg_usec path_delay_min_usec path_delay_max_usec ip_proto tos flow_label
    sampling_rate sampling_direction post_nat_ip_src post_nat_ip_dst post_nat_port_src post_nat_port_dst nat_event
    fw_event mpls_label_top mpls_label_bottom tunnel_mac_src tunnel_mac_dst tunnel_ip_src tunnel_ip_dst
    tunnel_ip_proto tunnel_tos tunnel_flow_label tunnel_port_src tunnel_port_dst tunnel_tcp_flags vxlan nvgre
    timestamp_start timestamp_end timestamp_arrival export_proto_seqno export_proto_version export_proto_sysid
    timestamp_export vrf_name ingress_vrf_name egress_vrf_name iface_name_in iface_name_out
"""
CSV_HEADERS = """
    TAG TAG2 LABEL CLASS SRC_MAC DST_MAC VLAN IN_VLAN OUT_VLAN IN_CVLAN OUT_CVLAN COS ETYPE SRC_AS DST_AS COMMS ECOMMS
    LCOMMS SRC_COMMS SRC_ECOMMS SRC_LCOMMS AS_PATH SRC_AS_PATH PREF SRC_PREF MED SRC_MED SRC_ROA DST_ROA PEER_SRC_AS
    PEER_DST_AS PEER_SRC_IP PEER_DST_IP IN_IFACE OUT_IFACE MPLS_VPN_RD MPLS_PW_ID VRF_NAME INGRESS_VRF_NAME
    EGRESS_VRF_NAME IN_IFACE_NAME OUT_IFACE_NAME SRC_IP SRC_NET DST_IP DST_NET SRC_MASK DST_MASK SRC_PORT DST_PORT
    TCP_FLAGS PROTOCOL TOS FLOW_LABEL SAMPLING_RATE SAMPLING_DIRECTION POST_NAT_SRC_IP POST_NAT_DST_IP
    POST_NAT_SRC_PORT POST_NAT_DST_PORT NAT_EVENT FW_EVENT FWD_STATUS MPLS_LABEL_TOP MPLS_LABEL_BOTTOM
    MPLS_LABEL_STACK TUNNEL_SRC_MAC TUNNEL_DST_MAC TUNNEL_SRC_IP TUNNEL_DST_IP TUNNEL_PROTOCOL TUNNEL_TOS
    TUNNEL_FLOW_LABEL TUNNEL_SRC_PORT TUNNEL_DST_PORT TUNNEL_TCP_FLAGS VXLAN NVGRE TIMESTAMP_START TIMESTAMP_END
    TIMESTAMP_ARRIVAL TIMESTAMP_EXPORT EXPORT_PROTO_SEQNO EXPORT_PROTO_VERSION EXPORT_PROTO_SYSID PATH_DELAY_AVG_USEC
    PATH_DELAY_MIN_USEC PATH_DELAY_MAX_USEC
"""
BY_NAME = fields_by_primitive()


def custom(name: str, semantics: Semantics = Semantics.U_INT, length: int | None = 4) -> CustomPrimitive:
    return CustomPrimitive(
        name=name, field=ElementField(234), pointers=(), length=length, semantics=semantics, where="[map:1]"
    )


def test_json_has_the_order_of_pmacct() -> None:
    assert [field.key for field in FIELDS if not field.primitive.startswith("lookup_")] == JSON_KEYS.split()


def test_csv_has_the_order_of_pmacct() -> None:
    shown = [BY_NAME[name][0].header for name in CSV_ORDER if not name.startswith("lookup_")]
    assert [header for header in shown if header is not None] == CSV_HEADERS.split()


def test_every_order_has_every_primitive_once() -> None:
    assert sorted(JSON_ORDER) == sorted(CSV_ORDER) == sorted(AVRO_ORDER)
    assert len(set(JSON_ORDER)) == len(JSON_ORDER)


def test_names_are_read_in_any_case_with_blanks() -> None:
    assert parse_aggregate(" Dst_AS , src_host,,FLOWS", "nfacctd").primitives == ("dst_as", "src_host", "flows")


def test_nothing_asked_for_is_the_source_address_with_a_warning() -> None:
    aggregate = parse_aggregate("", "nfacctd")
    assert aggregate.primitives == ("src_host",)
    assert "aggregate is empty" in aggregate.warnings[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("src_hots", "Unknown primitive 'src_hots'; did you mean src_host\\?"),
        ("zzzz", "Unknown primitive 'zzzz'$"),
        ("tos, TOS", "'tos' repeated in 'aggregate'"),
        ("sum, sum_host", "'sum_host' repeated"),
        ("sum_as, dst_as", "'sum_as' counts both directions .*, not 'dst_as'"),
        ("sum_as, sum_port", "not 'sum_port'"),
        ("none, src_host", "'none' is one record"),
        *((name, f"primitive '{name}': .* not built yet") for name in REFUSED),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(AggregateError, match=problem):
        parse_aggregate(text, "nfacctd")


def test_a_class_comes_from_nbar_alone() -> None:
    assert parse_aggregate("class", "nfacctd").fields
    with pytest.raises(AggregateError, match="nDPI"):
        parse_aggregate("class", "sfacctd")


def test_a_primitive_of_another_daemon_stays_empty_with_a_warning() -> None:
    aggregate = parse_aggregate("tunnel_src_mac", "nfacctd")
    assert aggregate.columns == (BUILTIN["tunnel_src_mac"],)
    assert "not supported by 'nfacctd'" in aggregate.warnings[0]


def test_a_custom_primitive_wins_over_a_built_in_one() -> None:
    aggregate = parse_aggregate("vrf_name, tos", "nfacctd", {"vrf_name": custom("vrf_name", Semantics.STR, 32)})
    assert [field.column.name for field in aggregate.fields] == ["custom:vrf_name", "tos"]
    assert aggregate.custom == ("vrf_name",)


def test_a_misspelt_custom_primitive_is_suggested() -> None:
    with pytest.raises(AggregateError, match="did you mean dns_query_name"):
        parse_aggregate("dns_qery_name", "nfacctd", {"dns_query_name": custom("dns_query_name")})


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_needs_both_columns_and_shows_one(name: str) -> None:
    aggregate = parse_aggregate(f"{name}, tag, flows", "nfacctd")
    first, second = SUMS[name]
    assert {column.name for column in aggregate.columns} == {first, second, "tag"}
    assert [field.primitive for field in aggregate.fields] == [first, "tag"]


def test_a_key_has_each_column_once_and_no_flags() -> None:
    aggregate = parse_aggregate(",".join(JSON_ORDER), "nfacctd")
    layout = Layout([*ALWAYS, *aggregate.columns])
    plan = plan_key(aggregate, layout)
    taken: set[int] = set()
    for name, place in plan.places.items():
        octets = set(range(place, place + layout.columns[name].kind.width))
        assert not octets & taken
        taken |= octets
    copied = [to + octet for octets, to, _ in plan.steps for octet in range(octets)]
    assert sorted(copied) == sorted(taken)
    assert plan.flag not in taken
    assert {"tcpflags", "tunnel_tcpflags"} & set(plan.places) == set()
    texts = {column.name for column in aggregate.columns if column.kind.is_text}
    assert {plan.places[name] for name in texts} == set(plan.texts)
    assert plan.octets % 8 == 0


def test_what_lies_together_is_copied_together() -> None:
    aggregate = parse_aggregate("src_host, dst_host, src_port, dst_port, proto", "nfacctd")
    plan = plan_key(aggregate, Layout(aggregate.columns))
    assert [octets for octets, _, _ in plan.steps] == [16, 16, 4, 1]


def test_times_in_whole_seconds_are_copied_alone() -> None:
    aggregate = parse_aggregate("timestamp_start, src_host", "nfacctd")
    plan = plan_key(aggregate, Layout(aggregate.columns), whole_seconds=True)
    assert sorted(octets for octets, _, _ in plan.steps) == [0, 16]


def test_custom_columns_have_the_kinds_of_their_semantics() -> None:
    kinds = {
        (Semantics.U_INT, 1): Kind.U8,
        (Semantics.HEX, 8): Kind.U64,
        (Semantics.STR, 32): Kind.TEXT,
        (Semantics.RAW, None): Kind.TEXT,
        (Semantics.IP, 4): Kind.ADDRESS,
        (Semantics.MAC, 6): Kind.MAC,
    }
    for (semantics, length), kind in kinds.items():
        assert custom("x", semantics, length).column.kind is kind
