"""Peer Down: a BGP session of the router ended, and why (RFC 7854 section 4.9, RFC 9069 section 5.3)."""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp import header as bgp
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.notification import Notification, decode_notification
from routed.wire.bmp.codepoints import PeerDownReason
from routed.wire.bmp.peer import PeerHeader, decode_peer_header, encode_peer_header
from routed.wire.bmp.tlv import Tlv, decode_tlvs, encode_tlv

_WITH_NOTIFICATION: Final = (PeerDownReason.LOCAL_NOTIFICATION, PeerDownReason.REMOTE_NOTIFICATION)
_TLVS_SINCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDown:
    """A session of the router went down; for a Loc-RIB, its view did."""

    peer: PeerHeader
    reason: PeerDownReason
    notification: Notification | None = None  # reasons 1 and 3, unless malformed
    fsm_event: int | None = None  # reason 2; 0 when no event is known (RFC 7854 section 4.9)
    tlvs: tuple[Tlv, ...] = ()  # reason 6, and any reason in version 4
    octets: bytes = b""  # what is behind the reason and was not understood


def decode_peer_down(c: Cursor, version: int) -> PeerDown:
    """Decode the body of a Peer Down message; only its per-peer header and reason can be malformed.

    Octets: per-peer header, reason u8; then for reasons 1 and 3 a NOTIFICATION message, for 2 the event u16, for 6
    TLVs; in version 4 TLVs at the end for every reason.
    Source: RFC 7854 section 4.9, RFC 9069 section 5.3, draft-ietf-grow-bmp-tlv section 5.3.
    """
    peer, reason = decode_peer_header(c), PeerDownReason(c.u8())
    offset, octets = c.offset, c.rest()
    notification: Notification | None = None
    fsm_event: int | None = None
    tlvs: tuple[Tlv, ...] = ()
    rest, understood = Cursor(octets, offset), offset
    try:
        if reason in _WITH_NOTIFICATION:
            notification = _decode_notification(rest)
        elif reason == PeerDownReason.LOCAL_FSM_EVENT:
            fsm_event = rest.u16()
        understood = rest.offset
        if reason == PeerDownReason.LOCAL_TLVS or version >= _TLVS_SINCE:
            tlvs = decode_tlvs(rest, version)
            understood = rest.offset
    except WireError:
        pass  # the peer is down, whatever the router says about it
    return PeerDown(
        peer=peer,
        reason=reason,
        notification=notification,
        fsm_event=fsm_event,
        tlvs=tlvs,
        octets=octets[understood - offset :],
    )


def encode_peer_down(w: Writer, message: PeerDown, version: int) -> None:
    """Encode the body of a Peer Down message."""
    encode_peer_header(w, message.peer)
    w.u8(message.reason)
    if message.notification is not None:
        code, subcode = message.notification.code, message.notification.subcode
        body = bytes([code, subcode]) + message.notification.data
        w.octets(bgp.encode_message(MessageType.NOTIFICATION, body))
    if message.fsm_event is not None:
        w.u16(message.fsm_event)
    for tlv in message.tlvs:
        encode_tlv(w, tlv, version)
    w.octets(message.octets)


def _decode_notification(c: Cursor) -> Notification:
    offset = c.offset
    kind, body = bgp.decode_message(c)
    if kind != MessageType.NOTIFICATION:
        raise WireError(f"BGP message type {kind} is in place of a NOTIFICATION", offset, "RFC 7854 4.9")
    return decode_notification(body)
