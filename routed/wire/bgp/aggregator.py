"""AGGREGATOR and AS4_AGGREGATOR, and the rule that joins the two.

Sources: RFC 4271 section 5.1.7, RFC 6793 sections 3 and 4.2.3, RFC 7606 section 7.7, RFC 7607 section 2.
"""

from dataclasses import dataclass

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.codepoints import AS_TRANS, MAX_AS2


@dataclass(frozen=True, slots=True)
class Aggregator:
    """AS and router that formed the aggregate, whatever width the AS number has on the wire."""

    asn: int
    address: bytes


@dataclass(frozen=True, slots=True)
class As4Aggregator:
    """The same, carried past routers that know two-octet AS numbers only."""

    asn: int
    address: bytes


def decode_aggregator(c: Cursor, *, as4: bool) -> Aggregator:
    """Decode an AS number of 4 or 2 octets, not 0, and an IPv4 address."""
    return Aggregator(_decode_as(c, as4=as4), c.take(4))


def encode_aggregator(w: Writer, aggregator: Aggregator, *, as4: bool) -> None:
    """Encode; in two octets a wide number becomes AS_TRANS."""
    if as4:
        w.u32(aggregator.asn)
    else:
        w.u16(aggregator.asn if aggregator.asn <= MAX_AS2 else AS_TRANS)
    w.octets(aggregator.address)


def decode_as4_aggregator(c: Cursor) -> As4Aggregator:
    """Decode an AS number of 4 octets, not 0, and an IPv4 address."""
    return As4Aggregator(_decode_as(c, as4=True), c.take(4))


def encode_as4_aggregator(w: Writer, aggregator: As4Aggregator) -> None:
    """Encode an AS number of 4 octets and an IPv4 address."""
    w.u32(aggregator.asn)
    w.octets(aggregator.address)


def ignores_as4(aggregator: Aggregator | None) -> bool:
    """Tell whether the AGGREGATOR shows that AS4_PATH and AS4_AGGREGATOR are stale (RFC 6793 section 4.2.3)."""
    return aggregator is not None and aggregator.asn != AS_TRANS


def merge_as4_aggregator(aggregator: Aggregator | None, as4: As4Aggregator | None) -> Aggregator | None:
    """Return the aggregator with the AS number that its two octets may have hidden (RFC 6793 section 4.2.3)."""
    if aggregator is None or as4 is None or ignores_as4(aggregator):
        return aggregator
    return Aggregator(as4.asn, as4.address)


def _decode_as(c: Cursor, *, as4: bool) -> int:
    at, asn = c.offset, c.u32() if as4 else c.u16()
    if not asn:
        raise WireError("AS number 0 of an aggregator", at, "RFC 7607 2")
    return asn
