"""From a captured packet to the TCP segment in it."""

import struct
from typing import Final, NamedTuple

from routed.plumbing.ip_packet import Skip, Skipped, find_payload
from routed.plumbing.pcap import Packet

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

_TCP: Final = 6
_SEGMENT = struct.Struct("!HHIIBB")


class Flow(NamedTuple):
    """One direction of a TCP connection; addresses are packed."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int

    def reversed(self) -> "Flow":
        """Return the other direction."""
        return Flow(self.destination, self.destination_port, self.source, self.source_port)


class Segment(NamedTuple):
    """A TCP segment."""

    flow: Flow
    sequence: int
    acknowledgment: int
    flags: int
    payload: bytes
    length: int  # of the payload that was sent; more than `payload` has if the packet was not captured whole
    time: float


def read_segment(packet: Packet) -> Segment | Skipped:
    """Return the TCP segment of a packet, or why there is none."""
    try:
        at, end, source, destination = find_payload(packet, _TCP)
        return _read_tcp(packet, at, end, source, destination)
    except Skip as skip:
        return skip.reason
    except struct.error:
        return Skipped.SHORT


def _read_tcp(packet: Packet, at: int, end: int, source: bytes, destination: bytes) -> Segment:
    from_port, to_port, sequence, acknowledgment, offset, flags = _SEGMENT.unpack_from(packet.octets, at)
    start = at + (offset >> 4) * 4
    if start < at + 20 or start > end:
        raise Skip(Skipped.SHORT)
    flow = Flow(source, from_port, destination, to_port)
    return Segment(flow, sequence, acknowledgment, flags, packet.octets[start:end], end - start, packet.time)
