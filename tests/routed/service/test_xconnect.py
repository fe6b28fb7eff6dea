"""Pairs and their listener; how both ends end is tested with the session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from routed.model.xconnect_event import End
from routed.plumbing.log import Level
from routed.plumbing.metrics import Registry
from routed.plumbing.output_file import Owner
from routed.service.listener import Policy
from routed.service.neighbors import NeighborsFile
from routed.service.reports import Reporter
from routed.service.settings import ListenerSettings
from routed.service.xconnect import MAX_LINGER, MAX_LINGER_AT_STOP, Half
from routed.service.xconnect_listener import MAX_HELD_UP, Audience, Routing, XconnectListener
from routed.service.xconnect_map import Destination
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message

KEEPALIVE = encode_message(MessageType.KEEPALIVE)
UPDATE = encode_message(MessageType.UPDATE, bytes(4))
PREFIX_LIMIT = encode_message(MessageType.NOTIFICATION, bytes([6, 1]))
SHUTDOWN = encode_message(MessageType.NOTIFICATION, bytes([6, 2, 3]) + b"bye")
GARBAGE = bytes(19)
CEASE, ADMIN_SHUTDOWN, ADMIN_RESET, REJECTED = 6, 2, 4, 5
CARRIED = "src to dst: 2 messages, 42 octets. dst to src: 0 messages, 0 octets"
COLLECTOR = Destination(ip_address("10.0.0.1"), 17901)


class Wire(StringTransport):
    """A transport that can be full."""

    half_closed = False

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        assert enabled

    def loseWriteConnection(self) -> None:  # noqa: N802
        assert self.producer is None, "a transport with a producer never closes"
        self.half_closed = True

    def loseConnection(self) -> None:  # noqa: N802
        assert self.producer is None, "the same"
        super().loseConnection()

    def abortConnection(self) -> None:  # noqa: N802
        self.disconnected = True

    @property
    def notification(self) -> tuple[int, int]:
        last = self.value().split(b"\xff" * 16)[-1]
        assert last[2] == MessageType.NOTIFICATION
        return last[3], last[4]


class Port:
    numberAccepts = 100  # noqa: N815

    def stopListening(self) -> None:  # noqa: N802
        pass


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[tuple[Level, str]] = []

    def write(self, level: Level, text: str, **_: object) -> None:
        self.lines.append((level, text))

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str, **_: object) -> None:
        self.lines.append((level, text))


@dataclass
class Call:
    """A connection that is being opened."""

    target: tuple[str, int]
    half: Half
    fail: Callable[[str], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True

    def answer(self) -> Wire:
        wire = Wire()
        self.half.makeConnection(wire)
        return wire


@dataclass
class Rig:
    settings: dict[str, Any] = field(default_factory=dict)
    neighbors: NeighborsFile | None = None

    def __post_init__(self) -> None:
        self.clock, self.log, self.calls = Clock(), FakeLog(), []
        self.metrics = Registry()
        self.map: dict[str, Destination] = {}
        self.default: Destination | None = COLLECTOR
        self.bug_in_dial = False
        facts: dict[str, Any] = {
            "address": None, "port": 179, "ipv6_only": False, "interface": None, "ip_precedence": 0,
            "receive_buffer": None, "gtsm_hops": 0, "max_peers": 4, "batch": 0, "batch_interval": 0,
            "compare_ports": False, "allow_file": None, "md5_file": None, "neighbors_file": None,
        }  # fmt: skip
        self.listener = XconnectListener(
            self.clock,
            self._listen,
            Policy(ListenerSettings(**facts | self.settings)),
            Routing(lambda address: self.map.get(str(address), self.default), self._dial),
            Audience(Reporter(self.log), self.metrics, self.neighbors),
        )
        self.listener.startService()

    def _listen(self, factory: Any) -> Any:
        self.factory = factory
        return Port()

    def _dial(self, address: Any, port: int, half: Any, fail: Callable[[str], None]) -> Call:
        if self.bug_in_dial:
            raise KeyError("bug")
        self.calls.append(Call((str(address), port), half, fail))
        return self.calls[-1]

    def connect(self, host: str = "192.0.2.1", port: int = 40000) -> tuple[Any, Wire]:
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        driver = self.factory.buildProtocol(address)
        wire = Wire(peerAddress=address)
        driver.makeConnection(wire)
        return driver, wire

    def pair(self, host: str = "192.0.2.1", port: int = 40000) -> "Joined":
        peer, peer_wire = self.connect(host, port)
        call = self.calls[-1]
        return Joined(peer, peer_wire, call.half, call.answer())

    @property
    def texts(self) -> list[str]:
        return [text for _level, text in self.log.lines]

    def samples(self, group: str) -> dict[str, int]:
        return {sample.name: sample.value for sample in self.metrics.walk() if sample.name.startswith(group + "_")}


@dataclass
class Joined:
    """Both connections of a pair."""

    peer: Half
    peer_wire: Wire
    collector: Half
    collector_wire: Wire

    def of(self, end: End) -> tuple[Half, Wire]:
        return (self.peer, self.peer_wire) if end is End.PEER else (self.collector, self.collector_wire)


def lose(half: Any, reason: Exception | None = None) -> None:
    half.connectionLost(Failure(reason or ConnectionDone()))


@pytest.fixture
def failures() -> Any:
    seen: list[Failure] = []

    def observe(event: Any) -> None:
        if "log_failure" in event:
            seen.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


ENDS = pytest.mark.parametrize("end", list(End))


def test_the_collector_of_the_map_is_connected_to() -> None:
    rig = Rig()
    rig.map["2001:db8::1"] = Destination(ip_address("2001:db8::ff"), 179)
    rig.pair()
    rig.pair("2001:db8::1")
    assert [call.target for call in rig.calls] == [("10.0.0.1", 17901), ("2001:db8::ff", 179)]
    assert rig.log.lines == [
        (Level.INFO, "[192.0.2.1 x 10.0.0.1:17901] BGP xconnects usage: 1/4"),
        (Level.INFO, "[2001:db8::1 x [2001:db8::ff]:179] BGP xconnects usage: 2/4"),
    ]


@ENDS
def test_octets_go_through_both_ways(end: End) -> None:
    pair = Rig().pair()
    pair.of(end)[0].dataReceived(KEEPALIVE + UPDATE + UPDATE[:9])
    assert pair.of(end.other)[1].value() == KEEPALIVE + UPDATE
    pair.of(end)[0].dataReceived(UPDATE[9:])
    assert pair.of(end.other)[1].value() == KEEPALIVE + UPDATE + UPDATE
    assert pair.of(end)[1].value() == b""


def test_a_peer_is_not_read_before_its_collector_is_there() -> None:
    rig = Rig()
    _peer, wire = rig.connect()
    assert wire.producerState == "paused"
    rig.calls[0].answer()
    assert wire.producerState == "producing"


@ENDS
def test_who_does_not_read_slows_the_other_one_down(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    consumer, producer = pair.of(end.other)[1], pair.of(end)[1]
    assert consumer.streaming
    consumer.producer.pauseProducing()
    assert producer.producerState == "paused"
    assert consumer.producerState == "producing"
    consumer.producer.resumeProducing()
    assert producer.producerState == "producing"
    pauses = [s.value for s in rig.metrics.walk() if s.name == "xconnect_pauses" and ("from", end.value) in s.labels]
    assert pauses == [1]


def test_a_peer_without_a_row_is_refused() -> None:
    rig = Rig()
    rig.default = None
    _driver, wire = rig.connect()
    assert wire.notification == (CEASE, REJECTED)
    assert rig.log.lines == [
        (Level.WARN, "[192.0.2.1] unable to xconnect BGP peer. Missing entry in bgp_daemon_xconnect_map")
    ]
    assert rig.samples("xconnects")["xconnects_unmapped"] == 1
    rig.default = COLLECTOR  # the map was read again
    rig.pair(port=40001)
    assert len(rig.listener.pairs) == 1


def test_a_second_connection_of_a_peer_is_always_refused() -> None:
    rig = Rig()
    first = rig.pair()
    rig.clock.advance(100_000)
    _driver, wire = rig.connect(port=40001)
    assert wire.notification == (CEASE, REJECTED)
    assert rig.log.lines[-1] == (
        Level.WARN,
        "[192.0.2.1] Refusing new incoming connection for existing BGP xconnect",
    )
    assert not first.peer_wire.disconnecting
    assert rig.samples("xconnects")["xconnects_refused_existing"] == 1


def test_a_session_that_its_collector_holds_up_for_long_gives_way() -> None:
    """The router may have ended it, and that cannot be read; so the collector may be replaced in the map."""
    rig = Rig()
    first = rig.pair()
    first.collector_wire.producer.pauseProducing()
    rig.clock.advance(MAX_HELD_UP - 1)
    refused, wire = rig.connect(port=40001)
    assert wire.notification == (CEASE, REJECTED)
    lose(refused)
    rig.clock.advance(1)
    rig.map["192.0.2.1"] = Destination(ip_address("10.0.0.2"), 17902)
    rig.pair(port=40002)
    assert rig.calls[-1].target == ("10.0.0.2", 17902)
    assert first.collector_wire.notification == (CEASE, ADMIN_RESET)
    assert first.peer_wire.disconnected
    assert [str(pair.place) for pair in rig.listener.pairs.values()] == ["192.0.2.1 x 10.0.0.2:17902"]


def test_a_session_that_goes_on_again_does_not_give_way() -> None:
    rig = Rig()
    first = rig.pair()
    first.collector_wire.producer.pauseProducing()
    rig.clock.advance(MAX_HELD_UP)
    first.collector_wire.producer.resumeProducing()
    _refused, wire = rig.connect(port=40001)
    assert wire.notification == (CEASE, REJECTED)


def test_peers_behind_one_address_are_told_apart_by_their_ports() -> None:
    rig = Rig(settings={"compare_ports": True})
    rig.pair(port=40000)
    rig.pair(port=40001)
    assert len(rig.listener.pairs) == 2


def test_out_of_slots_is_said_and_answered() -> None:
    rig = Rig(settings={"max_peers": 1})
    rig.pair()
    _driver, wire = rig.connect("192.0.2.2")
    assert wire.notification == (CEASE, REJECTED)


def test_a_slot_is_free_when_both_connections_are_gone() -> None:
    rig = Rig(settings={"max_peers": 1})
    pair = rig.pair()
    lose(pair.peer)
    assert rig.listener.pairs == {}
    _driver, wire = rig.connect("192.0.2.2")
    assert wire.notification == (CEASE, REJECTED)
    lose(pair.collector)
    rig.pair("192.0.2.2")
    assert len(rig.listener.pairs) == 1


@pytest.mark.parametrize("reason", ["Connection refused", "Connection timed out"])
def test_a_collector_that_is_not_there_is_said_and_answered(reason: str) -> None:
    rig = Rig()
    peer, wire = rig.connect()
    rig.calls[0].fail(reason)
    assert wire.notification == (CEASE, REJECTED)
    assert wire.half_closed
    assert rig.log.lines == [(Level.WARN, f"[192.0.2.1 x 10.0.0.1:17901] unable to connect to BGP collector: {reason}")]
    assert rig.samples("xconnects")["xconnects_unreachable"] == 1
    lose(peer)
    rig.pair()
    assert rig.samples("xconnects")["xconnects_connected"] == 1


def test_a_peer_that_leaves_before_its_collector_is_there_leaves_nothing() -> None:
    rig = Rig()
    peer, _wire = rig.connect()
    lose(peer, ConnectionLost())
    assert rig.calls[0].cancelled
    assert rig.log.lines == []
    assert rig.listener.pairs == {}
    stopped = rig.listener.stopService()
    assert stopped.called


@ENDS
@pytest.mark.parametrize(("lost", "number"), [(ConnectionDone(), 0), (ConnectionLost(), 104)])
def test_when_one_end_dies_the_other_one_gets_a_cease(end: End, lost: Exception, number: int) -> None:
    rig = Rig()
    pair = rig.pair()
    pair.peer.dataReceived(UPDATE + KEEPALIVE)
    lose(pair.of(end)[0], lost)
    other = pair.of(end.other)[1]
    assert other.notification == (CEASE, ADMIN_RESET)
    assert other.half_closed
    assert not other.disconnecting
    name = {End.PEER: "router", End.COLLECTOR: "collector"}[end]
    assert rig.texts[1:] == [
        f"[192.0.2.1 x 10.0.0.1:17901] recv(): BGP xconnect reset by {end.value} peer ({number})",
        f"[192.0.2.1 x 10.0.0.1:17901] BGP xconnect closed: the {name} closed the connection. {CARRIED}",
    ]


@ENDS
def test_an_end_that_only_says_no_more_is_closed_too(end: End) -> None:
    pair = Rig().pair()
    half, wire = pair.of(end)
    assert IHalfCloseableProtocol.providedBy(half)
    half.readConnectionLost()
    half.writeConnectionLost()
    assert wire.disconnecting
    assert pair.of(end.other)[1].notification == (CEASE, ADMIN_RESET)


@ENDS
def test_a_notification_goes_through_and_closes_both(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    half, wire = pair.of(end)
    other, other_wire = pair.of(end.other)
    half.dataReceived(PREFIX_LIMIT + UPDATE)
    assert wire.value() == b""
    assert wire.disconnecting
    assert other_wire.value() == PREFIX_LIMIT
    assert other_wire.half_closed
    other.dataReceived(UPDATE)  # into the void
    assert wire.value() == b""
    other.readConnectionLost()
    assert other_wire.disconnecting
    assert f"[192.0.2.1 x 10.0.0.1:17901] BGP_NOTIFICATION received from {end.value} peer (6, 1)." in rig.texts


def test_what_an_operator_wrote_is_logged() -> None:
    rig = Rig()
    rig.pair().peer.dataReceived(SHUTDOWN)
    assert (
        "[192.0.2.1 x 10.0.0.1:17901] BGP_NOTIFICATION received from src peer (6, 2). Shutdown Message: 'bye'"
        in rig.texts
    )


@ENDS
def test_who_breaks_the_framing_is_told_so_and_the_other_one_gets_a_cease(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    pair.of(end)[0].dataReceived(UPDATE + GARBAGE)
    assert pair.of(end)[1].notification == (1, 1)
    other = pair.of(end.other)[1]
    assert other.value().startswith(UPDATE)
    assert other.notification == (CEASE, ADMIN_RESET)
    assert "sent a bad header: marker is not all ones" in rig.texts[-1]


@ENDS
def test_who_takes_no_last_words_is_reset(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    half, wire = pair.of(end)
    pair.of(end.other)[0].dataReceived(PREFIX_LIMIT)
    rig.clock.advance(MAX_LINGER - 0.1)
    assert not wire.disconnected
    rig.clock.advance(0.1)
    assert wire.disconnected
    assert half is pair.of(end)[0]


def test_a_stream_that_ends_in_time_is_not_reset() -> None:
    rig = Rig()
    pair = rig.pair()
    pair.peer.dataReceived(PREFIX_LIMIT)
    lose(pair.peer)
    lose(pair.collector)
    assert rig.clock.getDelayedCalls() == []
    assert rig.listener.stopService().called


def test_a_stop_tells_both_ends_and_waits_until_they_are_gone() -> None:
    rig = Rig()
    pair = rig.pair()
    waiting, waiting_wire = rig.connect("192.0.2.2")
    stopped = rig.listener.stopService()
    for wire in (pair.peer_wire, pair.collector_wire, waiting_wire):
        assert wire.notification == (CEASE, ADMIN_SHUTDOWN)
    assert rig.calls[1].cancelled
    lose(pair.peer)
    lose(waiting)
    assert not stopped.called
    lose(pair.collector)
    assert stopped.called


def test_a_peer_that_comes_again_ends_the_wait_for_the_rest_of_its_last_session() -> None:
    """So who connects again and again holds one slot, whatever its collector does not read."""
    rig = Rig(settings={"max_peers": 3})
    other = rig.pair("192.0.2.2")
    for port in range(5):
        pair = rig.pair(port=port)
        lose(pair.peer)
        assert not pair.collector_wire.disconnected
        again, _wire = rig.connect(port=port + 100)
        assert pair.collector_wire.disconnected
        lose(pair.collector, ConnectionAborted())
        lose(again)
    assert not other.collector_wire.disconnected
    assert len(rig.listener.pairs) == 1
    assert rig.listener._leaving == {}


def test_nobody_takes_long_when_the_daemon_stops() -> None:
    rig = Rig()
    leaving, live = rig.pair("192.0.2.1"), rig.pair("192.0.2.2")
    lose(leaving.peer)
    rig.listener.stopService()
    rig.clock.advance(MAX_LINGER_AT_STOP)
    for wire in (leaving.collector_wire, live.peer_wire, live.collector_wire):
        assert wire.disconnected


def test_what_a_pair_passed_is_counted_while_it_lives() -> None:
    rig = Rig()
    pair = rig.pair()
    pair.peer.dataReceived(UPDATE)
    labels = {
        dict(sample.labels)["from"]: sample.value for sample in rig.metrics.walk() if sample.name == "xconnect_messages"
    }
    assert labels == {"src": 1, "dst": 0}
    [first, *_] = [sample for sample in rig.metrics.walk() if sample.name == "xconnect_octets"]
    assert first.labels == (("collector", "10.0.0.1:17901"), ("from", "src"), ("peer", "192.0.2.1"), ("port", "40000"))
    lose(pair.peer)
    assert rig.samples("xconnect") == {}


def test_the_neighbors_file_lists_who_is_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "neighbors"
    neighbors = NeighborsFile(file, later=lambda work: work(), on_error=pytest.fail, owner=Owner(-1, -1))
    rig = Rig(neighbors=neighbors)
    first, second = rig.pair(), rig.pair("2001:db8::1")
    assert file.read_text() == "192.0.2.1\n2001:db8::1\n"
    lose(first.peer)
    assert file.read_text() == "2001:db8::1\n"
    lose(first.collector)
    stopped = rig.listener.stopService()
    lose(second.peer)
    lose(second.collector)
    assert stopped.called
    assert file.read_text() == ""


def test_a_bug_costs_one_pair(failures: list[Failure]) -> None:
    rig = Rig()
    other = rig.pair("192.0.2.2")
    rig.bug_in_dial = True
    peer, wire = rig.connect()
    assert len(failures) == 1
    assert rig.listener.counters.bugs_total == 1
    assert wire.disconnected
    rig.bug_in_dial = False
    lose(peer, ConnectionAborted())
    assert list(rig.listener.pairs) == [(ip_address("192.0.2.2"), 0)]
    other.peer.dataReceived(UPDATE)
    assert other.collector_wire.value() == UPDATE


def test_a_bug_in_a_step_resets_both_connections(failures: list[Failure], monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    pair = rig.pair()
    [session] = [pair.session for pair in rig.listener.pairs.values()]
    monkeypatch.setattr(session, "receive", lambda *_: 1 / 0)
    pair.peer.dataReceived(UPDATE)
    assert len(failures) == 1
    assert pair.peer_wire.disconnected
    assert pair.collector_wire.disconnected
    lose(pair.peer)
    lose(pair.collector)
    assert rig.listener.pairs == {}
