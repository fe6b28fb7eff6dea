"""MP_REACH_NLRI and MP_UNREACH_NLRI: routes of any family, and the next hops they have (RFC 4760).

Families whose NLRI we do not know are kept as octets. The next hop is kept as octets in the attribute too, because its
meaning depends on the family; `parse_next_hop` splits it.

Sources: RFC 4760 sections 3 and 4, RFC 2545 section 3, RFC 4659 section 3.2.1, RFC 8950 section 3.
"""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.nlri import Nlri, decode_nlri, encode_nlri
from routed.wire.family import STORABLE, Afi, Family, Safi
from routed.wire.rd import RD_OCTETS, RouteDistinguisher

#: Lengths a next hop may have: IPv4, IPv6, IPv6 with a link-local address, each behind a distinguisher in a VPN. An
#: IPv4 family takes those of IPv6 too (RFC 8950 section 3); an IPv6 family maps IPv4 into 16 octets (RFC 4798).
_LENGTHS: Final = {
    (Afi.IPV4, False): frozenset({4, 16, 32}),
    (Afi.IPV6, False): frozenset({16, 32}),
    (Afi.IPV4, True): frozenset({12, 24, 48}),
    (Afi.IPV6, True): frozenset({24, 48}),
}


@dataclass(frozen=True, slots=True)
class MpNextHop:
    """A next hop: an address of 4 or 16 octets, an IPv6 link-local one beside it, the distinguisher of a VPN's."""

    address: bytes
    link_local: bytes | None = None
    rd: RouteDistinguisher | None = None


@dataclass(frozen=True, slots=True)
class MpReachNlri:
    """Announced routes; `opaque` holds the NLRI of a family that we do not decode."""

    family: Family
    next_hop: bytes
    routes: tuple[Nlri, ...] = ()
    opaque: bytes = b""


@dataclass(frozen=True, slots=True)
class MpUnreachNlri:
    """Withdrawn routes; with none of them it is the End-of-RIB marker of its family (RFC 4724 section 2)."""

    family: Family
    routes: tuple[Nlri, ...] = ()
    opaque: bytes = b""


def decode_mp_reach_nlri(c: Cursor, context: DecodeContext) -> MpReachNlri:
    """Decode announced routes.

    Octets: AFI u16, SAFI u8, length u8, next hop, reserved u8, NLRI to the end.
    Raises: WireError for a next hop of impossible length and for NLRI that do not parse.
    Source: RFC 4760 section 3, RFC 7606 section 7.11.
    """
    family = Family(c.u16(), c.u8())
    at = c.offset
    next_hop = c.take(c.u8())
    if family in STORABLE and len(next_hop) not in _LENGTHS[Afi(family.afi), family.safi == Safi.MPLS_VPN]:
        raise WireError(f"next hop of {len(next_hop)} octets in {family}", at, "RFC 7606 7.11")
    c.u8()
    if family not in STORABLE:
        return MpReachNlri(family, next_hop, opaque=c.rest())
    return MpReachNlri(family, next_hop, decode_nlri(c, family, add_path=family in context.add_path))


def encode_mp_reach_nlri(w: Writer, reach: MpReachNlri) -> None:
    """Encode announced routes, the reserved octet 0."""
    w.u16(reach.family.afi)
    w.u8(reach.family.safi)
    with w.length8():
        w.octets(reach.next_hop)
    w.u8(0)
    encode_nlri(w, reach.routes, reach.family)
    w.octets(reach.opaque)


def decode_mp_unreach_nlri(c: Cursor, context: DecodeContext) -> MpUnreachNlri:
    """Decode withdrawn routes.

    Octets: AFI u16, SAFI u8, NLRI to the end.
    Raises: WireError for NLRI that do not parse.
    Source: RFC 4760 section 4.
    """
    family = Family(c.u16(), c.u8())
    if family not in STORABLE:
        return MpUnreachNlri(family, opaque=c.rest())
    return MpUnreachNlri(family, decode_nlri(c, family, add_path=family in context.add_path, withdrawn=True))


def encode_mp_unreach_nlri(w: Writer, unreach: MpUnreachNlri) -> None:
    """Encode withdrawn routes."""
    w.u16(unreach.family.afi)
    w.u8(unreach.family.safi)
    encode_nlri(w, unreach.routes, unreach.family, withdrawn=True)
    w.octets(unreach.opaque)


def parse_next_hop(octets: bytes) -> MpNextHop:
    """Split the next hop of a storable family by its length, which alone tells its form.

    Raises: WireError for a length that no form has.
    """
    match len(octets):
        case 4 | 16:
            return MpNextHop(octets)
        case 32:
            return MpNextHop(octets[:16], link_local=octets[16:])
        case 12 | 24:
            return MpNextHop(octets[RD_OCTETS:], rd=octets[:RD_OCTETS])
        case 48:
            return MpNextHop(octets[8:24], link_local=octets[32:], rd=octets[:RD_OCTETS])
        case length:
            raise WireError(f"next hop of {length} octets", 0, "RFC 4760 3")
