"""What a router exports of the traffic that follows its table: flows as NetFlow v5, v9 or IPFIX.

The traffic is made up, its addresses are not: both ends of a flow lie in prefixes of the table, and few prefixes get
most of it, the same ones from every router that has them.
"""

import heapq
import struct
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np
from announcements import Table
from numpy.typing import NDArray

from routed.wire.family import IPV4_UNICAST

POPULAR: Final = 20_000  # prefixes that have traffic
STEEPNESS: Final = 0.9  # of their ranking: the traffic of the n-th is n to the power of minus this (Zipf)
FLOWS_PER_DATAGRAM: Final = 24
DATAGRAMS_PER_TEMPLATE: Final = 100
TEMPLATE_ID: Final = 256
INTERFACES: Final = 4
SERVICES: Final = ((443, 6), (443, 17), (80, 6), (53, 17))  # ports and protocols
SYN_ACK_PSH_FIN: Final = 0x1B

V5, V9, IPFIX = 5, 9, 10
VERSIONS: Final = (V5, V9, IPFIX)
NAMES: Final = {V5: "NetFlow v5", V9: "NetFlow v9", IPFIX: "IPFIX"}

Flows: TypeAlias = Mapping[str, NDArray[np.int64]]

#: Element, name and format of what a record of NetFlow v9 and IPFIX has.
_ELEMENTS: Final = (
    (8, "source", ">u4"),
    (12, "destination", ">u4"),
    (10, "input", ">u4"),
    (14, "output", ">u4"),
    (2, "packets", ">u4"),
    (1, "octets", ">u4"),
    (7, "source_port", ">u2"),
    (11, "destination_port", ">u2"),
    (4, "protocol", "u1"),
    (6, "tcp_flags", "u1"),
)
_UPTIMES: Final = ((22, "first", ">u4"), (21, "last", ">u4"))
_CLOCK_TIMES: Final = ((152, "start", ">u8"), (153, "end", ">u8"))
_FIELDS: Final = {V9: (*_ELEMENTS, *_UPTIMES), IPFIX: (*_ELEMENTS, *_CLOCK_TIMES)}
#: Where it stands in a record of NetFlow v5.
_V5_FIELDS: Final = {
    "source": (">u4", 0),
    "destination": (">u4", 4),
    "input": (">u2", 12),
    "output": (">u2", 14),
    "packets": (">u4", 16),
    "octets": (">u4", 20),
    "first": (">u4", 24),
    "last": (">u4", 28),
    "source_port": (">u2", 32),
    "destination_port": (">u2", 34),
    "tcp_flags": ("u1", 37),
    "protocol": ("u1", 38),
}
_V5_OCTETS: Final = 48


class Traffic:
    """Draws flows between addresses that a table covers."""

    def __init__(self, table: Table, seed: int) -> None:
        nlri = (nlri for group, routes in table.groups.items() if group.family == IPV4_UNICAST for nlri in routes)
        # the checksum chooses the same prefixes everywhere, and none before others
        chosen = heapq.nsmallest(POPULAR, nlri, key=crc32)
        self._networks = np.array([int.from_bytes(octets[1:].ljust(4, b"\0")) for octets in chosen], np.int64)
        self._sizes = np.array([1 << 32 - octets[0] for octets in chosen], np.int64)
        weights = np.arange(1, len(chosen) + 1) ** -STEEPNESS
        self._shares = np.cumsum(weights / weights.sum())
        self._random = np.random.default_rng(seed)

    def draw(self, count: int) -> Flows:
        """Draw flows; returns a column for each of their facts."""
        random = self._random
        service = np.array(SERVICES, np.int64)[random.integers(len(SERVICES), size=count)]
        packets = 1 + (random.pareto(1.2, count) * 4).astype(np.int64).clip(0, 20_000)
        return {
            "source": self._addresses(random.permutation(self._places(count))),
            "destination": self._addresses(self._places(count)),
            "input": 1 + random.integers(INTERFACES, size=count),
            "output": 1 + INTERFACES + random.integers(INTERFACES, size=count),
            "packets": packets,
            "octets": packets * random.integers(64, 1500, size=count),
            "source_port": random.integers(1024, 65536, size=count),
            "destination_port": service[:, 0],
            "protocol": service[:, 1],
            "tcp_flags": np.where(service[:, 1] == SERVICES[0][1], SYN_ACK_PSH_FIN, 0),
            "age": random.integers(1000, 9000, size=count),  # milliseconds since the first packet
        }

    def _places(self, count: int) -> NDArray[np.int64]:
        places = np.searchsorted(self._shares, self._random.random(count))
        return places.clip(0, len(self._shares) - 1)

    def _addresses(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._networks[places] + self._random.integers(self._sizes[places])


class FlowExporter:
    """Turns flows into export datagrams, with sequence numbers as each version counts them."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._record = _record_of(version)
        self._sequence = 0
        self._datagrams = 0

    def datagrams(self, flows: Flows, now: float, uptime: float) -> Iterator[bytes]:
        """Yield the datagrams of flows that end now.

        Units: `now` in seconds since 1970, `uptime` in seconds.
        """
        count = len(flows["source"])
        records = np.zeros(count, self._record)
        now_ms, uptime_ms = int(now * 1000), int(uptime * 1000)
        times = {
            "first": np.maximum(0, uptime_ms - flows["age"]),
            "last": np.full(count, uptime_ms),
            "start": now_ms - flows["age"],
            "end": np.full(count, now_ms),
        }
        for name in self._record.names or ():
            records[name] = times[name] if name in times else flows[name]
        for at in range(0, count, FLOWS_PER_DATAGRAM):
            part = records[at : at + FLOWS_PER_DATAGRAM]
            yield self._datagram(part.tobytes(), len(part), int(now), uptime_ms % (1 << 32))

    def _datagram(self, records: bytes, count: int, now: int, uptime_ms: int) -> bytes:
        sequence = self._sequence % (1 << 32)
        has_template = self._version != V5 and self._datagrams % DATAGRAMS_PER_TEMPLATE == 0
        self._datagrams += 1
        self._sequence += 1 if self._version == V9 else count
        if self._version == V5:
            return struct.pack("!HHIIIIHH", V5, count, uptime_ms, now, 0, sequence, 0, 0) + records
        sets = (self._template() if has_template else b"") + _set(TEMPLATE_ID, records)
        if self._version == V9:
            return struct.pack("!HHIIII", V9, count + has_template, uptime_ms, now, sequence, 0) + sets
        return struct.pack("!HHIII", IPFIX, 16 + len(sets), now, sequence, 0) + sets

    def _template(self) -> bytes:
        fields = _FIELDS[self._version]
        octets = struct.pack("!HH", TEMPLATE_ID, len(fields))
        octets += b"".join(struct.pack("!HH", element, np.dtype(form).itemsize) for element, _, form in fields)
        return _set(0 if self._version == V9 else 2, octets)


def _record_of(version: int) -> np.dtype[np.void]:
    if version != V5:
        return np.dtype([(name, form) for _, name, form in _FIELDS[version]])
    formats, offsets = zip(*_V5_FIELDS.values(), strict=True)
    return np.dtype({"names": [*_V5_FIELDS], "formats": formats, "offsets": offsets, "itemsize": _V5_OCTETS})


def _set(set_id: int, octets: bytes) -> bytes:
    padding = -len(octets) % 4
    return struct.pack("!HH", set_id, 4 + len(octets) + padding) + octets + bytes(padding)
