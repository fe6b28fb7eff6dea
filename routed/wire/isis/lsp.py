"""Link-state PDUs: what a system, or a part of what it, says of itself (ISO/IEC 10589 section 9.9)."""

from dataclasses import dataclass, field
from typing import Final

from routed.octets import Writer
from routed.wire.isis.authentication import Key, encode_authentication, sign
from routed.wire.isis.checksum import with_checksum
from routed.wire.isis.codepoints import LSP_ID_OCTETS, NODE_OCTETS, PduType, TlvType
from routed.wire.isis.contents import read_contents
from routed.wire.isis.header import body_of, cut_pdu, demand_kind, encode_common, with_length
from routed.wire.isis.reachability import Neighbor, Reachability, encode_neighbors, encode_prefixes
from routed.wire.isis.tlv import (
    Authentication,
    Topology,
    encode_addresses,
    encode_tlv,
    encode_topologies,
    encode_who,
)

#: Seconds that an LSP lives when it is issued, and the longest that is believed (ISO/IEC 10589 section 7.3.16, clause
#: 7.3.21 for more than that).
MAX_AGE: Final = 1_200
#: The largest LSP that all systems hold unless they say otherwise. Units: octets.
LSP_BUFFER_OCTETS: Final = 1_492

_PARTITION: Final = 0x80
_ATTACHED_SHIFT: Final = 3
_ATTACHED_BITS: Final = 0x0F
_OVERLOAD: Final = 0x04
_IS_TYPE: Final = 0x03

READABLE: Final = frozenset(
    {
        TlvType.AREA_ADDRESSES,
        TlvType.IS_NEIGHBORS,
        TlvType.AUTHENTICATION,
        TlvType.EXTENDED_IS_REACHABILITY,
        TlvType.IPV4_INTERNAL_REACHABILITY,
        TlvType.PROTOCOLS_SUPPORTED,
        TlvType.IPV4_EXTERNAL_REACHABILITY,
        TlvType.IPV4_ADDRESSES,
        TlvType.TE_ROUTER_ID,
        TlvType.EXTENDED_IPV4_REACHABILITY,
        TlvType.HOSTNAME,
        TlvType.IPV6_TE_ROUTER_ID,
        TlvType.MT_IS_REACHABILITY,
        TlvType.MULTI_TOPOLOGY,
        TlvType.IPV6_ADDRESSES,
        TlvType.MT_IPV4_REACHABILITY,
        TlvType.IPV6_REACHABILITY,
        TlvType.MT_IPV6_REACHABILITY,
    }
)


@dataclass(frozen=True, slots=True)
class LspFlags:
    """The flags of an LSP; `attached` has a bit for each metric: 1 default, 2 delay, 4 expense, 8 error."""

    attached: int = 0
    overload: bool = False
    partition: bool = False
    is_type: int = 3  # 1 level 1, 3 level 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsp:
    """One LSP, a fragment of what a system or a pseudonode says. Units: the lifetime in seconds.

    Addresses and router id are packed. `malformed` lists the types of TLVs whose value is not what they say; `unknown`
    has TLVs that are not read, as (type, value). `octets` is the whole PDU as it was received.
    """

    lsp_id: bytes
    sequence: int
    lifetime: int
    checksum: int
    level: int = 2
    flags: LspFlags = LspFlags()
    areas: tuple[bytes, ...] = ()
    protocols: tuple[int, ...] = ()
    hostname: str = ""
    addresses: tuple[bytes, ...] = ()
    router_id: bytes = b""  # of IPv4 (RFC 5305 section 4.3), else of IPv6 (RFC 6119)
    topologies: tuple[Topology, ...] = ()
    neighbors: tuple[Neighbor, ...] = ()
    prefixes: tuple[Reachability, ...] = ()
    authentication: Authentication | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()
    malformed: tuple[int, ...] = ()
    octets: bytes = field(default=b"", repr=False)

    @property
    def node(self) -> bytes:
        """System id and number of the pseudonode: whose LSP it is."""
        return self.lsp_id[:NODE_OCTETS]

    @property
    def fragment(self) -> int:
        """Which part it is."""
        return self.lsp_id[NODE_OCTETS]


def decode_lsp(octets: bytes) -> Lsp:
    """Decode an LSP of either level; its checksum is not looked at.

    Octets: common header[8], PDU length u16, lifetime u16, LSP id[8], sequence number u32, checksum u16, flags u8,
        TLVs.
    Raises: WireError when the header or the lengths of TLVs are broken.
    """
    kind, pdu = cut_pdu(octets)
    demand_kind(kind, PduType.LSP_1, PduType.LSP_2)
    c = body_of(pdu)
    c.u16()
    lifetime, lsp_id, sequence, checksum, flags = c.u16(), c.take(LSP_ID_OCTETS), c.u32(), c.u16(), c.u8()
    contents = read_contents(c, READABLE)
    return Lsp(
        lsp_id=lsp_id,
        sequence=sequence,
        lifetime=lifetime,
        checksum=checksum,
        level=1 if kind is PduType.LSP_1 else 2,
        flags=_decode_flags(flags),
        areas=tuple(contents.areas),
        protocols=tuple(contents.protocols),
        hostname=contents.hostnames[0] if contents.hostnames else "",
        addresses=tuple(contents.addresses),
        router_id=min(contents.router_ids, key=len, default=b""),
        topologies=tuple(contents.topologies),
        neighbors=tuple(contents.neighbors),
        prefixes=tuple(contents.prefixes),
        authentication=contents.authentication[0] if contents.authentication else None,
        unknown=tuple(contents.unknown),
        malformed=tuple(contents.malformed),
        octets=pdu,
    )


def encode_lsp(lsp: Lsp, key: Key | None = None) -> bytes:
    """Encode an LSP with its true length and checksum, signed if there is a key.

    What it has of `checksum` and `octets`, and with a key of `authentication`, is not looked at.
    """
    kind = PduType.LSP_1 if lsp.level == 1 else PduType.LSP_2
    w = Writer()
    encode_common(w, kind)
    w.u16(0)
    w.u16(lsp.lifetime)
    w.octets(lsp.lsp_id)
    w.u32(lsp.sequence)
    w.u16(0)
    w.u8(_encode_flags(lsp.flags))
    encode_authentication(w, lsp.authentication, key)
    encode_who(w, lsp.areas, lsp.protocols)
    encode_topologies(w, lsp.topologies)
    if lsp.hostname:
        encode_tlv(w, TlvType.HOSTNAME, lsp.hostname.encode("ascii"))
    if lsp.router_id:
        kind_of_id = TlvType.TE_ROUTER_ID if len(lsp.router_id) == 4 else TlvType.IPV6_TE_ROUTER_ID
        encode_tlv(w, kind_of_id, lsp.router_id)
    encode_addresses(w, lsp.addresses)
    encode_neighbors(w, lsp.neighbors)
    encode_prefixes(w, lsp.prefixes)
    for number, value in lsp.unknown:
        encode_tlv(w, number, value)
    return with_checksum(sign(kind, with_length(kind, bytes(w)), key))


def _decode_flags(flags: int) -> LspFlags:
    return LspFlags(
        attached=flags >> _ATTACHED_SHIFT & _ATTACHED_BITS,
        overload=bool(flags & _OVERLOAD),
        partition=bool(flags & _PARTITION),
        is_type=flags & _IS_TYPE,
    )


def _encode_flags(flags: LspFlags) -> int:
    partition, overload = flags.partition * _PARTITION, flags.overload * _OVERLOAD
    return partition | flags.attached << _ATTACHED_SHIFT | overload | flags.is_type
