"""From a captured packet to the UDP datagram in it."""

import struct
from typing import Final, NamedTuple

from routed.plumbing.ip_packet import Skip, Skipped, find_payload
from routed.plumbing.pcap import Packet

_UDP: Final = 17
_HEADER = struct.Struct("!HHH")
_HEADER_OCTETS: Final = 8


class UdpDatagram(NamedTuple):
    """A UDP datagram; addresses are packed."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    payload: bytes
    time: float


def read_datagram(packet: Packet) -> UdpDatagram | Skipped:
    """Return the UDP datagram of a packet, or why there is none."""
    try:
        at, end, source, destination = find_payload(packet, _UDP)
        from_port, to_port, length = _HEADER.unpack_from(packet.octets, at)
    except Skip as skip:
        return skip.reason
    except struct.error:
        return Skipped.SHORT
    end = min(end, at + length) if length else end  # 0: longer than a length can say (RFC 2675)
    if end < at + _HEADER_OCTETS or end > len(packet.octets):
        return Skipped.SHORT
    payload = packet.octets[at + _HEADER_OCTETS : end]
    return UdpDatagram(source, from_port, destination, to_port, payload, packet.time)
