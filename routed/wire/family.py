"""Address families: the pairs of AFI and SAFI that multiprotocol BGP negotiates (RFC 4760)."""

from itertools import product
from typing import Final, NamedTuple

from routed.octets import CodePoint, Cursor, Writer


class Afi(CodePoint):
    """IANA address family numbers."""

    IPV4 = 1
    IPV6 = 2
    L2VPN = 25
    LINK_STATE = 16388


class Safi(CodePoint):
    """IANA subsequent address family identifiers."""

    UNICAST = 1
    MULTICAST = 2
    LABELED_UNICAST = 4
    MCAST_VPN = 5
    VPLS = 65
    EVPN = 70
    LINK_STATE = 71
    LINK_STATE_VPN = 72
    SR_POLICY = 73
    MPLS_VPN = 128
    MULTICAST_VPN = 129
    ROUTE_TARGET_CONSTRAINS = 132
    FLOWSPEC = 133
    FLOWSPEC_VPN = 134


class Family(NamedTuple):
    """One AFI and one SAFI; any two integers, assigned or not."""

    afi: int
    safi: int

    def __str__(self) -> str:
        return f"{Afi(self.afi).name.lower()}/{Safi(self.safi).name.lower()}"


IPV4_UNICAST: Final = Family(Afi.IPV4, Safi.UNICAST)
IPV4_MULTICAST: Final = Family(Afi.IPV4, Safi.MULTICAST)
IPV4_LABELED: Final = Family(Afi.IPV4, Safi.LABELED_UNICAST)
IPV4_VPN: Final = Family(Afi.IPV4, Safi.MPLS_VPN)
IPV6_UNICAST: Final = Family(Afi.IPV6, Safi.UNICAST)
IPV6_MULTICAST: Final = Family(Afi.IPV6, Safi.MULTICAST)
IPV6_LABELED: Final = Family(Afi.IPV6, Safi.LABELED_UNICAST)
IPV6_VPN: Final = Family(Afi.IPV6, Safi.MPLS_VPN)

#: The families whose routes the RIB can hold: only these are ever agreed with a peer.
STORABLE: Final = frozenset(
    Family(afi, safi)
    for afi, safi in product((Afi.IPV4, Afi.IPV6), (Safi.UNICAST, Safi.MULTICAST, Safi.LABELED_UNICAST, Safi.MPLS_VPN))
)

#: Octets of an address by AFI.
ADDRESS_OCTETS: Final = {Afi.IPV4: 4, Afi.IPV6: 16}


def decode_family(c: Cursor) -> Family:
    """Decode a family as capabilities hold it.

    Octets: AFI u16, reserved u8, SAFI u8.
    Source: RFC 4760 section 8.
    """
    afi = c.u16()
    c.u8()
    return Family(afi, c.u8())


def encode_family(w: Writer, family: Family) -> None:
    """Encode a family as capabilities hold it, the reserved octet 0."""
    w.u16(family.afi)
    w.u8(0)
    w.u8(family.safi)
