"""Traffic of one exporter: NetFlow v9 of a router, or what a switch samples, sent at a steady rate.

Every record stands for one packet, so that the packets of a collector's rows are the records that it accounted.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from tests.flowcorr.exports import V9_DATA, export_set, template, v9

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Where the exporter sends from: the address of the first session of `play`.
SOURCE: Final = "127.0.1.1"
#: Element and octets of each field (RFC 3954 section 8); a record has 52 octets.
FIELDS: Final = (
    (8, 4), (12, 4), (15, 4), (10, 4), (14, 4), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2), (6, 1), (4, 1),
    (5, 1), (9, 1), (13, 1), (18, 4),
)  # fmt: skip
TEMPLATE_ID: Final = 256
RECORDS, SAMPLES = 23, 7
#: Datagrams that are sent between two looks at the clock.
BURST: Final = 16
SEED: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Datagrams, of which each has so many records; `opening` comes first, in a datagram of its own."""

    opening: bytes
    datagrams: Sequence[bytes]
    records: int


def destinations(updates: bytes, count: int) -> list[bytes]:
    """Draw addresses inside the IPv4 prefixes of a stream of UPDATE messages (RFC 4271 section 4.3)."""
    draw, prefixes = random.Random(SEED), list(_prefixes(updates))
    return [
        (address | draw.getrandbits(32 - length) if length < 32 else address).to_bytes(4, "big")
        for address, length in draw.choices(prefixes, k=count)
    ]


def _prefixes(updates: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(updates):
        end = at + int.from_bytes(updates[at + 16 : at + 18], "big")
        at += 19
        for _ in range(2):  # withdrawn routes, then attributes
            at += 2 + int.from_bytes(updates[at : at + 2], "big")
        while at < end:
            length = updates[at]
            octets = (length + 7) // 8
            yield int.from_bytes(updates[at + 1 : at + 1 + octets].ljust(4, b"\0"), "big"), length
            at += 1 + octets


def random_addresses(count: int) -> list[bytes]:
    """Draw addresses, wherever they are."""
    draw = random.Random(SEED)
    return [struct.pack("!I", draw.randrange(1 << 24, 223 << 24)) for _ in range(count)]


def netflow(addresses: Sequence[bytes], datagrams: int) -> Traffic:
    """NetFlow v9 of flows between addresses."""
    draw, uptime = random.Random(SEED), 100_000

    def record() -> bytes:
        hop = struct.pack("!BBBB", 10, 0, 0, draw.randrange(1, 250))
        return b"".join((
            draw.choice(addresses),
            draw.choice(addresses),
            hop,
            struct.pack("!IIII", draw.randrange(1, 40), draw.randrange(1, 40), 1, draw.randrange(40, 1500)),
            struct.pack("!II", uptime - 5_000, uptime - 100),
            struct.pack("!HH", draw.choice((443, 80, 53, 22)), draw.randrange(1024, 65535)),
            struct.pack("!BBBBB", draw.choice((6, 6, 6, 17)), draw.choice((2, 16, 24)), 0, 24, 24),
            bytes((192, 0, 2, 1)),
        ))  # fmt: skip

    now = int(time.time())
    made = [
        v9(export_set(TEMPLATE_ID, *(record() for _ in range(RECORDS))), sequence=n, seconds=now, uptime=uptime)
        for n in range(1, datagrams + 1)
    ]
    opening = v9(export_set(V9_DATA, template(TEMPLATE_ID, *FIELDS)), sequence=0, seconds=now, uptime=uptime)
    return Traffic(opening=opening, datagrams=made, records=RECORDS)


def sflow(addresses: Sequence[bytes], datagrams: int) -> Traffic:
    """SFlow version 5: the first 128 octets of packets between addresses, each with the switch and router it passed."""
    draw = random.Random(SEED)

    def sample(number: int) -> bytes:
        ports = struct.pack("!HH", draw.choice((443, 80, 53, 22)), draw.randrange(1024, 65535))
        header = b"\x45" + bytes(1) + struct.pack("!H", 1_000) + bytes(5) + b"\x06" + bytes(2)
        frame = bytes(12) + b"\x08\x00" + header + draw.choice(addresses) + draw.choice(addresses) + ports + bytes(90)
        raw = struct.pack("!IIIIII", 1, 16 + len(frame), 1, 1_014, 4, len(frame)) + frame
        switch = struct.pack("!IIIIII", 1001, 16, 10, 0, 20, 0)
        router = struct.pack("!IIIIII", 1002, 16, 1, draw.getrandbits(32), 24, 24)
        octets = struct.pack("!IIIIIIII", number, 1, 1, number, 0, 1, 2, 3) + raw + switch + router
        return struct.pack("!II", 1, len(octets)) + octets

    agent = int(IPv4Address(SOURCE))
    made = [
        struct.pack("!IIIIIII", 5, 1, agent, 0, n, n * 10, SAMPLES)
        + b"".join(sample(n * SAMPLES + at) for at in range(SAMPLES))
        for n in range(1, datagrams + 1)
    ]
    return Traffic(opening=made[0], datagrams=made, records=SAMPLES)


def send(traffic: Traffic, port: int, flows: int, rate: int, sources: Sequence[str] = (SOURCE,)) -> tuple[int, float]:
    """Send so many flows and more, so many a second, from all sources in turn; return how many, and their rate."""
    with ExitStack() as stack:
        exporters = [stack.enter_context(_exporter(source, port)) for source in sources]
        begin, sent = time.monotonic(), 0
        for sent in range(flows // traffic.records):
            exporters[sent % len(exporters)].send(traffic.datagrams[sent % len(traffic.datagrams)])
            if not sent % BURST:
                early = begin + sent * traffic.records / rate - time.monotonic()
                if early > 0:
                    time.sleep(early)
        count = (sent + 1) * traffic.records
        return count, count / (time.monotonic() - begin)


def announce(traffic: Traffic, port: int, sources: Sequence[str] = (SOURCE,)) -> None:
    """Send what opens the traffic."""
    for source in sources:
        with _exporter(source, port) as udp:
            udp.send(traffic.opening)


def _exporter(source: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((source, 0))
    udp.connect((SOURCE, port))
    return udp
