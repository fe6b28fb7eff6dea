"""Which elements fill which column: the first that a template has, whatever its value.

An element that a template has several times counts with its last field, the first ones belong to the tunnel around.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from flowcorr.wire.elements import (
    DELAY_MAX,
    DELAY_MIN,
    IE,
    LABEL,
    SRV6_SEGMENTS,
    TAG,
    TAG2,
    Key,
)


class Family(Enum):
    """Records in which a source is looked at, where a template has room for both families."""

    ANY = auto()
    IPV4 = auto()
    IPV6 = auto()


class Source(NamedTuple):
    """One way to fill a column: what is done with the first of these elements that a template has."""

    column: str
    do: str  # a step of the compiled reader
    elements: tuple[int | Key, ...]
    family: Family = Family.ANY
    inner: bool = False  # of the packet in a tunnel: absent where that is a frame


#: Of integers and addresses; what needs more than one element is in `plan.py`.
SOURCES: Final = (
    Source(
        "src_host",
        "ipv4",
        (IE.SOURCE_IPV4_ADDRESS, IE.SOURCE_IPV4_PREFIX, IE.STA_IPV4_ADDRESS),
        Family.IPV4,
        inner=True,
    ),
    Source("dst_host", "ipv4", (IE.DESTINATION_IPV4_ADDRESS, IE.DESTINATION_IPV4_PREFIX), Family.IPV4, inner=True),
    Source("src_host", "copy", (IE.SOURCE_IPV6_ADDRESS, IE.SOURCE_IPV6_PREFIX), Family.IPV6, inner=True),
    Source("dst_host", "copy", (IE.DESTINATION_IPV6_ADDRESS, IE.DESTINATION_IPV6_PREFIX), Family.IPV6, inner=True),
    Source("src_mask", "unsigned", (IE.SOURCE_IPV4_PREFIX_LENGTH,), Family.IPV4, inner=True),
    Source("dst_mask", "unsigned", (IE.DESTINATION_IPV4_PREFIX_LENGTH,), Family.IPV4, inner=True),
    Source("src_mask", "unsigned", (IE.SOURCE_IPV6_PREFIX_LENGTH,), Family.IPV6, inner=True),
    Source("dst_mask", "unsigned", (IE.DESTINATION_IPV6_PREFIX_LENGTH,), Family.IPV6, inner=True),
    Source(
        "src_port",
        "unsigned",
        (IE.SOURCE_TRANSPORT_PORT, IE.UDP_SOURCE_PORT, IE.TCP_SOURCE_PORT),
        inner=True,
    ),
    Source(
        "dst_port",
        "unsigned",
        (IE.DESTINATION_TRANSPORT_PORT, IE.UDP_DESTINATION_PORT, IE.TCP_DESTINATION_PORT),
        inner=True,
    ),
    Source("tcpflags", "unsigned", (IE.TCP_CONTROL_BITS,), inner=True),
    Source("proto", "unsigned", (IE.PROTOCOL_IDENTIFIER,)),
    Source("tos", "unsigned", (IE.IP_CLASS_OF_SERVICE,)),
    Source("flow_label", "unsigned", (IE.FLOW_LABEL_IPV6,)),
    Source("src_mac", "copy", (IE.SOURCE_MAC_ADDRESS, IE.POST_SOURCE_MAC_ADDRESS, IE.STA_MAC_ADDRESS)),
    Source("dst_mac", "copy", (IE.DESTINATION_MAC_ADDRESS, IE.POST_DESTINATION_MAC_ADDRESS)),
    Source("in_vlan", "unsigned", (IE.VLAN_ID, IE.DOT1Q_VLAN_ID)),
    Source("out_vlan", "unsigned", (IE.POST_VLAN_ID, IE.POST_DOT1Q_VLAN_ID)),
    Source("in_cvlan", "unsigned", (IE.DOT1Q_CUSTOMER_VLAN_ID,)),
    Source("out_cvlan", "unsigned", (IE.POST_DOT1Q_CUSTOMER_VLAN_ID,)),
    Source("cos", "unsigned", (IE.DOT1Q_PRIORITY,)),
    Source("etype", "unsigned", (IE.ETHERNET_TYPE,)),
    Source("src_as", "unsigned", (IE.BGP_SOURCE_AS_NUMBER,)),
    Source("dst_as", "unsigned", (IE.BGP_DESTINATION_AS_NUMBER,)),
    Source("peer_src_as", "unsigned", (IE.BGP_PREV_ADJACENT_AS_NUMBER,)),
    Source("peer_dst_as", "unsigned", (IE.BGP_NEXT_ADJACENT_AS_NUMBER,)),
    Source("in_iface", "unsigned", (IE.INGRESS_INTERFACE, IE.INGRESS_PHYSICAL_INTERFACE)),
    Source("out_iface", "unsigned", (IE.EGRESS_INTERFACE, IE.EGRESS_PHYSICAL_INTERFACE)),
    Source("in_iface_name", "interface name", (IE.INGRESS_INTERFACE, IE.INGRESS_PHYSICAL_INTERFACE)),
    Source("out_iface_name", "interface name", (IE.EGRESS_INTERFACE, IE.EGRESS_PHYSICAL_INTERFACE)),
    Source("class", "application", (IE.APPLICATION_ID,)),
    Source("fwd_status", "unsigned", (IE.FORWARDING_STATUS,)),
    Source("sampling_direction", "direction", (IE.FLOW_DIRECTION,)),
    Source("post_nat_src_port", "unsigned", (IE.POST_NAPT_SOURCE_TRANSPORT_PORT, IE.ASA_XLATE_SOURCE_PORT)),
    Source("post_nat_dst_port", "unsigned", (IE.POST_NAPT_DESTINATION_TRANSPORT_PORT, IE.ASA_XLATE_DESTINATION_PORT)),
    Source("nat_event", "unsigned", (IE.NAT_EVENT, IE.ASA_FIREWALL_EVENT)),
    Source("fw_event", "unsigned", (IE.FIREWALL_EVENT,)),
    Source("mpls_label_top", "label top", (IE.MPLS_TOP_LABEL_STACK_SECTION,)),
    Source("mpls_pw_id", "unsigned", (IE.PSEUDO_WIRE_ID,)),
    Source("path_delay_min_usec", "unsigned", (IE.PATH_DELAY_MIN_DELTA_MICROSECONDS, DELAY_MIN)),
    Source("path_delay_max_usec", "unsigned", (IE.PATH_DELAY_MAX_DELTA_MICROSECONDS, DELAY_MAX)),
    Source("srv6_seg_ipv6_list", "segments", (IE.SRH_SEGMENT_IPV6_LIST_SECTION, SRV6_SEGMENTS)),
    Source("ingress_vrf_id", "unsigned", (IE.INGRESS_VRF_ID,)),
    Source("egress_vrf_id", "unsigned", (IE.EGRESS_VRF_ID,)),
    Source("tag", "unsigned", (TAG,)),
    Source("tag2", "unsigned", (TAG2,)),
    Source("label", "string", (LABEL,)),
)

#: Columns of the packet around another one: first fields of the elements.
TUNNEL_SOURCES: Final = (
    Source("tunnel_src_host", "copy", (IE.SOURCE_IPV6_ADDRESS,)),
    Source("tunnel_dst_host", "copy", (IE.DESTINATION_IPV6_ADDRESS,)),
    Source("tunnel_proto", "unsigned", (IE.PROTOCOL_IDENTIFIER,)),
    Source("tunnel_tos", "unsigned", (IE.IP_CLASS_OF_SERVICE,)),
    Source("tunnel_tcpflags", "unsigned", (IE.TCP_CONTROL_BITS,)),
    Source("tunnel_src_port", "unsigned", (IE.SOURCE_TRANSPORT_PORT,)),
    Source("tunnel_dst_port", "unsigned", (IE.DESTINATION_TRANSPORT_PORT,)),
    Source("tunnel_flow_label", "unsigned", (IE.FLOW_LABEL_IPV6,)),
)

#: Addresses behind a NAT: of either family, as long as the field is.
NAT_ADDRESSES: Final[Mapping[str, tuple[int, ...]]] = {
    "post_nat_src_host": (
        IE.POST_NAT_SOURCE_IPV4_ADDRESS,
        IE.POST_NAT_SOURCE_IPV6_ADDRESS,
        IE.ASA_XLATE_SOURCE_ADDRESS,
    ),
    "post_nat_dst_host": (
        IE.POST_NAT_DESTINATION_IPV4_ADDRESS,
        IE.POST_NAT_DESTINATION_IPV6_ADDRESS,
        IE.ASA_XLATE_DESTINATION_ADDRESS,
    ),
}

#: Counters, and what stands in for them where the configuration says so.
OCTETS: Final = (IE.OCTET_DELTA_COUNT, IE.OCTET_TOTAL_COUNT, IE.POST_OCTET_DELTA_COUNT, IE.LAYER2_OCTET_DELTA_COUNT)
PACKETS: Final = (IE.PACKET_DELTA_COUNT, IE.PACKET_TOTAL_COUNT, IE.POST_PACKET_DELTA_COUNT)
ASA_OCTETS: Final = IE.INITIATOR_OCTETS
ASA_PACKETS: Final = IE.RESPONDER_OCTETS

#: Next hops, those of IPv4 before those of IPv6.
BGP_NEXT_HOPS: Final = (
    (IE.BGP_NEXT_HOP_IPV4_ADDRESS, IE.MPLS_TOP_LABEL_IPV4_ADDRESS),
    (IE.BGP_NEXT_HOP_IPV6_ADDRESS, IE.MPLS_TOP_LABEL_IPV6_ADDRESS),
)
IP_NEXT_HOPS: Final = ((IE.IP_NEXT_HOP_IPV4_ADDRESS,), (IE.IP_NEXT_HOP_IPV6_ADDRESS,))

#: A template with none of these reports events.
COUNTING: Final = (
    IE.OCTET_DELTA_COUNT,
    IE.POST_OCTET_DELTA_COUNT,
    IE.OCTET_TOTAL_COUNT,
    IE.INITIATOR_OCTETS,
    IE.RESPONDER_OCTETS,
    IE.DATA_LINK_FRAME_SECTION,
    IE.LAYER2_PACKET_SECTION_DATA,
    IE.LAYER2_OCTET_DELTA_COUNT,
)
LABELS: Final = tuple(range(IE.MPLS_TOP_LABEL_STACK_SECTION, IE.MPLS_LABEL_STACK_SECTION10 + 1))
IPV4_ADDRESSES: Final = (
    IE.SOURCE_IPV4_ADDRESS,
    IE.DESTINATION_IPV4_ADDRESS,
    IE.SOURCE_IPV4_PREFIX,
    IE.DESTINATION_IPV4_PREFIX,
    IE.STA_IPV4_ADDRESS,
)
IPV6_ADDRESSES: Final = (
    IE.SOURCE_IPV6_ADDRESS,
    IE.DESTINATION_IPV6_ADDRESS,
    IE.SOURCE_IPV6_PREFIX,
    IE.DESTINATION_IPV6_PREFIX,
)


class Moment(NamedTuple):
    """Elements that say when a flow started or ended."""

    uptime: int
    seconds: int
    milliseconds: int
    microseconds: int
    nanoseconds: int
    before_export: int


START: Final = Moment(
    IE.FLOW_START_SYS_UP_TIME,
    IE.FLOW_START_SECONDS,
    IE.FLOW_START_MILLISECONDS,
    IE.FLOW_START_MICROSECONDS,
    IE.FLOW_START_NANOSECONDS,
    IE.FLOW_START_DELTA_MICROSECONDS,
)
END: Final = Moment(
    IE.FLOW_END_SYS_UP_TIME,
    IE.FLOW_END_SECONDS,
    IE.FLOW_END_MILLISECONDS,
    IE.FLOW_END_MICROSECONDS,
    IE.FLOW_END_NANOSECONDS,
    IE.FLOW_END_DELTA_MICROSECONDS,
)
