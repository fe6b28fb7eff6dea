"""IP prefixes and addresses: NLRI octets (RFC 4271 section 4.3) and the text people read."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer

#: `::ffff:0:0/96`: IPv4-mapped addresses are printed with their last 32 bits dotted (RFC 5952 section 5).
_MAPPED: Final = bytes(10) + b"\xff\xff"


class Prefix(NamedTuple):
    """A packed address of 4 or 16 octets with its host bits clear, and a length in bits."""

    address: bytes
    length: int

    def __str__(self) -> str:
        return format_prefix(self)


def decode_prefix(c: Cursor, address_octets: int) -> Prefix:
    """Decode one prefix; bits behind its length are irrelevant and come out as 0.

    Octets: length in bits u8, then as few octets as hold that many bits.
    Raises: WireError when the length exceeds the address or the octets.
    Source: RFC 4271 section 4.3, RFC 4760 section 5.
    """
    offset, length = c.offset, c.u8()
    if length > 8 * address_octets:
        raise WireError(f"prefix length {length} is above {8 * address_octets}", offset, "RFC 4271 4.3")
    return cut_prefix(c.take((length + 7) // 8), length, address_octets)


def encode_prefix(w: Writer, prefix: Prefix) -> None:
    """Encode one prefix in as few octets as hold its bits."""
    w.u8(prefix.length)
    w.octets(prefix.address[: (prefix.length + 7) // 8])


def cut_prefix(leading: bytes, length: int, address_octets: int) -> Prefix:
    """Return the prefix of `length` bits that the leading octets of an address hold, host bits cleared."""
    host_bits = 8 * address_octets - length
    bits = int.from_bytes(leading.ljust(address_octets, b"\0"), "big") >> host_bits << host_bits
    return Prefix(bits.to_bytes(address_octets, "big"), length)


def format_address(address: bytes) -> str:
    """Format 4 or 16 octets as text: lower case, longest run of zeros compressed."""
    if len(address) == 4:
        first, second, third, fourth = address
        return f"{first}.{second}.{third}.{fourth}"
    if address.startswith(_MAPPED):
        return f"::ffff:{IPv4Address(address[12:])}"
    return str(IPv6Address(address))


def parse_address(text: str) -> bytes:
    """Parse the text of an IPv4 or IPv6 address; ValueError when it is neither."""
    return (IPv6Address(text) if ":" in text else IPv4Address(text)).packed


def format_prefix(prefix: Prefix) -> str:
    """Format a prefix as `address/length`."""
    return f"{format_address(prefix.address)}/{prefix.length}"


def parse_prefix(text: str) -> Prefix:
    """Parse `address/length`, host bits cleared; a bare address is a host prefix; ValueError otherwise."""
    network = ip_network(text, strict=False)
    return Prefix(network.network_address.packed, network.prefixlen)
