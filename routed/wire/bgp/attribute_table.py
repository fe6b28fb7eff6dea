"""The table of path attributes: one row each; the decoder loop, the documentation and the tests all read it.

A row's source says where its verdict on malformed octets comes from.
"""

from collections.abc import Mapping
from typing import Final

from routed.octets import Cursor, Writer
from routed.wire.bgp import community, prefix_sid, reach, scalar
from routed.wire.bgp.aggregator import (
    Aggregator,
    As4Aggregator,
    decode_aggregator,
    decode_as4_aggregator,
    encode_aggregator,
    encode_as4_aggregator,
)
from routed.wire.bgp.as_path import As4Path, AsPath, decode_segments, encode_segments
from routed.wire.bgp.attribute_spec import (
    OPTIONAL_NON_TRANSITIVE,
    OPTIONAL_TRANSITIVE,
    WELL_KNOWN,
    AttributeSpec,
    AttributeType,
    Verdict,
    codec,
    from_two_octet_speakers,
    inside_the_as,
    plain,
)
from routed.wire.bgp.context import DecodeContext


def _decode_as_path(c: Cursor, context: DecodeContext) -> AsPath:
    return AsPath(decode_segments(c, as4=context.as4))


def _encode_as_path(w: Writer, path: AsPath, context: DecodeContext) -> None:
    encode_segments(w, path.segments, as4=context.as4)


def _decode_as4_path(c: Cursor) -> As4Path:
    return As4Path(decode_segments(c, as4=True))


def _encode_as4_path(w: Writer, path: As4Path) -> None:
    encode_segments(w, path.segments, as4=True)


def _decode_aggregator(c: Cursor, context: DecodeContext) -> Aggregator:
    return decode_aggregator(c, as4=context.as4)


def _encode_aggregator(w: Writer, value: Aggregator, context: DecodeContext) -> None:
    encode_aggregator(w, value, as4=context.as4)


def _encode_mp_reach(w: Writer, value: reach.MpReachNlri, _context: DecodeContext) -> None:
    reach.encode_mp_reach_nlri(w, value)


def _encode_mp_unreach(w: Writer, value: reach.MpUnreachNlri, _context: DecodeContext) -> None:
    reach.encode_mp_unreach_nlri(w, value)


_ORIGIN: Final = plain(scalar.Origin, scalar.decode_origin, scalar.encode_origin)
_AS_PATH: Final = codec(AsPath, _decode_as_path, _encode_as_path)
_NEXT_HOP: Final = plain(scalar.NextHop, scalar.decode_next_hop, scalar.encode_next_hop)
_MED: Final = plain(scalar.MultiExitDisc, scalar.decode_multi_exit_disc, scalar.encode_multi_exit_disc)
_LOCAL_PREF: Final = plain(scalar.LocalPref, scalar.decode_local_pref, scalar.encode_local_pref)
_ATOMIC: Final = plain(scalar.AtomicAggregate, scalar.decode_atomic_aggregate, scalar.encode_atomic_aggregate)
_AGGREGATOR: Final = codec(Aggregator, _decode_aggregator, _encode_aggregator)
_COMMUNITIES: Final = plain(community.Communities, community.decode_communities, community.encode_communities)
_ORIGINATOR: Final = plain(scalar.OriginatorId, scalar.decode_originator_id, scalar.encode_originator_id)
_CLUSTERS: Final = plain(scalar.ClusterList, scalar.decode_cluster_list, scalar.encode_cluster_list)
_MP_REACH: Final = codec(reach.MpReachNlri, reach.decode_mp_reach_nlri, _encode_mp_reach)
_MP_UNREACH: Final = codec(reach.MpUnreachNlri, reach.decode_mp_unreach_nlri, _encode_mp_unreach)
_EXTENDED: Final = plain(
    community.ExtendedCommunities, community.decode_extended_communities, community.encode_extended_communities
)
_AS4_PATH: Final = plain(As4Path, _decode_as4_path, _encode_as4_path)
_AS4_AGGREGATOR: Final = plain(As4Aggregator, decode_as4_aggregator, encode_as4_aggregator)
_IPV6_EXTENDED: Final = plain(
    community.Ipv6ExtendedCommunities,
    community.decode_ipv6_extended_communities,
    community.encode_ipv6_extended_communities,
)
_AIGP: Final = plain(scalar.Aigp, scalar.decode_aigp, scalar.encode_aigp)
_LARGE: Final = plain(
    community.LargeCommunities, community.decode_large_communities, community.encode_large_communities
)
_OTC: Final = plain(scalar.OnlyToCustomer, scalar.decode_only_to_customer, scalar.encode_only_to_customer)
_PREFIX_SID: Final = plain(prefix_sid.PrefixSid, prefix_sid.decode_prefix_sid, prefix_sid.encode_prefix_sid)
_OPAQUE: Final = plain(scalar.Opaque, scalar.decode_opaque, scalar.encode_opaque)

_DISCARD: Final = Verdict.ATTRIBUTE_DISCARD
_WITHDRAW: Final = Verdict.TREAT_AS_WITHDRAW
_RESET: Final = Verdict.SESSION_RESET

_A: Final = AttributeType

# fmt: off
SPECS: Final = (
    AttributeSpec(_A.ORIGIN,                    WELL_KNOWN,              _WITHDRAW, _ORIGIN,         "RFC 7606 7.1"),
    AttributeSpec(_A.AS_PATH,                   WELL_KNOWN,              _WITHDRAW, _AS_PATH,        "RFC 7606 7.2",
                  may_be_empty=True),
    AttributeSpec(_A.NEXT_HOP,                  WELL_KNOWN,              _WITHDRAW, _NEXT_HOP,       "RFC 7606 7.3"),
    AttributeSpec(_A.MULTI_EXIT_DISC,           OPTIONAL_NON_TRANSITIVE, _WITHDRAW, _MED,            "RFC 7606 7.4"),
    AttributeSpec(_A.LOCAL_PREF,                WELL_KNOWN,              _WITHDRAW, _LOCAL_PREF,     "RFC 7606 7.5",
                  expected=inside_the_as),
    AttributeSpec(_A.ATOMIC_AGGREGATE,          WELL_KNOWN,              _DISCARD,  _ATOMIC,         "RFC 7606 7.6",
                  may_be_empty=True),
    AttributeSpec(_A.AGGREGATOR,                OPTIONAL_TRANSITIVE,     _DISCARD,  _AGGREGATOR,     "RFC 7606 7.7"),
    AttributeSpec(_A.COMMUNITIES,               OPTIONAL_TRANSITIVE,     _WITHDRAW, _COMMUNITIES,    "RFC 7606 7.8"),
    AttributeSpec(_A.ORIGINATOR_ID,             OPTIONAL_NON_TRANSITIVE, _WITHDRAW, _ORIGINATOR,     "RFC 7606 7.9",
                  expected=inside_the_as),
    AttributeSpec(_A.CLUSTER_LIST,              OPTIONAL_NON_TRANSITIVE, _WITHDRAW, _CLUSTERS,       "RFC 7606 7.10",
                  expected=inside_the_as),
    AttributeSpec(_A.MP_REACH_NLRI,             OPTIONAL_NON_TRANSITIVE, _RESET,    _MP_REACH,       "RFC 7606 7.11"),
    AttributeSpec(_A.MP_UNREACH_NLRI,           OPTIONAL_NON_TRANSITIVE, _RESET,    _MP_UNREACH,     "RFC 7606 7.12"),
    AttributeSpec(_A.EXTENDED_COMMUNITIES,      OPTIONAL_TRANSITIVE,     _WITHDRAW, _EXTENDED,       "RFC 7606 7.14"),
    AttributeSpec(_A.AS4_PATH,                  OPTIONAL_TRANSITIVE,     _DISCARD,  _AS4_PATH,       "RFC 6793 6",
                  expected=from_two_octet_speakers),
    AttributeSpec(_A.AS4_AGGREGATOR,            OPTIONAL_TRANSITIVE,     _DISCARD,  _AS4_AGGREGATOR, "RFC 6793 6",
                  expected=from_two_octet_speakers),
    AttributeSpec(_A.PMSI_TUNNEL,               OPTIONAL_TRANSITIVE,     _WITHDRAW, _OPAQUE,         "RFC 6514 5"),
    AttributeSpec(_A.IPV6_EXTENDED_COMMUNITIES, OPTIONAL_TRANSITIVE,     _WITHDRAW, _IPV6_EXTENDED,  "RFC 7606 7.15"),
    AttributeSpec(_A.AIGP,                      OPTIONAL_NON_TRANSITIVE, _DISCARD,  _AIGP,           "RFC 7311 3"),
    AttributeSpec(_A.LARGE_COMMUNITY,           OPTIONAL_TRANSITIVE,     _WITHDRAW, _LARGE,          "RFC 8092 6"),
    AttributeSpec(_A.ONLY_TO_CUSTOMER,          OPTIONAL_TRANSITIVE,     _WITHDRAW, _OTC,            "RFC 9234 5"),
    AttributeSpec(_A.PREFIX_SID,                OPTIONAL_TRANSITIVE,     _DISCARD,  _PREFIX_SID,     "RFC 8669 6"),
)
# fmt: on

SPEC_OF: Final[Mapping[AttributeType, AttributeSpec]] = {spec.type: spec for spec in SPECS}

#: The row that a value belongs to; octets kept as they are belong to none.
SPEC_OF_KIND: Final[Mapping[type[object], AttributeSpec]] = {
    spec.codec.kind: spec for spec in SPECS if spec.codec is not _OPAQUE
}
