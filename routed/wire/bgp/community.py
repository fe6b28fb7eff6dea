"""Communities of all four kinds as values.

A community is an integer (RFC 1997), eight octets (extended, RFC 4360), twenty octets (IPv6 extended, RFC 5701) or
three integers (large, RFC 8092). Attributes keep them in wire order with repeats.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer

#: Communities that print by name; the rest of the registry prints as numbers, as operators are used to from pmacct.
WELL_KNOWN: Final = {
    0x0000_0000: "internet",
    0xFFFF_FF01: "no-export",
    0xFFFF_FF02: "no-advertise",
    0xFFFF_FF03: "local-AS",
}


class LargeCommunity(NamedTuple):
    """A large community (RFC 8092 section 3)."""

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


def _count(c: Cursor, width: int, source: str) -> int:
    count, surplus = divmod(c.remaining, width)
    if surplus or not count:
        raise WireError(f"length {c.remaining} is not a positive multiple of {width}", c.offset, source)
    return count
