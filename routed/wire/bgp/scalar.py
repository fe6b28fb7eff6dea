"""Attributes that hold one number, one address or a list of identifiers, and those kept as octets.

Every decoder gets a cursor that ends where the attribute ends and must leave nothing behind: the attribute table
refuses what remains. A length that is wrong therefore shows as an overrun here or as a surplus there.
"""

from dataclasses import dataclass
from typing import Final

from routed.octets import CodePoint, Cursor, WireError, Writer

_AIGP_HEADER: Final = 3  # type and length count in the length of an AIGP TLV (RFC 7311 section 3)


class OriginCode(CodePoint):
    """Values of ORIGIN (RFC 4271 section 5.1.1)."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class AigpTlvType(CodePoint):
    """IANA AIGP attribute types."""

    AIGP = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the route came from."""

    code: OriginCode


@dataclass(frozen=True, slots=True)
class NextHop:
    """The IPv4 next hop of the routes in the UPDATE's own NLRI field."""

    address: bytes


@dataclass(frozen=True, slots=True)
class MultiExitDisc:
    """Metric between several exits to one neighbouring AS."""

    metric: int


@dataclass(frozen=True, slots=True)
class LocalPref:
    """Degree of preference inside an AS."""

    preference: int


@dataclass(frozen=True, slots=True)
class AtomicAggregate:
    """The path leaves out ASes of the routes that were aggregated."""


@dataclass(frozen=True, slots=True)
class OriginatorId:
    """Router that brought the route into the AS (RFC 4456 section 8)."""

    router_id: bytes


@dataclass(frozen=True, slots=True)
class ClusterList:
    """Reflection clusters passed, the latest first (RFC 4456 section 8)."""

    cluster_ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AigpTlv:
    """One TLV of AIGP; only type 1 is assigned."""

    type: AigpTlvType
    octets: bytes


@dataclass(frozen=True, slots=True)
class Aigp:
    """Accumulated IGP metric (RFC 7311)."""

    tlvs: tuple[AigpTlv, ...]

    @property
    def metric(self) -> int | None:
        """Metric of the first AIGP TLV, which is the one that counts (RFC 7311 section 3)."""
        metrics = (int.from_bytes(tlv.octets, "big") for tlv in self.tlvs if tlv.type is AigpTlvType.AIGP)
        return next(metrics, None)


@dataclass(frozen=True, slots=True)
class OnlyToCustomer:
    """AS after which the route may only go down to customers (RFC 9234 section 5)."""

    asn: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """An attribute that we keep and show as octets: unknown to us, or known and none of our concern."""

    octets: bytes


def decode_origin(c: Cursor) -> Origin:
    """Decode u8; a value that is not assigned is an error (RFC 7606 section 7.1)."""
    at, code = c.offset, OriginCode(c.u8())
    if not code.is_assigned:
        raise WireError(f"origin {code:d} is not known", at, "RFC 7606 7.1")
    return Origin(code)


def encode_origin(w: Writer, origin: Origin) -> None:
    """Encode u8."""
    w.u8(origin.code)


def decode_next_hop(c: Cursor) -> NextHop:
    """Decode 4 octets (RFC 7606 section 7.3)."""
    return NextHop(c.take(4))


def encode_next_hop(w: Writer, next_hop: NextHop) -> None:
    """Encode 4 octets."""
    w.octets(next_hop.address)


def decode_multi_exit_disc(c: Cursor) -> MultiExitDisc:
    """Decode u32 (RFC 7606 section 7.4)."""
    return MultiExitDisc(c.u32())


def encode_multi_exit_disc(w: Writer, med: MultiExitDisc) -> None:
    """Encode u32."""
    w.u32(med.metric)


def decode_local_pref(c: Cursor) -> LocalPref:
    """Decode u32 (RFC 7606 section 7.5)."""
    return LocalPref(c.u32())


def encode_local_pref(w: Writer, local_pref: LocalPref) -> None:
    """Encode u32."""
    w.u32(local_pref.preference)


def decode_atomic_aggregate(_c: Cursor) -> AtomicAggregate:
    """Decode nothing: the attribute is a flag (RFC 7606 section 7.6)."""
    return AtomicAggregate()


def encode_atomic_aggregate(_w: Writer, _value: AtomicAggregate) -> None:
    """Encode nothing."""


def decode_originator_id(c: Cursor) -> OriginatorId:
    """Decode 4 octets (RFC 7606 section 7.9)."""
    return OriginatorId(c.take(4))


def encode_originator_id(w: Writer, originator: OriginatorId) -> None:
    """Encode 4 octets."""
    w.octets(originator.router_id)


def decode_cluster_list(c: Cursor) -> ClusterList:
    """Decode n x 4 octets (RFC 7606 section 7.10)."""
    cluster_ids = []
    while c.remaining:
        cluster_ids.append(c.take(4))
    return ClusterList(tuple(cluster_ids))


def encode_cluster_list(w: Writer, cluster_list: ClusterList) -> None:
    """Encode n x 4 octets."""
    for cluster_id in cluster_list.cluster_ids:
        w.octets(cluster_id)


def decode_aigp(c: Cursor) -> Aigp:
    """Decode TLVs in wire order.

    Octets: n x (type u8, length u16 that counts these three octets, value).
    Raises: WireError for a length below 3 or beyond the attribute, and for an AIGP TLV without a u64.
    Source: RFC 7311 section 3.
    """
    tlvs = []
    while c.remaining:
        at, type_, length = c.offset, AigpTlvType(c.u8()), c.u16()
        if length < _AIGP_HEADER or (type_ is AigpTlvType.AIGP and length != _AIGP_HEADER + 8):
            raise WireError(f"AIGP TLV {type_:d} of length {length}", at, "RFC 7311 3")
        tlvs.append(AigpTlv(type_, c.take(length - _AIGP_HEADER)))
    return Aigp(tuple(tlvs))


def encode_aigp(w: Writer, aigp: Aigp) -> None:
    """Encode TLVs."""
    for tlv in aigp.tlvs:
        w.u8(tlv.type)
        w.u16(_AIGP_HEADER + len(tlv.octets))
        w.octets(tlv.octets)


def decode_only_to_customer(c: Cursor) -> OnlyToCustomer:
    """Decode u32 (RFC 9234 section 5)."""
    return OnlyToCustomer(c.u32())


def encode_only_to_customer(w: Writer, value: OnlyToCustomer) -> None:
    """Encode u32."""
    w.u32(value.asn)


def decode_opaque(c: Cursor) -> Opaque:
    """Keep the octets."""
    return Opaque(c.rest())


def encode_opaque(w: Writer, value: Opaque) -> None:
    """Give the octets back."""
    w.octets(value.octets)
