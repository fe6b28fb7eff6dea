"""The registries of IS-IS, and the shape of its PDUs.

Source: ISO/IEC 10589 section 9, RFC 1195 section 5.3, and the IANA registry of IS-IS TLV code points.
"""

from collections.abc import Mapping
from typing import Final

from routed.octets import CodePoint

#: The first octet of every PDU, which also names the protocol behind an LLC or GRE header (ISO/IEC TR 9577).
DISCRIMINATOR: Final = 0x83
#: The only length of a system id that is spoken, and how a header says so. Units: octets.
SYSTEM_ID_OCTETS: Final = 6
NODE_OCTETS: Final = SYSTEM_ID_OCTETS + 1
LSP_ID_OCTETS: Final = SYSTEM_ID_OCTETS + 2
#: What the 12 bits of a topology may say (RFC 5120 section 7.1).
MAX_TOPOLOGY: Final = 0x0FFF


class PduType(CodePoint):
    """PDU types (ISO/IEC 10589 section 9.5 to 9.13)."""

    LAN_HELLO_1 = 15
    LAN_HELLO_2 = 16
    P2P_HELLO = 17
    LSP_1 = 18
    LSP_2 = 20
    CSNP_1 = 24
    CSNP_2 = 25
    PSNP_1 = 26
    PSNP_2 = 27


#: By type: the octets of the header, which the header tells, and where in it the length of the PDU stands.
SHAPES: Final[Mapping[PduType, tuple[int, int]]] = {
    PduType.LAN_HELLO_1: (27, 17),
    PduType.LAN_HELLO_2: (27, 17),
    PduType.P2P_HELLO: (20, 17),
    PduType.LSP_1: (27, 8),
    PduType.LSP_2: (27, 8),
    PduType.CSNP_1: (33, 8),
    PduType.CSNP_2: (33, 8),
    PduType.PSNP_1: (17, 8),
    PduType.PSNP_2: (17, 8),
}


class CircuitType(CodePoint):
    """Levels that a circuit is for (ISO/IEC 10589 section 9.7)."""

    RESERVED = 0
    LEVEL_1 = 1
    LEVEL_2 = 2
    LEVEL_1_2 = 3


class TlvType(CodePoint):
    """TLVs that are read or written here."""

    AREA_ADDRESSES = 1
    IS_NEIGHBORS = 2
    PADDING = 8
    LSP_ENTRIES = 9
    AUTHENTICATION = 10
    EXTENDED_IS_REACHABILITY = 22
    IPV4_INTERNAL_REACHABILITY = 128
    PROTOCOLS_SUPPORTED = 129
    IPV4_EXTERNAL_REACHABILITY = 130
    IPV4_ADDRESSES = 132
    TE_ROUTER_ID = 134
    EXTENDED_IPV4_REACHABILITY = 135
    HOSTNAME = 137
    IPV6_TE_ROUTER_ID = 140
    MT_IS_REACHABILITY = 222
    MULTI_TOPOLOGY = 229
    IPV6_ADDRESSES = 232
    MT_IPV4_REACHABILITY = 235
    IPV6_REACHABILITY = 236
    MT_IPV6_REACHABILITY = 237
    THREE_WAY_ADJACENCY = 240


class Nlpid(CodePoint):
    """Network layer protocols (ISO/IEC TR 9577)."""

    IPV4 = 0xCC
    IPV6 = 0x8E


class TopologyId(CodePoint):
    """Topologies that mean the same everywhere (RFC 5120 section 7.5)."""

    STANDARD = 0
    IPV4_MANAGEMENT = 1
    IPV6_UNICAST = 2
    IPV4_MULTICAST = 3
    IPV6_MULTICAST = 4
    IPV6_MANAGEMENT = 5


class AdjacencyState(CodePoint):
    """States of a three-way adjacency (RFC 5303 section 3.2)."""

    UP = 0
    INITIALIZING = 1
    DOWN = 2


class AuthenticationType(CodePoint):
    """How a PDU is authenticated (RFC 5304 section 2, RFC 5310 section 3.1)."""

    CLEAR_TEXT = 1
    GENERIC = 3
    HMAC_MD5 = 54
