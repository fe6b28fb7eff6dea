"""Bidirectional flows: what a record says of the other direction, as a template of that direction.

A record with reverse elements stands for two flows (RFC 5103).  The other one has source and destination exchanged, its
own counters, and shares everything that is no matter of direction.
"""

from typing import Final

from flowcorr.wire.elements import IE, REVERSE_ENTERPRISE, Key
from flowcorr.wire.template import Template

_PAIRS: Final = (
    (IE.SOURCE_IPV4_ADDRESS, IE.DESTINATION_IPV4_ADDRESS),
    (IE.SOURCE_IPV6_ADDRESS, IE.DESTINATION_IPV6_ADDRESS),
    (IE.SOURCE_IPV4_PREFIX, IE.DESTINATION_IPV4_PREFIX),
    (IE.SOURCE_IPV6_PREFIX, IE.DESTINATION_IPV6_PREFIX),
    (IE.SOURCE_IPV4_PREFIX_LENGTH, IE.DESTINATION_IPV4_PREFIX_LENGTH),
    (IE.SOURCE_IPV6_PREFIX_LENGTH, IE.DESTINATION_IPV6_PREFIX_LENGTH),
    (IE.SOURCE_TRANSPORT_PORT, IE.DESTINATION_TRANSPORT_PORT),
    (IE.UDP_SOURCE_PORT, IE.UDP_DESTINATION_PORT),
    (IE.TCP_SOURCE_PORT, IE.TCP_DESTINATION_PORT),
    (IE.SOURCE_MAC_ADDRESS, IE.DESTINATION_MAC_ADDRESS),
    (IE.POST_SOURCE_MAC_ADDRESS, IE.POST_DESTINATION_MAC_ADDRESS),
    (IE.BGP_SOURCE_AS_NUMBER, IE.BGP_DESTINATION_AS_NUMBER),
    (IE.BGP_PREV_ADJACENT_AS_NUMBER, IE.BGP_NEXT_ADJACENT_AS_NUMBER),
    (IE.INGRESS_INTERFACE, IE.EGRESS_INTERFACE),
    (IE.INGRESS_PHYSICAL_INTERFACE, IE.EGRESS_PHYSICAL_INTERFACE),
    (IE.INGRESS_VRF_ID, IE.EGRESS_VRF_ID),
    (IE.VLAN_ID, IE.POST_VLAN_ID),
    (IE.DOT1Q_VLAN_ID, IE.POST_DOT1Q_VLAN_ID),
    (IE.DOT1Q_CUSTOMER_VLAN_ID, IE.POST_DOT1Q_CUSTOMER_VLAN_ID),
)
_EXCHANGED: Final[dict[int, int]] = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}

_COUNTERS: Final = (
    IE.OCTET_DELTA_COUNT,
    IE.PACKET_DELTA_COUNT,
    IE.OCTET_TOTAL_COUNT,
    IE.PACKET_TOTAL_COUNT,
    IE.POST_OCTET_DELTA_COUNT,
    IE.POST_PACKET_DELTA_COUNT,
)
#: What holds for the forward direction alone.
_FORWARD_ONLY: Final = (
    *_COUNTERS,
    IE.TCP_CONTROL_BITS,
    IE.BGP_NEXT_HOP_IPV4_ADDRESS,
    IE.BGP_NEXT_HOP_IPV6_ADDRESS,
    IE.IP_NEXT_HOP_IPV4_ADDRESS,
    IE.IP_NEXT_HOP_IPV6_ADDRESS,
    IE.FLOW_DIRECTION,
    IE.DATA_LINK_FRAME_SECTION,
    IE.LAYER2_PACKET_SECTION_DATA,
)


def counts_reverse(template: Template) -> bool:
    """Tell whether records count the other direction too."""
    return any(field.enterprise == REVERSE_ENTERPRISE and field.element in _COUNTERS for field in template.fields)


def reverse_keys(template: Template) -> list[Key | None]:
    """Return what each field is for the other direction; None: nothing.

    Source: RFC 5103 section 6.
    """
    told = {field.element for field in template.fields if field.enterprise == REVERSE_ENTERPRISE}
    return [_reverse_key(field.key, told) for field in template.fields]


def _reverse_key(key: Key, told: set[int]) -> Key | None:
    if key.enterprise == REVERSE_ENTERPRISE:
        return Key(0, key.element)
    if key.enterprise:
        return key
    if key.element in told or key.element in _FORWARD_ONLY:
        return None
    return Key(0, _EXCHANGED.get(key.element, key.element))
