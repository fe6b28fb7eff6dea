"""ROUTE-REFRESH: a request to announce again, and the marks around the answer (RFC 2918, RFC 7313)."""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, Writer
from routed.wire.bgp.codepoints import ErrorCode, MessageType, RefreshSubcode, RefreshSubtype
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.notification import BgpError, Notification
from routed.wire.family import Family

_BODY_OCTETS: Final = 4


@dataclass(frozen=True, slots=True)
class RouteRefreshMessage:
    """A family and what is said about it; a request may carry outbound route filters, kept as octets."""

    family: Family
    subtype: RefreshSubtype = RefreshSubtype.REQUEST
    filters: bytes = b""


def decode_route_refresh(c: Cursor) -> RouteRefreshMessage:
    """Decode the body of a ROUTE-REFRESH message.

    Octets: AFI u16, subtype u8, SAFI u8; behind a request, filters (RFC 5291 section 4).
    Raises: BgpError with the whole message as data when its length is wrong.
    Source: RFC 2918 section 3, RFC 7313 section 5.
    """
    offset, body = c.offset, c.rest()
    if len(body) < _BODY_OCTETS or (len(body) > _BODY_OCTETS and body[2] != RefreshSubtype.REQUEST):
        message = encode_message(MessageType.ROUTE_REFRESH, body)
        notification = Notification(ErrorCode.ROUTE_REFRESH_MESSAGE, RefreshSubcode.INVALID_MESSAGE_LENGTH, message)
        raise BgpError(notification, f"ROUTE-REFRESH of {len(body)} octets is not of 4", offset, "RFC 7313 5")
    fields = Cursor(body, offset)
    afi, subtype, safi = fields.u16(), RefreshSubtype(fields.u8()), fields.u8()
    return RouteRefreshMessage(Family(afi, safi), subtype, fields.rest())


def encode_route_refresh(w: Writer, message: RouteRefreshMessage) -> None:
    """Encode the body of a ROUTE-REFRESH message."""
    w.u16(message.family.afi)
    w.u8(message.subtype)
    w.u8(message.family.safi)
    w.octets(message.filters)
