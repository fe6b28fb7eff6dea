"""UDP datagrams sent in the name of others: from the addresses that they were once received from.

A raw socket with headers of our own, as replicators of flow exports have it (raw(7)); it is opened with privileges and
needs none later. Datagrams are not cut into fragments.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_UDP: Final = 17
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_UDP_HEADER: Final = struct.Struct("!HHHH")
_HOPS: Final = 64


class UdpInName:
    """Sends to one place.

    Raises: OSError, also where the process may not.
    """

    def __init__(self, address: IPv4Address | IPv6Address, port: int) -> None:
        self.address, self.port = address, port
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)

    def send(self, octets: bytes, source: IPv4Address | IPv6Address, source_port: int) -> None:
        """Send a datagram, as if it came from an address of the same family.

        Raises: OSError.
        """
        assert source.version == self.address.version, "addresses of one family"
        packet = udp_packet(octets, (source, source_port), (self.address, self.port))
        self._socket.sendto(packet, (str(self.address), 0))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def udp_packet(
    octets: bytes, source: tuple[IPv4Address | IPv6Address, int], destination: tuple[IPv4Address | IPv6Address, int]
) -> bytes:
    """Return the IP packet of a datagram between two places; of IPv4, the kernel fills in the checksum of the header.

    Source: RFC 768, RFC 791 section 3.1, RFC 8200 section 3 and 8.1.
    """
    (from_address, from_port), (to_address, to_port) = source, destination
    length = _UDP_HEADER.size + len(octets)
    addresses = from_address.packed + to_address.packed
    pseudo = addresses + struct.pack("!IHBB", length, 0, 0, _UDP)
    header = _UDP_HEADER.pack(from_port, to_port, length, 0)
    header = header[:6] + struct.pack("!H", checksum(pseudo + header + octets) or 0xFFFF)
    if from_address.version == 4:
        ip = _IPV4.pack(0x45, 0, _IPV4.size + length, 0, 0, _HOPS, _UDP, 0, from_address.packed, to_address.packed)
    else:
        ip = _IPV6.pack(6 << 28, length, _UDP, _HOPS, from_address.packed, to_address.packed)
    return ip + header + octets


def checksum(octets: bytes) -> int:
    """Return the one's complement of the one's complement sum of 16-bit words (RFC 1071)."""
    padded = octets + bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
