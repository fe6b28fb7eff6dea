"""IS-IS of a daemon over cables that a test holds: routes, questions, logs and dumps."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from routed.plumbing.dump_file import DumpFile
from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Level
from routed.plumbing.metrics import Registry
from routed.plumbing.names import parse_name
from routed.plumbing.sink_file import FileSink
from routed.query.codec import QueryError, decode_question
from routed.rib import lsdb as lsdb_module
from routed.rib.lsdb import ZERO_AGE_LIFETIME
from routed.service.isis import Isis
from routed.service.isis_answers import IsisAnswers
from routed.service.isis_dump import IsisDumper
from routed.service.isis_log import LogFollower, MessageFollower
from routed.service.isis_measures import measure_isis
from routed.service.isis_settings import IsisSettings
from routed.service.records import TimeFormat
from routed.session.isis_own_lsp import MAX_SEQUENCE
from routed.wire.isis.authentication import Key, is_authentic
from routed.wire.isis.codepoints import AuthenticationType, PduType
from routed.wire.isis.header import cut_pdu
from routed.wire.isis.lsp import Lsp, encode_lsp
from tests.routed.rib.test_spf import has, node, says
from tests.routed.service.collector_rig import RENDER
from tests.routed.service.test_isis_link import THEM, US, Cable, End

SETTINGS = IsisSettings(
    system_id=US,
    area=b"\x49",
    addresses=(bytes((192, 0, 2, 1)),),
    hostname="listener",
    circuits=("cable",),
    mtu=1476,
    is_padded=True,
    hello_interval=10,
    hello_multiplier=3,
)
TIMES = TimeFormat(replace(RENDER, utc=True))


def now_in_thread(work: Callable[[], Any]) -> Deferred[Any]:
    """Do what a thread would do, at once."""
    return maybeDeferred(work)


class Words:
    """A log in memory."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, level: Level, text: str) -> None:
        self.lines.append(f"{level.name} {text}")

    def info(self, text: str) -> None:
        self.write(Level.INFO, text)

    def warning(self, text: str) -> None:
        self.write(Level.WARN, text)

    def error(self, text: str) -> None:
        self.write(Level.ERROR, text)

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str) -> None:
        self.write(level, text)


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.octets = b""

    def write(self, octets: bytes, rows: int) -> None:
        assert octets.count(b"\n") == rows
        self.octets += octets

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return what was written of a kind."""
        return [row for row in map(json.loads, self.octets.splitlines()) if row["isis_type"] == kind]


class Rig:
    """A listener with one cable, and a system at the other end that has not been plugged in."""

    def __init__(self) -> None:
        self.reactor, self.cable = MemoryReactorClock(), Cable()
        self.isis = Isis(cast("Any", self.reactor), SETTINGS, now_in_thread, seed=1, make_carrier=lambda _: self.cable)
        self.log, self.messages = Words(), Kept()
        self.isis.followers += [
            LogFollower(self.isis, cast("Any", self.log), tells_all=True),
            MessageFollower(
                self.isis, cast("FileSink", self.messages), TIMES, seconds=self.reactor.seconds, wall_clock=lambda: 0.0
            ),
        ]
        self.them = End(THEM, self.reactor)
        self.answers = IsisAnswers(self.isis, now_in_thread, self.reactor.seconds)

    def run(self, seconds: float = 5.0) -> None:
        """Let both ends talk."""
        (link,) = self.isis.circuits
        for _ in range(int(seconds * 10)):
            self.reactor.advance(0.1)
            self.them.cable.coming.extend(self.cable.take())
            self.cable.coming.extend(self.them.cable.take())
            while self.them.link.is_attached and self.them.cable.coming:
                self.them.link.doRead()
            while link.is_attached and self.cable.coming:
                link.doRead()

    def begin(self) -> None:
        """Become neighbours."""
        self.isis.start()
        self.them.link.start()
        self.run()

    def hear(self, *lsps: Lsp) -> None:
        """Have the neighbour send LSPs of others."""
        self.cable.coming.extend(encode_lsp(lsp) for lsp in lsps)
        self.run(2.0)

    def ask(self, **members: object) -> list[dict[str, Any]]:
        """Ask a question; return its records."""
        return self.ask_all(**members)[1]

    def ask_all(self, **members: object) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Ask a question; return facts and records."""
        outcome: list[Any] = []
        ensureDeferred(self.answers.answer(decode_question(members))).addBoth(outcome.append)
        (answer,) = outcome
        if not isinstance(answer, tuple):
            answer.raiseException()
        facts, rows = answer
        return facts, [json.loads(row) for row in rows]


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A listener that leaves nothing behind."""
    made = Rig()
    yield made
    made.isis.stop()
    made.them.link.stop()
    assert made.cable.is_closed
    assert made.isis.counters.bugs == 0
    assert made.reactor.getDelayedCalls() == []


FAR = node(3)
#: The neighbour, with the last number that there is, after which it says nothing itself; and a system behind it.
NEAR = says(2, (FAR, 10), lsp_id=THEM + b"\0\0", sequence=MAX_SEQUENCE, hostname="near")
BEHIND = says(3, (node(2), 10), sequence=5, hostname="far", **has(("198.51.100.0/24", 5), ("2001:db8::/32", 6)))


def test_routes_are_those_of_the_neighbour(rig: Rig) -> None:
    rig.begin()
    assert rig.isis.roots == (THEM + b"\0",)
    rig.hear(NEAR, BEHIND)
    assert {str(prefix): route.metric for prefix, route in rig.isis.igp.routes.items()} == {
        "198.51.100.0/24": 15,
        "2001:db8::/32": 16,
    }
    assert len(rig.isis.igp.table) == 2
    rig.them.link.stop()
    rig.run()
    assert rig.isis.igp.routes == {}
    assert len(rig.isis.igp.table) == 0


def test_a_change_is_calculated_soon_and_many_together(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR, BEHIND)
    before = rig.isis.counters.calculations
    rig.hear(*(replace(BEHIND, sequence=6 + n, **has(("192.0.2.0/24", n))) for n in range(20)))
    assert [route.metric for route in rig.isis.igp.routes.values()] == [29]
    assert rig.isis.counters.calculations - before <= 2
    assert rig.isis.counters.lsps_changed >= 21


def test_what_is_not_refreshed_ends(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR, replace(BEHIND, lifetime=3))
    assert rig.isis.igp.routes
    rig.run(5.0)
    assert rig.isis.igp.routes == {}
    (lsp,) = rig.ask(select="isis-database", system="0000.0000.0003")
    assert (lsp["lifetime"], "prefixes" in lsp) == (0, False)
    rig.run(ZERO_AGE_LIFETIME)
    assert rig.ask(select="isis-database", system="0000.0000.0003") == []
    assert [row["log_type"] for row in rig.messages.records("lsp") if row["hostname"] == "far"] == ["new", "expired"]


def test_everything_is_in_the_message_log(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR, BEHIND)
    rig.hear(replace(BEHIND, sequence=6, **has(("198.51.100.0/24", 6))))
    rig.hear(replace(BEHIND, sequence=6, lifetime=0))
    rig.them.link.stop()
    rig.run(1.0)
    up, down = rig.messages.records("adjacency")
    assert (up["log_type"], up["system_id"], up["circuit"]) == ("up", "0000.0000.0002", "cable")
    assert (down["log_type"], down["hostname"], down["reason"]) == ("down", "near", "the neighbor restarted")
    whats = [row["log_type"] for row in rig.messages.records("lsp") if row["lsp_id"].startswith("0000.0000.0003")]
    assert whats == ["new", "changed", "purged"]
    assert "originated" in {row["log_type"] for row in rig.messages.records("lsp")}
    routes = [(row["log_type"], row["ip_prefix"], row["metric"]) for row in rig.messages.records("route")]
    assert routes == [
        ("update", "198.51.100.0/24", 15),
        ("update", "2001:db8::/32", 16),
        ("withdraw", "2001:db8::/32", 16),
        ("update", "198.51.100.0/24", 16),
        ("withdraw", "198.51.100.0/24", 16),
    ]
    rows = list(map(json.loads, rig.messages.octets.splitlines()))
    assert [row["seq"] for row in rows] == list(range(len(rows)))
    assert {row["timestamp"] for row in rows} == {"1970-01-01 00:00:00.000000"}


def test_the_log_names_neighbours_and_what_is_refused(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR)
    rig.cable.coming.append(b"\x83\x1b\x01\x00\x14\x01\x00\x00")
    rig.run(0.2)
    rig.them.link.stop()
    rig.run(0.2)
    assert "INFO [cable] IS-IS adjacency with 0000.0000.0002 up, hold time 30 s" in rig.log.lines
    assert "WARN [cable] IS-IS adjacency with near (0000.0000.0002) down: the neighbor restarted" in rig.log.lines
    assert any(line.startswith("WARN [cable] IS-IS PDU refused, malformed: ") for line in rig.log.lines)
    assert any("IS-IS LSP 0000.0000.0002.00-00 changed" in line for line in rig.log.lines)


def test_a_lost_interface_is_told_once(rig: Rig) -> None:
    rig.cable.refusal = OSError(19, "No such device")
    rig.isis.start()
    rig.reactor.advance(1)
    rig.reactor.advance(1)
    assert rig.log.lines == ["WARN [cable] IS-IS hears nothing: No such device"]
    assert [row["reason"] for row in rig.messages.records("circuit")] == ["No such device"]
    (circuit,) = rig.ask(select="isis-neighbors")
    assert (circuit["state"], circuit["mtu"], circuit["reason"]) == ("down", 0, "No such device")


def test_another_system_with_our_id_is_told(rig: Rig) -> None:
    """What is left of an earlier life is not: that is one newer LSP of ours, or two."""
    rig.begin()
    for sequence in (50, 100, 150):
        assert not any("another system has our id" in line for line in rig.log.lines)
        rig.hear(says(1, lsp_id=US + b"\0\0", sequence=sequence))
    assert any(line.startswith("WARN somebody else had a newer IS-IS LSP of ours, 3 times") for line in rig.log.lines)


def test_a_full_database_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.begin()
    monkeypatch.setattr(lsdb_module, "MAX_LSPS", len(rig.isis.lsdb))
    rig.hear(BEHIND)
    assert rig.isis.counters.lsps_refused == 1
    assert "WARN no room for LSP 0000.0000.0003.00-00: the IS-IS database is full" in rig.log.lines


def test_the_looking_glass_shows_neighbours_names_and_the_database(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR, BEHIND)
    (circuit,) = rig.ask(select="isis-neighbors")
    assert (circuit["state"], circuit["hostname"], circuit["three_way"]) == ("up", "near", True)
    assert circuit["uptime"] >= 1
    names = {each["system_id"]: each["hostname"] for each in rig.ask(select="isis-hostnames")}
    assert names == {"0000.0000.0001": "listener", "0000.0000.0002": "near", "0000.0000.0003": "far"}
    ids = [each["lsp_id"] for each in rig.ask(select="isis-database")]
    assert ids == [f"0000.0000.000{last}.00-00" for last in (1, 2, 3)]
    (lsp,) = rig.ask(select="isis-database", system="far")
    assert [each["hostname"] for each in lsp["neighbors"]] == ["near"]
    assert [each["ip_prefix"] for each in lsp["prefixes"]] == ["198.51.100.0/24", "2001:db8::/32"]
    assert rig.ask(select="isis-neighbors", system="far") == []
    assert rig.ask(select="isis-hostnames", system="0000.0000.0003", fields=["hostname"]) == [{"hostname": "far"}]


def test_routes_are_found_by_prefix_family_and_system(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR, replace(BEHIND, **has(*((text, 1) for text in ("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32")))))

    def found(**members: object) -> list[str]:
        return [each["ip_prefix"] for each in rig.ask(select="isis-routes", **members)]

    assert found() == ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"]
    assert found(afi=1) == ["10.0.0.0/8", "10.1.0.0/16"]
    assert found(ip_prefix="10.1.2.3") == ["10.1.0.0/16"]
    assert found(ip_prefix="10.2.0.0/16") == ["10.0.0.0/8"]
    assert found(ip_prefix="10.1.2.3", match="less-specific") == ["10.0.0.0/8", "10.1.0.0/16"]
    assert found(ip_prefix="10.0.0.0/8", match="more-specific") == ["10.0.0.0/8", "10.1.0.0/16"]
    assert found(ip_prefix="10.0.0.0/8", match="exact") == ["10.0.0.0/8"]
    assert found(ip_prefix="10.0.0.0/9", match="exact") == []
    assert found(system="far", afi=2) == ["2001:db8::/32"]
    assert found(system="near") == []


def test_pages_go_on_where_they_ended(rig: Rig) -> None:
    rig.begin()
    rig.hear(NEAR, replace(BEHIND, **has(*((f"10.{n}.0.0/16", 1) for n in range(5)))))
    seen: list[str] = []
    facts: dict[str, Any] = {}
    while True:
        facts, rows = rig.ask_all(select="isis-routes", limit=2, **facts)
        seen += [row["ip_prefix"] for row in rows]
        if not facts:
            break
    assert seen == [f"10.{n}.0.0/16" for n in range(5)]


def test_another_system_may_be_the_root(rig: Rig) -> None:
    rig.begin()
    rig.hear(replace(NEAR, **has(("192.0.2.0/24", 1))), BEHIND)
    (route,) = rig.ask(select="isis-routes", root="far", ip_prefix="192.0.2.1")
    assert (route["metric"], [hop["hostname"] for hop in route["first_hops"]]) == (11, ["near"])
    with pytest.raises(QueryError, match="no system, or more than one, has the name nobody"):
        rig.ask(select="isis-routes", root="nobody")
    with pytest.raises(QueryError, match="the database has no LSP"):
        rig.ask(select="isis-routes", root="0000.0000.0099")
    with pytest.raises(QueryError, match="cursor"):
        rig.ask(select="isis-routes", cursor="x")


def test_there_are_no_routes_before_there_is_a_neighbour(rig: Rig) -> None:
    rig.isis.start()
    assert rig.ask(select="isis-routes") == []


def test_everything_is_measured(rig: Rig) -> None:
    metrics = Registry()
    measure_isis(metrics, rig.isis, rig.reactor.seconds)
    rig.begin()
    rig.hear(NEAR, BEHIND)
    found = {family.metric.name: family.readings for family in metrics.families()}
    assert [reading.value for reading in found["routed_isis_adjacency_up"]] == [1]
    assert [reading.value for reading in found["routed_isis_routes"]] == [1, 1]
    assert found["routed_isis_lsps"][0].value == found["routed_isis_nodes"][0].value == 3
    assert found["routed_isis_adjacency_uptime_seconds"][0].value > 1
    assert found["routed_isis_flooding_lsps_total"][0].value >= 2


def test_a_dump_has_adjacencies_database_and_routes(rig: Rig, tmp_path: Path) -> None:
    rig.begin()
    rig.hear(NEAR, BEHIND)
    clock, log = Clock(), Words()
    dumper = IsisDumper(
        clock,
        rig.isis,
        parse_name(str(tmp_path / "dump-%M"), {}, dated=True),
        60,
        open_dump=lambda name: DumpFile(name, in_thread=now_in_thread),
        in_thread=now_in_thread,
        times=TIMES,
        log=cast("Any", log),
        wall_clock=lambda: 3_600.0 * 1_000 + clock.seconds(),
    )
    dumper.start()
    for _ in range(65):
        clock.advance(1)
    ensureDeferred(dumper.stop())
    rows = [json.loads(line) for line in (tmp_path / "dump-01").read_text().splitlines()]
    assert [row["event_type"] for row in rows] == ["dump_init", *["dump"] * 6, "dump_close"]
    assert [row.get("isis_type") for row in rows[1:-1]] == ["adjacency", "lsp", "lsp", "lsp", "route", "route"]
    assert rows[-1]["entries"] == 6
    assert [row["seq"] for row in rows] == list(range(8, 16))
    assert rows[5] | {"timestamp": "", "seq": 0} == {
        "timestamp": "",
        "event_type": "dump",
        "isis_type": "route",
        "ip_prefix": "198.51.100.0/24",
        "metric": 15,
        "next_hop": None,
        "originators": [{"system_id": "0000.0000.0003", "hostname": "far"}],
        "first_hops": [{"system_id": "0000.0000.0003", "hostname": "far"}],
        "topology": 0,
        "down": False,
        "external": False,
        "seq": 0,
    }
    assert dumper.counters.files == 2
    assert log.lines == []


def test_a_dump_that_cannot_be_written_is_told(rig: Rig, tmp_path: Path) -> None:
    clock, log = Clock(), Words()
    dumper = IsisDumper(
        clock,
        rig.isis,
        parse_name(str(tmp_path / "nowhere" / "\0"), {}, dated=True),
        60,
        open_dump=lambda name: DumpFile(name, in_thread=now_in_thread),
        in_thread=now_in_thread,
        times=TIMES,
        log=cast("Any", log),
        wall_clock=lambda: 3_600.0,
    )
    dumper.start()
    clock.advance(1)
    ensureDeferred(dumper.stop())
    assert dumper.counters.files_failed == 1
    assert len(log.lines) == 1


def test_keys_hellos_and_the_name_change_while_it_runs(rig: Rig) -> None:
    """The neighbour hears of it at once: its next hello is of another length, the next LSP has another name."""
    rig.begin()
    key = Key(AuthenticationType.HMAC_MD5, b"new")
    changed = replace(SETTINGS, hostname="other", hello_interval=3, hello_multiplier=5, is_padded=False)
    rig.isis.settle(changed)
    rig.run(2.0)
    assert rig.them.link.adjacency.neighbor is not None
    assert rig.them.link.adjacency.neighbor.hold_time == 15
    assert rig.them.lsdb.hostnames()[US] == "other"
    rig.isis.settle(replace(changed, hello_keys=(key,), domain_keys=(key,)))
    rig.reactor.advance(1.0)
    sent = dict(map(cut_pdu, rig.cable.take()))
    assert is_authentic(PduType.P2P_HELLO, sent[PduType.P2P_HELLO], [key])
    assert is_authentic(PduType.LSP_2, sent[PduType.LSP_2], [key])
    assert len(sent[PduType.P2P_HELLO]) < 100


def test_a_socket_that_cannot_be_had_ends_the_start() -> None:
    class Refused(Cable):
        def open(self) -> None:
            raise PermissionError(1, "Operation not permitted")

    with pytest.raises(StartError, match="IS-IS on cable: Operation not permitted: it takes CAP_NET_RAW"):
        Isis(cast("Any", MemoryReactorClock()), SETTINGS, now_in_thread, seed=1, make_carrier=lambda _: Refused())
