"""Communities of all four kinds as values, and their text.

A community is an integer (RFC 1997), eight octets (extended, RFC 4360), twenty octets (IPv6 extended, RFC 5701) or
three integers (large, RFC 8092). Attributes keep them in wire order with repeats; text sorts and removes repeats, as
the message log does.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer

#: Communities that print by name; the rest of the registry prints as numbers, as operators are used to from pmacct.
WELL_KNOWN: Final = {
    0x0000_0000: "internet",
    0xFFFF_FF01: "no-export",
    0xFFFF_FF02: "no-advertise",
    0xFFFF_FF03: "local-AS",
}

#: Bit of the type octet: a community that does not leave the AS (RFC 4360 section 2).
NON_TRANSITIVE: Final = 0x40

_SUBTYPE_NAMES: Final = {0x02: "RT", 0x03: "SoO"}


class LargeCommunity(NamedTuple):
    """A large community (RFC 8092 section 3); sorts as it prints."""

    global_administrator: int
    local_data_1: int
    local_data_2: int


@dataclass(frozen=True, slots=True)
class Communities:
    """The COMMUNITIES attribute."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExtendedCommunities:
    """The EXTENDED COMMUNITIES attribute; each value is eight octets."""

    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ipv6ExtendedCommunities:
    """The IPv6 Address Specific Extended Community attribute; each value is twenty octets."""

    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LargeCommunities:
    """The LARGE_COMMUNITY attribute."""

    values: tuple[LargeCommunity, ...]


def decode_communities(c: Cursor) -> Communities:
    """Decode n x u32. Source: RFC 1997, RFC 7606 section 7.8 (at least one, nothing left over)."""
    return Communities(tuple(c.u32() for _ in range(_count(c, 4, "RFC 7606 7.8"))))


def encode_communities(w: Writer, communities: Communities) -> None:
    """Encode n x u32."""
    for value in communities.values:
        w.u32(value)


def decode_extended_communities(c: Cursor) -> ExtendedCommunities:
    """Decode n x 8 octets. Source: RFC 4360 section 2, RFC 7606 section 7.14."""
    return ExtendedCommunities(tuple(c.take(8) for _ in range(_count(c, 8, "RFC 7606 7.14"))))


def encode_extended_communities(w: Writer, communities: ExtendedCommunities) -> None:
    """Encode n x 8 octets."""
    for value in communities.values:
        w.octets(value)


def decode_ipv6_extended_communities(c: Cursor) -> Ipv6ExtendedCommunities:
    """Decode n x 20 octets. Source: RFC 5701 section 2, RFC 7606 section 7.15."""
    return Ipv6ExtendedCommunities(tuple(c.take(20) for _ in range(_count(c, 20, "RFC 7606 7.15"))))


def encode_ipv6_extended_communities(w: Writer, communities: Ipv6ExtendedCommunities) -> None:
    """Encode n x 20 octets."""
    for value in communities.values:
        w.octets(value)


def decode_large_communities(c: Cursor) -> LargeCommunities:
    """Decode n x (u32, u32, u32). Source: RFC 8092 sections 3 and 6."""
    count = _count(c, 12, "RFC 8092 6")
    return LargeCommunities(tuple(LargeCommunity(c.u32(), c.u32(), c.u32()) for _ in range(count)))


def encode_large_communities(w: Writer, communities: LargeCommunities) -> None:
    """Encode n x (u32, u32, u32)."""
    for value in communities.values:
        for part in value:
            w.u32(part)


def format_communities(communities: Communities) -> str:
    """Format as ``65001:1 65535:666 no-export``, ascending, each once."""
    return " ".join(
        WELL_KNOWN.get(value) or f"{value >> 16}:{value & 0xFFFF}" for value in sorted(set(communities.values))
    )


def format_large_communities(communities: LargeCommunities) -> str:
    """Format as ``65001:1:2``, ascending, each once."""
    return " ".join(":".join(map(str, value)) for value in sorted(set(communities.values)))


def format_extended_communities(communities: ExtendedCommunities) -> str:
    """Format as ``RT:65000:100 SoO:192.0.2.1:5``, ascending by octets, each once; other kinds as hexadecimal."""
    return " ".join(map(_format_extended, sorted(set(communities.values))))


def format_ipv6_extended_communities(communities: Ipv6ExtendedCommunities) -> str:
    """Format as ``RT:[2001:db8::1]:5``, ascending by octets, each once; other kinds as hexadecimal."""
    return " ".join(map(_format_ipv6_extended, sorted(set(communities.values))))


def _format_extended(octets: bytes) -> str:
    name = _SUBTYPE_NAMES.get(octets[1])
    match octets[0] & ~NON_TRANSITIVE:
        case 0x00 if name:  # two-octet AS (RFC 4360 section 3.1)
            return f"{name}:{int.from_bytes(octets[2:4], 'big')}:{int.from_bytes(octets[4:], 'big')}"
        case 0x01 if name:  # IPv4 address (RFC 4360 section 3.2)
            return f"{name}:{IPv4Address(octets[2:6])}:{int.from_bytes(octets[6:], 'big')}"
        case 0x02 if name:  # four-octet AS (RFC 5668)
            return f"{name}:{int.from_bytes(octets[2:6], 'big')}:{int.from_bytes(octets[6:], 'big')}"
        case _:
            return f"0x{octets.hex()}"


def _format_ipv6_extended(octets: bytes) -> str:
    name = _SUBTYPE_NAMES.get(octets[1])
    if octets[0] & ~NON_TRANSITIVE or not name:
        return f"0x{octets.hex()}"
    return f"{name}:[{IPv6Address(octets[2:18])}]:{int.from_bytes(octets[18:], 'big')}"


def _count(c: Cursor, width: int, source: str) -> int:
    count, surplus = divmod(c.remaining, width)
    if surplus or not count:
        raise WireError(f"length {c.remaining} is not a positive multiple of {width}", c.offset, source)
    return count
