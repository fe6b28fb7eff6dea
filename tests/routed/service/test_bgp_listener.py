from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from routed.model.event import Event, PeerUp, SessionDown
from routed.octets import Writer
from routed.plumbing.log import Level
from routed.plumbing.output_file import Owner
from routed.service.bgp_listener import Audience, BgpListener
from routed.service.listener import ACCEPTS_PER_TURN, STOPS_PER_TURN, Policy
from routed.service.neighbors import NeighborsFile
from routed.service.peers import Peer
from routed.service.pump import MAX_LINGER, SessionProtocol
from routed.service.refusal import MAX_REFUSALS
from routed.service.reports import Reporter
from routed.service.settings import ListenerSettings
from routed.session.bgp_passive import BgpPassive
from routed.session.negotiation import LocalSpeaker
from routed.wire.bgp.capability import FourOctetAs, GracefulRestart, Multiprotocol, PreservedFamily
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import Capabilities, OpenMessage, encode_open
from routed.wire.family import IPV4_UNICAST

KEEPALIVE = encode_message(MessageType.KEEPALIVE)
CEASE = 6
REJECTED, COLLISION, SHUTDOWN = 5, 7, 2


def open_message(router_id: bytes = bytes([192, 0, 2, 1]), hold_time: int = 180, *, graceful: bool = False) -> bytes:
    capabilities: list[Any] = [Multiprotocol(IPV4_UNICAST), FourOctetAs(65001)]
    if graceful:
        capabilities.append(
            GracefulRestart(restart_time=120, families=(PreservedFamily(IPV4_UNICAST, forwarding_preserved=True),))
        )
    w = Writer()
    message = OpenMessage(
        my_as=65001, hold_time=hold_time, bgp_identifier=router_id, parameters=(Capabilities(tuple(capabilities)),)
    )
    encode_open(w, message)
    return encode_message(MessageType.OPEN, bytes(w))


class Wire(StringTransport):
    half_closed = False

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        assert enabled

    def loseWriteConnection(self) -> None:  # noqa: N802
        self.half_closed = True

    @property
    def notification(self) -> tuple[int, int]:
        last = self.value().split(b"\xff" * 16)[-1]
        assert last[2] == MessageType.NOTIFICATION
        return last[3], last[4]


class Port:
    numberAccepts = 100  # noqa: N815
    stopped = False

    def stopListening(self) -> None:  # noqa: N802
        self.stopped = True


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[tuple[Level, str]] = []

        self.bug_in = "no line has this"

    def write(self, level: Level, text: str, **_: object) -> None:
        if self.bug_in in text:
            raise KeyError("bug")
        self.lines.append((level, text))

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str, **_: object) -> None:
        self.lines.append((level, text))


class History:
    """A subscriber that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Peer]] = []
        self.downs: list[SessionDown] = []
        self.events: list[Event] = []
        self.bug_in = ""

    def accepted(self, peer: Peer) -> None:
        self._hear("accepted", peer)

    def event(self, peer: Peer, event: Event) -> None:
        self.events.append(event)
        self._hear(type(event).__name__, peer)

    def closed(self, peer: Peer, down: SessionDown) -> None:
        self.downs.append(down)
        self._hear("closed", peer)

    def _hear(self, what: str, peer: Peer) -> None:
        self.heard.append((what, peer))
        if what == self.bug_in:
            raise KeyError("bug")

    def story(self) -> list[tuple[str, int]]:
        return [(what, peer.slot) for what, peer in self.heard if what in {"accepted", "closed", "PeerUp"}]


@dataclass
class Rig:
    settings: dict[str, Any] = field(default_factory=dict)
    allows: Callable[[Any], bool] = lambda _address: True
    check_router_id: bool = True
    neighbors: NeighborsFile | None = None

    def __post_init__(self) -> None:
        self.clock, self.log, self.history, self.port = Clock(), FakeLog(), History(), Port()
        self.clock.advance(1000)
        facts: dict[str, Any] = {
            "address": None, "port": 179, "ipv6_only": False, "interface": None, "ip_precedence": 0,
            "receive_buffer": None, "gtsm_hops": 0, "max_peers": 4, "batch": 0, "batch_interval": 0,
            "compare_ports": False, "allow_file": None, "md5_file": None, "neighbors_file": None,
        }  # fmt: skip
        settings = ListenerSettings(**facts | self.settings)
        speaker = LocalSpeaker(router_id=bytes([10, 0, 0, 1]), asn=65000)
        self.listener = BgpListener(
            self.clock,
            self._listen,
            Policy(settings, self.allows, self.check_router_id),
            Audience(self.history, Reporter(self.log), self.neighbors),
            lambda admit: BgpPassive(speaker, admit),
        )
        self.listener.startService()

    def _listen(self, factory: Any) -> Port:
        self.factory = factory
        return self.port

    def connect(self, host: str = "192.0.2.1", port: int = 40000) -> tuple[SessionProtocol, Wire] | None:
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        pump = self.factory.buildProtocol(address)
        if pump is None:
            return None
        wire = Wire(peerAddress=address)
        pump.makeConnection(wire)
        return pump, wire

    def establish(self, host: str = "192.0.2.1", port: int = 40000, **facts: Any) -> tuple[SessionProtocol, Wire]:
        link = self.connect(host, port)
        assert link is not None
        link[0].dataReceived(open_message(**facts) + KEEPALIVE)
        return link

    @property
    def texts(self) -> list[str]:
        return [text for _level, text in self.log.lines]


def lose(pump: SessionProtocol, reason: Exception | None = None) -> None:
    pump.connectionLost(Failure(reason or ConnectionDone()))


def test_a_session_reads_in_the_log_as_operators_know_it() -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    lose(pump)
    assert rig.log.lines == [
        (Level.INFO, "[192.0.2.1] BGP peers usage: 1/4"),
        (Level.INFO, "[192.0.2.1] Capability: MultiProtocol [1] AFI [1] SAFI [1]"),
        (Level.INFO, "[192.0.2.1] Capability: 4-bytes AS [65] ASN [65001]"),
        (Level.INFO, "[192.0.2.1] BGP_OPEN: Local AS: 65000 Remote AS: 65001 HoldTime: 180"),
        (Level.INFO, "[192.0.2.1] BGP connection reset by peer (0)."),
    ]
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("closed", 0)]


def test_a_broken_connection_has_a_number() -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    lose(pump, ConnectionLost())
    assert rig.texts[-1] == "[192.0.2.1] BGP connection reset by peer (104)."


def test_the_peer_is_called_by_its_router_id_from_its_open_on() -> None:
    rig = Rig()
    rig.establish("2001:db8::1", router_id=bytes([198, 51, 100, 7]))
    assert rig.texts[0] == "[2001:db8::1] BGP peers usage: 1/4"
    assert rig.texts[-1].startswith("[198.51.100.7] BGP_OPEN")


def test_a_v4_mapped_peer_is_an_ipv4_peer() -> None:
    rig = Rig()
    rig.connect("::ffff:192.0.2.9")
    assert [str(peer.address) for peer in rig.listener.peers] == ["192.0.2.9"]


def test_a_peer_that_is_not_allowed_is_closed_without_a_trace() -> None:
    rig = Rig(allows=lambda address: str(address) != "192.0.2.9", settings={"batch": 1, "batch_interval": 10})
    assert rig.connect("192.0.2.9") is None
    assert rig.texts == ["peer '192.0.2.9' not allowed. close()"]
    assert rig.history.heard == []
    assert rig.connect("192.0.2.1") is not None  # no batch credit was used


def test_out_of_slots_is_said_and_answered() -> None:
    rig = Rig(settings={"max_peers": 1})
    rig.connect("192.0.2.1")
    link = rig.connect("192.0.2.2")
    assert link is not None
    assert link[1].notification == (CEASE, REJECTED)
    assert rig.texts[-1] == ("Insufficient number of BGP peers has been configured by 'bgp_daemon_max_peers' (1)")
    assert rig.history.story() == [("accepted", 0)]


def test_a_slot_is_free_again_after_its_session() -> None:
    rig = Rig(settings={"max_peers": 1})
    pump, _wire = rig.establish()
    lose(pump)
    rig.establish("192.0.2.2")
    assert rig.history.story()[-2:] == [("accepted", 0), ("PeerUp", 0)]


def test_batches_are_admitted_one_after_the_other_and_throttling_is_said_once() -> None:
    rig = Rig(settings={"batch": 1, "batch_interval": 10})
    assert rig.connect("192.0.2.1") is not None
    assert rig.connect("192.0.2.2") is None
    assert rig.connect("192.0.2.3") is None
    rig.clock.advance(10)
    assert rig.connect("192.0.2.2") is not None
    assert [text for text in rig.texts if "throttling" in text] == ["throttling at BGP peer #1"]


def test_a_second_connection_of_a_live_peer_is_refused() -> None:
    rig = Rig()
    _pump, first = rig.establish()
    rig.clock.advance(80)
    link = rig.connect(port=40001)
    assert link is not None
    assert link[1].notification == (CEASE, REJECTED)
    assert rig.log.lines[-1] == (
        Level.WARN,
        "[192.0.2.1] Refusing new connection from existing peer (residual holdtime: 100)",
    )
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 1)]
    assert not first.disconnecting
    assert rig.connect(port=40002) is not None
    assert len(rig.listener.peers) == 1


def test_a_silent_session_gives_way_to_a_new_connection() -> None:
    rig = Rig()
    _pump, first = rig.establish()
    rig.clock.advance(91)
    pump, second = rig.establish(port=40001)
    assert first.notification == (CEASE, COLLISION)
    assert "[192.0.2.1] Replenishing stale connection by peer." in rig.texts
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]
    assert not rig.history.downs[0].graceful
    assert second.value().endswith(KEEPALIVE)
    lose(pump)
    assert len(rig.listener.peers) == 0


def test_a_peer_that_restarts_gracefully_keeps_its_routes_and_hears_nothing() -> None:
    rig = Rig()
    _pump, first = rig.establish(graceful=True)
    sent = first.value()
    rig.establish(port=40001, graceful=True)
    assert first.disconnected
    assert first.value() == sent
    assert rig.history.downs[0].graceful
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]


def test_a_connection_without_open_gives_way_soon() -> None:
    rig = Rig()
    rig.connect()
    rig.clock.advance(11)
    rig.establish(port=40001)
    assert rig.history.story() == [("accepted", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]


def test_peers_behind_one_address_are_told_apart_by_their_ports() -> None:
    rig = Rig(settings={"compare_ports": True})
    rig.establish(port=40000, router_id=bytes([192, 0, 2, 1]))
    rig.establish(port=40001, router_id=bytes([192, 0, 2, 2]))
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("PeerUp", 1)]


def test_a_router_id_that_another_live_peer_has_is_refused() -> None:
    rig = Rig()
    rig.establish("192.0.2.1")
    _pump, second = rig.establish("192.0.2.2")
    assert second.notification == (CEASE, COLLISION)
    assert (Level.WARN, "[192.0.2.2] Refusing new connection from existing Router-ID.") in rig.log.lines
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 1)]


def test_a_router_id_of_a_silent_peer_is_taken_over() -> None:
    rig = Rig()
    _pump, first = rig.establish("192.0.2.1")
    rig.clock.advance(91)
    rig.establish("192.0.2.2")
    assert first.notification == (CEASE, COLLISION)
    assert rig.history.story()[-2:] == [("closed", 0), ("PeerUp", 1)]


def test_a_stranger_that_only_sent_an_open_locks_no_router_out() -> None:
    rig = Rig()
    link = rig.connect("192.0.2.66")
    assert link is not None
    link[0].dataReceived(open_message())
    rig.establish("192.0.2.1")
    assert link[1].notification == (CEASE, COLLISION)
    assert rig.history.story() == [("accepted", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]


@pytest.mark.parametrize("host", ["192.0.2.1", "192.0.2.2"])
def test_a_session_whose_end_a_pause_keeps_back_gives_way(host: str) -> None:
    rig = Rig()
    pump, _wire = rig.establish("192.0.2.1")
    (peer,) = rig.listener.peers
    peer.pause()
    lose(pump)
    assert peer.down is None
    rig.establish(host, port=40001)
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1)]
    assert not any("Replenishing" in text for text in rig.texts)
    peer.resume()
    assert rig.history.story()[3:] == [("closed", 0), ("PeerUp", 1)]


@pytest.mark.parametrize("graceful", [False, True])
def test_who_replaces_a_paused_session_waits_for_its_end(graceful: bool) -> None:
    rig = Rig()
    rig.establish(graceful=graceful)
    (peer,) = rig.listener.peers
    rig.clock.advance(91)
    peer.pause()
    _pump, wire = rig.establish(port=40001, graceful=graceful)
    assert wire.producerState == "paused"
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1)]
    peer.resume()
    assert wire.producerState == "producing"
    assert rig.history.story()[3:] == [("closed", 0), ("PeerUp", 1)]


def test_who_waits_for_an_end_is_read_even_if_that_meets_a_bug(failures: list[Failure]) -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    (peer,) = rig.listener.peers
    peer.pause()
    lose(pump)
    rig.establish(port=40001)
    rig.history.bug_in = "closed"
    peer.resume()
    assert rig.history.story()[3:] == [("closed", 0), ("PeerUp", 1)]
    assert len(failures) == 1


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_stop_does_not_wait_for_pauses(is_lost: bool) -> None:
    rig = Rig()
    pump, wire = rig.establish()
    (peer,) = rig.listener.peers
    peer.pause()
    if is_lost:
        lose(pump)
    stopped = rig.listener.stopService()
    assert peer.down is not None
    if not is_lost:
        assert wire.notification == (CEASE, SHUTDOWN)
        lose(pump)
    assert stopped.called


def test_few_connections_are_refused_with_a_word_at_a_time() -> None:
    rig = Rig(settings={"max_peers": 1})
    rig.establish("192.0.2.1")
    links = [rig.connect("192.0.2.2", port) for port in range(MAX_REFUSALS)]
    assert None not in links
    assert rig.connect("192.0.2.2") is None
    assert links[0] is not None
    lose(links[0][0])
    assert rig.connect("192.0.2.2") is not None
    assert rig.connect("192.0.2.2") is None


def test_the_router_id_check_can_be_switched_off() -> None:
    rig = Rig(check_router_id=False)
    rig.establish("192.0.2.1")
    rig.establish("192.0.2.2")
    assert len(rig.listener.peers) == 2


def test_a_router_id_is_free_again_after_its_session() -> None:
    rig = Rig()
    pump, _wire = rig.establish("192.0.2.1")
    lose(pump)
    rig.establish("192.0.2.2")
    assert rig.history.story()[-1] == ("PeerUp", 0)


def test_a_stop_tells_every_peer_why_and_waits_until_they_know() -> None:
    rig = Rig()
    pump, wire = rig.establish("192.0.2.1", router_id=bytes([192, 0, 2, 1]))
    _slow, slow_wire = rig.establish("192.0.2.2", router_id=bytes([192, 0, 2, 2]))
    stopped = rig.listener.stopService()
    assert rig.port.stopped
    assert wire.notification == slow_wire.notification == (CEASE, SHUTDOWN)
    assert wire.value().endswith(b"pmacct received SIGINT - shutting down")
    lose(pump)
    assert not stopped.called
    rig.clock.advance(MAX_LINGER)
    assert slow_wire.disconnected
    lose(_slow)
    assert stopped.called
    assert [what for what, _peer in rig.history.heard].count("closed") == 2


def test_a_stop_of_many_peers_takes_several_turns() -> None:
    rig = Rig(settings={"max_peers": STOPS_PER_TURN + 1})
    for number in range(1, STOPS_PER_TURN + 2):
        rig.establish(f"192.0.2.{number}", router_id=bytes([192, 0, 2, number]))
    rig.listener.stopService()
    assert len(rig.listener.peers) == 1
    rig.clock.advance(0)
    assert len(rig.listener.peers) == 0


def test_a_stop_without_peers_is_done_at_once() -> None:
    assert Rig().listener.stopService().called


def test_the_neighbors_file_follows_the_slots_and_is_emptied_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "neighbors"
    pending: list[Callable[[], None]] = []
    neighbors = NeighborsFile(path, later=pending.append, on_error=pytest.fail, owner=Owner())
    rig = Rig(neighbors=neighbors)
    first, _wire = rig.establish("192.0.2.1", router_id=bytes([192, 0, 2, 1]))
    second, _wire = rig.establish("2001:db8::1", router_id=bytes([192, 0, 2, 2]))
    assert len(pending) == 1
    pending.pop()()
    assert path.read_text() == "192.0.2.1\n2001:db8::1\n"
    lose(first)
    pending.pop()()
    assert path.read_text() == "2001:db8::1\n"
    stopped = rig.listener.stopService()
    lose(second)
    assert stopped.called
    assert path.read_text() == ""


@pytest.fixture
def failures() -> Any:
    seen: list[Any] = []

    def observe(event: Any) -> None:
        if "log_failure" in event:
            seen.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize("where", ["OpenReceived", "PeerUp"])
def test_a_bug_of_a_subscriber_closes_that_session_only(where: str, failures: list[Failure]) -> None:
    rig = Rig()
    _good, good_wire = rig.establish("192.0.2.1")
    rig.history.bug_in = where
    pump, wire = rig.establish("192.0.2.2", router_id=bytes([192, 0, 2, 2]))
    assert wire.disconnected
    lose(pump)
    assert not good_wire.disconnecting
    assert [failure.type for failure in failures] == [KeyError]
    assert rig.listener.counters.bugs_total == 1
    assert rig.history.story()[-1] == ("closed", 1)
    assert len(rig.listener.peers) == 1


def test_a_bug_at_the_end_of_a_session_still_frees_its_slot(failures: list[Failure]) -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    rig.history.bug_in = "closed"
    lose(pump)
    assert len(rig.listener.peers) == 0
    assert len(failures) == 1
    assert rig.history.story().count(("closed", 0)) == 1


def test_a_bug_of_the_reporter_does_not_keep_an_end_back(failures: list[Failure]) -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    rig.log.bug_in = "reset by peer"
    lose(pump)
    assert rig.history.story()[-1] == ("closed", 0)
    assert len(failures) == 1


def test_a_bug_in_a_policy_costs_that_connection_only(failures: list[Failure]) -> None:
    def allows(address: Any) -> bool:
        if str(address) == "192.0.2.9":
            raise SystemError("bug")
        return True

    rig = Rig(allows=allows)
    assert rig.connect("192.0.2.9") is None
    rig.establish("192.0.2.1")
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0)]
    assert rig.listener.counters.bugs_total == 1
    assert [failure.type for failure in failures] == [SystemError]


def test_a_bug_behind_an_acceptance_leaves_no_peer(failures: list[Failure]) -> None:
    rig = Rig()
    rig.log.bug_in = "usage"
    assert rig.connect() is None
    assert len(rig.listener.peers) == 0
    assert rig.history.story() == [("accepted", 0), ("closed", 0)]
    assert len(failures) == 1


def test_a_bug_at_acceptance_costs_that_connection_only(failures: list[Failure]) -> None:
    rig = Rig()
    rig.history.bug_in = "accepted"
    assert rig.connect() is None
    rig.history.bug_in = ""
    rig.establish()
    assert rig.history.story()[-1] == ("PeerUp", 0)
    assert len(failures) == 1


def test_a_subscriber_may_reset_a_peer() -> None:
    rig = Rig()
    _pump, wire = rig.establish()
    (peer,) = rig.listener.peers
    assert isinstance(peer.up, PeerUp)
    peer.reset(Notification(3, 1))
    assert wire.notification == (3, 1)
    assert rig.log.lines[-1][0] is Level.WARN
    assert peer.down is not None


def test_a_turn_of_the_reactor_accepts_few_connections() -> None:
    rig = Rig()
    rig.port.numberAccepts = 1000
    rig.connect()
    assert rig.port.numberAccepts == ACCEPTS_PER_TURN


def test_a_subscriber_may_pause_a_peer() -> None:
    rig = Rig()
    _pump, wire = rig.establish()
    (peer,) = rig.listener.peers
    peer.pause()
    assert wire.producerState == "paused"
    peer.resume()
    assert wire.producerState == "producing"
    assert peer.counters.pauses == 1


def test_a_peer_that_never_reads_is_reset_after_the_send_hold_time() -> None:
    rig = Rig()
    _pump, wire = rig.establish(hold_time=0)
    rig.clock.advance(480)
    assert wire.disconnected
    assert wire.notification == (8, 0)
    assert rig.log.lines[-1][0] is Level.WARN


def test_a_refused_connection_that_goes_away_is_forgotten() -> None:
    rig = Rig(settings={"max_peers": 1})
    first, _wire = rig.establish("192.0.2.1")
    link = rig.connect("192.0.2.2")
    assert link is not None
    link[0].dataReceived(open_message())
    stopped = rig.listener.stopService()
    lose(first)
    assert not stopped.called
    lose(link[0])
    assert stopped.called
