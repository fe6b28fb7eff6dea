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
_LLC: Final = b"\xfe\xfe\x03"


def decode_gre(octets: bytes) -> bytes:
    """Return the PDU in a GRE packet; checksum, key and sequence number are passed over.

    Octets: flags and version u16, protocol u16, checksum and reserved u32 if the first flag is set, key u32 and
        sequence number u32 if theirs are, PDU.
    Raises: WireError when it is cut short, of another version, source-routed, or of another protocol.
    """
    c = Cursor(octets)
    flags = c.u16()
    if flags & (_VERSION | _ROUTING):
        raise WireError(f"GRE flags and version {flags:#06x} are not of RFC 2784", 0, "RFC 2784 2")
    protocol = c.u16()
    if protocol != OSI_PROTOCOL:
        raise WireError(f"GRE protocol {protocol:#06x} is not {OSI_PROTOCOL:#06x}", 2, "RFC 1701")
    c.take(4 * sum(bool(flags & flag) for flag in (_CHECKSUM, _KEY, _SEQUENCE)))
    return c.rest()


def encode_gre(pdu: bytes) -> bytes:
    """Return the GRE packet for a PDU."""
    return b"\0\0" + OSI_PROTOCOL.to_bytes(2, "big") + pdu


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
