"""Type-length-value fields of BMP messages, plain and indexed, with and without an enterprise.

Octets of a plain TLV (RFC 7854 section 4.4): type u16, length u16, value[length]. Version 4
(draft-ietf-grow-bmp-tlv section 4) takes the top bit of the type, E, to say that the value begins with the number of
an enterprise, u32, which the length counts:

    E=0   type u16          length u16   value[length]
    E=1   0x8000|type u16   length u16   enterprise u32   value[length - 4]

TLVs of a Route Monitoring message of version 4 have an index behind the length, which the length does not count:

    E=0   type u16          length u16   index u16   value[length]
    E=1   0x8000|type u16   length u16   index u16   enterprise u32   value[length - 4]

The index is 0 for all prefixes of the UPDATE, else the number of one, from 1; with its top bit, G, it is the number
of a group of prefixes that a group TLV lists. In version 3 there is no E bit: all 16 bits are the type. Type 0xffff
is reserved and has no enterprise in any version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer

E_BIT: Final = 0x8000
G_BIT: Final = 0x8000

#: No enterprise's, although its top bit is set.
RESERVED: Final = 0xFFFF

#: TLVs of one message, or counters: each becomes some Python objects and perhaps a record. Routers send a few dozen,
#: those with per-family counters of many families a few hundred.
MAX_TLVS: Final = 1_024

_E_BIT_SINCE: Final = 4
_ENTERPRISE_OCTETS: Final = 4


@dataclass(frozen=True, slots=True)
class Tlv:
    """A type, and a value kept as it came."""

    kind: int
    octets: bytes
    enterprise: int | None = None  # whose type it is, when it is not one of IANA's


@dataclass(frozen=True, slots=True)
class IndexedTlv:
    """A TLV about some prefixes of an UPDATE; see the module for what the index means."""

    kind: int
    index: int
    octets: bytes
    enterprise: int | None = None


def decode_tlv(c: Cursor, version: int) -> Tlv:
    """Decode one plain TLV.

    Raises: WireError when a length overruns the message, or an enterprise its TLV.
    """
    kind, length = c.u16(), c.u16()
    value = c.sub(length)
    enterprise, kind = _enterprise(value, kind, version)
    return Tlv(kind, value.rest(), enterprise)


def decode_tlvs(c: Cursor, version: int) -> tuple[Tlv, ...]:
    """Decode plain TLVs to the end of the cursor, in wire order, repeated ones kept.

    Raises: WireError as `decode_tlv` does, and when there are too many.
    """
    tlvs: list[Tlv] = []
    while c.remaining:
        if len(tlvs) == MAX_TLVS:
            raise WireError(f"more than {MAX_TLVS} TLVs", c.offset, "RFC 7854 4.4")
        tlvs.append(decode_tlv(c, version))
    return tuple(tlvs)


def decode_indexed_tlv(c: Cursor) -> tuple[IndexedTlv, int]:
    """Decode one indexed TLV, of version 4; return it and the offset of its value."""
    kind, length, index = c.u16(), c.u16(), c.u16()
    value = c.sub(length)
    enterprise, kind = _enterprise(value, kind, _E_BIT_SINCE)
    offset = value.offset
    return IndexedTlv(kind, index, value.rest(), enterprise), offset


def encode_tlv(w: Writer, tlv: Tlv, version: int) -> None:
    """Encode one plain TLV; one of an enterprise only in version 4."""
    assert tlv.enterprise is None or version >= _E_BIT_SINCE
    w.u16(tlv.kind if tlv.enterprise is None else E_BIT | tlv.kind)
    with w.length16():
        if tlv.enterprise is not None:
            w.u32(tlv.enterprise)
        w.octets(tlv.octets)


def encode_indexed_tlv(w: Writer, tlv: IndexedTlv) -> None:
    """Encode one indexed TLV, whose length leaves the index out."""
    value = tlv.octets if tlv.enterprise is None else tlv.enterprise.to_bytes(4, "big") + tlv.octets
    w.u16(tlv.kind if tlv.enterprise is None else E_BIT | tlv.kind)
    w.u16(len(value))
    w.u16(tlv.index)
    w.octets(value)


def tlv_name(prefix: str, names: Mapping[int, str], tlv: Tlv | IndexedTlv) -> str:
    """Return the key of a record for a TLV: prefix and name, or number where there is none."""
    if tlv.enterprise is not None:
        return f"{prefix}_{tlv.enterprise}_{tlv.kind}"
    return f"{prefix}_{names.get(tlv.kind, tlv.kind)}"


def _enterprise(value: Cursor, kind: int, version: int) -> tuple[int | None, int]:
    """Take the enterprise off the front of a value; return it and the type without the E bit."""
    if version < _E_BIT_SINCE or not kind & E_BIT or kind == RESERVED:
        return None, kind
    if value.remaining < _ENTERPRISE_OCTETS:
        raise WireError(
            f"{value.remaining} octets of TLV {kind:#x} hold no enterprise", value.offset, "draft-ietf-grow-bmp-tlv 4"
        )
    return value.u32(), kind & ~E_BIT
