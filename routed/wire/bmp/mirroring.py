"""Route Mirroring: BGP messages of a peer verbatim, also those that are in error (RFC 7854 section 4.7)."""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, Writer
from routed.wire.bmp.codepoints import MirroringInformation, MirroringType
from routed.wire.bmp.peer import PeerHeader, decode_peer_header, encode_peer_header
from routed.wire.bmp.tlv import Tlv, decode_tlvs, encode_tlv

_INFORMATION_OCTETS: Final = 2


@dataclass(frozen=True, slots=True)
class RouteMirroring:
    """Messages of a peer, and information about them."""

    peer: PeerHeader
    tlvs: tuple[Tlv, ...] = ()  # in wire order, repeated ones kept

    @property
    def messages(self) -> tuple[bytes, ...]:
        """Return the mirrored BGP messages; one that is errored may not even have a BGP header."""
        return tuple(
            tlv.octets for tlv in self.tlvs if tlv.enterprise is None and tlv.kind == MirroringType.BGP_MESSAGE
        )

    @property
    def information(self) -> tuple[MirroringInformation, ...]:
        """Return the information codes of 2 octets."""
        return tuple(
            MirroringInformation(int.from_bytes(tlv.octets, "big"))
            for tlv in self.tlvs
            if tlv.enterprise is None
            and tlv.kind == MirroringType.INFORMATION
            and len(tlv.octets) == _INFORMATION_OCTETS
        )


def decode_route_mirroring(c: Cursor, version: int) -> RouteMirroring:
    """Decode the body of a Route Mirroring message.

    Octets: per-peer header, TLVs: a BGP message, or an information code u16.
    Source: RFC 7854 section 4.7.
    """
    return RouteMirroring(decode_peer_header(c), decode_tlvs(c, version))


def encode_route_mirroring(w: Writer, message: RouteMirroring, version: int) -> None:
    """Encode the body of a Route Mirroring message."""
    encode_peer_header(w, message.peer)
    for tlv in message.tlvs:
        encode_tlv(w, tlv, version)
