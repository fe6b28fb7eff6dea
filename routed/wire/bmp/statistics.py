"""Statistics Report: counters and gauges of a peer, or of the router (RFC 7854 section 4.8, RFC 8671, RFC 9972)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer
from routed.wire.bmp.peer import PeerHeader, decode_peer_header, encode_peer_header
from routed.wire.bmp.tlv import Tlv, decode_tlvs, encode_tlv
from routed.wire.family import Family


class Layout(Enum):
    """What the value of a statistic holds; the number is that of its octets."""

    COUNTER = 4  # u32
    GAUGE = 8  # u64
    FAMILY_GAUGE = 11  # AFI u16, SAFI u8, u64


class StatisticSpec(NamedTuple):
    """One type of statistic."""

    kind: int
    layout: Layout
    name: str  # up to 17 as pmacct prints it, above as IANA registers it


@dataclass(frozen=True, slots=True)
class Statistic:
    """One item of a report: a number, for one family where the type says so, or octets that are not understood."""

    kind: int
    value: int | None = None
    family: Family | None = None
    octets: bytes = b""  # of an unknown type, or of a length that the type does not have
    enterprise: int | None = None  # whose type it is, when it is not one of IANA's


@dataclass(frozen=True, slots=True)
class StatisticsReport:
    """What the router counted, in wire order."""

    peer: PeerHeader
    statistics: tuple[Statistic, ...] = ()
    tlvs: tuple[Tlv, ...] = ()  # behind wrapped statistics, in version 4


_COUNTER, _GAUGE, _FAMILY = Layout.COUNTER, Layout.GAUGE, Layout.FAMILY_GAUGE

_NOW: Final = "Number of routes currently in"
_PRE_IN: Final = f"{_NOW} the per-AFI/SAFI pre-policy Adj-RIB-In"
_POST_IN: Final = f"{_NOW} the per-AFI/SAFI post-policy Adj-RIB-In"
_PRE_OUT: Final = f"{_NOW} the per-AFI/SAFI pre-policy Adj-RIB-Out"
_POST_OUT: Final = f"{_NOW} the per-AFI/SAFI post-policy Adj-RIB-Out"
_INVALID: Final = "invalidated after verifying the route origin ASN through ROA of RPKI"
_VALID: Final = "validated after verifying the route origin ASN through ROA of RPKI"
_NOT_FOUND: Final = "whose RPKI route origin validation state is NotFound"
_THRESHOLD: Final = "left before exceeding the received-route threshold"
_LICENCE: Final = "left before exceeding a license-customized route threshold"
_TOO_LONG: Final = "rejected due to exceeding the maximum AS_PATH length"
_FILTERED: Final = "filtered due to AS_PATH length exceeding the locally configured maximum"

SPECS: Final = (  # one row per type; the decoder, records and the tests all read it
    StatisticSpec(0, _COUNTER, "Number of prefixes rejected by inbound policy"),
    StatisticSpec(1, _COUNTER, "Number of (known) duplicate prefix advertisements"),
    StatisticSpec(2, _COUNTER, "Number of (known) duplicate withdraws"),
    StatisticSpec(3, _COUNTER, "Number of updates invalidated due to CLUSTER_LIST loop"),
    StatisticSpec(4, _COUNTER, "Number of updates invalidated due to AS_PATH loop"),
    StatisticSpec(5, _COUNTER, "Number of updates invalidated due to ORIGINATOR_ID"),
    StatisticSpec(6, _COUNTER, "Number of updates invalidated due to AS_CONFED loop"),
    StatisticSpec(7, _GAUGE, "Number of routes in Adj-RIBs-In"),
    StatisticSpec(8, _GAUGE, "Number of routes in Loc-RIB"),
    StatisticSpec(9, _FAMILY, "Number of routes in per-AFI/SAFI Abj-RIB-In"),  # spelt as in pmacct, here and below
    StatisticSpec(10, _FAMILY, "Number of routes in per-AFI/SAFI Loc-RIB"),
    StatisticSpec(11, _COUNTER, "Number of updates subjected to treat-as-withdraw"),
    StatisticSpec(12, _COUNTER, "Number of prefixes subjected to treat-as-withdraw"),
    StatisticSpec(13, _COUNTER, "Number of duplicate update messages received"),
    StatisticSpec(14, _GAUGE, "Number of routes in Adj-RIBs-Out Pre-Policy"),
    StatisticSpec(15, _GAUGE, "Number of routes in Adj-RIBs-Out Post-Policy"),
    StatisticSpec(16, _FAMILY, "Number of routes in per-AFI/SAFI Abj-RIB-Out Pre-Policy"),
    StatisticSpec(17, _FAMILY, "Number of routes in per-AFI/SAFI Abj-RIB-Out Post-Policy"),
    StatisticSpec(18, _GAUGE, f"{_NOW} the pre-policy Adj-RIB-In"),
    StatisticSpec(19, _FAMILY, _PRE_IN),
    StatisticSpec(20, _GAUGE, f"{_NOW} the post-policy Adj-RIB-In"),
    StatisticSpec(21, _FAMILY, _POST_IN),
    StatisticSpec(22, _FAMILY, f"{_PRE_IN} rejected by an inbound policy"),
    StatisticSpec(23, _FAMILY, f"{_POST_IN} accepted by an inbound policy"),
    StatisticSpec(24, _FAMILY, f"{_NOW} per-AFI/SAFI selected as primary route"),
    StatisticSpec(25, _FAMILY, f"{_NOW} per-AFI/SAFI selected as a backup route"),
    StatisticSpec(26, _FAMILY, f"{_POST_IN} or Loc-RIB suppressed by a configured route-damping policy"),
    StatisticSpec(27, _FAMILY, f"{_POST_IN} or Loc-RIB marked as stale by Graceful Restart"),
    StatisticSpec(28, _FAMILY, f"{_POST_IN} or Loc-RIB marked as stale by Long-Lived Graceful Restart"),
    StatisticSpec(29, _GAUGE, f"{_NOW} the post-policy Adj-RIB-In {_THRESHOLD}"),
    StatisticSpec(30, _FAMILY, f"{_POST_IN} {_THRESHOLD}"),
    StatisticSpec(31, _GAUGE, f"{_NOW} the post-policy Adj-RIB-In or Loc-RIB {_LICENCE}"),
    StatisticSpec(32, _FAMILY, f"{_POST_IN} or Loc-RIB {_LICENCE}"),
    StatisticSpec(33, _GAUGE, f"{_NOW} the pre-policy Adj-RIB-In {_TOO_LONG}"),
    StatisticSpec(34, _FAMILY, f"{_PRE_IN} {_TOO_LONG}"),
    StatisticSpec(35, _FAMILY, f"{_POST_IN} {_INVALID}"),
    StatisticSpec(36, _FAMILY, f"{_POST_IN} {_VALID}"),
    StatisticSpec(37, _FAMILY, f"{_POST_IN} {_NOT_FOUND}"),
    StatisticSpec(38, _FAMILY, f"{_PRE_OUT} rejected by an outbound policy"),
    StatisticSpec(39, _GAUGE, f"{_NOW} the pre-policy Adj-RIB-Out {_FILTERED}"),
    StatisticSpec(40, _FAMILY, f"{_PRE_OUT} {_FILTERED}"),
    StatisticSpec(41, _FAMILY, f"{_POST_OUT} {_INVALID}"),
    StatisticSpec(42, _FAMILY, f"{_POST_OUT} {_VALID}"),
    StatisticSpec(43, _FAMILY, f"{_POST_OUT} {_NOT_FOUND}"),
)

BY_KIND: Final[Mapping[int, StatisticSpec]] = {spec.kind: spec for spec in SPECS}

UNKNOWN_NAME: Final = "Unknown"

_WRAPPED_SINCE: Final = 4
_STATS_TLV: Final = b"\0\1"


def statistic_name(kind: int) -> str:
    """Return the name of a type of statistic, as records have it."""
    spec = BY_KIND.get(kind)
    return UNKNOWN_NAME if spec is None else spec.name


def decode_statistics_report(c: Cursor, version: int) -> StatisticsReport:
    """Decode the body of a Statistics Report.

    Octets: per-peer header, count u32, then as many items: type u16, length u16, value[length]. Version 4 has items
    with an enterprise, as TLVs have, and may wrap count and items in a TLV of type 1, with other TLVs behind it.
    Raises: WireError when the items are more or fewer than the count says, or too many.
    Source: RFC 7854 section 4.8, draft-ietf-grow-bmp-tlv sections 4.2 and 5.4.
    """
    peer = decode_peer_header(c)
    items, tlvs = _unwrap(c, version)
    offset, count = items.offset, items.u32()
    statistics = [_decode_statistic(tlv) for tlv in decode_tlvs(items, version)]
    if len(statistics) != count:
        raise WireError(f"{len(statistics)} statistics are not {count}", offset, "RFC 7854 4.8")
    return StatisticsReport(peer, tuple(statistics), tlvs)


def encode_statistics_report(w: Writer, message: StatisticsReport, version: int) -> None:
    """Encode the body of a Statistics Report, never wrapped, so without other TLVs."""
    assert not message.tlvs
    encode_peer_header(w, message.peer)
    w.u32(len(message.statistics))
    for statistic in message.statistics:
        encode_tlv(w, _encode_statistic(statistic), version)


def _unwrap(c: Cursor, version: int) -> tuple[Cursor, tuple[Tlv, ...]]:
    """Return a cursor over count and items, and the TLVs behind them.

    Type 1 in the place of the count's upper half would be 65,536 items, for which no message has room.
    """
    offset, octets = c.offset, c.rest()
    body = Cursor(octets, offset)
    if version < _WRAPPED_SINCE or not octets.startswith(_STATS_TLV):
        return body, ()
    body.take(len(_STATS_TLV))
    items = body.sub(body.u16())
    return items, decode_tlvs(body, version)


def _decode_statistic(item: Tlv) -> Statistic:
    spec = None if item.enterprise is not None else BY_KIND.get(item.kind)
    if spec is None or len(item.octets) != spec.layout.value:
        return Statistic(item.kind, octets=item.octets, enterprise=item.enterprise)
    value = Cursor(item.octets)
    if spec.layout is Layout.COUNTER:
        return Statistic(item.kind, value.u32())
    family = Family(value.u16(), value.u8()) if spec.layout is Layout.FAMILY_GAUGE else None
    return Statistic(item.kind, value.u64(), family)


def _encode_statistic(statistic: Statistic) -> Tlv:
    if statistic.value is None:
        return Tlv(statistic.kind, statistic.octets, statistic.enterprise)
    w = Writer()
    if statistic.family is not None:
        w.u16(statistic.family.afi)
        w.u8(statistic.family.safi)
    if BY_KIND[statistic.kind].layout is Layout.COUNTER:
        w.u32(statistic.value)
    else:
        w.u64(statistic.value)
    return Tlv(statistic.kind, bytes(w))
