"""Sequence numbers PDUs: what a system holds, all of it (CSNP) or some (PSNP).

Source: ISO/IEC 10589 sections 9.10 to 9.13.
"""

from dataclasses import dataclass
from typing import Final

from routed.octets import Writer
from routed.wire.isis.authentication import Key, encode_authentication, sign
from routed.wire.isis.codepoints import LSP_ID_OCTETS, NODE_OCTETS, SHAPES, PduType, TlvType
from routed.wire.isis.contents import Contents, read_contents
from routed.wire.isis.header import body_of, cut_pdu, demand_kind, encode_common, with_length
from routed.wire.isis.tlv import (
    ENTRY_OCTETS,
    MAX_VALUE,
    TLV_HEADER,
    Authentication,
    LspEntry,
    encode_lsp_entries,
    encode_tlv,
)

READABLE: Final = frozenset({TlvType.LSP_ENTRIES, TlvType.AUTHENTICATION})
#: The first and the last LSP id that there can be.
FIRST_LSP_ID: Final = bytes(LSP_ID_OCTETS)
LAST_LSP_ID: Final = b"\xff" * LSP_ID_OCTETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Csnp:
    """All that a system holds, from one LSP id to another, both included."""

    source: bytes  # system id and circuit
    start: bytes = FIRST_LSP_ID
    end: bytes = LAST_LSP_ID
    entries: tuple[LspEntry, ...] = ()
    level: int = 2
    authentication: Authentication | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()
    malformed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Psnp:
    """LSPs that a system acknowledges or asks for."""

    source: bytes
    entries: tuple[LspEntry, ...] = ()
    level: int = 2
    authentication: Authentication | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()
    malformed: tuple[int, ...] = ()


def decode_csnp(octets: bytes) -> Csnp:
    """Decode a CSNP of either level.

    Octets: common header[8], PDU length u16, source[7], first LSP id[8], last LSP id[8], TLVs.
    Raises: WireError when the header or the lengths of TLVs are broken.
    """
    kind, pdu = cut_pdu(octets)
    demand_kind(kind, PduType.CSNP_1, PduType.CSNP_2)
    c = body_of(pdu)
    c.u16()
    source, start, end = c.take(NODE_OCTETS), c.take(LSP_ID_OCTETS), c.take(LSP_ID_OCTETS)
    contents = read_contents(c, READABLE)
    return Csnp(
        source=source,
        start=start,
        end=end,
        entries=tuple(contents.entries),
        level=1 if kind is PduType.CSNP_1 else 2,
        authentication=_authentication(contents),
        unknown=tuple(contents.unknown),
        malformed=tuple(contents.malformed),
    )


def decode_psnp(octets: bytes) -> Psnp:
    """Decode a PSNP of either level.

    Octets: common header[8], PDU length u16, source[7], TLVs.
    Raises: WireError when the header or the lengths of TLVs are broken.
    """
    kind, pdu = cut_pdu(octets)
    demand_kind(kind, PduType.PSNP_1, PduType.PSNP_2)
    c = body_of(pdu)
    c.u16()
    source = c.take(NODE_OCTETS)
    contents = read_contents(c, READABLE)
    return Psnp(
        source=source,
        entries=tuple(contents.entries),
        level=1 if kind is PduType.PSNP_1 else 2,
        authentication=_authentication(contents),
        unknown=tuple(contents.unknown),
        malformed=tuple(contents.malformed),
    )


def encode_csnp(csnp: Csnp, key: Key | None = None) -> bytes:
    """Encode a CSNP, signed if there is a key."""
    kind = PduType.CSNP_1 if csnp.level == 1 else PduType.CSNP_2
    return _encode(kind, csnp.source + csnp.start + csnp.end, csnp, key)


def encode_psnp(psnp: Psnp, key: Key | None = None) -> bytes:
    """Encode a PSNP, signed if there is a key."""
    kind = PduType.PSNP_1 if psnp.level == 1 else PduType.PSNP_2
    return _encode(kind, psnp.source, psnp, key)


def entries_that_fit(octets: int, key: Key | None = None) -> int:
    """Return how many entries a PSNP of so many octets holds, beside its authentication; 0 when there is no room."""
    w = Writer()
    encode_authentication(w, None, key)
    room = octets - SHAPES[PduType.PSNP_2][0] - len(w)
    in_one = MAX_VALUE // ENTRY_OCTETS
    full, rest = divmod(max(0, room), TLV_HEADER + in_one * ENTRY_OCTETS)
    return full * in_one + max(0, rest - TLV_HEADER) // ENTRY_OCTETS


def _encode(kind: PduType, fields: bytes, snp: Csnp | Psnp, key: Key | None) -> bytes:
    w = Writer()
    encode_common(w, kind)
    w.u16(0)
    w.octets(fields)
    encode_authentication(w, snp.authentication, key)
    encode_lsp_entries(w, snp.entries)
    for number, value in snp.unknown:
        encode_tlv(w, number, value)
    return sign(kind, with_length(kind, bytes(w)), key)


def _authentication(contents: Contents) -> Authentication | None:
    return contents.authentication[0] if contents.authentication else None
