"""What two BGP speakers agreed: the facts without which an UPDATE cannot be read."""

from dataclasses import dataclass

from routed.wire.family import IPV4_UNICAST, Family


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeContext:
    """Negotiated facts, as one frozen value; the defaults are those of bare RFC 4271."""

    as4: bool = False  # RFC 6793: AS_PATH and AGGREGATOR hold 4-octet AS numbers
    add_path: frozenset[Family] = frozenset()  # RFC 7911: families in which we receive path identifiers
    extended_messages: bool = False  # RFC 8654: UPDATEs up to 65,535 octets
    families: frozenset[Family] = frozenset({IPV4_UNICAST})  # RFC 4760: families the peer may send
    extended_next_hop: frozenset[Family] = frozenset()  # RFC 8950: IPv4 families with IPv6 next hops
    external: bool = True  # the peer is in another AS
