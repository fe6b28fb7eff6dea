"""The per-peer header: whose routes a message is about, in which RIB, and since when.

Implements RFC 7854 section 4.2, the O flag of RFC 8671 section 4 and the Loc-RIB peer of RFC 9069 section 4.
What the flags mean depends on the peer type: 0x80 is V (IPv6), but F (filtered) for a Loc-RIB. A peer type that is
not assigned is read as one of an Adj-RIB.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from routed.octets import Cursor, Writer
from routed.wire.bmp.codepoints import PeerType

PEER_HEADER_OCTETS: Final = 42

FLAG_V: Final = 0x80
FLAG_L: Final = 0x40
FLAG_A: Final = 0x20
FLAG_O: Final = 0x10
FLAG_F: Final = 0x80

NO_DISTINGUISHER: Final = bytes(8)
_IPV4_PADDING: Final = bytes(12)

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerHeader:
    """The per-peer header; the reserved flags are kept."""

    peer_type: PeerType
    flags: int = 0
    distinguisher: bytes = NO_DISTINGUISHER  # 8 octets
    address: Address
    asn: int
    bgp_id: IPv4Address
    seconds: int = 0  # since 1970; 0 with 0 microseconds: the router does not say
    microseconds: int = 0

    @property
    def is_loc(self) -> bool:
        """Tell whether the routes are those of the Loc-RIB."""
        return self.peer_type == PeerType.LOC_RIB_INSTANCE

    @property
    def is_ipv6(self) -> bool:
        """Tell whether the peer's address is of IPv6: the V flag, or for a Loc-RIB what the field holds."""
        return isinstance(self.address, IPv6Address)

    @property
    def is_post(self) -> bool:
        """Tell whether policy was applied (L); without meaning for a Loc-RIB."""
        return not self.is_loc and bool(self.flags & FLAG_L)

    @property
    def is_out(self) -> bool:
        """Tell whether the routes are those of an Adj-RIB-Out (O)."""
        return not self.is_loc and bool(self.flags & FLAG_O)

    @property
    def is_filtered(self) -> bool:
        """Tell whether a Loc-RIB is not shown whole (F)."""
        return self.is_loc and bool(self.flags & FLAG_F)

    @property
    def is_legacy_as_path(self) -> bool:
        """Tell whether AS paths have AS numbers of 2 octets (A)."""
        return not self.is_loc and bool(self.flags & FLAG_A)

    @property
    def rib_type(self) -> str:
        """Name the RIB, as records do."""
        return RIB_TYPES[self.is_loc, self.is_out, self.is_post]


#: Names of RIBs by (is_loc, is_out, is_post).
RIB_TYPES: Final = {
    (False, False, False): "Adj-Rib-In Pre-Policy",
    (False, False, True): "Adj-Rib-In Post-Policy",
    (False, True, False): "Adj-Rib-Out Pre-Policy",
    (False, True, True): "Adj-Rib-Out Post-Policy",
    (True, False, False): "Loc-Rib",
}


def decode_peer_header(c: Cursor) -> PeerHeader:
    """Decode a per-peer header.

    Octets: type u8, flags u8, distinguisher 8, address 16 (IPv4: the last 4), AS u32, BGP identifier 4, seconds u32,
    microseconds u32.
    Departs: RFC 9069 section 4.1 has a Loc-RIB's address be zero; another one is kept.
    """
    peer_type, flags = PeerType(c.u8()), c.u8()
    distinguisher, field = c.take(8), c.take(16)
    is_loc = peer_type == PeerType.LOC_RIB_INSTANCE
    is_ipv6 = not field.startswith(_IPV4_PADDING) if is_loc else bool(flags & FLAG_V)
    return PeerHeader(
        peer_type=peer_type,
        flags=flags,
        distinguisher=distinguisher,
        address=IPv6Address(field) if is_ipv6 else IPv4Address(field[12:]),
        asn=c.u32(),
        bgp_id=IPv4Address(c.take(4)),
        seconds=c.u32(),
        microseconds=c.u32(),
    )


def encode_peer_header(w: Writer, peer: PeerHeader) -> None:
    """Encode a per-peer header; the V flag must agree with the address."""
    assert peer.is_loc or peer.is_ipv6 == bool(peer.flags & FLAG_V)
    w.u8(peer.peer_type)
    w.u8(peer.flags)
    assert len(peer.distinguisher) == 8
    w.octets(peer.distinguisher)
    encode_address(w, peer.address)
    w.u32(peer.asn)
    w.octets(peer.bgp_id.packed)
    w.u32(peer.seconds)
    w.u32(peer.microseconds)


def decode_local_address(c: Cursor, peer: PeerHeader) -> Address:
    """Decode the router's end of a peer's session, whose family need not be that of the peer's address.

    Octets: address 16 (IPv4: the last 4).
    Departs: RFC 7854 section 4.10 reads it by the V flag of the peer. With V, what begins with 12 zeros and is no
    address of 0.0.0.0/8 is of IPv4; without V, what does not begin with 12 zeros is of IPv6.
    """
    field = c.take(16)
    if not field.startswith(_IPV4_PADDING) or (peer.is_ipv6 and field[12] == 0):
        return IPv6Address(field)
    return IPv4Address(field[12:])


def encode_address(w: Writer, address: Address) -> None:
    """Encode an address in 16 octets."""
    w.octets(address.packed.rjust(16, b"\0"))
