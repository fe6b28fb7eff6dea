"""Termination: why the router ends the session (RFC 7854 section 4.5)."""

from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, Writer
from routed.wire.bmp.codepoints import TerminationReason, TerminationType
from routed.wire.bmp.tlv import Tlv, decode_tlvs, encode_tlv

_REASON_OCTETS: Final = 2


@dataclass(frozen=True, slots=True)
class Termination:
    """The last message of a session."""

    tlvs: tuple[Tlv, ...] = ()  # in wire order, repeated ones kept

    @property
    def reason(self) -> TerminationReason | None:
        """Return the first reason; None when there is none of 2 octets."""
        for tlv in self.tlvs:
            if (reason := termination_reason(tlv)) is not None:
                return reason
        return None


def termination_reason(tlv: Tlv) -> TerminationReason | None:
    """Return the reason that a TLV holds, None when it holds none.

    Octets: reason u16.
    """
    if tlv.enterprise is None and tlv.kind == TerminationType.REASON and len(tlv.octets) == _REASON_OCTETS:
        return TerminationReason(int.from_bytes(tlv.octets, "big"))
    return None


def decode_termination(c: Cursor, version: int) -> Termination:
    """Decode the body of a Termination message: TLVs to its end."""
    return Termination(decode_tlvs(c, version))


def encode_termination(w: Writer, message: Termination, version: int) -> None:
    """Encode the body of a Termination message."""
    for tlv in message.tlvs:
        encode_tlv(w, tlv, version)
