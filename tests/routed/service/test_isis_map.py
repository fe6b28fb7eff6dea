"""A network that is written down: its rows, and the database and routes that come of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, cast

import pytest
from twisted.internet.testing import MemoryReactorClock

from routed.plumbing.maps import Limits, MapError
from routed.plumbing.output_file import Owner
from routed.plumbing.pcap import read_packets
from routed.rib.spf import MAX_PATH_METRIC
from routed.service import isis_map
from routed.service.isis import Isis
from routed.service.isis_map import REFRESH_INTERVAL, IgpMap, IgpMapSettings, parse_igp_map
from routed.wire.isis.lsp import decode_lsp
from tests.routed.service.test_isis import SETTINGS, Words, now_in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from routed.plumbing.log import LogLine

HDLC_OCTETS = 4
LINKTYPE_C_HDLC = 104
#: 192.0.2.1 and 192.0.2.3 know each other by way of 192.0.2.2; the link from 192.0.2.1 to 192.0.2.3 has one end.
TRIANGLE = """\
! a comment
node=192.0.2.1 area_id=1 adj_metric=192.0.2.2,10;192.0.2.3,1
node=192.0.2.2 area_id=1 adj_metric=192.0.2.1,10;192.0.2.3,100000
node=192.0.2.2 area_id=1 reach_metric=198.51.100.0/24,5;203.0.113.7,1
node=192.0.2.3 area_id=2 adj_metric=192.0.2.2,7 reach6_metric=2001:db8::/32,3
"""


class Log(Words):
    """A log in memory, which takes many lines too."""

    def write_all(self, lines: Sequence[LogLine]) -> None:
        for line in lines:
            self.write(line.level, line.text)


class Rig:
    """A daemon with a map."""

    def __init__(self, folder: Path, text: str, view: str = "192.0.2.1") -> None:
        self.path, self.record = folder / "igp.map", folder / "igp.pcap"
        self.path.write_text(text)
        self.reactor, self.log = MemoryReactorClock(), Log()
        nowhere = replace(SETTINGS, circuits=())
        self.isis = Isis(cast("Any", self.reactor), nowhere, now_in_thread, seed=1)
        self.settings = IgpMapSettings(self.path, Limits(), self.record, Owner())
        address = IPv4Address(view).packed
        self.map = IgpMap(cast("Any", self.reactor), self.settings, self.isis, address, cast("Any", self.log))

    def start(self) -> None:
        self.isis.start()
        self.map.start()
        self.run()

    def run(self, seconds: int = 3) -> None:
        for _ in range(seconds * 10):
            self.reactor.advance(0.1)

    def reload(self, text: str) -> None:
        self.path.write_text(text)
        self.map.prepare(self.settings)()
        self.run()

    def stop(self) -> None:
        self.map.stop()
        self.isis.stop()
        assert self.reactor.getDelayedCalls() == []

    @property
    def routes(self) -> dict[str, tuple[str, int]]:
        """Whose each prefix is, and what the way costs."""
        assert self.isis.igp.paths is not None
        return {
            str(prefix): (str(IPv4Address(route.originators[0][:4])), route.metric)
            for prefix, route in self.isis.igp.paths.routes.items()
        }


def parsed(*rows: str) -> tuple[list[str], list[str]]:
    """Return the ids of the LSPs of a map, and what is said about its rows."""
    loaded = parse_igp_map("\n".join(rows), "m", Limits(max_row_length=1_000))
    return [lsp.lsp_id.hex(".", 2) for lsp in loaded.content], [line.text for line in loaded.lines]


def test_routes_are_those_of_the_network_that_is_written_down(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    rig.start()
    assert rig.routes == {
        "198.51.100.0/24": ("192.0.2.2", 15),
        "203.0.113.7/32": ("192.0.2.2", 11),
        "2001:db8::/32": ("192.0.2.3", 100_013),
    }
    assert f"INFO [{rig.path}] map successfully (re)loaded with 4 entries." in rig.log.lines
    rig.stop()


@pytest.mark.parametrize(("view", "metric"), [("192.0.2.3", 12), ("192.0.2.9", 15)])
def test_the_view_is_ours_or_that_of_the_first_node(tmp_path: Path, view: str, metric: int) -> None:
    rig = Rig(tmp_path, TRIANGLE, view)
    rig.start()
    assert rig.routes["198.51.100.0/24"] == ("192.0.2.2", metric)
    rig.stop()


def test_a_reload_takes_over_what_is_different(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    rig.start()
    calculations = rig.isis.counters.calculations
    rig.reload(TRIANGLE)
    assert rig.isis.counters.calculations == calculations
    rig.reload("\n".join(TRIANGLE.splitlines()[:3]) + " reach_metric=198.51.100.0/24,6\n")
    assert rig.routes == {"198.51.100.0/24": ("192.0.2.2", 16)}
    rig.reload("")
    assert rig.routes == {}
    rig.reload(TRIANGLE)
    assert rig.routes["198.51.100.0/24"] == ("192.0.2.2", 15)
    rig.stop()


def test_a_mistake_refuses_a_reload(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    rig.start()
    with pytest.raises(MapError, match=r"Bad metric in '192\.0\.2\.2,0'"):
        rig.reload("node=192.0.2.1 area_id=1 adj_metric=192.0.2.2,0\n")
    rig.path.unlink()
    with pytest.raises(MapError, match="file not found"):
        rig.map.prepare(rig.settings)
    rig.run()
    assert len(rig.routes) == 3
    rig.stop()


def test_a_map_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    nowhere = rig.settings._replace(path=tmp_path / "nowhere")
    with pytest.raises(MapError, match="file not found"):
        IgpMap(cast("Any", rig.reactor), nowhere, rig.isis, b"", cast("Any", rig.log))


def test_it_never_grows_old(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    rig.start()
    for _ in range(5):
        rig.reactor.advance(REFRESH_INTERVAL)
    assert len(rig.routes) == 3
    assert rig.isis.counters.lsps_ended == 0
    rig.stop()


def test_its_lsps_are_recorded_as_a_capture(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    rig.start()
    packets = list(read_packets(rig.record))
    assert {packet.link_type for packet in packets} == {LINKTYPE_C_HDLC}
    lsps = [decode_lsp(packet.octets[HDLC_OCTETS:]) for packet in packets]
    assert [lsp.lsp_id.hex() for lsp in lsps] == [
        "c000020100000000",
        "c000020200000000",
        "c000020200000001",
        "c000020300000000",
    ]
    assert lsps[0].areas == (bytes.fromhex("490001"),)
    assert lsps[0].addresses == (IPv4Address("192.0.2.1").packed,)
    rig.stop()


def test_a_capture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRIANGLE)
    rig.record.mkdir()
    rig.start()
    assert any(line.startswith(f"WARN [{rig.record}] not written") for line in rig.log.lines)
    assert len(rig.routes) == 3
    rig.stop()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("node=192.0.2.1 adj_metric=192.0.2.2,1", "required key missing"),
        ("node=192.0.2.1 area_id=1", "required key missing"),
        ("area_id=1 adj_metric=192.0.2.2,1", "required key missing"),
        ("node=2001:db8::1 area_id=1 adj_metric=192.0.2.2,1", "Bad IPv4 address '2001:db8::1'"),
        ("node=192.0.2.1 area_id=0 adj_metric=192.0.2.2,1", "Bad 'area_id' value '0'"),
        ("node=192.0.2.1 area_id=65536 adj_metric=192.0.2.2,1", "Bad 'area_id' value '65536'"),
        ("node=192.0.2.1 area_id=x adj_metric=192.0.2.2,1", "Bad 'area_id' value 'x'"),
        ("node=192.0.2.1 area_id=1 metric=1", "unknown key 'metric'"),
        ("node=192.0.2.1 area_id=1 reach_metric=" + ";".join(["::,1"] * 65), "maximum number of elements (64)"),
    ],
)
def test_a_row_that_is_none_is_left_out(row: str, what: str) -> None:
    lsps, [line] = parsed(row)
    assert lsps == []
    assert line.startswith("[m:1] ")
    assert what in line
    assert "ignored" in line.lower()


@pytest.mark.parametrize(
    "element",
    [
        "adj_metric=192.0.2.2",
        "adj_metric=192.0.2.2,0",
        "adj_metric=192.0.2.2,x",
        f"adj_metric=192.0.2.2,{2**24 - 1}",
        "adj_metric=::1,1",
        "reach_metric=192.0.2.0/33,1",
        "reach_metric=::/0,1",
        f"reach_metric=192.0.2.0/24,{MAX_PATH_METRIC + 1}",
        "reach6_metric=192.0.2.0/24,1",
    ],
)
def test_an_element_that_is_none_is_left_out_of_its_row(element: str) -> None:
    lsps, [line] = parsed(f"node=192.0.2.1 area_id=1 {element}")
    assert len(lsps) == 1
    assert line.startswith(f"[m:1] {element.partition('=')[0]}: Bad ")
    assert line.endswith("Skipped.")


@pytest.mark.parametrize("value", [f"adj_metric=192.0.2.2,{2**24 - 2}", f"reach_metric=192.0.2.0/24,{MAX_PATH_METRIC}"])
def test_the_largest_metrics_are_taken(value: str) -> None:
    assert parsed(f"node=192.0.2.1 area_id=65535 {value}") == (["c000.0201.0000.0000"], [])


def test_nodes_and_rows_of_a_node_have_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isis_map, "MAX_NODES", 2)
    monkeypatch.setattr(isis_map, "MAX_ROWS_OF_NODE", 2)
    lsps, lines = parsed(*(f"node=192.0.2.{last} area_id=1 reach_metric=192.0.2.0/24,1" for last in (1, 1, 1, 2, 3)))
    assert lsps == ["c000.0201.0000.0000", "c000.0201.0000.0001", "c000.0202.0000.0000"]
    assert lines == [
        "[m:3] more than 2 rows of node 192.0.2.1. Line ignored.",
        "[m:5] more than 2 nodes. Line ignored.",
    ]
