"""What a PDU stands behind on a link: GRE (RFC 2784, RFC 2890), or LLC on Ethernet (ISO/IEC 8802-2)."""

from typing import Final

from routed.octets import Cursor, WireError

#: What GRE and packet sockets call the protocols of OSI, of which the PDU's first octet names one (RFC 1701).
OSI_PROTOCOL: Final = 0x00FE

_CHECKSUM: Final = 0x8000
_ROUTING: Final = 0x4000
_KEY: Final = 0x2000
_SEQUENCE: Final = 0x1000
_VERSION: Final = 0x0007
#: Numbers that are a multiple of it are what one's complement calls 0.
_ONES: Final = 0xFFFF
#: A keepalive: IPv4 in GRE, and GRE of no protocol in that.
_IPV4_PROTOCOL: Final = 0x0800
_GRE: Final = 47
_NOTHING: Final = b"\0\0"
_IPV4_OCTETS: Final = 4
_IPV4_HEADER: Final = 20
_LLC: Final = b"\xfe\xfe\x03"


def decode_gre(octets: bytes, key: int | None = None) -> bytes:
    """Return the PDU in a packet of the tunnel that has a key, or none.

    Raises: WireError when it is cut short, of another version, source-routed, of another protocol or another tunnel,
        or not what its checksum says.
    """
    return _decode(octets, key, OSI_PROTOCOL)


def decode_keepalive(octets: bytes, key: int | None, local: bytes, remote: bytes) -> bytes:
    """Return the GRE packet that a keepalive wants to have back, in a tunnel between two packed addresses.

    A router that looks after its tunnel in this way, which no RFC describes, sends itself a GRE packet of protocol 0
    through the tunnel: inside of GRE an IPv4 packet with GRE, from our address to its own. Whoever takes it out of the
    tunnel sends it on; here that is done by hand, and for nothing else.

    Raises: WireError for everything else.
    """
    inner = _decode(octets, key, _IPV4_PROTOCOL)
    c = Cursor(inner)
    header = 4 * (c.u8() & 0x0F)
    c.u8()
    length = c.u16()
    c.take(5)
    protocol = c.u8()
    c.u16()
    ends = c.take(_IPV4_OCTETS), c.take(_IPV4_OCTETS)
    answer = inner[header:length]
    if inner[0] >> 4 != 4 or header < _IPV4_HEADER or protocol != _GRE or ends != (local, remote):
        raise WireError("no keepalive of this tunnel", 0, "IPv4 in GRE")
    if length > len(inner) or answer[2:4] != _NOTHING:
        raise WireError("no keepalive: not a whole GRE packet of protocol 0", 0, "IPv4 in GRE")
    return answer


def _decode(octets: bytes, key: int | None, wanted: int) -> bytes:
    """Return what a packet carries of a protocol; its sequence number is passed over.

    Octets: flags and version u16, protocol u16, checksum and reserved u32 if the first flag is set, key u32 and
        sequence number u32 if theirs are, what it carries.
    """
    c = Cursor(octets)
    flags = c.u16()
    if flags & (_VERSION | _ROUTING):
        raise WireError(f"GRE flags and version {flags:#06x} are not of RFC 2784", 0, "RFC 2784 2")
    protocol = c.u16()
    if protocol != wanted:
        raise WireError(f"GRE protocol {protocol:#06x} is not {wanted:#06x}", 2, "RFC 1701")
    if flags & _CHECKSUM:
        offset = c.offset
        c.u32()
        if not is_sum_right(octets):
            raise WireError("GRE checksum is wrong", offset, "RFC 2784 2.5")
    offset = c.offset
    found = c.u32() if flags & _KEY else None
    if found != key:
        raise WireError(f"GRE key {found} is not {key}", offset, "RFC 2890 2.1")
    if flags & _SEQUENCE:
        c.u32()
    return c.rest()


def is_sum_right(packet: bytes) -> bool:
    """Tell whether a packet is as its checksum says: the sum of its words, in one's complement, is 0."""
    return not int.from_bytes(packet + bytes(len(packet) % 2), "big") % _ONES


def encode_gre(pdu: bytes, key: int | None = None) -> bytes:
    """Return the packet for a PDU, of the tunnel that has a key, or none."""
    if key is None:
        return b"\0\0" + OSI_PROTOCOL.to_bytes(2, "big") + pdu
    return _KEY.to_bytes(2, "big") + OSI_PROTOCOL.to_bytes(2, "big") + key.to_bytes(4, "big") + pdu


def decode_llc(octets: bytes) -> bytes:
    """Return the PDU behind an LLC header.

    Raises: WireError when this is another protocol's frame.
    """
    if not octets.startswith(_LLC):
        raise WireError(f"LLC header {octets[:3].hex()} is not {_LLC.hex()}", 0, "ISO/IEC 10589 8.4")
    return octets[len(_LLC) :]


def encode_llc(pdu: bytes) -> bytes:
    """Return a PDU behind an LLC header."""
    return _LLC + pdu
