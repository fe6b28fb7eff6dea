"""NLRI of the families that the RIB can hold: IPv4 and IPv6 unicast, multicast, labelled unicast and VPN.

One route is a prefix and, depending on the family and on what was negotiated, a path identifier, a label stack and a
route distinguisher.

Sources: RFC 4271 section 4.3, RFC 4760 section 5, RFC 8277 section 2, RFC 4364 section 4.3.4, RFC 4659 section 3.2,
RFC 7911 section 3.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer
from routed.wire.family import ADDRESS_OCTETS, STORABLE, Afi, Family, Safi
from routed.wire.label import LABEL_BITS, WITHDRAWN_LABEL, decode_labels, encode_labels, encode_withdrawn_label
from routed.wire.prefix import Prefix, cut_prefix, decode_prefix, encode_prefix, format_prefix
from routed.wire.rd import RD_OCTETS, RouteDistinguisher, decode_rd, encode_rd, format_rd

#: Label stacks of a withdrawal that names no label: as it is built, and as it is read (RFC 8277 section 2.4).
_NO_LABELS: Final = frozenset({(), (WITHDRAWN_LABEL >> 4,)})

_LABELED: Final = frozenset({Safi.LABELED_UNICAST, Safi.MPLS_VPN})


class Nlri(NamedTuple):
    """One route; what its family or its session does not have is None or empty."""

    prefix: Prefix
    path_id: int | None = None
    labels: tuple[int, ...] = ()
    rd: RouteDistinguisher | None = None

    def __str__(self) -> str:
        parts = [format_prefix(self.prefix)]
        if self.rd is not None:
            parts.append(f"rd {format_rd(self.rd)}")
        if self.labels:
            parts.append(f"labels {'/'.join(map(str, self.labels))}")
        if self.path_id is not None:
            parts.append(f"path {self.path_id}")
        return " ".join(parts)


def decode_nlri(c: Cursor, family: Family, *, add_path: bool, withdrawn: bool = False) -> tuple[Nlri, ...]:
    """Decode routes to the end of the field, in wire order.

    Octets: n x ([path identifier u32], length in bits u8, [labels n x 3], [route distinguisher 8], prefix).
    Raises: WireError when a length overruns the field, its address or what has to precede the address, and for a family
        whose NLRI we do not know.
    """
    if family not in STORABLE:
        raise WireError(f"NLRI of {family} are not known", c.offset)
    decode_one = _decode_labeled if family.safi in _LABELED else _decode_plain
    routes = []
    while c.remaining:
        path_id = c.u32() if add_path else None
        routes.append(decode_one(c, family, path_id, withdrawn))
    return tuple(routes)


def encode_nlri(w: Writer, routes: Iterable[Nlri], family: Family, *, withdrawn: bool = False) -> None:
    """Encode routes; a path identifier is written when the route has one, so a field must not mix both kinds.

    A labelled route to be withdrawn needs no labels.
    """
    for route in routes:
        if route.path_id is not None:
            w.u32(route.path_id)
        if family.safi in _LABELED:
            _encode_labeled(w, route, withdrawn)
        else:
            encode_prefix(w, route.prefix)


def _decode_plain(c: Cursor, family: Family, path_id: int | None, _withdrawn: bool) -> Nlri:
    return Nlri(decode_prefix(c, ADDRESS_OCTETS[Afi(family.afi)]), path_id)


def _decode_labeled(c: Cursor, family: Family, path_id: int | None, withdrawn: bool) -> Nlri:
    at, length = c.offset, c.u8()
    body = c.sub((length + 7) // 8)
    labels = decode_labels(body, withdrawn=withdrawn)
    rd = decode_rd(body) if family.safi == Safi.MPLS_VPN else None
    address_octets = ADDRESS_OCTETS[Afi(family.afi)]
    bits = length - LABEL_BITS * len(labels) - (0 if rd is None else 8 * RD_OCTETS)
    if not 0 <= bits <= 8 * address_octets:
        raise WireError(f"length {length} leaves a prefix of {bits} bits", at, "RFC 8277 2.2")
    return Nlri(cut_prefix(body.rest(), bits, address_octets), path_id, labels, rd)


def _encode_labeled(w: Writer, route: Nlri, withdrawn: bool) -> None:
    body = Writer()
    if withdrawn and route.labels in _NO_LABELS:
        encode_withdrawn_label(body)
    else:
        encode_labels(body, route.labels)
    if route.rd is not None:
        encode_rd(body, route.rd)
    w.u8(8 * len(body) + route.prefix.length)
    w.octets(bytes(body))
    w.octets(route.prefix.address[: (route.prefix.length + 7) // 8])
