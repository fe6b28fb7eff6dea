"""Type-length-value fields, and the values that PDUs of several types have in them.

Octets: type u8, length u8, value[length]. What does not fit into one TLV goes on in another one of the same type.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.isis.codepoints import LSP_ID_OCTETS, MAX_TOPOLOGY, TlvType

#: What fits into one TLV. Units: octets.
MAX_VALUE: Final = 255
#: What stands in front of a value. Units: octets.
TLV_HEADER: Final = 2
#: What an LSP entry is long: lifetime, LSP id, sequence number, checksum. Units: octets.
ENTRY_OCTETS: Final = 2 + LSP_ID_OCTETS + 4 + 2
#: What an area address may be long: 13, and 20 where somebody writes a whole NSAP (ISO/IEC 10589 section 7.1.1).
MAX_AREA: Final = 20

_OVERLOAD: Final = 0x8000
_ATTACHED: Final = 0x4000


@dataclass(frozen=True, slots=True)
class Topology:
    """A topology that a system takes part in (RFC 5120 section 7.1)."""

    id: int
    overload: bool = False
    attached: bool = False


@dataclass(frozen=True, slots=True)
class Authentication:
    """What proves who wrote a PDU: a password, or a digest behind the number of its key."""

    kind: int
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LspEntry:
    """What a neighbour holds of an LSP (ISO/IEC 10589 section 9.10). Units: the lifetime in seconds."""

    lifetime: int
    lsp_id: bytes
    sequence: int
    checksum: int


def walk_tlvs(c: Cursor) -> Iterator[tuple[TlvType, Cursor]]:
    """Yield the TLVs up to the end of the PDU.

    Raises: WireError when a length overruns the PDU.
    """
    while c.remaining:
        kind, length = TlvType(c.u8()), c.u8()
        yield kind, c.sub(length)


def encode_tlv(w: Writer, kind: TlvType | int, value: bytes) -> None:
    """Encode one TLV."""
    w.u8(kind)
    with w.length8():
        w.octets(value)


def encode_items(w: Writer, kind: TlvType, items: Iterable[bytes], head: bytes = b"") -> None:
    """Encode items in as few TLVs as hold them, each with the same head; nothing where there are no items."""
    value = head
    for item in items:
        if len(value) + len(item) > MAX_VALUE:
            encode_tlv(w, kind, value)
            value = head
        value += item
    if value != head:
        encode_tlv(w, kind, value)


def repeated(c: Cursor, decode: Callable[[Cursor], bytes]) -> list[bytes]:
    """Decode to the end."""
    found = []
    while c.remaining:
        found.append(decode(c))
    return found


def decode_area(c: Cursor) -> bytes:
    """Decode one area address: length u8, address[length].

    Source: ISO/IEC 10589 section 9.8.
    """
    offset, length = c.offset, c.u8()
    if not 0 < length <= MAX_AREA:
        raise WireError(f"area address of {length} octets is not 1 to {MAX_AREA}", offset, "ISO/IEC 10589 9.8")
    return c.take(length)


def decode_hostname(c: Cursor) -> str:
    """Decode a name; what is not printable ASCII is written as its number, so that it may stand in any log.

    Source: RFC 5301 section 3.
    """
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}" for octet in c.rest())


def decode_topologies(c: Cursor) -> list[Topology]:
    """Decode topologies: n x (overload, attached, 2 reserved bits, id of 12 bits).

    Source: RFC 5120 section 7.1.
    """
    topologies = []
    while c.remaining:
        word = c.u16()
        topologies.append(Topology(word & MAX_TOPOLOGY, bool(word & _OVERLOAD), bool(word & _ATTACHED)))
    return topologies


def encode_topologies(w: Writer, topologies: Iterable[Topology]) -> None:
    """Encode topologies."""
    words = (each.id | each.overload * _OVERLOAD | each.attached * _ATTACHED for each in topologies)
    encode_items(w, TlvType.MULTI_TOPOLOGY, (word.to_bytes(2, "big") for word in words))


def decode_authentication(c: Cursor) -> Authentication:
    """Decode how a PDU is authenticated: type u8, value."""
    return Authentication(c.u8(), c.rest())


def decode_lsp_entries(c: Cursor) -> list[LspEntry]:
    """Decode LSP entries: n x (lifetime u16, LSP id[8], sequence number u32, checksum u16)."""
    entries = []
    while c.remaining:
        entries.append(LspEntry(c.u16(), c.take(LSP_ID_OCTETS), c.u32(), c.u16()))
    return entries


def encode_lsp_entries(w: Writer, entries: Iterable[LspEntry]) -> None:
    """Encode LSP entries."""
    encode_items(w, TlvType.LSP_ENTRIES, map(_entry, entries))


def encode_who(w: Writer, areas: Iterable[bytes], protocols: Iterable[int]) -> None:
    """Encode what hellos and LSPs begin with: areas and protocols."""
    encode_items(w, TlvType.AREA_ADDRESSES, (bytes((len(area),)) + area for area in areas))
    encode_items(w, TlvType.PROTOCOLS_SUPPORTED, (bytes((protocol,)) for protocol in protocols))


def encode_addresses(w: Writer, addresses: Iterable[bytes]) -> None:
    """Encode interface addresses, packed, those of IPv4 first."""
    ordered = tuple(addresses)
    encode_items(w, TlvType.IPV4_ADDRESSES, (address for address in ordered if len(address) == 4))
    encode_items(w, TlvType.IPV6_ADDRESSES, (address for address in ordered if len(address) == 16))


def _entry(entry: LspEntry) -> bytes:
    w = Writer()
    w.u16(entry.lifetime)
    w.octets(entry.lsp_id)
    w.u32(entry.sequence)
    w.u16(entry.checksum)
    return bytes(w)
