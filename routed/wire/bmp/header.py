"""The BMP common header: version, length, type (RFC 7854 section 4.1)."""

from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer
from routed.wire.bmp.codepoints import MessageType

HEADER_OCTETS: Final = 6
VERSIONS: Final = (3, 4)

#: The longest message that is read: it holds a Peer Up with two extended OPENs, and more TLVs than any router sends.
MAX_MESSAGE: Final = 256 * 1024

VERSION_OFFSET: Final = 0
LENGTH_OFFSET: Final = 1
TYPE_OFFSET: Final = 5


class HeaderError(WireError):
    """A common header that leaves no way to find the next message."""


class CommonHeader(NamedTuple):
    """Version, type, and the octets of the whole message."""

    version: int
    length: int
    kind: MessageType


def check_header(header: bytes) -> HeaderError | None:
    """Return what is wrong with the 6 octets of a header, None when they are right; any type is right."""
    version, length = header[VERSION_OFFSET], int.from_bytes(header[LENGTH_OFFSET:TYPE_OFFSET], "big")
    if version not in VERSIONS:
        return HeaderError(f"BMP version {version} is not 3 or 4", VERSION_OFFSET, "RFC 7854 4.1")
    if length < HEADER_OCTETS:
        return HeaderError(f"length {length} is below {HEADER_OCTETS}", LENGTH_OFFSET, "RFC 7854 4.1")
    return None


def decode_header(c: Cursor) -> tuple[CommonHeader, Cursor]:
    """Decode a common header; return it and a cursor over the message behind it.

    Octets: version u8, length u32 (header included), type u8.
    Raises: HeaderError for another version or a length below 6; WireError when the octets end early.
    """
    offset, header = c.offset, c.take(HEADER_OCTETS)
    if error := check_header(header):
        error.offset += offset
        raise error
    length = int.from_bytes(header[LENGTH_OFFSET:TYPE_OFFSET], "big")
    kind = MessageType(header[TYPE_OFFSET])
    return CommonHeader(header[VERSION_OFFSET], length, kind), c.sub(length - HEADER_OCTETS)


def frame(kind: int, body: bytes, version: int) -> bytes:
    """Return one whole message: a common header and its body."""
    w = Writer()
    w.u8(version)
    w.u32(HEADER_OCTETS + len(body))
    w.u8(kind)
    w.octets(body)
    return bytes(w)
