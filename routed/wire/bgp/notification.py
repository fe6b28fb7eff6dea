"""NOTIFICATION: why a session ends, in octets and in words.

Implements RFC 4271 section 4.5, the shutdown communication of RFC 9003 (longer than that of RFC 8203) and the
hard reset of RFC 8538, which wraps the NOTIFICATION that says why.
"""

from dataclasses import dataclass
from typing import Final

from routed.octets import CodePoint, Cursor, WireError, Writer, cut_utf8
from routed.wire.bgp.codepoints import SUBCODES, CeaseSubcode, ErrorCode, Unspecific

#: RFC 9003 section 2 has one octet for the length; RFC 8203 readers stop at 128.
MAX_SHUTDOWN_OCTETS: Final = 255

_WITH_SHUTDOWN_COMMUNICATION: Final = {CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET}


@dataclass(frozen=True, slots=True)
class Notification:
    """The last message of a session, in either direction."""

    code: int
    subcode: int = 0
    data: bytes = b""

    def __str__(self) -> str:
        registry: type[CodePoint] = SUBCODES.get(ErrorCode(self.code), Unspecific)
        names = f"{ErrorCode(self.code).name}/{registry(self.subcode).name}".lower().replace("_", " ")
        return f"{names} ({self.code}/{self.subcode})"

    @property
    def is_hard_reset(self) -> bool:
        """Tell whether stale routes must not be kept (RFC 8538 section 3.1)."""
        return (self.code, self.subcode) == (ErrorCode.CEASE, CeaseSubcode.HARD_RESET)

    @property
    def reason(self) -> "Notification":
        """Return the NOTIFICATION a hard reset wraps; any other is its own reason."""
        if self.is_hard_reset and len(self.data) >= 2:
            return decode_notification(Cursor(self.data))
        return self

    @property
    def shutdown_text(self) -> str | None:
        """Return what the operator at the other end wrote, fit for a log line; None where there is nothing."""
        reason = self.reason
        if reason.code != ErrorCode.CEASE or reason.subcode not in _WITH_SHUTDOWN_COMMUNICATION or not reason.data:
            return None
        return _parse_shutdown_communication(reason.data)


class BgpError(WireError):
    """Octets that break BGP in a way for which the RFC names the NOTIFICATION to answer with."""

    def __init__(self, notification: Notification, what: str, offset: int, source: str) -> None:
        super().__init__(what, offset, source)
        self.notification = notification


def decode_notification(c: Cursor) -> Notification:
    """Decode the body of a NOTIFICATION message.

    Octets: error code u8, error subcode u8, data to the end.
    """
    return Notification(c.u8(), c.u8(), c.rest())


def encode_notification(w: Writer, notification: Notification) -> None:
    """Encode the body of a NOTIFICATION message."""
    w.u8(notification.code)
    w.u8(notification.subcode)
    w.octets(notification.data)


def cease(subcode: CeaseSubcode, text: str = "") -> Notification:
    """Return a Cease; the text, cut to whole characters of 255 octets, goes with subcodes 2 and 4 only."""
    if not text or subcode not in _WITH_SHUTDOWN_COMMUNICATION:
        return Notification(ErrorCode.CEASE, subcode)
    octets = cut_utf8(text, MAX_SHUTDOWN_OCTETS)
    return Notification(ErrorCode.CEASE, subcode, bytes([len(octets)]) + octets)


def hard_reset(reason: Notification) -> Notification:
    """Wrap a NOTIFICATION so that the receiver drops the routes (RFC 8538 section 3.1)."""
    wrapped = bytes([reason.code, reason.subcode]) + reason.data
    return Notification(ErrorCode.CEASE, CeaseSubcode.HARD_RESET, wrapped)


def _parse_shutdown_communication(field: bytes) -> str:
    """Parse length and UTF-8 text; what is malformed is shown in hexadecimal, as RFC 9003 section 4 suggests.

    Characters that do not print are escaped: the text is a stranger's and ends in our log.
    """
    length, octets = field[0], field[1:]
    if length > len(octets):
        return f"malformed: {field.hex()}"
    text = octets[:length].decode(errors="backslashreplace")
    return "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in text)
