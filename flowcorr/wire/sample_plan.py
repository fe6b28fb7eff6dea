"""Which columns the samples of sFlow fill."""

from typing import Final

from flowcorr.columns.layout import Layout
from flowcorr.wire._sample_plan import SamplePlan
from flowcorr.wire.decode_settings import DecodeSettings
from flowcorr.wire.packet_columns import PLACES, packet_columns, packet_values, tunnel_columns

_COLUMNS: Final = """
    in_vlan out_vlan vlan cos in_iface out_iface sampling_direction sample_type
    src_host dst_host src_mac dst_mac etype src_port dst_port proto tos tcpflags
    src_mask dst_mask next_hop bgp_next_hop peer_dst_ip
    src_as dst_as peer_src_as peer_dst_as as_path std_comm local_pref
    post_nat_src_host post_nat_dst_host mpls_pw_id mpls_label_top mpls_label_bottom mpls_label_stack
    tag tag2
"""


def sample_plan(layout: Layout, settings: DecodeSettings) -> SamplePlan:
    """Return how samples are read into rows of a layout."""
    return SamplePlan(
        {name: layout.offset(name) for name in _COLUMNS.split()},
        packet_columns(layout),
        tunnel_columns(layout),
        {name: layout.offset(name) for name in PLACES},
        packet_values(layout, settings.custom),
        use_ip_next_hop=settings.use_ip_next_hop,
        accept_any_type=settings.accept_any_type,
        rebase_port=settings.rebase_port,
    )
