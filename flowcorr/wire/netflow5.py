"""NetFlow v5: records of one form, which a template can tell.

Octets of a record: source address u32, destination address u32, next hop u32, input u16, output u16, packets u32,
octets u32, first u32, last u32 (uptime in milliseconds), source port u16, destination port u16, padding, TCP flags u8,
protocol u8, type of service u8, source AS u16, destination AS u16, source mask u8, destination mask u8, padding u16.
"""

from typing import Final

from flowcorr.wire.elements import IE
from flowcorr.wire.template import FIRST_TEMPLATE_ID, Field, Template

#: Of padding: an element that fills no column.
_PADDING: Final = 210

TEMPLATE: Final = Template(
    FIRST_TEMPLATE_ID,
    (
        Field(IE.SOURCE_IPV4_ADDRESS, 4),
        Field(IE.DESTINATION_IPV4_ADDRESS, 4),
        Field(IE.IP_NEXT_HOP_IPV4_ADDRESS, 4),
        Field(IE.INGRESS_INTERFACE, 2),
        Field(IE.EGRESS_INTERFACE, 2),
        Field(IE.PACKET_DELTA_COUNT, 4),
        Field(IE.OCTET_DELTA_COUNT, 4),
        Field(IE.FLOW_START_SYS_UP_TIME, 4),
        Field(IE.FLOW_END_SYS_UP_TIME, 4),
        Field(IE.SOURCE_TRANSPORT_PORT, 2),
        Field(IE.DESTINATION_TRANSPORT_PORT, 2),
        Field(_PADDING, 1),
        Field(IE.TCP_CONTROL_BITS, 1),
        Field(IE.PROTOCOL_IDENTIFIER, 1),
        Field(IE.IP_CLASS_OF_SERVICE, 1),
        Field(IE.BGP_SOURCE_AS_NUMBER, 2),
        Field(IE.BGP_DESTINATION_AS_NUMBER, 2),
        Field(IE.SOURCE_IPV4_PREFIX_LENGTH, 1),
        Field(IE.DESTINATION_IPV4_PREFIX_LENGTH, 1),
        Field(_PADDING, 2),
    ),
)
