"""The built-in columns by name: one for each primitive, and those that only maps, bins and look-ups read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flowcorr.columns.column import Column, Kind

#: Kind to the names that have it; a primitive and its column have one name.
NAMES: Final[Mapping[Kind, str]] = {
    Kind.ADDRESS: """
        src_host dst_host src_net dst_net peer_src_ip peer_dst_ip post_nat_src_host post_nat_dst_host
        tunnel_src_host tunnel_dst_host
        exporter_address sender_address next_hop bgp_next_hop source_next_hop
    """,
    Kind.MAC: "src_mac dst_mac tunnel_src_mac tunnel_dst_mac",
    Kind.RD: "mpls_vpn_rd",
    Kind.TEXT: """
        label class in_iface_name out_iface_name vrf_name ingress_vrf_name egress_vrf_name
        mpls_label_stack srv6_seg_ipv6_list
        as_path std_comm ext_comm lrg_comm src_as_path src_std_comm src_ext_comm src_lrg_comm
        lookup_reason_src lookup_reason_dst
    """,
    Kind.TIME: "timestamp_start timestamp_end timestamp_arrival timestamp_export bin_time time_end",
    Kind.U64: "tag tag2 packets bytes flows",
    Kind.U32: """
        src_as dst_as peer_src_as peer_dst_as local_pref med src_local_pref src_med
        in_iface out_iface sampling_rate export_proto_seqno export_proto_sysid fwd_status flow_label
        mpls_label_top mpls_label_bottom mpls_pw_id vxlan nvgre tunnel_flow_label
        path_delay_avg_usec path_delay_min_usec path_delay_max_usec
        exporter ingress_vrf_id egress_vrf_id sample_type renormalize_rate source_neighbour_as
    """,
    Kind.U16: """
        vlan in_vlan out_vlan in_cvlan out_cvlan etype src_port dst_port export_proto_version
        post_nat_src_port post_nat_dst_port tunnel_src_port tunnel_dst_port
        flowset_id
    """,
    Kind.U8: """
        cos src_mask dst_mask proto tos tcpflags sampling_direction nat_event fw_event mpls_vpn_rd_origin
        tunnel_proto tunnel_tos tunnel_tcpflags src_roa dst_roa
        record_type family biflow engine_type
    """,
}

#: What each column that is no primitive holds; the others are explained where primitives are.
MEANINGS: Final[Mapping[str, str]] = {
    "exporter": "slot of the exporter: one for each sender address, protocol version and domain",
    "exporter_address": "address of the exporter for the `ip` of maps: announced in options, or else the sender",
    "sender_address": "where the datagram came from; of sFlow, the agent",
    "record_type": "what a record is, see `flowcorr.columns.record_type`",
    "family": "4 or 6, the family of the addresses; 0: none",
    "flows": "flows that the record stands for",
    "bin_time": "time that chooses the bin; 0: the arrival",
    "time_end": "end of the flow for pro-rating and stitching; 0: unknown",
    "next_hop": "IP next hop, whether or not it may be `peer_dst_ip`",
    "bgp_next_hop": "BGP next hop that the protocol carries",
    "source_next_hop": "next hop of the route to the source",
    "source_neighbour_as": "neighbour AS of the route to the source",
    "ingress_vrf_id": "VRF id of the way in (information element 234)",
    "egress_vrf_id": "VRF id of the way out (information element 235)",
    "flowset_id": "template of the record",
    "sample_type": "enterprise and format of an sFlow sample as on the wire (20 and 12 bits)",
    "renormalize_rate": "packets that one counted packet stands for; 0: unknown",
    "biflow": "1: the record counts both directions of a flow",
    "engine_type": "engine type of a NetFlow v5 header",
    "mpls_vpn_rd_origin": "0 unknown, 1 BGP, 2 BMP, 3 the flow or its exporter's options, 4 map",
}

BUILTIN: Final[Mapping[str, Column]] = MappingProxyType(
    {name: Column(name, kind) for kind, names in NAMES.items() for name in names.split()}
)

#: What every layout has, since the stages between decoding and aggregation need it.
ALWAYS: Final = tuple(
    BUILTIN[name] for name in ("exporter", "record_type", "family", "packets", "bytes", "flows", "bin_time")
)


def own_column(name: str, plugin: str) -> Column:
    """Return the column of a plugin that takes a built-in primitive from sources of its own."""
    return Column(f"{name}[{plugin}]", BUILTIN[name].kind)


def custom_column(name: str, kind: Kind) -> Column:
    """Return the column of a custom primitive, which may have the name of a built-in one."""
    return Column(f"custom:{name}", kind)
