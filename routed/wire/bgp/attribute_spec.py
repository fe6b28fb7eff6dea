"""What a row of the attribute table says: code point, flags, verdict on malformed octets, codec.

Sources: RFC 4271 section 4.3, RFC 7606 sections 2 and 3, the IANA registry of BGP path attributes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeVar

from routed.octets import CodePoint, Cursor, Writer
from routed.wire.bgp.aggregator import Aggregator, As4Aggregator
from routed.wire.bgp.as_path import As4Path, AsPath
from routed.wire.bgp.community import Communities, ExtendedCommunities, Ipv6ExtendedCommunities, LargeCommunities
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.prefix_sid import PrefixSid
from routed.wire.bgp.reach import MpReachNlri, MpUnreachNlri
from routed.wire.bgp.scalar import (
    Aigp,
    AtomicAggregate,
    ClusterList,
    LocalPref,
    MultiExitDisc,
    NextHop,
    OnlyToCustomer,
    Opaque,
    Origin,
    OriginatorId,
)

OPTIONAL: Final = 0x80
TRANSITIVE: Final = 0x40
PARTIAL: Final = 0x20
EXTENDED_LENGTH: Final = 0x10

#: Flags of the three categories (RFC 4271 section 5).
WELL_KNOWN: Final = TRANSITIVE
OPTIONAL_TRANSITIVE: Final = OPTIONAL | TRANSITIVE
OPTIONAL_NON_TRANSITIVE: Final = OPTIONAL


class AttributeType(CodePoint):
    """IANA BGP path attributes."""

    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    PMSI_TUNNEL = 22
    TUNNEL_ENCAPSULATION = 23
    TRAFFIC_ENGINEERING = 24
    IPV6_EXTENDED_COMMUNITIES = 25
    AIGP = 26
    PE_DISTINGUISHER_LABELS = 27
    BGP_LS = 29
    LARGE_COMMUNITY = 32
    BGPSEC_PATH = 33
    ONLY_TO_CUSTOMER = 35
    SFP = 37
    BFD_DISCRIMINATOR = 38
    PREFIX_SID = 40
    ATTR_SET = 128


class Verdict(IntEnum):
    """What a malformed attribute costs, the stronger the higher (RFC 7606 section 2)."""

    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    AFI_SAFI_DISABLE = 3
    SESSION_RESET = 4


AttributeValue = (
    Origin
    | AsPath
    | NextHop
    | MultiExitDisc
    | LocalPref
    | AtomicAggregate
    | Aggregator
    | Communities
    | OriginatorId
    | ClusterList
    | MpReachNlri
    | MpUnreachNlri
    | ExtendedCommunities
    | As4Path
    | As4Aggregator
    | Ipv6ExtendedCommunities
    | Aigp
    | LargeCommunities
    | OnlyToCustomer
    | PrefixSid
    | Opaque
)

_Value = TypeVar("_Value", bound=AttributeValue)


def anywhere(_context: DecodeContext) -> bool:
    """Accept the attribute from every neighbour."""
    return True


@dataclass(frozen=True, slots=True)
class Codec:
    """How the value of an attribute is read and written; `kind` is the class of its value."""

    kind: type[object]
    decode: Callable[[Cursor, DecodeContext], AttributeValue]
    encode: Callable[[Writer, AttributeValue, DecodeContext], None]


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute: its flags, what breaking it costs, its codec, and from whom it is expected."""

    type: AttributeType
    flags: int  # the Optional and Transitive bits it must have
    verdict: Verdict
    codec: Codec
    source: str
    expected: Callable[[DecodeContext], bool] = anywhere  # else it is discarded, whatever it holds
    may_be_empty: bool = False


def codec(
    kind: type[_Value],
    decode: Callable[[Cursor, DecodeContext], _Value],
    encode: Callable[[Writer, _Value, DecodeContext], None],
) -> Codec:
    """Join two functions that read the context."""

    def encode_value(w: Writer, value: AttributeValue, context: DecodeContext) -> None:
        assert isinstance(value, kind), f"{kind.__name__} wanted, not {value!r}"
        encode(w, value, context)

    return Codec(kind, decode, encode_value)


def plain(kind: type[_Value], decode: Callable[[Cursor], _Value], encode: Callable[[Writer, _Value], None]) -> Codec:
    """Join two functions that need no context."""
    return codec(kind, lambda c, _: decode(c), lambda w, value, _: encode(w, value))


def inside_the_as(context: DecodeContext) -> bool:
    """Accept the attribute from internal neighbours only (RFC 7606 sections 7.5, 7.9 and 7.10)."""
    return not context.external


def from_two_octet_speakers(context: DecodeContext) -> bool:
    """Accept the attribute from neighbours that lack four-octet AS numbers only (RFC 6793 section 4.1)."""
    return not context.as4
