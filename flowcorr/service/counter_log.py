"""The log of counter samples: what agents of sFlow count at their interfaces, a JSON object for each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, gatherResults

from flowcorr.model.event import CounterSample, ExporterForgotten
from flowcorr.service.reports import SFLOW, address_of
from flowcorr.wire.sflow_counters import decode_counters
from routed.octets._cursor import Cursor
from routed.octets.errors import WireError
from routed.plumbing.metrics import counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowcorr.wire.sflow_counters import CounterBlock, Counters
    from routed.plumbing.names import NameTemplate
    from routed.plumbing.sink import Sink

#: Files that are open at a time: as many as there may be agents with a file of their own.
MOST_FILES: Final = 4_096
MICROSECONDS: Final = 1_000_000


@dataclass(slots=True)
class CounterLogCounters:
    """What came, and what of it was not written."""

    samples: int = counter("counter samples that came")
    rows: int = counter("records that were written of them")
    skipped: int = counter("records of counters that are of no kind known here")
    refused: int = counter("counter samples that break their specification")
    without_file: int = counter("counter samples of agents that found no room for one more file")


class CounterLog:
    """Writes the counter samples of all agents.

    Args:
        name: of the files; agents may share one.
        open_sink: makes the file of a name.
        exact: writes a time, in seconds since 1970.
    """

    def __init__(self, name: NameTemplate, open_sink: Callable[[str], Sink], exact: Callable[[float], bytes]) -> None:
        self.counters = CounterLogCounters()
        self._name, self._open_sink, self._exact = name, open_sink, exact
        self._sinks: dict[str, Sink] = {}
        self._agents: dict[bytes, str] = {}  # that have begun, and their file
        self._writers: Counter[str] = Counter()  # how many agents write to a file
        self._closing: set[Deferred[None]] = set()
        self._sequence = 0

    def hear(self, event: object) -> None:
        """Write an event of the intake, if it is a counter sample."""
        if isinstance(event, CounterSample):
            self._take(event)
        elif isinstance(event, ExporterForgotten):
            self._forget(event.address)

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        for sink in self._sinks.values():
            sink.reopen()

    def close(self) -> Deferred[None]:
        """Close all files; fires when all that was written is in them."""
        for name in list(self._sinks):
            self._close(name)
        return gatherResults(list(self._closing)).addCallback(lambda _: None)

    def _take(self, event: CounterSample) -> None:
        self.counters.samples += 1
        try:
            counted = decode_counters(Cursor(event.octets), event.version - SFLOW)
        except WireError:
            self.counters.refused += 1
            return
        self.counters.skipped += counted.skipped
        sink = self._sink_of(event)
        if sink is None:
            self.counters.without_file += 1
            return
        for block in counted.blocks:
            self.counters.rows += 1
            sink.write(self._row(event, counted, block), 1)

    def _sink_of(self, event: CounterSample) -> Sink | None:
        """Return the file of an agent, with a line that begins its part if it is new."""
        name = self._agents.get(event.address)
        if name is not None:
            return self._sinks[name]
        name = self._name.expand_for_peer(str(address_of(event.address)), 0)
        if name not in self._sinks:
            if len(self._sinks) == MOST_FILES:
                return None
            self._sinks[name] = self._open_sink(name)
        self._agents[event.address] = name
        self._writers[name] += 1
        self._sinks[name].write(
            b'{"seq": %d, "timestamp": "%s", "peer_src_ip": "%s", "event_type": "log_init"}\n' % self._lead(event), 1
        )
        return self._sinks[name]

    def _lead(self, event: CounterSample) -> tuple[int, bytes, bytes]:
        sequence, self._sequence = self._sequence, self._sequence + 1
        return sequence, self._exact(event.arrival / MICROSECONDS), str(address_of(event.address)).encode()

    def _row(self, event: CounterSample, counted: Counters, block: CounterBlock) -> bytes:
        return b"%s%s}\n" % (
            b'{"seq": %d, "timestamp": "%s", "peer_ip_src": "%s", "event_type": "log"' % self._lead(event),
            b"".join(_members(event, counted, block)),
        )

    def _forget(self, address: bytes) -> None:
        """Let go of an agent, and of its file if nobody else writes to it."""
        name = self._agents.pop(address, None)
        if name is None:
            return
        self._writers[name] -= 1
        if not self._writers[name]:
            del self._writers[name]
            self._close(name)

    def _close(self, name: str) -> None:
        closing = self._sinks.pop(name).close()
        self._closing.add(closing)

        def closed(_: None) -> None:
            self._closing.discard(closing)

        closing.addCallback(closed)


def _members(event: CounterSample, counted: Counters, block: CounterBlock) -> Iterator[bytes]:
    yield b', "source_id_index": %d' % counted.source_index
    yield b', "sflow_seq": %d, "sflow_cnt_seq": %d' % (event.sequence, counted.sequence)
    yield b', "sf_cnt_type": "%s"' % block.name.encode()
    for name, value in block.values.items():
        yield b', "%s": %d' % (name.encode(), value)
