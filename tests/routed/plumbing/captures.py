"""Captures made by hand: files, link layers, IP and TCP."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

Timed = tuple[float, bytes]

ROUTER, COLLECTOR = ("192.0.2.1", 40000), ("192.0.2.9", 1790)
FIN, SYN, RST, ACK = 1, 2, 4, 16


def pcap(packets: Iterable[Timed], link_type: int = 1, *, order: str = "<", nano: bool = False) -> bytes:
    ticks = 10**9 if nano else 10**6
    octets = struct.pack(f"{order}IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    for time, packet in packets:
        seconds = int(time)
        octets += struct.pack(f"{order}4I", seconds, round((time - seconds) * ticks), len(packet), len(packet)) + packet
    return octets


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(link_type: int = 1, options: bytes = b"", order: str = "<", snap: int = 0) -> bytes:
    return block(1, struct.pack(f"{order}HHI", link_type, 0, snap) + options, order)


def enhanced(packet: bytes, ticks: int, number: int = 0, order: str = "<") -> bytes:
    head = struct.pack(f"{order}5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(6, head + packet, order)


def tcp(payload: bytes = b"", *, source=ROUTER, destination=COLLECTOR, seq=0, ack=0, flags=ACK, options=b"") -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return struct.pack("!HHIIBBHHH", source[1], destination[1], seq, ack, offset, flags, 0, 0, 0) + options + payload


def ipv4(
    body: bytes, *, source=ROUTER, destination=COLLECTOR, protocol=6, fragment=0, options=b"", total=None
) -> bytes:
    total = 20 + len(options) + len(body) if total is None else total
    first = 0x45 + len(options) // 4
    head = struct.pack("!BBHHHBBH", first, 0, total, 0, fragment, 64, protocol, 0)
    return head + ip_address(source[0]).packed + ip_address(destination[0]).packed + options + body


def ipv6(body: bytes, *, source, destination, protocol=6, total=None) -> bytes:
    head = struct.pack("!IHBB", 0x60000000, len(body) if total is None else total, protocol, 64)
    return head + ip_address(source[0]).packed + ip_address(destination[0]).packed + body


def ethernet(packet: bytes, *tags: int) -> bytes:
    ether_type = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return bytes(12) + b"".join(struct.pack("!HH", tag, 7) for tag in tags) + struct.pack("!H", ether_type) + packet


def frame(payload: bytes = b"", *, source=ROUTER, destination=COLLECTOR, **fields) -> bytes:
    """A TCP segment over IPv4 on Ethernet."""
    segment = tcp(payload, source=source, destination=destination, **fields)
    return ethernet(ipv4(segment, source=source, destination=destination))


def session(*payloads: bytes, source=ROUTER, destination=COLLECTOR, start=1000.0, isn=100, end=FIN) -> list[Timed]:
    """A whole connection, a packet a second; `end` is FIN, RST or nothing."""
    out, back = {"source": source, "destination": destination}, {"source": destination, "destination": source}
    frames = [
        frame(seq=isn, flags=SYN, **out),
        frame(seq=500, ack=isn + 1, flags=SYN | ACK, **back),
        frame(seq=isn + 1, ack=501, **out),
    ]
    at = isn + 1
    for payload in payloads:
        frames += [frame(payload, seq=at, ack=501, **out), frame(seq=501, ack=at + len(payload), **back)]
        at += len(payload)
    if end:
        frames += [frame(seq=at, ack=501, flags=end | ACK, **out), frame(seq=501, ack=at + 1, flags=FIN | ACK, **back)]
    return [(start + number, octets) for number, octets in enumerate(frames)]
