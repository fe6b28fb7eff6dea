"""BMP streams out of packet captures: enough of pcap, IP and TCP for the recordings of tests, and no more."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ETHERNET, LINUX_COOKED = 1, 113
IPV4, IPV6, VLANS = b"\x08\x00", b"\x86\xdd", (b"\x81\x00", b"\x88\xa8")
TCP, SYN = 6, 0x02


@dataclass(slots=True)
class Segments:
    """The segments of one direction of a connection, by their distance from the first octet."""

    first: int
    parts: dict[int, bytes] = field(default_factory=dict)

    def joined(self) -> bytes:
        """The octets up to the first gap."""
        octets = b""
        for at, part in sorted(self.parts.items()):
            if at > len(octets):
                break
            octets += part[len(octets) - at :]
        return octets


def streams(path: Path) -> list[bytes]:
    """The octets that each sender sent, in the order in which the senders appear."""
    found: dict[bytes, Segments] = {}
    for packet in packets(path.read_bytes()):
        sender, segment = transport(packet)
        if sender is None:
            continue
        sequence, flags = int.from_bytes(segment[4:8], "big"), segment[13]
        octets = segment[(segment[12] >> 4) * 4 :]
        if flags & SYN:
            sequence += not octets  # recordings that were put together count no octet for a SYN that brings data
            found[sender] = Segments(sequence)
        stream = found.setdefault(sender, Segments(sequence))
        if octets:
            stream.parts.setdefault((sequence - stream.first) % 2**32, octets)
    return [octets for stream in found.values() if (octets := stream.joined())]


def packets(octets: bytes) -> Iterator[bytes]:
    """IP packets of a pcap file."""
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    (link,) = struct.unpack(order + "I", octets[20:24])
    at = 24
    while at + 16 <= len(octets):
        (length,) = struct.unpack(order + "I", octets[at + 8 : at + 12])
        frame = octets[at + 16 : at + 16 + length]
        at += 16 + length
        start = {ETHERNET: 14, LINUX_COOKED: 16}.get(link, 0)
        while start and frame[start - 2 : start] in VLANS:
            start += 4
        yield frame[start:]


def transport(packet: bytes) -> tuple[bytes | None, bytes]:
    """Who sent a TCP segment (addresses and ports), and the segment; None for anything else."""
    if packet[0] >> 4 == 4 and packet[9] == TCP:
        header, total = (packet[0] & 0x0F) * 4, int.from_bytes(packet[2:4], "big")
        addresses, segment = packet[12:20], packet[header:total]
    elif packet[0] >> 4 == 6 and packet[6] == TCP:
        addresses, segment = packet[8:40], packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
    else:
        return None, b""
    return addresses + segment[:4], segment


def messages(octets: bytes) -> Iterator[bytes]:
    """The whole BMP messages at the front of a stream."""
    while len(octets) >= 6 and octets[0] in (3, 4):
        length = int.from_bytes(octets[1:5], "big")
        if not 6 <= length <= len(octets):
            return
        yield octets[:length]
        octets = octets[length:]
