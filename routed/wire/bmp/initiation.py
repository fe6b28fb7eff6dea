"""Initiation: what the router says about itself (RFC 7854 section 4.3)."""

from dataclasses import dataclass

from routed.octets import Cursor, Writer
from routed.wire.bmp.tlv import Tlv, decode_tlvs, encode_tlv


@dataclass(frozen=True, slots=True)
class Initiation:
    """The first message of a session; it may come again."""

    tlvs: tuple[Tlv, ...] = ()  # in wire order, repeated ones kept


def decode_initiation(c: Cursor, version: int) -> Initiation:
    """Decode the body of an Initiation message: TLVs to its end."""
    return Initiation(decode_tlvs(c, version))


def encode_initiation(w: Writer, message: Initiation, version: int) -> None:
    """Encode the body of an Initiation message."""
    for tlv in message.tlvs:
        encode_tlv(w, tlv, version)
