"""The table of the `memory` plugin, asked as a client asks."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.live_table import LiveTable
from flowcorr.service.memory_answer import Table
from flowcorr.service.memory_question import MOST_OCTETS, MOST_QUERIES
from flowcorr.service.memory_server import (
    MODE,
    MOST_CLIENTS,
    QUESTION_PATIENCE,
    READING_PATIENCE,
    ClientCounters,
    SocketPlace,
    Surroundings,
    TableFactory,
)
from flowcorr.service.render import RowSettings
from routed.plumbing.output_file import Owner
from tests.flowcorr.service.unix_ports import UnixPorts

T = TypeVar("T")
START = 6_000.0


class Waiting:
    """Work for threads, done when a test says so."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], Any], Deferred[Any]]] | None = None

    def __call__(self, work: Callable[[], T]) -> Deferred[T]:
        if self.held is None:
            return execute(work)
        self.held.append((work, Deferred()))
        return self.held[-1][1]

    def do_next(self) -> None:
        assert self.held is not None
        work, over = self.held.pop(0)
        execute(work).chainDeferred(over)


class Desk:
    """A table with a few rows, and clients of it."""

    def __init__(self, aggregate: str = "src_host, dst_port, proto, as_path, tag", most_entries: int = 1_000) -> None:
        self.clock, self.texts, self.threads = Clock(), Texts(), Waiting()
        self.clock.advance(START)
        chosen = parse_aggregate(aggregate, "nfacctd")
        layout = Layout([*ALWAYS, *chosen.columns])
        self.live = LiveTable(layout, chosen, self.texts, most_entries)
        self.batch = Batch(layout, 4_096)
        table = Table(self.live, chosen, RowSettings(utc=True), START)
        self.counters = ClientCounters()
        around = Surroundings(self.clock, self.threads, self.clock.seconds)
        self.factory = TableFactory(table, around, self.counters)

    def add(self, host: str, port: int, octets: int, path: str = "", proto: int = 6) -> None:
        address = IPV4_MAPPED + bytes(map(int, host.split(".")))
        self.batch.append(
            src_host=address,
            dst_port=port,
            proto=proto,
            as_path=self.texts.id_of(path.encode()),
            packets=1,
            bytes=octets,
            flows=1,
            record_type=4,
        )
        self.live.add(self.batch, None, START)
        self.batch.clear()
        self.texts.sweep()

    def connect(self) -> tuple[Any, StringTransport]:
        client, transport = self.factory.buildProtocol(None), StringTransport()
        client.makeConnection(transport)
        return client, transport

    def ask(self, octets: bytes) -> tuple[dict[str, Any], str]:
        """Return the first line of an answer, and what is behind it."""
        client, transport = self.connect()
        client.dataReceived(octets)
        assert transport.disconnecting
        head, _, body = transport.value().partition(b"\n")
        client.connectionLost()
        assert self.live.sums.looked_at == 0
        return json.loads(head), body.decode()

    def answer(self, **question: object) -> str:
        head, body = self.ask(json.dumps(question).encode() + b"\n")
        assert head.get("ok"), head
        return body

    def refusal(self, **question: object) -> str:
        head, body = self.ask(json.dumps(question).encode() + b"\n")
        assert not body
        error: str = head["error"]
        return error


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    made.add("10.0.0.1", 80, 100, "64500_64501")
    made.add("10.0.0.2", 443, 300, "64500_64501")
    made.add("192.0.2.1", 443, 200, proto=17)
    yield made
    assert made.live.sums.looked_at == 0
    assert made.counters.clients == 0


def test_a_table_is_listed_in_all_formats(desk: Desk) -> None:
    assert desk.answer(do="list", output="csv") == (
        "TAG,AS_PATH,SRC_IP,DST_PORT,PROTOCOL,PACKETS,BYTES\n"
        "0,64500_64501,10.0.0.1,80,tcp,1,100\n"
        "0,64500_64501,10.0.0.2,443,tcp,1,300\n"
        "0,,192.0.2.1,443,udp,1,200\n"
    )
    rows = [json.loads(line) for line in desk.answer(do="list", output="json").splitlines()]
    assert rows[2] == {
        "tag": 0,
        "as_path": "",
        "ip_src": "192.0.2.1",
        "port_dst": 443,
        "ip_proto": "udp",
        "packets": 1,
        "bytes": 200,
    }
    header, *lines, blank, total = desk.answer(do="list").splitlines()
    assert header.split() == ["TAG", "AS_PATH", "SRC_IP", "DST_PORT", "PROTOCOL", "PACKETS", "BYTES"]
    assert lines[2].split() == ["0", "^$", "192.0.2.1", "443", "udp", "1", "200"]
    assert (blank, total) == ("", "For a total of: 3 entries")
    assert desk.answer(do="list", output="event_csv").splitlines()[0] == "TAG,AS_PATH,SRC_IP,DST_PORT,PROTOCOL"


def test_switches_of_a_listing(desk: Desk) -> None:
    body = desk.answer(do="list", output="csv", separator=";", numeric=True)
    assert body.splitlines()[3] == "0;;192.0.2.1;443;17;1;200"
    everything = desk.answer(do="list", output="csv", all_columns=True).splitlines()
    assert len({line.count(",") for line in everything}) == 1
    assert "POST_NAT_SRC_IP" in everything[0]


@pytest.mark.parametrize(
    ("primitives", "values", "ports"),
    [
        (["src_host"], [["10.0.0.1"]], [80]),
        (["src_host"], [["10.0.0.0/8"]], [80, 443]),
        (["src_host", "dst_port"], [["*", "443"], ["10.0.0.1", "*"]], [443, 443, 80]),
        (["proto"], [["udp"]], [443]),
        (["proto"], [["17"]], [443]),
        (["as_path"], [["64500_64501"]], [80, 443]),
        (["as_path"], [[""]], [443]),
        (["as_path"], [["64500"]], []),
        (["dst_port"], [["443"], ["443"]], [443, 443]),
        (["tag"], [["0"]], [80, 443, 443]),
    ],
)
def test_rows_that_match(desk: Desk, primitives: list[str], values: list[list[str]], ports: list[int]) -> None:
    body = desk.answer(do="list", output="json", primitives=primitives, values=values)
    assert [json.loads(line)["port_dst"] for line in body.splitlines()] == ports
    desk.texts.sweep()
    assert desk.texts.count == 1


def test_counters_of_what_matches(desk: Desk) -> None:
    query = {"do": "count", "primitives": ["dst_port"], "values": [["443"], ["80"], ["1"], ["443"]]}
    assert desk.answer(**query) == "500\n100\n0\n500\n"
    assert desk.answer(**query, counter="all") == "2 500 2 2\n1 100 1 1\n0 0 0 0\n2 500 2 2\n"
    assert desk.answer(**query, counter="packets", sum=True) == "5\n"


def test_the_largest_come_first(desk: Desk) -> None:
    body = desk.answer(do="list", output="csv", top="bytes", most=2)
    assert [line.rsplit(",", 1)[1] for line in body.splitlines()[1:]] == ["300", "200"]
    body = desk.answer(do="list", output="csv", top="packets", primitives=["dst_port"], values=[["443"]])
    assert [line.rsplit(",", 1)[1] for line in body.splitlines()[1:]] == ["300", "200"]


def test_what_was_reset_counts_from_zero_and_is_not_listed_before(desk: Desk) -> None:
    query = {"primitives": ["dst_port"], "values": [["443"]]}
    assert desk.answer(do="count", reset=True, **query) == "500\n"
    assert desk.answer(do="count", **query) == "0\n"
    assert desk.answer(do="list", output="csv").count("\n") == 1 + 1
    desk.add("192.0.2.1", 443, 7, proto=17)
    assert desk.answer(do="count", **query) == "7\n"


def test_a_table_is_erased_and_tells_when(desk: Desk) -> None:
    assert desk.answer(do="age") == "never\n"
    assert desk.answer(do="erase") == "OK: Clearing stats.\n"
    desk.clock.advance(5)
    assert desk.answer(do="age") == "5\n"
    assert desk.answer(do="list", output="json") == ""
    assert desk.answer(do="list").endswith("\nFor a total of: 0 entries\n")


def test_a_full_table_says_what_it_refused() -> None:
    desk = Desk(most_entries=1)
    desk.add("10.0.0.1", 80, 100)
    desk.add("10.0.0.2", 80, 50)
    status = json.loads(desk.answer(do="status", output="json"))
    assert {name: status[name] for name in ("entries", "most_entries", "refused_records", "refused_bytes")} == {
        "entries": 1,
        "most_entries": 1,
        "refused_records": 1,
        "refused_bytes": 50,
    }
    assert "refused_packets: 1\n" in desk.answer(do="status")


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ({}, "is no do"),
        ({"do": "lits"}, "valid is list"),
        ({"do": "list", "output": "avro"}, "is no output"),
        ({"do": "list", "separator": "ab"}, "one character"),
        ({"do": "list", "most": 0}, "above 0"),
        ({"do": "list", "most": "1"}, "of the type int"),
        ({"do": "list", "reset": 1}, "of the type bool"),
        ({"do": "list", "top": "size"}, "is no top"),
        ({"do": "list", "color": "red"}, "is none of"),
        ({"do": "count"}, "missing"),
        ({"do": "list", "values": [["1"]]}, "belong together"),
        ({"do": "list", "primitives": ["foo"], "values": [["1"]]}, "unknown primitive 'foo'"),
        ({"do": "list", "primitives": [1], "values": [["1"]]}, "list of strings"),
        ({"do": "list", "primitives": ["tag"], "values": ["1"]}, "list of strings"),
        ({"do": "list", "primitives": ["tag", "tag"], "values": [["1", "1"]]}, "named twice"),
        ({"do": "list", "primitives": ["tag"], "values": [["1", "2"]]}, "2 values for 1"),
        ({"do": "list", "primitives": ["tag"], "values": [["x"]]}, "'x' is no value of tag"),
        ({"do": "list", "primitives": ["tag"], "values": [["-1"]]}, "no value"),
        ({"do": "list", "primitives": ["src_host"], "values": [["10.0.0.0/33"]]}, "no value"),
        ({"do": "list", "primitives": ["src_host"], "values": [[f"::/{n}"] for n in range(17)]}, "different choices"),
        ({"do": "list", "primitives": ["tag"], "values": [["1"]] * (MOST_QUERIES + 1)}, "queries"),
    ],
)
def test_questions_without_sense_are_refused(desk: Desk, question: dict[str, object], why: str) -> None:
    assert why in desk.refusal(**question)


@pytest.mark.parametrize("line", [b"\n", b"hello\n", b"[]\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n", b"3\n"])
def test_octets_that_are_no_question_are_refused(desk: Desk, line: bytes) -> None:
    assert "question" in desk.ask(line)[0]["error"]


def test_a_question_has_a_most_of_octets(desk: Desk) -> None:
    client, transport = desk.connect()
    client.dataReceived(b"x" * MOST_OCTETS)
    assert not transport.disconnecting
    client.dataReceived(b"x")
    assert b"octets" in transport.value()
    client.connectionLost()


def test_a_client_that_asks_nothing_is_given_up(desk: Desk) -> None:
    client, transport = desk.connect()
    client.dataReceived(b'{"do": ')
    desk.clock.advance(QUESTION_PATIENCE - 0.1)
    assert not transport.disconnected
    desk.clock.advance(0.2)
    assert transport.disconnected
    client.connectionLost()
    assert desk.counters.given_up == 1


def test_clients_have_a_most() -> None:
    desk = Desk()
    there = [desk.connect() for _ in range(MOST_CLIENTS)]
    client, transport = desk.connect()
    assert b"clients are connected" in transport.value()
    assert transport.disconnecting
    client.connectionLost()
    for client, _ in there:
        client.connectionLost()
    assert desk.answer(do="age")
    desk.factory.end()


def test_a_client_that_reads_nothing_is_given_up_and_counting_goes_on(desk: Desk) -> None:
    for port in range(2_000):
        desk.add("10.9.9.9", port, 1)
    desk.threads.held = []
    client, transport = desk.connect()
    client.dataReceived(b'{"do": "list", "output": "json"}\n')
    desk.threads.do_next()
    client.pauseProducing()
    desk.threads.do_next()
    written = len(transport.value())
    desk.add("10.0.0.1", 80, 100, "64500_64501")
    assert not desk.threads.held
    desk.clock.advance(READING_PATIENCE + 1)
    assert transport.disconnected
    client.connectionLost()
    assert len(transport.value()) == written
    desk.threads.held = None


def test_an_answer_is_of_the_moment_of_the_question(desk: Desk) -> None:
    desk.threads.held = []
    client, transport = desk.connect()
    client.dataReceived(b'{"do": "list", "output": "csv"}\n')
    desk.add("10.0.0.1", 80, 1_000, "64500_64501")
    desk.live.erase()
    while desk.threads.held:
        desk.threads.do_next()
    assert transport.value().splitlines()[2] == b"0,64500_64501,10.0.0.1,80,tcp,1,100"
    client.connectionLost()
    desk.threads.held = None
    assert desk.live.release(1_000)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(desk: Desk) -> None:
    desk.threads.held = []
    client, _ = desk.connect()
    client.dataReceived(b'{"do": "list", "output": "csv"}\n')
    client.connectionLost()
    while desk.threads.held:
        desk.threads.do_next()
    desk.threads.held = None


def test_a_socket_that_nobody_listens_on_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    place, reactor = SocketPlace(path, Owner()), UnixPorts()
    place.listen(reactor, Factory())
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == MODE
    close(reactor)
    place.leave()
    assert not list(tmp_path.iterdir())


def close(reactor: UnixPorts) -> None:
    for port in reactor.ports:
        port.stopListening()
    reactor.advance(0)


def test_a_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    first, second = SocketPlace(tmp_path / "s", Owner()), SocketPlace(tmp_path / "s", Owner())
    reactor = UnixPorts()
    first.listen(reactor, Factory())
    with pytest.raises(OSError, match="another daemon"):
        second.listen(reactor, Factory())
    (tmp_path / "s.lock").unlink()  # as if the other were one that knows no locks
    with pytest.raises(OSError, match="another daemon"):
        second.listen(reactor, Factory())
    second.leave()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
    close(reactor)
    first.leave()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(OSError, match="no socket"):
        SocketPlace(path, Owner()).listen(UnixPorts(), Factory())
    assert path.read_text() == "precious"


def test_a_place_that_cannot_be_had_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        SocketPlace(tmp_path / "file" / "s", Owner()).listen(UnixPorts(), Factory())
    with pytest.raises(OSError, match="too long"):
        SocketPlace(tmp_path / ("s" * 120), Owner()).listen(UnixPorts(), Factory())
