import json
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred

from routed.plumbing.names import PEER_VARIABLES, parse_name
from routed.plumbing.sink import TEXT, Framing, Watch
from routed.rib._monitoring import MonitoredRib, MonitoringRun
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from routed.service.message_log import MessageLog, Stream
from routed.service.outlet import FileOutlet
from routed.service.records import BMP_ROUTER, Counter, PeerText
from routed.service.settings import RenderSettings, TimestampLayout
from tests.oracles.bmp_build import ROUTE_MONITORING, frame, peer, tlv
from tests.oracles.build import MANDATORY, NET_10, update

RENDER = RenderSettings(
    as_path_as_array=False,
    communities_as_array=False,
    communities_numeric=False,
    origin_as_integer=False,
    label_as_map=False,
    peer_id=False,
    extra_attributes=False,
    timestamps=TimestampLayout.PLAIN,
    utc=True,
)


class File:
    """A sink in memory whose closing takes time."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.octets, self.reopened = watch, b"", 0
        self.closing: Deferred[None] | None = None

    def write(self, octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        assert framing == TEXT
        assert octets.count(b"\n") == rows
        self.octets += octets

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> Deferred[None]:
        assert self.closing is None
        self.closing = Deferred()
        return self.closing

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.octets.splitlines()]


class Writer:
    """Counts how often it was told to wait and to go on."""

    pauses = resumes = 0

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.resumes += 1

    @property
    def held(self) -> int:
        return self.pauses - self.resumes


class Bench:
    def __init__(self, name: str, render: RenderSettings = RENDER, **options: Any) -> None:
        self.files: dict[str, File] = {}
        self.opened: list[str] = []
        self.sequence = Counter()
        self.now = 0.0
        self.log = MessageLog(
            [FileOutlet(parse_name(name, PEER_VARIABLES), self.open_file)],
            render,
            self.sequence,
            wall_clock=lambda: self.now,
            **options,
        )

    def open_file(self, name: str, watch: Watch) -> File:
        self.opened.append(name)
        self.files[name] = File(watch)
        return self.files[name]

    def stream(self, port: int = 179, address: str = "192.0.2.1", **facts: Any) -> Stream:
        return self.log.stream(PeerText(address=ip_address(address), port=port, **facts))


def write_route(stream: Stream) -> None:
    rows = stream.rows()
    apply(PeerRib(Rib(1)), update(MANDATORY, NET_10), rows)
    stream.write(rows)


def test_a_stream_opens_writes_and_closes_once() -> None:
    bench = Bench("log")
    stream = bench.stream()
    stream.open()
    bench.now = 1.25
    write_route(stream)
    stream.close()
    stream.close()
    records = bench.files["log"].records
    assert [(record["seq"], record["event_type"]) for record in records] == [
        (0, "log_init"),
        (1, "log"),
        (2, "log_close"),
    ]
    assert [record["timestamp"][-15:] for record in records] == [
        "00:00:00.000000",
        "00:00:01.250000",
        "00:00:01.250000",
    ]
    assert (records[1]["ip_prefix"], records[1]["log_type"]) == ("10.0.0.0/8", "update")


def test_numbers_are_shared_by_all_peers_and_by_whoever_else_takes_them() -> None:
    bench = Bench("log-$peer_src_ip")
    one, other = bench.stream(address="192.0.2.1"), bench.stream(address="2001:db8::1")
    one.open()
    write_route(one)
    assert bench.sequence.take() == 2
    other.open()
    write_route(other)
    assert [record["seq"] for record in bench.files["log-192_0_2_1"].records] == [0, 1]
    assert [record["seq"] for record in bench.files["log-2001_db8__1"].records] == [3, 4]


def test_rows_that_are_not_wanted_take_no_number() -> None:
    bench = Bench("log")
    stream = bench.stream(tag=None)
    stream.open()
    assert stream.rows() is None
    stream.write(None)
    stream.write(bench.log.begin_rows(stream.text))
    assert [record["event_type"] for record in bench.files["log"].records] == ["log_init"]
    assert bench.sequence.next == 1


def test_a_tagger_decides_where_the_peer_has_no_tag() -> None:
    bench = Bench("log")
    write_route(bench.stream(tag=None, tagger=lambda _: b'"label": "x", '))
    write_route(bench.stream(tag=b"", tagger=lambda _: None))
    [record] = bench.files["log"].records
    assert record["label"] == "x"


def test_peers_that_share_a_name_share_a_file_that_stays_open() -> None:
    bench = Bench("log")
    one, other = bench.stream(1), bench.stream(2)
    one.release()
    other.release()
    assert bench.opened == ["log"]
    assert bench.files["log"].closing is None
    write_route(bench.stream(3))
    assert bench.opened == ["log"]


def test_a_file_of_some_peers_is_closed_behind_the_last_of_them() -> None:
    bench = Bench("log-$peer_src_ip")
    one, other = bench.stream(1), bench.stream(2)
    one.release()
    one.release()
    assert bench.files["log-192_0_2_1"].closing is None
    other.release()
    first = bench.files["log-192_0_2_1"]
    assert first.closing is not None
    bench.stream(3)
    assert bench.opened == ["log-192_0_2_1", "log-192_0_2_1"]
    assert bench.files["log-192_0_2_1"].closing is None


def test_a_slow_file_holds_those_that_write_to_it_and_nobody_else() -> None:
    bench = Bench("log-$peer_src_ip")
    one, other, third = Writer(), Writer(), Writer()
    stream = bench.stream()
    stream.pauses(one)
    bench.stream(address="192.0.2.2").pauses(other)
    watch = bench.files["log-192_0_2_1"].watch
    watch.on_full()
    bench.stream().pauses(third)
    assert (one.held, other.held, third.held) == (1, 0, 1)
    watch.on_drained()
    assert (one.held, other.held, third.held) == (0, 0, 0)
    stream.forget(one)
    stream.forget(one)
    watch.on_full()
    assert (one.held, third.held) == (0, 1)


def test_reopening_concerns_every_file() -> None:
    bench = Bench("log-$peer_tcp_port")
    bench.stream(1), bench.stream(2)
    bench.log.reopen()
    assert [file.reopened for file in bench.files.values()] == [1, 1]


def test_the_log_is_closed_when_all_files_are() -> None:
    bench = Bench("log-$peer_tcp_port")
    bench.stream(1).release()
    bench.stream(2)
    closed: list[None] = []
    bench.log.close().addCallback(closed.append)
    files = list(bench.files.values())
    for file in files:
        assert closed == []
        assert file.closing is not None
        file.closing.callback(None)
    assert closed == [None]


def test_a_log_without_files_is_closed_at_once() -> None:
    closed: list[None] = []
    Bench("log").log.close().addCallback(closed.append)
    assert closed == [None]


def test_a_file_that_was_closed_before_is_not_waited_for() -> None:
    bench = Bench("log-$peer_tcp_port")
    bench.stream(1).release()
    closing = bench.files["log-1"].closing
    assert closing is not None
    closing.callback(None)
    closed: list[None] = []
    bench.log.close().addCallback(closed.append)
    assert closed == [None]


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"peer_id": True}, "peer_id", "192.0.2.9"),
        ({"as_path_as_array": True}, "as_path", ["65001"]),
        ({"origin_as_integer": True}, "origin", 0),
    ],
)
def test_rows_are_in_the_style_of_the_operator(change: dict[str, bool], key: str, value: object) -> None:
    bench = Bench("log", replace(RENDER, **cast("dict[str, Any]", change)))
    write_route(bench.stream(router_id=IPv4Address("192.0.2.9")))
    [record] = bench.files["log"].records
    assert record[key] == value


def test_a_failing_tagger_leaves_the_tag_of_the_peer(capsys: pytest.CaptureFixture[str]) -> None:
    def tagger(_communities: bytes) -> bytes | None:
        raise RuntimeError("bug")

    unraisable: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", unraisable.append)
        bench = Bench("log")
        write_route(bench.stream(tag=b'"tag": 5, ', tagger=tagger))
    [record] = bench.files["log"].records
    assert record["tag"] == 5
    assert len(unraisable) == 1
    assert "RuntimeError: bug" in capsys.readouterr().err


# -- peers that a router monitors -------------------------------------------------------------------------------------


class Monitored:
    """A RIB of a router, and runs of its messages."""

    def __init__(self, **facts: Any) -> None:
        self.rib = Rib(1)
        self.table = MonitoredRib(self.rib, as4=True, external=False, add_path=0)
        self.table.keys, self.table.end = b'"view": 1, ', b', "end": 1'
        for name, value in facts.items():
            setattr(self.table, name, value)

    def run(self, stream: Stream, octets: bytes, arrived: float = 2.0) -> None:
        rows = stream.monitored_rows(arrived)
        run = MonitoringRun(self.rib, octets, {}, lambda _header, _says_how: self.table, lambda *_: None)
        while run.step(rows) is None:
            stream.write(rows)
            rows = stream.monitored_rows(arrived)
        stream.write(rows)


def route_monitoring(header: bytes = peer()) -> bytes:
    return frame(ROUTE_MONITORING, header + update(MANDATORY, NET_10))


def test_rows_of_monitored_peers_have_the_time_of_the_router_and_that_of_their_arrival() -> None:
    bench = Bench("log")
    stream = bench.stream(names=BMP_ROUTER)
    bench.now = 7.5
    Monitored().run(stream, route_monitoring())
    [record] = bench.files["log"].records
    assert list(record) == [
        "seq", "log_type", "timestamp", "view", "event_type", "afi", "safi", "ip_prefix",
        "bgp_nexthop", "as_path", "origin", "timestamp_arrival", "end",
    ]  # fmt: skip
    assert record["timestamp"] == "2023-11-14 22:13:20.250000"
    assert record["timestamp_arrival"] == "1970-01-01 00:00:02.000000"


@pytest.mark.parametrize(
    ("layout", "timestamp", "arrival"),
    [
        (TimestampLayout.RFC9557, "2023-11-14T22:13:20.250000+00:00", "1970-01-01T00:00:02.000000+00:00"),
        (TimestampLayout.SINCE_EPOCH, "1700000000.250000", "2.000000"),
    ],
)
def test_both_times_have_the_layout_that_is_asked_for(layout: TimestampLayout, timestamp: str, arrival: str) -> None:
    bench = Bench("log", replace(RENDER, timestamps=layout))
    Monitored().run(bench.stream(names=BMP_ROUTER), route_monitoring())
    [record] = bench.files["log"].records
    assert (record["timestamp"], record["timestamp_arrival"]) == (timestamp, arrival)


def test_rows_of_a_router_that_are_not_wanted_take_no_number() -> None:
    bench = Bench("log")
    stream = bench.stream(names=BMP_ROUTER, tag=None)
    assert stream.monitored_rows(0.0) is None
    stream.record(lambda _number: b"never")
    assert bench.files["log"].octets == b""
    assert bench.sequence.next == 0


def test_a_tagger_decides_for_routes_where_the_router_has_no_tag() -> None:
    bench = Bench("log")
    stream = bench.stream(names=BMP_ROUTER, tag=None, tagger=lambda _: b"never asked")
    Monitored(tag=None, tagger=lambda _: b'"label": "x", ').run(stream, route_monitoring())
    stream.record(lambda _number: b"never")
    [record] = bench.files["log"].records
    assert record["label"] == "x"


def test_records_and_rows_share_their_numbers() -> None:
    bench = Bench("log")
    stream = bench.stream(names=BMP_ROUTER)
    monitored = Monitored()
    stream.record(lambda number: b'{"seq": %d}\n' % number)
    monitored.run(stream, route_monitoring() * 3)
    stream.record(lambda number: b'{"seq": %d}\n' % number)
    assert [record["seq"] for record in bench.files["log"].records] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("skips", "rows"), [(False, 3), (True, 1)])
def test_unchanged_routes_may_be_left_out(skips: bool, rows: int) -> None:
    bench = Bench("log", skips_unchanged=skips)
    stream = bench.stream(names=BMP_ROUTER)
    Monitored().run(stream, route_monitoring() * 3)
    assert [record["seq"] for record in bench.files["log"].records] == list(range(rows))


def test_what_a_router_says_about_a_route_is_marked() -> None:
    bench = Bench("log", marker=lambda octets: b'"marks": "%s", ' % octets.hex().encode())
    tlvs = tlv(4, update(MANDATORY, NET_10), index=0) + tlv(5, b"\1\2", index=0)
    Monitored().run(bench.stream(names=BMP_ROUTER), frame(ROUTE_MONITORING, peer() + tlvs, 4))
    [record] = bench.files["log"].records
    assert record["marks"] == "000500020102"


def test_who_waits_for_a_slow_file_is_told_once_it_takes_rows_again() -> None:
    bench = Bench("log")
    stream, other = bench.stream(1), bench.stream(2)
    assert stream.drained() is None
    watch = bench.files["log"].watch
    watch.on_full()
    told: list[int] = []
    for number, waiting in enumerate((stream.drained(), other.drained())):
        assert waiting is not None
        waiting.addCallback(lambda _, number=number: told.append(number))
    watch.on_drained()
    watch.on_drained()
    assert told == [0, 1]
    assert stream.drained() is None
