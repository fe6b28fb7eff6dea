"""The TLVs of a PDU, read by one table.

A PDU is read with the types that may be in it; what else is there stays as it is, like what nobody knows (RFC 8918
section 3.1). So does a TLV whose value is not what its type says: it is named as malformed, and the rest of the PDU
counts. A database that is to stay in step with a neighbour's cannot refuse an LSP that the neighbour holds.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, TypeVar

from routed.octets import Cursor, WireError
from routed.wire.isis import reachability as reach
from routed.wire.isis import tlv
from routed.wire.isis.codepoints import TlvType
from routed.wire.isis.three_way import ThreeWay, decode_three_way

T = TypeVar("T")


@dataclass(slots=True)
class Contents:
    """What was found, in wire order."""

    areas: list[bytes] = field(default_factory=list)
    protocols: list[int] = field(default_factory=list)
    hostnames: list[str] = field(default_factory=list)
    addresses: list[bytes] = field(default_factory=list)
    router_ids: list[bytes] = field(default_factory=list)
    topologies: list[tlv.Topology] = field(default_factory=list)
    neighbors: list[reach.Neighbor] = field(default_factory=list)
    prefixes: list[reach.Reachability] = field(default_factory=list)
    entries: list[tlv.LspEntry] = field(default_factory=list)
    three_way: list[ThreeWay] = field(default_factory=list)
    authentication: list[tlv.Authentication] = field(default_factory=list)
    unknown: list[tuple[int, bytes]] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)


def read_contents(c: Cursor, readable: AbstractSet[TlvType]) -> Contents:
    """Read TLVs to the end of the PDU.

    Raises: WireError when a length overruns the PDU.
    """
    contents = Contents()
    for kind, value in tlv.walk_tlvs(c):
        read = _READERS[kind] if kind in readable else None
        if read is None:
            contents.unknown.append((int(kind), value.rest()))
        else:
            _read(contents, kind, value, read)
    return contents


def _read(contents: Contents, kind: TlvType, value: Cursor, read: Callable[[Contents, Cursor], None]) -> None:
    try:
        read(contents, value)
    except WireError:
        contents.malformed.append(int(kind))


def _only(c: Cursor, decode: Callable[[Cursor], T]) -> T:
    """Decode what fills a TLV alone."""
    value = decode(c)
    if c.remaining:
        raise WireError(f"{c.remaining} octets too many", c.offset, "ISO/IEC 10589 9.8")
    return value


def _addresses(c: Cursor, octets: int) -> list[bytes]:
    return tlv.repeated(c, lambda each: each.take(octets))


#: By type: how a value is read; only what was read whole is added.
_READERS: Final[Mapping[TlvType, Callable[[Contents, Cursor], None]]] = {
    TlvType.AREA_ADDRESSES: lambda to, c: to.areas.extend(tlv.repeated(c, tlv.decode_area)),
    TlvType.IS_NEIGHBORS: lambda to, c: to.neighbors.extend(reach.decode_is_neighbors(c)),
    TlvType.PADDING: lambda _, c: _ignore(c),
    TlvType.LSP_ENTRIES: lambda to, c: to.entries.extend(tlv.decode_lsp_entries(c)),
    TlvType.AUTHENTICATION: lambda to, c: to.authentication.append(tlv.decode_authentication(c)),
    TlvType.EXTENDED_IS_REACHABILITY: lambda to, c: to.neighbors.extend(reach.decode_extended_neighbors(c)),
    TlvType.IPV4_INTERNAL_REACHABILITY: lambda to, c: to.prefixes.extend(reach.decode_internal_prefixes(c)),
    TlvType.PROTOCOLS_SUPPORTED: lambda to, c: to.protocols.extend(c.rest()),
    TlvType.IPV4_EXTERNAL_REACHABILITY: lambda to, c: to.prefixes.extend(reach.decode_external_prefixes(c)),
    TlvType.IPV4_ADDRESSES: lambda to, c: to.addresses.extend(_addresses(c, 4)),
    TlvType.TE_ROUTER_ID: lambda to, c: to.router_ids.append(_only(c, lambda each: each.take(4))),
    TlvType.EXTENDED_IPV4_REACHABILITY: lambda to, c: to.prefixes.extend(reach.decode_extended_ipv4(c)),
    TlvType.HOSTNAME: lambda to, c: to.hostnames.append(tlv.decode_hostname(c)),
    TlvType.IPV6_TE_ROUTER_ID: lambda to, c: to.router_ids.append(_only(c, lambda each: each.take(16))),
    TlvType.MT_IS_REACHABILITY: lambda to, c: to.neighbors.extend(reach.decode_mt_neighbors(c)),
    TlvType.MULTI_TOPOLOGY: lambda to, c: to.topologies.extend(tlv.decode_topologies(c)),
    TlvType.IPV6_ADDRESSES: lambda to, c: to.addresses.extend(_addresses(c, 16)),
    TlvType.MT_IPV4_REACHABILITY: lambda to, c: to.prefixes.extend(reach.decode_mt_ipv4(c)),
    TlvType.IPV6_REACHABILITY: lambda to, c: to.prefixes.extend(reach.decode_ipv6(c)),
    TlvType.MT_IPV6_REACHABILITY: lambda to, c: to.prefixes.extend(reach.decode_mt_ipv6(c)),
    TlvType.THREE_WAY_ADJACENCY: lambda to, c: to.three_way.append(_only(c, decode_three_way)),
}


def _ignore(c: Cursor) -> None:
    c.rest()
