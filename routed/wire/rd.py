"""Route distinguishers: 8 raw octets on the wire and in the stores, text at the edge (RFC 4364 section 4.2)."""

from typing import Final

from routed.octets import CodePoint, Cursor, Writer
from routed.wire.prefix import format_address, parse_address

RouteDistinguisher = bytes

RD_OCTETS: Final = 8


class RdType(CodePoint):
    """IANA route distinguisher types, and the private one that carries a vendor's VRF id."""

    AS2 = 0
    IPV4 = 1
    AS4 = 2
    VRF_ID = 0x0800


def decode_rd(c: Cursor) -> RouteDistinguisher:
    """Decode a route distinguisher: any 8 octets, whatever their type."""
    return c.take(RD_OCTETS)


def encode_rd(w: Writer, rd: RouteDistinguisher) -> None:
    """Encode a route distinguisher."""
    assert len(rd) == RD_OCTETS
    w.octets(rd)


def format_rd(rd: RouteDistinguisher) -> str:
    """Format as `0:65000:100`, `1:10.0.0.1:5`, `2:4200000000:7`, `vrfid:9`; `unknown` for another type."""
    c = Cursor(rd)
    match c.u16():
        case RdType.AS2:
            return f"0:{c.u16()}:{c.u32()}"
        case RdType.IPV4:
            return f"1:{format_address(c.take(4))}:{c.u16()}"
        case RdType.AS4:
            return f"2:{c.u32()}:{c.u16()}"
        case RdType.VRF_ID:
            c.u16()
            return f"vrfid:{c.u32()}"
        case _:
            return "unknown"


def parse_rd(text: str) -> RouteDistinguisher:
    """Parse what `format_rd` prints; ValueError for anything else."""
    w = Writer()
    match text.split(":"):
        case ["vrfid", number]:
            w.u16(RdType.VRF_ID)
            w.u16(0)
            _number(w, number, 4)
        case ["0", asn, number]:
            w.u16(RdType.AS2)
            _number(w, asn, 2)
            _number(w, number, 4)
        case ["1", address, number]:
            w.u16(RdType.IPV4)
            w.octets(parse_address(address))
            _number(w, number, 2)
        case ["2", asn, number]:
            w.u16(RdType.AS4)
            _number(w, asn, 4)
            _number(w, number, 2)
        case _:
            raise ValueError(f"{text!r} is not a route distinguisher such as 0:65000:100")
    return bytes(w)


def _number(w: Writer, text: str, octets: int) -> None:
    number = int(text)
    if not 0 <= number < 1 << 8 * octets:
        raise ValueError(f"{text} does not fit the {octets} octets it has in a route distinguisher")
    w.octets(number.to_bytes(octets, "big"))
