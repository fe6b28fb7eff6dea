"""Peer Up: a BGP session between the router and a peer began, with what both ends offered (RFC 7854 section 4.10)."""

from dataclasses import dataclass

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp import header as bgp
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.open import OpenMessage, decode_open, encode_open
from routed.wire.bmp.peer import (
    Address,
    PeerHeader,
    decode_local_address,
    decode_peer_header,
    encode_address,
    encode_peer_header,
)
from routed.wire.bmp.tlv import Tlv, decode_tlvs, encode_tlv


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUp:
    """A session of the router came up; for a Loc-RIB, its view did."""

    peer: PeerHeader
    local_address: Address
    local_port: int
    remote_port: int
    sent_open: OpenMessage  # by the router
    received_open: OpenMessage  # by the router
    tlvs: tuple[Tlv, ...] = ()  # in wire order, repeated ones kept


def decode_peer_up(c: Cursor, version: int) -> PeerUp:
    """Decode the body of a Peer Up message.

    Octets: per-peer header, local address 16, local port u16, remote port u16, sent OPEN, received OPEN, TLVs.
    Raises: WireError when an OPEN is malformed, or another message is in its place.
    Source: RFC 7854 section 4.10, RFC 9069 section 5.1, RFC 9736 section 2.
    """
    peer = decode_peer_header(c)
    return PeerUp(
        peer=peer,
        local_address=decode_local_address(c, peer),
        local_port=c.u16(),
        remote_port=c.u16(),
        sent_open=_decode_open(c),
        received_open=_decode_open(c),
        tlvs=decode_tlvs(c, version),
    )


def encode_peer_up(w: Writer, message: PeerUp, version: int) -> None:
    """Encode the body of a Peer Up message."""
    encode_peer_header(w, message.peer)
    encode_address(w, message.local_address)
    w.u16(message.local_port)
    w.u16(message.remote_port)
    for opened in (message.sent_open, message.received_open):
        body = Writer()
        encode_open(body, opened)
        w.octets(bgp.encode_message(MessageType.OPEN, bytes(body)))
    for tlv in message.tlvs:
        encode_tlv(w, tlv, version)


def _decode_open(c: Cursor) -> OpenMessage:
    offset = c.offset
    kind, body = bgp.decode_message(c)
    if kind != MessageType.OPEN:
        raise WireError(f"BGP message type {kind} is in place of an OPEN", offset, "RFC 7854 4.10")
    return decode_open(body)
