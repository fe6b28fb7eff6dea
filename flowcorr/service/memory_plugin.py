"""The `memory` plugin: a table that counts until it is erased, and a socket where clients ask about it.

Departs: pmacct answers from a copy of the process, drops texts that have no fixed length, and takes events without
counters for empty places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import LoopingCall

from flowcorr.service.memory_server import ClientCounters, SocketPlace, TableFactory
from flowcorr.service.memory_server import Surroundings as ServedIn
from routed.plumbing.metrics import counter, gauge

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import uint8
    from numpy.typing import NDArray

    from flowcorr.columns._batch import Batch
    from flowcorr.service.memory_answer import Table
    from flowcorr.service.plugins import Surroundings
    from routed.plumbing.output_file import Owner

#: Erased entries released in one turn of the reactor, and the pause between two. Units: entries, seconds.
RELEASED: Final = 20_000
RELEASE_PAUSE: Final = 0.05
#: How often the log tells of records that found no room. Units: seconds.
COMPLAINTS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """Where a table is asked, and the octets that its entries may take; None for the most there may be."""

    path: Path
    most_octets: int | None
    owner: Owner


@dataclass(slots=True)
class MemoryCounters:
    """What a table came to."""

    entries: int = gauge("entries in memory")
    octets: int = gauge("octets that the entries take, without their texts")
    refused_records: int = counter("records that needed an entry when the table was full")
    refused_packets: int = counter("packets of these records")
    refused_bytes: int = counter("bytes of these records")
    pages_copied: int = counter("pages of a table that were copied because a client was reading")


class MemoryPlugin:
    """One instance of the plugin."""

    def __init__(
        self,
        name: str,
        table: Table,
        settings: MemorySettings,
        around: Surroundings,
    ) -> None:
        self.name = name
        self.counters = MemoryCounters()
        self.clients = ClientCounters()
        self._live, self._settings, self._around = table.live, settings, around
        self._clock: Any = around.clock
        self._factory = TableFactory(table, ServedIn(around.clock, around.in_thread, around.wall_clock), self.clients)
        self._place = SocketPlace(settings.path, settings.owner)
        self._port: Any = None
        self._told = 0
        self._every: list[LoopingCall] = []

    def start(self) -> None:
        """Listen; without a place to, the table goes on counting and the log says so."""
        try:
            self._port = self._place.listen(self._clock, self._factory)
        except OSError as error:
            self._around.log.error(f"imt_path: {self._settings.path}: {error.strerror}: nobody can ask this table")
        else:
            self._around.log.info(f"waiting for data on: '{self._settings.path}'")
        for seconds, work in ((RELEASE_PAUSE, self._release), (COMPLAINTS, self._complain)):
            call = LoopingCall(work)
            call.clock = self._clock
            call.start(seconds, now=False)
            self._every.append(call)

    def take(self, batch: Batch, mask: NDArray[uint8] | None) -> None:
        """Take the records of a batch, but for those whose mask is 0."""
        self._live.add(batch, mask, self._around.wall_clock())
        sums, counters = self._live.sums, self.counters
        counters.entries, counters.pages_copied = sums.entries, sums.copied_pages
        counters.refused_records = sums.refused_records
        counters.refused_packets, counters.refused_bytes = sums.refused_packets, sums.refused_bytes

    def reopen(self) -> None:
        """Do nothing: no file is open."""

    async def stop(self) -> None:
        """End all clients and remove the socket."""
        for call in self._every:
            call.stop()
        self._complain()
        if self._port is not None:
            await self._port.stopListening()
        self._factory.end()
        self._place.leave()

    def _release(self) -> None:
        self._live.release(RELEASED)
        self.counters.octets = self._live.octets

    def _complain(self) -> None:
        """Tell what found no room since the last time."""
        refused = self.counters.refused_records
        if refused != self._told:
            self._around.log.warning(
                f"the table is full with {self._live.sums.most_entries} entries (imt_mem_pools_number): "
                f"{refused - self._told} more records found no room, {refused} in all"
            )
            self._told = refused
