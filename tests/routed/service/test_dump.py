import json
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from routed.plumbing.dump_file import DumpFile
from routed.plumbing.log import Log
from routed.plumbing.names import DATED_VARIABLES, parse_name
from routed.plumbing.output_file import Owner
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import FileOptions, Framing
from routed.rib._dump import Snapshot
from routed.rib._rib import Rib
from routed.rib._rows import Rows
from routed.rib._update import apply
from routed.rib.adj_rib_in import AdjRibIn
from routed.service import dump as module
from routed.service.dump import Dumper, render
from routed.service.dump_schedule import slot_of
from routed.service.encoding import Encoding
from routed.service.neighbor import Neighbor
from routed.service.records import Counter, PeerText
from routed.service.settings import DumpFormat, DumpSettings, RenderSettings, TimestampLayout
from routed.wire.bgp.context import DecodeContext
from routed.wire.mrt.archive import read
from routed.wire.mrt.message import decode_message
from routed.wire.mrt.table_dump_v2 import PeerIndexTable
from routed.wire.mrt.table_dump_v2 import Rib as MrtRib
from tests.oracles.build import MANDATORY, prefix, update
from tests.routed.service.doubles import bugs_logged
from tests.routed.service.dump_rig import HOUR, Lines, Thread

RENDER = RenderSettings(
    as_path_as_array=False,
    communities_as_array=False,
    communities_numeric=False,
    origin_as_integer=False,
    label_as_map=False,
    peer_id=True,
    extra_attributes=False,
    timestamps=TimestampLayout.PLAIN,
    utc=True,
)


class Rig:
    def __init__(
        self,
        folder: Path,
        name: str = "dump-$peer_src_ip-%H%M",
        *,
        refresh_time: int = 60,
        time_slots: int = 1,
        latest: str | None = None,
        output: DumpFormat = DumpFormat.JSON,
        bounds: Bounds | None = None,
    ) -> None:
        self.folder, self.clock, self.thread, self.lines, self.rib = folder, Clock(), Thread(), Lines(), Rib(1)
        self.clock.advance(HOUR + 1)
        self.everybody: list[Neighbor] = []
        self.sequence = Counter()
        self.options = FileOptions(owner=Owner(), bounds=bounds or Bounds())
        settings = DumpSettings(
            file=parse_name(str(folder / name), DATED_VARIABLES, dated=True),
            latest_file=None if latest is None else parse_name(str(folder / latest), DATED_VARIABLES, dated=True),
            output=output,
            refresh_time=refresh_time,
            time_slots=time_slots,
        )
        self.dumper = Dumper(
            self.clock,
            settings,
            RENDER,
            source=self,
            open_dump=self.open_dump,
            in_thread=self.thread,
            sequence=self.sequence,
            log=cast("Log", self.lines),
            wall_clock=self.clock.seconds,
        )

    def open_dump(self, name: str, latest: str | None) -> DumpFile:
        return DumpFile(name, in_thread=self.thread, latest=latest, options=self.options)

    def neighbors(self) -> list[Neighbor]:
        return self.everybody

    def add(self, address: str, routes: int = 1, **text: Any) -> Neighbor:
        neighbor = Neighbor(
            identity=(ip_address(address), 0),
            text=PeerText(address=ip_address(address), port=1000 + len(self.everybody), **text),
            slot=len(self.everybody),
            asn=65001,
            table=AdjRibIn(self.rib, DecodeContext(as4=True)),
        )
        assert neighbor.table is not None
        for number in range(routes):
            apply(neighbor.table.rib, update(MANDATORY, prefix((10 << 24 | number).to_bytes(4, "big"), 32)))
        self.everybody.append(neighbor)
        return neighbor

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)

    @property
    def files(self) -> dict[str, list[dict[str, Any]]]:
        return {
            path.name: [json.loads(line) for line in path.read_bytes().splitlines()]
            for path in sorted(self.folder.iterdir())
        }


def test_each_peer_is_dumped_between_its_opening_and_closing_records(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.add("192.0.2.1", 2, router_id=IPv4Address("192.0.2.9"), stream_tag=b'"tag": 3, ', dump_tag=b'"tag": 3, ')
    rig.add("192.0.2.2", 0)
    rig.sequence.next = 40
    rig.dumper.start()
    rig.wait(58)
    assert rig.files == {}
    rig.wait(1)
    assert rig.files.keys() == {"dump-192_0_2_1-1501", "dump-192_0_2_2-1501"}
    first, *routes, last = rig.files["dump-192_0_2_1-1501"]
    assert first == {
        "timestamp": "2026-11-20 15:01:00",
        "peer_ip_src": "192.0.2.1",
        "peer_tcp_port": 1000,
        "tag": 3,
        "event_type": "dump_init",
        "dump_period": 60,
        "seq": 40,
    }
    assert [(route["ip_prefix"], route["seq"], route["tag"], route["peer_id"]) for route in routes] == [
        (f"10.0.0.{n}/32", 40, 3, "192.0.2.9") for n in range(2)
    ]
    assert {route["timestamp"] for route in routes} == {"2026-11-20 15:01:00"}
    assert (last["event_type"], last["entries"], last["tables"], last["seq"]) == ("dump_close", 2, 1, 40)
    assert [row["event_type"] for row in rig.files["dump-192_0_2_2-1501"]] == ["dump_init", "dump_close"]
    assert rig.sequence.next == 41
    counters = rig.dumper.counters
    assert (counters.events, counters.files, counters.rows, counters.skipped) == (1, 2, 2, 0)
    assert [line.split(" (")[0] for line in rig.lines.lines] == [
        "*** Dumping BGP tables - START",
        "*** Dumping BGP tables - END",
    ]
    assert "RID: 1 TABLES: 2 ENTRIES: 2 ET: 0" in rig.lines.lines[1]


def test_dumps_follow_each_other_with_or_without_peers(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.dumper.start()
    rig.wait(119)
    rig.add("192.0.2.1")
    rig.wait(120)
    assert [name[-4:] for name in rig.files] == ["1503", "1504"]
    assert (rig.dumper.counters.events, rig.sequence.next) == (4, 4)


def test_peers_whose_names_are_the_same_share_a_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "all")
    rig.add("192.0.2.1")
    rig.add("2001:db8::1", 3)
    rig.dumper.start()
    rig.wait(59)
    said = [(row["peer_ip_src"], row["event_type"]) for row in rig.files["all"]]
    assert [who for who, what in said if what == "dump_init"] == ["192.0.2.1", "2001:db8::1"]
    assert said.index(("2001:db8::1", "dump_init")) == 3
    assert len(said) == 3 + 5
    assert rig.dumper.counters.files == 1


def test_a_link_leads_to_the_latest_dump(tmp_path: Path) -> None:
    rig = Rig(tmp_path, latest="latest-$peer_src_ip")
    rig.add("192.0.2.1")
    rig.dumper.start()
    for minute in ("1501", "1502"):
        rig.wait(60)
        assert (tmp_path / "latest-192_0_2_1").resolve().name == f"dump-192_0_2_1-{minute}"


def test_slots_dump_their_own_peers(tmp_path: Path) -> None:
    rig = Rig(tmp_path, time_slots=2)
    addresses = [f"192.0.2.{n}" for n in range(8)]
    for address in addresses:
        rig.add(address)
    rig.dumper.start()
    rig.wait(59 + 30)
    dumped = {name.split("-")[1].replace("_", "."): name[-4:] for name in rig.files}
    assert dumped.keys() == set(addresses)
    times = [{row["timestamp"][-8:] for row in rows} for rows in rig.files.values()]
    wanted = [{("15:01:00", "15:01:30")[slot_of(ip_address(address), 2)]} for address in addresses]
    assert times == wanted
    assert "*** Dumping BGP tables - SLOT 1 / 2 - START" in rig.lines.lines[0]
    assert {row["dump_period"] for rows in rig.files.values() for row in rows if "dump_period" in row} == {30}


def test_an_event_that_comes_while_a_dump_is_written_is_skipped(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.add("192.0.2.1")
    rig.thread.held = True
    rig.dumper.start()
    rig.wait(59 + 60)
    assert rig.dumper.counters.skipped == 1
    assert rig.lines.lines[-1].startswith("WARN a table dump is due")
    rig.thread.run()
    assert [name[-4:] for name in rig.files] == ["1501"]
    rig.wait(60)
    rig.thread.run()
    assert [name[-4:] for name in rig.files] == ["1501", "1503"]


def test_a_dump_is_the_table_of_one_moment_though_routes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 10)
    rig = Rig(tmp_path)
    neighbor = rig.add("192.0.2.1", 300)
    table = neighbor.table
    assert table is not None
    rig.thread.held = True
    rig.dumper.start()
    rig.wait(59)
    rig.thread.run(2)
    everything = b"".join(prefix((10 << 24 | n).to_bytes(4, "big"), 32) for n in range(300))
    apply(table.rib, update(withdrawn=everything))
    neighbor.table = None
    rig.thread.run()
    [rows] = rig.files.values()
    assert [row["ip_prefix"] for row in rows[1:-1]] == [f"10.0.{n // 256}.{n % 256}/32" for n in range(300)]
    assert rows[-1]["entries"] == 300
    assert len(rig.rib.paths) == 0


def test_a_peer_whose_table_is_gone_when_its_turn_comes_is_left_out(tmp_path: Path) -> None:
    for output in (DumpFormat.JSON, DumpFormat.MRT):
        rig = Rig(tmp_path, f"{output.name}", output=output)
        rig.add("192.0.2.1")
        rig.add("192.0.2.2").table = None
        rig.dumper.start()
        rig.wait(59)
        assert (rig.dumper.counters.files, rig.dumper.counters.rows) == (1, 1)


def test_a_folder_that_cannot_be_fails_one_file_and_not_the_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "$peer_src_ip/dump")
    (tmp_path / "192_0_2_2").mkdir()
    (tmp_path / "192_0_2_1").write_text("no folder")
    rig.add("192.0.2.1", 5)
    rig.add("192.0.2.2", 5)
    rig.dumper.start()
    rig.wait(59)
    counters = rig.dumper.counters
    assert (counters.files, counters.files_failed, counters.rows) == (1, 1, 5)
    assert (tmp_path / "192_0_2_2" / "dump").exists()
    assert "ERROR table dump not written: " in rig.lines.lines[1]
    assert "File exists" in rig.lines.lines[1]
    rig.wait(60)
    assert rig.dumper.counters.events == 2


@pytest.mark.parametrize("output", [DumpFormat.JSON, DumpFormat.MRT])
def test_a_disk_that_fails_ends_the_dump_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: DumpFormat
) -> None:
    monkeypatch.setattr(module, "ROWS", 5)
    (tmp_path / "file").write_text("no folder")
    rig = Rig(tmp_path / "file", "dump", output=output, bounds=Bounds(limit=1000, full=10, drained=5))
    rig.add("192.0.2.1", 3000)
    rig.dumper.start()
    rig.wait(59)
    assert (rig.dumper.counters.files_failed, rig.dumper.counters.rows) == (1, 0)
    assert rig.thread.calls < 5  # most routes were not even rendered


def test_stopping_gives_the_dump_up_and_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 10)
    monkeypatch.setattr(module, "BUFFERS", 1)
    rig = Rig(tmp_path, "dump-$peer_src_ip")
    rig.add("192.0.2.1", 100)
    rig.add("192.0.2.2", 100)
    rig.dumper.start()
    rig.wait(59)
    before = (tmp_path / "dump-192_0_2_1").read_bytes()
    rig.thread.held = True
    rig.wait(60)
    rig.thread.run(3)
    stopped: list[None] = []
    ensureDeferred(rig.dumper.stop()).addCallback(stopped.append)
    assert stopped == []
    rig.thread.run()
    assert stopped == [None]
    assert {path.name for path in tmp_path.iterdir()} == {"dump-192_0_2_1", "dump-192_0_2_2"}
    assert (tmp_path / "dump-192_0_2_1").read_bytes() == before
    assert rig.clock.calls == []
    assert (rig.dumper.counters.files, rig.dumper.counters.files_failed) == (2, 0)


def test_stopping_before_the_start_or_between_dumps_is_immediate(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    stopped: list[None] = []
    ensureDeferred(rig.dumper.stop()).addCallback(stopped.append)
    rig.dumper.start()
    ensureDeferred(rig.dumper.stop()).addCallback(stopped.append)
    assert stopped == [None, None]
    assert rig.clock.calls == []


def test_a_bug_costs_one_file_and_not_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_of_peers = iter([RuntimeError("bug")])

    def broken_once(snapshot: Snapshot, rows: Rows, encoding: Encoding) -> list[tuple[bytes, Framing, int]]:
        for error in rows_of_peers:
            raise error
        return render(snapshot, rows, encoding)

    monkeypatch.setattr(module, "render", broken_once)
    rig = Rig(tmp_path)
    rig.add("192.0.2.1", 3)
    rig.add("192.0.2.2", 3)
    rig.dumper.start()
    with bugs_logged() as failures:
        rig.wait(59)
    name = tmp_path / "dump-192_0_2_1-1501"
    assert failures == [(f"the table dump {name}", RuntimeError)]
    assert rig.files.keys() == {"dump-192_0_2_2-1501"}
    assert (rig.dumper.counters.files, rig.dumper.counters.files_failed) == (1, 1)
    assert rig.lines.lines[1] == f"ERROR table dump not written: {name}: RuntimeError: bug"
    assert "TABLES: 2 ENTRIES: 3" in rig.lines.lines[-1]
    rig.wait(60)
    assert rig.dumper.counters.files == 3


def hang(rig: Rig) -> None:
    """Let the first dump open its file and then be stuck, with one batch of rows on its way."""
    rig.thread.held = True
    rig.dumper.start()
    rig.wait(59)
    rig.thread.run(2)  # opens the file, renders a few rows; writing begins and does not end
    work = rig.thread.jobs.popleft()
    rig.thread.run()
    rig.thread.jobs.append(work)


@pytest.mark.parametrize("output", [DumpFormat.JSON, DumpFormat.MRT])
def test_a_file_that_is_stuck_loses_its_dump(tmp_path: Path, output: DumpFormat) -> None:
    rig = Rig(tmp_path, "dump", output=output, bounds=Bounds(limit=1_000_000, full=100, drained=5))
    table = rig.add("192.0.2.1", 2000).table
    assert table is not None
    hang(rig)
    everything = b"".join(prefix((10 << 24 | n).to_bytes(4, "big"), 32) for n in range(500))
    apply(table.rib, update(withdrawn=everything))
    rig.wait(59)
    assert rig.dumper.counters.files_failed == 0
    rig.wait(1)
    assert rig.dumper.counters.files_failed == 1
    [problem] = [line for line in rig.lines.lines if line.startswith("ERROR")]
    assert problem == f"ERROR table dump not written: {tmp_path / 'dump'}: nothing could be written for 60 s"
    rig.wait(60)
    assert (rig.dumper.counters.events, rig.dumper.counters.skipped) == (1, 2)
    rig.thread.held = False
    rig.thread.run()
    assert list(tmp_path.iterdir()) == []
    assert "*** Dumping BGP tables - END" in rig.lines.lines[-1]
    rig.wait(60)
    assert rig.dumper.counters.files == 1


def test_a_file_that_is_stuck_does_not_hold_up_the_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "dump", bounds=Bounds(limit=1_000_000, full=100, drained=5))
    rig.add("192.0.2.1", 2000)
    hang(rig)
    stopped: list[None] = []
    ensureDeferred(rig.dumper.stop()).addCallback(stopped.append)
    rig.wait(4)
    assert stopped == []
    rig.wait(1)
    assert stopped == [None]
    assert rig.lines.lines[-1].startswith("WARN the table dump that is being written is stuck")


def test_rows_are_dumped_whatever_the_filter_of_the_message_log_keeps_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "dump")
    rig.add("192.0.2.1", 2, tag=None, stream_tag=b'"label": "east", ', dump_tag=b'"label": "east", ')
    rig.dumper.start()
    rig.wait(59)
    assert [row["label"] for row in rig.files["dump"]] == ["east"] * 4


def test_routes_are_tagged_one_by_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "dump")
    rig.add("192.0.2.1", 2, tag=None, dump_tagger=lambda _: b'"label": "x", ')
    rig.dumper.start()
    rig.wait(59)
    assert [row.get("label") for row in rig.files["dump"]] == [None, "x", "x", None]


def test_a_dump_in_mrt_is_one_archive(tmp_path: Path) -> None:
    """RFC 6396 4.3."""
    rig = Rig(tmp_path, "dump", output=DumpFormat.MRT)
    rig.add("192.0.2.1", 3, router_id=IPv4Address("192.0.2.9"))
    rig.add("2001:db8::1", 2)
    rig.dumper.start()
    rig.wait(59)
    records = [decode_message(record) for record in read(tmp_path / "dump")]  # type: ignore[arg-type]
    index, *ribs = records
    assert isinstance(index, PeerIndexTable)
    assert [(bytes(peer.address), peer.asn) for peer in index.peers] == [
        (ip_address("192.0.2.1").packed, 65001),
        (ip_address("2001:db8::1").packed, 65001),
    ]
    assert [bytes(peer.router_id) for peer in index.peers] == [bytes([192, 0, 2, 9]), bytes(4)]
    assert all(isinstance(rib, MrtRib) for rib in ribs)
    assert [rib.entries[0].peer_index for rib in ribs if isinstance(rib, MrtRib)] == [0, 0, 0, 1, 1]
    assert rig.dumper.counters.rows == 5
