"""Dumps of BMP routers: their routes, then their events."""

import errno
import json
import os
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest

from routed.plumbing.dump_file import DumpFile
from routed.plumbing.log import Log
from routed.plumbing.names import DATED_VARIABLES, parse_name
from routed.plumbing.output_file import Owner
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import FileOptions
from routed.service import dump as module
from routed.service import monitored
from routed.service.dump import Dumper
from routed.service.dump_schedule import slot_of
from routed.service.settings import DumpFormat, DumpSettings, StationSettings
from tests.oracles.bmp_build import L, frame, peer, tlv
from tests.oracles.build import MANDATORY, update
from tests.routed.service import bmp_rig
from tests.routed.service.bmp_rig import ADDRESS, INIT, P1, P2, RED, STATION, announce, net, peer_down, peer_up, stats
from tests.routed.service.collector_rig import RENDER
from tests.routed.service.dump_rig import HOUR, Lines, Thread

KEEPS = replace(STATION, keeps_events=True)
LOC_RIB = peer(3, address="0.0.0.0")


class Rig(bmp_rig.Rig):
    """A collector and what dumps it."""

    def __init__(
        self,
        folder: Path,
        settings: StationSettings = KEEPS,
        *,
        file: str = "dump-$peer_src_ip-%H%M",
        time_slots: int = 1,
        **facts: Any,
    ) -> None:
        super().__init__(settings, **facts)
        self.folder, self.thread, self.dump_lines = folder, Thread(), Lines()
        self.clock.advance(HOUR + 1)
        self.dumper = Dumper(
            self.clock,
            DumpSettings(
                file=parse_name(str(folder / file), DATED_VARIABLES, dated=True),
                latest_file=None,
                output=DumpFormat.JSON,
                refresh_time=60,
                time_slots=time_slots,
            ),
            RENDER,
            source=self.collector,
            open_dump=self.open_dump,
            in_thread=self.thread,
            sequence=self.message_log.sequence,
            log=cast("Log", self.dump_lines),
            protocol="BMP",
            wall_clock=self.clock.seconds,
        )
        self.dumper.start()

    def open_dump(self, name: str, latest: str | None) -> DumpFile:
        return DumpFile(name, in_thread=self.thread, latest=latest, options=FileOptions(owner=Owner(), bounds=Bounds()))

    def wait(self, seconds: int = 60) -> None:
        for _ in range(seconds):
            self.clock.advance(1)

    def dump(self) -> list[dict[str, Any]]:
        """Wait for the next dump, of a file of its own; what is in it."""
        before = set(self.folder.iterdir())
        self.wait()
        [path] = set(self.folder.iterdir()) - before
        return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def said(records: list[dict[str, Any]]) -> list[str]:
    """The records in short: opening, routes by RIB, events, closing."""
    return [
        f"{record.get('bmp_rib_type')} {record['ip_prefix']}"
        if "ip_prefix" in record
        else record.get("bmp_msg_type") or record["event_type"]
        for record in records
    ]


def test_a_dump_is_routes_then_events_between_two_records_of_the_router(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.up(announce(1, 2), peer_up(LOC_RIB), announce(3, header=LOC_RIB), stats(P1, 7))
    number = rig.message_log.sequence.next
    first, *routes, init, up, up_loc, statistic, last = rig.dump()
    times = {"timestamp": "2026-11-20 15:01:00"}
    router = {"bmp_router": ADDRESS, "bmp_router_port": 1000}
    assert list(first.items()) == list(
        {**times, **router, "event_type": "dump_init", "dump_period": 60, "seq": number}.items()
    )
    assert list(last.items()) == list({**times, **router, "event_type": "dump_close", "seq": number}.items())
    assert list(routes[0].items()) == [
        ("seq", number),
        *times.items(),
        ("bmp_rib_type", "Adj-Rib-In Pre-Policy"),
        ("is_filtered", 0),
        ("is_post", 0),
        ("is_in", 1),
        ("bgp_id", "10.0.0.1"),
        ("event_type", "dump"),
        ("afi", 1),
        ("safi", 1),
        ("ip_prefix", "10.0.1.0/24"),
        ("bgp_nexthop", "192.0.2.1"),
        ("as_path", "65001"),
        ("origin", "i"),
        *router.items(),
        ("peer_ip", "192.0.2.1"),
        ("peer_asn", 65001),
        ("peer_tcp_port", 0),
        ("bmp_msg_type", "route_monitor"),
    ]
    assert [route["ip_prefix"] for route in routes] == ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    assert list(statistic)[:7] == [
        "event_type", "seq", "timestamp", "timestamp_event", "bmp_router", "bmp_router_port", "bmp_msg_type",
    ]  # fmt: skip
    assert (statistic["event_type"], statistic["seq"], statistic["counter_value"]) == ("dump", number, 7)
    assert statistic["timestamp_event"] == "2023-11-14 22:13:20.250000"
    assert init["timestamp_event"] == "0000-00-00 00:00:00.000000"
    assert (up["peer_type"], up_loc["peer_type"]) == (0, 3)
    assert {record["seq"] for record in (first, *routes, init, up, up_loc, last)} == {number}
    assert rig.message_log.sequence.next == number + 1


def test_log_lines_name_the_protocol(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.up(announce(1, 2))
    rig.dump()
    assert rig.dump_lines.lines[0].startswith("*** Dumping BMP tables - START (PID: ")
    assert "TABLES: 1 ENTRIES: 2 ET: 0" in rig.dump_lines.lines[1]


def test_every_view_of_every_peer_is_dumped(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    wire = rig.up(announce(2, header=peer(flags=L)), announce(1))
    wire.send(peer_up(P2), announce(3, header=P2), peer_up(RED), announce(4, header=RED))
    records = rig.dump()
    assert said(records)[1:5] == [
        "Adj-Rib-In Pre-Policy 10.0.1.0/24",
        "Adj-Rib-In Post-Policy 10.0.2.0/24",
        "Adj-Rib-In Pre-Policy 10.0.3.0/24",
        "Adj-Rib-In Pre-Policy 10.0.4.0/24",
    ]
    [red] = [record for record in records if record.get("ip_prefix") == "10.0.4.0/24"]
    assert (red["rd"], red["rd_origin"]) == ("0:1:1", "bmp")


def test_what_still_holds_is_in_every_dump_and_what_happened_in_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    wire = rig.up(stats(P1, 1), peer_up(P2))
    assert said(rig.dump())[1:-1] == ["init", "peer_up", "stats", "peer_up"]
    assert said(rig.dump())[1:-1] == ["init", "peer_up", "peer_up"]
    wire.send(peer_down(P2), stats(P1, 2))
    rig.settle()
    assert said(rig.dump())[1:-1] == ["init", "peer_up", "peer_down", "stats"]
    assert said(rig.dump())[1:-1] == ["init", "peer_up"]


def test_what_a_full_disk_kept_out_of_a_dump_is_in_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    wire = rig.up(announce(1))
    with monkeypatch.context() as patch:
        patch.setattr("os.writev", full)
        rig.wait()
    assert list(tmp_path.iterdir()) == []
    assert rig.dumper.counters.files_failed == 1
    wire.send(stats(P1, 1))
    assert said(rig.dump()) == [
        "dump_init",
        "Adj-Rib-In Pre-Policy 10.0.1.0/24",
        "init",
        "peer_up",
        "stats",
        "dump_close",
    ]
    assert said(rig.dump())[2:-1] == ["init", "peer_up"]
    assert rig.monitored.counters.events_lost == 0


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_events_beyond_the_limit_are_counted_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limited rate, like everything that a router can cause."""
    monkeypatch.setattr(monitored, "MAX_EVENTS", 3)
    monkeypatch.setattr(monitored, "MAX_STANDING_OCTETS", 1_000)
    rig = Rig(tmp_path)
    wire = rig.up(stats(P1, 1))
    wire.send(peer_up(P2))
    assert said(rig.dump())[-4:-1] == ["peer_up", "stats", "peer_up"]
    counters = rig.monitored.counters
    assert (counters.events_lost, counters.peer_ups_lost) == (1, 1)
    assert f"WARN [{ADDRESS}] 1 events are in no dump: too many between two of them" in rig.lines.lines
    assert f"WARN [{ADDRESS}] 1 Peer Ups are in one dump only: no room" in rig.lines.lines
    assert {(f"events {ADDRESS}", 6), (f"peer ups {ADDRESS}", 6)} <= set(rig.lines.limited)


def test_statistics_may_be_left_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path, replace(KEEPS, excludes_statistics=True))
    rig.up(stats(P1, 1))
    assert said(rig.dump())[1:-1] == ["init", "peer_up"]
    assert rig.rows()[-1] == "1000 stats"


def test_no_event_is_kept_where_nothing_is_dumped(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STATION)
    rig.up(stats(P1, 1))
    assert said(rig.dump()) == ["dump_init", "dump_close"]


def test_the_marks_of_a_route_are_dumped_with_it(tmp_path: Path) -> None:
    """draft-ietf-grow-bmp-tlv, path marking."""
    rig = Rig(tmp_path)
    marking = tlv(5, b"\0\0\0\2\0\1", index=0)
    rig.up(frame(0, P1 + tlv(4, update(MANDATORY, net(1)), index=0) + marking, 4))
    [route] = [record for record in rig.dump() if "ip_prefix" in record]
    assert (route["path_status"], route["reason_code"]) == (["Best"], "0x0001")
    keys = list(route)
    assert keys.index("bgp_id") < keys.index("path_status") < keys.index("event_type")


def test_the_label_filter_of_the_message_log_keeps_nothing_back_here(tmp_path: Path) -> None:
    rig = Rig(tmp_path, tags=f"set_label=east ip={ADDRESS}/32", label_filter=("west",))
    rig.up(announce(1), stats(P1, 1))
    records = rig.dump()
    assert [record["label"] for record in records] == ["east"] * 6
    keys = list(records[0])
    assert keys.index("bmp_router_port") < keys.index("label") < keys.index("event_type")


def test_each_router_has_its_file_or_all_share_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.up(announce(1))
    rig.up(announce(1, 2), port=2000, address="2001:db8::1")
    rig.up(announce(3), port=3000)
    rig.wait()
    files = {path.name: read(path) for path in tmp_path.iterdir()}
    assert sorted(files) == ["dump-192_0_2_101-1501", "dump-2001_db8__1-1501"]
    both = files["dump-192_0_2_101-1501"]
    assert [record["bmp_router_port"] for record in both if record["event_type"] == "dump_init"] == [1000, 3000]
    ports = [record["bmp_router_port"] for record in both]
    assert ports == sorted(ports)


def test_slots_dump_their_own_routers(tmp_path: Path) -> None:
    rig = Rig(tmp_path, time_slots=2)
    addresses = [f"192.0.2.{n}" for n in range(8)]
    for port, address in enumerate(addresses):
        rig.up(announce(1), port=port, address=address)
    rig.wait(59 + 30)
    times = {path.name.split("-")[1].replace("_", "."): read(path)[0]["timestamp"][-5:] for path in tmp_path.iterdir()}
    assert times == {address: ("01:00", "01:30")[slot_of(ip_address(address), 2)] for address in addresses}


@pytest.mark.parametrize("steps", range(2, 6))
def test_a_router_that_leaves_during_its_dump_is_dumped_as_far_as_it_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(module, "ROWS", 10)
    monkeypatch.setattr(module, "BUFFERS", 1)
    rig = Rig(tmp_path)
    post = peer(flags=L)
    wire = rig.up(announce(*range(1, 31)), announce(*range(1, 31), header=post), peer_up(P2), announce(9, header=P2))
    rig.thread.held = True
    rig.wait(59)
    rig.thread.run(steps)
    wire.lose()
    rig.settle()
    rig.thread.run()
    [path] = tmp_path.iterdir()
    records = read(path)
    assert said(records)[0] == "dump_init"
    assert said(records)[-4:] == ["init", "peer_up", "peer_up", "dump_close"]
    pre = [record for record in records if record.get("is_post") == 0 and record.get("peer_ip") == "192.0.2.1"]
    assert len([record for record in pre if "ip_prefix" in record]) == 30
    assert rig.is_empty
    rig.thread.held = False
    rig.wait()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_dump_is_the_table_of_one_moment_though_its_peer_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 10)
    monkeypatch.setattr(module, "BUFFERS", 1)
    rig = Rig(tmp_path)
    wire = rig.up(announce(*range(1, 101)))
    rig.thread.held = True
    rig.wait(59)
    rig.thread.run(3)
    wire.send(peer_down(), peer_up(), announce(500))
    rig.settle()
    rig.thread.run()
    [path] = tmp_path.iterdir()
    routes = [record["ip_prefix"] for record in read(path) if "ip_prefix" in record]
    assert routes == [f"10.0.{n}.0/24" for n in range(1, 101)]


def test_a_router_without_a_word_is_dumped_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.connect()
    assert said(rig.dump()) == ["dump_init", "dump_close"]
    rig.connect(INIT, port=2000, address="192.0.2.102")
    rig.wait()
    assert said(read(tmp_path / "dump-192_0_2_102-1502")) == ["dump_init", "init", "dump_close"]
