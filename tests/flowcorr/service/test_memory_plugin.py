"""The life of a memory plugin: its socket, its counters, and what it says."""

from pathlib import Path

from twisted.internet.defer import ensureDeferred, execute

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.live_table import LiveTable
from flowcorr.service.memory_answer import Table
from flowcorr.service.memory_plugin import COMPLAINTS, MemoryPlugin, MemorySettings
from flowcorr.service.plugins import Surroundings
from flowcorr.service.render import RowSettings
from routed.plumbing.output_file import Owner
from tests.flowcorr.service.test_print_plugin import Lines
from tests.flowcorr.service.unix_ports import UnixPorts


class Running:
    """A plugin with room for two entries."""

    def __init__(self, path: Path) -> None:
        self.reactor, self.log, self.texts = UnixPorts(), Lines(), Texts()
        aggregate = parse_aggregate("dst_as", "nfacctd")
        layout = Layout([*ALWAYS, *aggregate.columns])
        live = LiveTable(layout, aggregate, self.texts, 2)
        self.table = Table(live, aggregate, RowSettings(), 0.0)
        around = Surroundings(
            clock=self.reactor, in_thread=execute, log=self.log, pid=1, wall_clock=self.reactor.seconds
        )
        self.plugin = MemoryPlugin("m", self.table, MemorySettings(path=path, most_octets=None, owner=Owner()), around)
        self.batch = Batch(layout, 100)

    def take(self, *numbers: int) -> None:
        for number in numbers:
            self.batch.append(dst_as=number, packets=1, bytes=10, flows=1, record_type=4)
        self.plugin.take(self.batch, None)
        self.batch.clear()

    def stop(self) -> None:
        over: list[None] = []
        ensureDeferred(self.plugin.stop()).addCallback(over.append)
        self.reactor.advance(0)
        assert over == [None]
        assert not self.reactor.getDelayedCalls()


def test_a_plugin_listens_and_leaves_nothing_behind(tmp_path: Path) -> None:
    running = Running(tmp_path / "s")
    running.plugin.start()
    assert len(running.reactor.ports) == 1
    assert (tmp_path / "s").is_socket()
    running.plugin.reopen()
    running.stop()
    assert not list(tmp_path.iterdir())
    assert running.log.lines == [f"INFO waiting for data on: '{tmp_path / 's'}'"]


def test_without_a_socket_it_counts_on(tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    running = Running(tmp_path / "none" / "s")
    running.plugin.start()
    running.take(1)
    assert running.plugin.counters.entries == 1
    running.stop()
    [line] = running.log.lines
    assert line.startswith(f"ERROR imt_path: {tmp_path}/none/s: File exists")


def test_the_folder_of_the_socket_is_made(tmp_path: Path) -> None:
    running = Running(tmp_path / "run" / "flows" / "s")
    running.plugin.start()
    assert (tmp_path / "run/flows/s").is_socket()
    running.stop()


def test_what_found_no_room_is_told_once_a_minute(tmp_path: Path) -> None:
    running = Running(tmp_path / "s")
    running.plugin.start()
    running.take(1, 2, 3, 4)
    for _ in range(2):
        running.reactor.advance(COMPLAINTS)
    counters = running.plugin.counters
    assert (counters.refused_records, counters.refused_packets, counters.refused_bytes) == (2, 2, 20)
    assert "full with 2 entries" in running.log.lines[-1]
    assert "2 more records found no room, 2 in all" in running.log.lines[-1]
    assert len(running.log.lines) == 2
    running.take(5)
    running.stop()
    assert "1 more records found no room, 3 in all" in running.log.lines[-1]


def test_memory_comes_back_after_an_erasure(tmp_path: Path) -> None:
    running = Running(tmp_path / "s")
    running.plugin.start()
    running.take(1, 2)
    running.table.erase(0.0)
    assert running.table.live.sums.entries == 2
    running.reactor.advance(1)
    assert running.table.live.sums.entries == 0
    assert running.plugin.counters.octets > 0
    running.stop()
