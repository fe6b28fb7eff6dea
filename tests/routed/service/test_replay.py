"""Captures as sessions: who connects, what is fed when, and how it ends."""

import ctypes.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.plumbing.ip_packet import Skipped
from routed.plumbing.pcap import CaptureError
from routed.service.pump import SessionProtocol
from routed.service.replay import SLICE, Replay, StreamLost
from tests.routed.plumbing.captures import ACK, RST, SYN, Timed, ethernet, frame, ipv4, ipv6, pcap, session, tcp
from tests.routed.service.little_session import LittleSession

OTHER = ("192.0.2.2", 40001)
NAME = ctypes.util.find_library("pcap")


class Turns(Clock):
    """A reactor whose turns take time, so that what is due at once is due in the next one."""

    TURN = 0.001

    def callLater(self, delay: float, *call: Any, **options: Any) -> Any:  # noqa: N802
        return super().callLater(max(delay, self.TURN), *call, **options)

    def turn(self) -> None:
        self.advance(self.TURN)


class Session(Protocol):
    """Keeps what it is told, and does what the test says when it hears something."""

    def __init__(self, rig: "Rig", name: str) -> None:
        self.rig, self.name = rig, name
        self.react: Callable[[Session, bytes], None] = lambda _session, _octets: None

    def connectionMade(self) -> None:  # noqa: N802
        self.rig.tell(self, "made")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.rig.tell(self, data)
        self.react(self, data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008, N802
        self.rig.tell(self, reason.type)
        self.rig.reasons.append(str(reason.value))


class Rig:
    """A capture, who accepts its sessions, and what they hear: (name, what) in order."""

    def __init__(self, path: Path) -> None:
        self.clock, self.path = Turns(), path
        self.heard: list[tuple[str, Any]] = []
        self.times: list[float] = []
        self.reasons: list[str] = []
        self.ends: list[CaptureError | None] = []
        self.sessions: list[Session] = []
        self.refused: set[str] = set()
        self.react: Callable[[Session, bytes], None] = lambda _session, _octets: None

    def tell(self, session: Session, what: object) -> None:
        self.heard.append((session.name, what))
        self.times.append(self.replay.now())

    def accept(self, host: str, port: int) -> Session | None:
        if host in self.refused:
            return None
        made = Session(self, f"{host}:{port}")
        made.react = self.react
        self.sessions.append(made)
        return made

    def start(self, packets: list[Timed] | bytes, **options: Any) -> None:
        self.path.write_bytes(packets if isinstance(packets, bytes) else pcap(packets))
        self.replay = Replay(self.clock, self.path, self.accept, on_end=self.ends.append, **options)
        self.replay.startService()

    def run(self) -> None:
        for _ in range(200):
            self.clock.turn()

    def heard_by(self, name: str) -> list[Any]:
        return [what for who, what in self.heard if who == name]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "capture.pcap")


ROUTER = "192.0.2.1:40000"


def test_a_connection_is_a_session_from_syn_to_fin(rig: Rig) -> None:
    rig.start(session(b"abc", b"def"))
    assert rig.replay.now() == 1000
    rig.run()
    assert rig.heard == [(ROUTER, "made"), (ROUTER, b"abc"), (ROUTER, b"def"), (ROUTER, ConnectionDone)]
    assert rig.times == [1002, 1003, 1005, 1007]
    assert rig.ends == [None]
    assert not rig.clock.getDelayedCalls()


def test_sessions_are_fed_in_the_order_of_the_capture(rig: Rig) -> None:
    rig.start(sorted(session(b"a", b"c") + session(b"b", b"d", start=1000.5, source=OTHER)))
    rig.run()
    assert [what for _, what in rig.heard if isinstance(what, bytes)] == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize(
    ("packets", "loss", "reason"),
    [
        (session(b"a", end=RST), ConnectionLost, "connection reset"),
        (session(b"a", end=0), ConnectionDone, "closed cleanly"),
        ([*session(b"a", end=0), *session(b"b", isn=9999)], ConnectionLost, "new connection from the same port"),
        (
            [*session(b"a", end=0), (1009, frame(b"e", seq=105))],
            StreamLost,
            "3 octets are missing from the capture after 1",
        ),
    ],
)
def test_a_session_ends_as_its_connection_did(rig: Rig, packets: list[Timed], loss: type, reason: str) -> None:
    rig.start(packets)
    rig.run()
    assert rig.heard_by(ROUTER)[:3] == ["made", b"a", loss]
    assert reason in rig.reasons[0]


def test_ipv6_routers_have_their_addresses(rig: Rig) -> None:
    ends = {"source": ("2001:db8::1", 40000), "destination": ("2001:db8::9", 1790)}
    rig.start([(1, ethernet(ipv6(tcp(b"a", seq=1, **ends), **ends)))])
    rig.run()
    assert rig.heard_by("2001:db8::1:40000") == ["made", b"a", ConnectionDone]
    assert rig.sessions[0].transport.getPeer().host == "2001:db8::1"
    assert rig.sessions[0].transport.getHost().port == 1790


def test_who_is_not_accepted_is_passed_over(rig: Rig) -> None:
    rig.refused = {"192.0.2.1"}
    rig.start(sorted(session(b"a", b"c") + session(b"b", source=OTHER)))
    rig.run()
    assert {name for name, _ in rig.heard} == {"192.0.2.2:40001"}
    assert (rig.replay.counters.sessions, rig.replay.counters.sessions_refused) == (1, 1)


def test_a_capture_is_repeated_after_a_delay(rig: Rig) -> None:
    rig.start(session(b"a", end=0), delay=5, times=2)
    rig.run()
    assert rig.heard == []
    rig.clock.advance(5)
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", ConnectionDone]
    rig.clock.advance(5)
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", ConnectionDone] * 2
    assert rig.ends == [None]
    assert rig.replay.counters.repetitions == 2


def test_a_capture_may_be_repeated_for_ever(rig: Rig) -> None:
    rig.start(session(b"a"), times=0)
    rig.run()
    assert len(rig.sessions) > 50
    rig.replay.stopService()
    assert not rig.clock.getDelayedCalls()
    assert rig.ends == []


def pause(session: Session, octets: bytes) -> None:
    if octets == b"a":
        session.transport.pauseProducing()


def test_nothing_is_fed_while_the_next_session_is_paused(rig: Rig) -> None:
    rig.react = pause
    rig.start(sorted(session(b"a", b"c", b"e") + session(b"b", b"d", start=1000.5, source=OTHER)))
    rig.run()
    assert [what for _, what in rig.heard if isinstance(what, bytes)] == [b"a", b"b"]
    rig.sessions[0].transport.resumeProducing()
    rig.sessions[0].transport.resumeProducing()
    rig.run()
    assert [what for _, what in rig.heard if isinstance(what, bytes)] == [b"a", b"b", b"c", b"d", b"e"]


def test_a_pause_keeps_the_end_back(rig: Rig) -> None:
    rig.react = pause
    rig.start(session(b"a"))
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a"]
    assert rig.ends == []
    rig.sessions[0].transport.resumeProducing()
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", ConnectionDone]
    assert rig.ends == [None]


def test_pausing_and_resuming_at_once_changes_nothing(rig: Rig) -> None:
    def hesitate(session: Session, octets: bytes) -> None:
        pause(session, octets)
        session.transport.resumeProducing()

    rig.react = hesitate
    rig.start(session(b"a", b"b"))
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", b"b", ConnectionDone]


@pytest.mark.parametrize(
    ("close", "loss"),
    [
        ("loseConnection", ConnectionDone),
        ("loseWriteConnection", ConnectionDone),
        ("stopProducing", ConnectionDone),
        ("abortConnection", ConnectionAborted),
    ],
)
def test_a_session_that_closes_hears_no_more(rig: Rig, close: str, loss: type) -> None:
    def leave(session: Session, _octets: bytes) -> None:
        getattr(session.transport, close)()
        getattr(session.transport, close)()
        assert rig.heard[-1] == (ROUTER, b"a")

    rig.react = leave
    rig.start(session(b"a", b"b"))
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", loss]
    assert rig.ends == [None]


def test_a_paused_session_that_closes_lets_the_others_go_on(rig: Rig) -> None:
    rig.react = pause
    rig.start(sorted(session(b"a", b"c") + session(b"b", b"d", start=1000.5, source=OTHER)))
    rig.run()
    rig.sessions[0].transport.abortConnection()
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", ConnectionAborted]
    assert rig.heard_by("192.0.2.2:40001") == ["made", b"b", b"d", ConnectionDone]


def test_what_is_sent_goes_nowhere_and_its_producer_knows(rig: Rig) -> None:
    class Producer:
        pulls = 0

        def resumeProducing(self) -> None:  # noqa: N802
            self.pulls += 1

    rig.react = pause
    rig.start(session(b"a"))
    rig.run()
    transport, producer = rig.sessions[0].transport, Producer()
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    assert (transport.getTcpNoDelay(), transport.getTcpKeepAlive()) == (True, False)
    transport.registerProducer(producer, False)
    transport.writeSequence([b"x"])
    assert producer.pulls == 1
    rig.run()
    assert producer.pulls == 2
    transport.write(b"y")
    transport.unregisterProducer()
    transport.write(b"z")
    rig.run()
    assert producer.pulls == 2


def test_the_reactor_turns_between_slices(rig: Rig) -> None:
    now = 0.0

    def seconds() -> float:
        nonlocal now
        now += SLICE / 2
        return now

    rig.start(session(*[b"x"] * 20), seconds=seconds)
    rig.clock.turn()
    fed = len(rig.heard)
    assert fed < 4
    rig.clock.turn()
    assert len(rig.heard) - fed < 4
    rig.run()
    assert rig.heard[-1] == (ROUTER, ConnectionDone)


def test_stopping_leaves_the_sessions_to_their_owner(rig: Rig) -> None:
    rig.react = lambda _session, _octets: rig.replay.stopService()
    rig.start(session(b"a", b"b"))
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a"]
    assert rig.ends == []
    rig.sessions[0].transport.loseConnection()
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", ConnectionDone]


def test_a_cut_capture_ends_the_replay_in_good_order_and_says_so(rig: Rig) -> None:
    rig.start(pcap(session(b"a", b"b"))[:-1], times=3)
    rig.run()
    assert rig.heard_by(ROUTER) == ["made", b"a", b"b", ConnectionDone]
    (error,) = rig.ends
    assert "cut at octet" in str(error)


@pytest.mark.parametrize("octets", [b"", b"no capture at all"])
def test_what_is_no_capture_is_refused_at_once(rig: Rig, octets: bytes) -> None:
    with pytest.raises(CaptureError, match="not a capture"):
        rig.start(octets)


def test_an_empty_capture_ends_at_once(rig: Rig) -> None:
    rig.start([])
    rig.run()
    assert rig.ends == [None]


@pytest.mark.skipif(not NAME, reason="libpcap is not installed: pcap_filter is NOT tested")
def test_a_filter_takes_packets_away(rig: Rig) -> None:
    rig.start(session(b"a", destination=("192.0.2.9", 179)) + session(b"b", source=OTHER), filter="port 1790")
    rig.run()
    assert {name for name, _ in rig.heard} == {"192.0.2.2:40001"}
    assert rig.replay.counters.packets_filtered == 7
    with pytest.raises(CaptureError, match="filter 'port what'"):
        rig.start(session(b"a"), filter="port what")


def test_what_is_no_segment_is_counted(rig: Rig) -> None:
    rig.start(
        [(1, ethernet(ipv4(b"", protocol=17))), (2, ethernet(ipv4(tcp(), fragment=9))), (3, frame(flags=SYN | ACK))]
    )
    rig.run()
    counters = rig.replay.counters
    assert counters.packets == 3
    assert {why: number for why, number in counters.packets_skipped.items() if number} == {
        Skipped.OTHER: 1,
        Skipped.FRAGMENT: 1,
    }
    assert counters.streams.segments == 1


@pytest.mark.parametrize(
    ("payloads", "heard"),
    [
        ((b"a", b"b"), ["started", b"a", b"b", "lost", "gone"]),
        ((b"a", b"end", b"b"), ["started", b"a", "told to", "gone"]),
    ],
)
def test_the_pump_of_live_sessions_drives_captured_ones(rig: Rig, payloads: Any, heard: list[Any]) -> None:
    little = LittleSession()
    rig.accept = lambda _host, _port: SessionProtocol(little, rig.clock, little)
    rig.start(session(*payloads))
    rig.run()
    assert little.heard == heard
    assert not rig.clock.getDelayedCalls()
