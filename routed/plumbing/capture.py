"""A capture that is played: the packets of its file that pass a filter, as often as it is read."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from routed.plumbing.ip_packet import Skipped
from routed.plumbing.packet_filter import PacketFilter
from routed.plumbing.pcap import Packet, read_packets


@dataclass(slots=True)
class PacketCounters:
    """What was read, over all repetitions."""

    packets: int = 0
    packets_filtered: int = 0
    packets_skipped: dict[Skipped, int] = field(default_factory=lambda: dict.fromkeys(Skipped, 0))
    repetitions: int = 0


class Capture:
    """A file of packets, which may be read again and again; `began` is the time of its first packet, 0.0 without one.

    Raises: CaptureError when its beginning cannot be read, or the filter not be compiled.
    """

    def __init__(self, path: Path, expression: str | None, counters: PacketCounters) -> None:
        self._path, self._counters = path, counters
        self._filter = PacketFilter(expression) if expression else None
        packets = read_packets(path)
        try:
            first = next(packets, None)
        finally:
            packets.close()
        self.began = 0.0 if first is None else first.time
        if first is not None and self._filter is not None:
            self._filter.compile(first.link_type)

    def read(self) -> Generator[Packet | None, None, None]:
        """Read from the beginning, and count; None stands for a packet that the filter keeps back.

        Raises: CaptureError where the file is damaged.
        """
        for packet in read_packets(self._path):
            self._counters.packets += 1
            if self._filter is None or self._filter.passes(packet):
                yield packet
            else:
                self._counters.packets_filtered += 1
                yield None
