"""The BGP message header: marker, length, type, and what each type allows (RFC 4271 section 4.1, RFC 8654)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from routed.octets import Cursor, Writer
from routed.wire.bgp.codepoints import ErrorCode, HeaderSubcode, MessageType
from routed.wire.bgp.notification import BgpError, Notification

MARKER: Final = b"\xff" * 16
HEADER_OCTETS: Final = 19
MAX_MESSAGE: Final = 4096
MAX_EXTENDED_MESSAGE: Final = 65535

_LENGTH_OFFSET: Final = 16
_TYPE_OFFSET: Final = 18


class Lengths(NamedTuple):
    """The least and the most octets of a message, header included."""

    least: int
    most: int


#: RFC 4271 section 6.1; RFC 8654 section 4 leaves OPEN and KEEPALIVE as they were. A ROUTE-REFRESH of a wrong
#: length has an error code of its own (RFC 7313 section 5), so its decoder judges that.
LENGTHS: Final[Mapping[MessageType, Lengths]] = {
    MessageType.OPEN: Lengths(29, MAX_MESSAGE),
    MessageType.UPDATE: Lengths(23, MAX_EXTENDED_MESSAGE),
    MessageType.NOTIFICATION: Lengths(21, MAX_EXTENDED_MESSAGE),
    MessageType.KEEPALIVE: Lengths(HEADER_OCTETS, HEADER_OCTETS),
    MessageType.ROUTE_REFRESH: Lengths(HEADER_OCTETS, MAX_EXTENDED_MESSAGE),
}


class HeaderError(BgpError):
    """A message header error, with the subcode and data of RFC 4271 section 6.1."""

    def __init__(self, subcode: HeaderSubcode, data: bytes, what: str, offset: int) -> None:
        super().__init__(Notification(ErrorCode.MESSAGE_HEADER, subcode, data), what, offset, "RFC 4271 6.1")


def check_header(header: bytes, max_length: int = MAX_MESSAGE) -> HeaderError | None:
    """Return what is wrong with the 19 octets of a header, None when they are right."""
    length = int.from_bytes(header[_LENGTH_OFFSET:_TYPE_OFFSET], "big")
    kind = header[_TYPE_OFFSET]
    if header[:_LENGTH_OFFSET] != MARKER:
        return HeaderError(HeaderSubcode.CONNECTION_NOT_SYNCHRONIZED, b"", "marker is not all ones", 0)
    least, most = LENGTHS.get(MessageType(kind), Lengths(HEADER_OCTETS, max_length))
    most = min(most, max_length)
    if not least <= length <= most:
        what = f"length {length} of message type {kind} is not in {least}..{most}"
        return HeaderError(HeaderSubcode.BAD_MESSAGE_LENGTH, length.to_bytes(2, "big"), what, _LENGTH_OFFSET)
    if kind not in LENGTHS:
        return HeaderError(
            HeaderSubcode.BAD_MESSAGE_TYPE, bytes([kind]), f"message type {kind} is unknown", _TYPE_OFFSET
        )
    return None


def decode_message(c: Cursor, max_length: int = MAX_EXTENDED_MESSAGE) -> tuple[MessageType, Cursor]:
    """Decode a header; return the message's type and a cursor over its body.

    Octets: marker 16 x 0xff, length u16 (header included), type u8, body.
    Raises: HeaderError for a header that breaks RFC 4271; WireError when the octets end early.
    """
    offset = c.offset
    header = c.take(HEADER_OCTETS)
    if error := check_header(header, max_length):
        error.offset += offset
        raise error
    length = int.from_bytes(header[_LENGTH_OFFSET:_TYPE_OFFSET], "big")
    return MessageType(header[_TYPE_OFFSET]), c.sub(length - HEADER_OCTETS)


def encode_message(kind: MessageType, body: bytes = b"") -> bytes:
    """Return one whole message."""
    w = Writer()
    w.octets(MARKER)
    w.u16(HEADER_OCTETS + len(body))
    w.u8(kind)
    w.octets(body)
    return bytes(w)
