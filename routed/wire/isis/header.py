"""What all PDUs begin with, and where a PDU ends inside of what a link carried.

Octets: discriminator 0x83, octets of the header u8, version 1 u8, octets of a system id u8 (0 for 6), type u8 (upper
three bits reserved), version 1 u8, reserved u8, areas of a system u8 (0 for 3).

Source: ISO/IEC 10589 section 9.5.
"""

from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.isis.codepoints import DISCRIMINATOR, SHAPES, SYSTEM_ID_OCTETS, PduType

COMMON_OCTETS: Final = 8
_SOURCE: Final = "ISO/IEC 10589 9.5"
_VERSION: Final = 1
_TYPE_MASK: Final = 0x1F


def cut_pdu(octets: bytes) -> tuple[PduType, bytes]:
    """Return the type of a PDU, and the PDU without what a link put behind it, such as the filling of short frames.

    Raises: WireError when this is no PDU with a system id of 6 octets, or not a whole one.
    """
    c = Cursor(octets)
    _demand(c, DISCRIMINATOR, "protocol discriminator")
    header = c.u8()
    _demand(c, _VERSION, "version")
    _demand_one(c, (0, SYSTEM_ID_OCTETS), "length of a system id")
    kind = PduType(c.u8() & _TYPE_MASK)
    _demand(c, _VERSION, "version")
    if kind not in SHAPES:
        raise WireError(f"PDU type {int(kind)} is not known", 4, _SOURCE)
    shortest, at = SHAPES[kind]
    if header != shortest:
        raise WireError(f"{header} octets of header where {kind.name} has {shortest}", 1, _SOURCE)
    length = int.from_bytes(octets[at : at + 2], "big")
    if not shortest <= length <= len(octets):
        raise WireError(f"PDU length {length} is not {shortest} to {len(octets)}", at, _SOURCE)
    return kind, octets[:length]


def body_of(pdu: bytes) -> Cursor:
    """Return a cursor that stands behind the common header of a whole PDU."""
    return Cursor(pdu[COMMON_OCTETS:], COMMON_OCTETS)


def encode_common(w: Writer, kind: PduType) -> None:
    """Encode what all PDUs begin with."""
    w.octets(bytes((DISCRIMINATOR, SHAPES[kind][0], _VERSION, 0, kind, _VERSION, 0, 0)))


def with_length(kind: PduType, octets: bytes) -> bytes:
    """Write the length of a PDU into it."""
    at = SHAPES[kind][1]
    return octets[:at] + len(octets).to_bytes(2, "big") + octets[at + 2 :]


def demand_kind(kind: PduType, *wanted: PduType) -> None:
    """Refuse a PDU of another type.

    Raises: WireError.
    """
    if kind not in wanted:
        raise WireError(f"{kind.name} where {' or '.join(each.name for each in wanted)} is read", 4, _SOURCE)


def _demand(c: Cursor, wanted: int, what: str) -> None:
    _demand_one(c, (wanted,), what)


def _demand_one(c: Cursor, wanted: tuple[int, ...], what: str) -> None:
    offset, found = c.offset, c.u8()
    if found not in wanted:
        raise WireError(f"{what} {found} is not {' or '.join(map(str, wanted))}", offset, _SOURCE)
