"""End-of-RIB: the UPDATE that says a family's first routes are complete (RFC 4724 section 2)."""

from routed.octets import Writer
from routed.wire.family import IPV4_UNICAST, Family

_OPTIONAL = 0x80
_MP_UNREACH_NLRI = 15


def encode_end_of_rib(w: Writer, family: Family) -> None:
    """Encode the body of the UPDATE: empty for IPv4 unicast, else MP_UNREACH_NLRI without routes."""
    w.u16(0)
    with w.length16():
        if family != IPV4_UNICAST:
            w.u8(_OPTIONAL)
            w.u8(_MP_UNREACH_NLRI)
            with w.length8():
                w.u16(family.afi)
                w.u8(family.safi)
