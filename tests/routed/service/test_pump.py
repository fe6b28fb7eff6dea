from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.model.event import Event, SessionDown, UpdateRun
from routed.service.pump import MAX_LINGER, MAX_SIPPED, SessionProtocol
from routed.service.send_hold import MAX_WAITING_OCTETS, MIN_SEND_HOLD_TIME, send_hold_time
from tests.routed.service.doubles import TcpWire


class Script:
    """A session that does what the test says."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.events: list[Event] = []
        self.outbox = b""
        self.due: float | None = None
        self.bug: Exception | None = None

    def _step(self, *call: Any) -> Sequence[Event]:
        self.calls.append(call)
        if self.bug is not None:
            raise self.bug
        events, self.events = self.events, []
        return events

    def start(self, now: float) -> Sequence[Event]:
        return self._step("start", now)

    def receive(self, octets: bytes, now: float) -> Sequence[Event]:
        return self._step("receive", octets, now)

    def timeout(self, now: float) -> Sequence[Event]:
        self.due = None
        return self._step("timeout", now)

    def end_of_stream(self, now: float) -> Sequence[Event]:
        return self._step("end", now)

    def deadline(self) -> float | None:
        return self.due

    def take_outbox(self) -> bytes:
        octets, self.outbox = self.outbox, b""
        return octets


class Keeper:
    """An owner that keeps what it is told, and what had been sent by then."""

    def __init__(self, wire: TcpWire) -> None:
        self.wire = wire
        self.heard: list[Any] = []
        self.sent_before: list[bytes] = []
        self.bugs: list[Failure] = []
        self.on_event: Any = None

    def deliver(self, event: Event) -> None:
        self.heard.append(event)
        self.sent_before.append(self.wire.value())
        if self.on_event is not None:
            self.on_event(event)

    def caught(self, bug: Failure) -> None:
        self.bugs.append(bug)

    def stuck(self, _now: float) -> Sequence[Event]:
        return [SessionDown(reason="stuck")]

    def gone(self) -> None:
        self.heard.append("gone")


DOWN = SessionDown(reason="over")
RUN, SECOND, THIRD = UpdateRun(b"octets", 1), UpdateRun(b"second", 1), UpdateRun(b"third", 1)


class Rig:
    """A pump with everything around it."""

    def __init__(self) -> None:
        self.clock, self.session, self.wire = Clock(), Script(), TcpWire()
        self.owner = Keeper(self.wire)
        self.pump = SessionProtocol(self.session, self.clock, self.owner)
        self.clock.advance(100)

    def connect(self) -> None:
        self.pump.makeConnection(self.wire)

    def lose(self) -> None:
        self.pump.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.connect()
    rig.session.calls.clear()
    return rig


def test_a_connection_starts_the_session_without_delaying_small_messages() -> None:
    rig = Rig()
    rig.connect()
    assert rig.session.calls == [("start", 100)]
    assert rig.wire.no_delay


def test_what_the_session_says_leaves_before_what_happened_is_told(rig: Rig) -> None:
    rig.session.outbox, rig.session.events = b"hello", [RUN]
    rig.pump.dataReceived(b"octets")
    assert rig.session.calls == [("receive", b"octets", 100)]
    assert (rig.owner.heard, rig.owner.sent_before) == ([RUN], [b"hello"])


def test_the_moment_of_the_last_octets_is_known(rig: Rig) -> None:
    rig.clock.advance(7)
    rig.pump.dataReceived(b"octets")
    assert rig.pump.last_heard == 107


def test_the_alarm_rings_at_the_deadline_and_not_before(rig: Rig) -> None:
    rig.session.due = 110
    rig.pump.dataReceived(b"1")
    rig.session.calls.clear()
    rig.clock.advance(9)
    assert rig.session.calls == []
    rig.clock.advance(1)
    assert rig.session.calls == [("timeout", 110)]


def test_a_deadline_that_moves_away_leaves_one_alarm(rig: Rig) -> None:
    for _ in range(100):
        rig.clock.advance(1)
        rig.session.due = rig.clock.seconds() + 50
        rig.pump.dataReceived(b"1")
    assert len(rig.clock.getDelayedCalls()) == 1
    rig.session.calls.clear()
    rig.clock.advance(49)
    assert rig.session.calls == []
    rig.clock.advance(1)
    assert rig.session.calls == [("timeout", 250)]


def test_a_deadline_that_comes_closer_is_met(rig: Rig) -> None:
    rig.session.due = 200
    rig.pump.dataReceived(b"1")
    rig.session.due = 105
    rig.pump.dataReceived(b"2")
    rig.session.calls.clear()
    rig.clock.advance(5)
    assert rig.session.calls == [("timeout", 105)]


def test_a_session_without_deadline_has_no_alarm(rig: Rig) -> None:
    rig.session.due = 105
    rig.pump.dataReceived(b"1")
    rig.session.due = None
    rig.pump.dataReceived(b"2")
    assert rig.clock.getDelayedCalls() == []


def test_last_words_are_flushed_and_the_peer_is_heard_out_but_not_for_ever(rig: Rig) -> None:
    rig.session.outbox, rig.session.events = b"NOTIFICATION", [DOWN]
    rig.pump.dataReceived(b"bad")
    assert rig.wire.value() == b"NOTIFICATION"
    assert rig.wire.half_closed
    assert rig.wire.producer is None
    assert not rig.wire.disconnecting
    rig.session.calls.clear()
    rig.pump.dataReceived(b"what was on its way")
    assert rig.session.calls == []
    rig.clock.advance(MAX_LINGER)
    assert rig.wire.disconnected


def test_without_last_words_the_stream_is_closed(rig: Rig) -> None:
    rig.session.events = [DOWN]
    rig.pump.dataReceived(b"bye")
    assert rig.wire.disconnecting
    assert not rig.wire.disconnected
    rig.lose()
    assert rig.owner.heard == [DOWN, "gone"]
    assert rig.clock.getDelayedCalls() == []


def test_a_lost_stream_ends_the_session_once(rig: Rig) -> None:
    rig.session.due = 200
    rig.pump.dataReceived(b"1")
    rig.session.calls.clear()
    rig.session.events = [DOWN]
    rig.lose()
    assert rig.session.calls == [("end", 100)]
    assert rig.owner.heard == [DOWN, "gone"]
    assert rig.clock.getDelayedCalls() == []
    assert rig.pump.loss is not None


def test_a_peer_that_says_no_more_is_closed_at_once(rig: Rig) -> None:
    """A transport does not close while it has a producer, and what counts the octets that wait is one."""
    rig.session.events, rig.session.outbox = [DOWN], b"last words"
    rig.pump.readConnectionLost()
    assert rig.owner.heard == [DOWN]
    assert rig.wire.value() == b"last words"
    assert (rig.wire.disconnecting, rig.wire.producer) == (True, None)


def test_events_behind_an_end_that_the_owner_made_are_void(rig: Rig) -> None:
    def end(event: Event) -> None:
        if event is RUN:
            rig.session.events = [DOWN]
            rig.pump.end(rig.session.timeout)

    rig.owner.on_event = end
    rig.session.events = [RUN, UpdateRun(b"void", 1)]
    rig.pump.dataReceived(b"1")
    assert rig.owner.heard == [RUN, DOWN]
    assert rig.wire.disconnecting


def test_a_dropped_session_says_nothing(rig: Rig) -> None:
    rig.session.events = [DOWN]
    rig.pump.drop()
    assert rig.wire.disconnected
    assert rig.wire.value() == b""
    assert rig.owner.heard == [DOWN]


@pytest.mark.parametrize("where", ["session", "owner"])
def test_our_bug_costs_this_connection_only(rig: Rig, where: str) -> None:
    def fail(_event: Event) -> None:
        raise KeyError("bug")

    if where == "session":
        rig.session.bug = KeyError("bug")
    else:
        rig.owner.on_event, rig.session.events = fail, [RUN]
    rig.pump.dataReceived(b"1")
    assert [bug.type for bug in rig.owner.bugs] == [KeyError]
    assert rig.wire.disconnected
    rig.lose()
    assert rig.owner.heard[-1] == "gone"


def test_a_bug_that_shows_elsewhere_costs_this_connection_too(rig: Rig) -> None:
    rig.pump.pause()
    rig.session.events = [RUN]
    rig.pump.dataReceived(b"x")
    rig.pump.fail(Failure(KeyError("bug")))
    rig.pump.catch_up()
    assert [bug.type for bug in rig.owner.bugs] == [KeyError]
    assert rig.wire.disconnected
    assert rig.owner.heard == []
    rig.session.events = [DOWN]
    rig.lose()
    rig.pump.catch_up()
    assert rig.owner.heard == [DOWN, "gone"]


def test_a_paused_peer_is_read_again_when_it_is_resumed(rig: Rig) -> None:
    rig.pump.pause()
    assert rig.wire.producerState == "paused"
    rig.pump.resume()
    assert rig.wire.producerState == "producing"


def test_a_peer_paused_at_its_acceptance_is_not_read() -> None:
    rig = Rig()
    rig.pump.pause()
    rig.connect()
    assert rig.wire.producerState == "paused"


def test_a_paused_peer_may_say_a_little_with_every_alarm(rig: Rig) -> None:
    rig.session.due = 130
    rig.pump.dataReceived(b"1")
    rig.pump.pause()
    rig.session.due = 130
    rig.clock.advance(30)
    assert rig.wire.producerState == "producing"
    rig.pump.dataReceived(b"KEEPALIVE")
    assert rig.wire.producerState == "paused"
    assert rig.session.calls[-1] == ("receive", b"KEEPALIVE", 130)


def test_a_paused_peer_is_heard_out_at_its_end(rig: Rig) -> None:
    rig.pump.pause()
    rig.session.outbox, rig.session.events = b"NOTIFICATION", [DOWN]
    rig.pump.drive(rig.session.timeout)
    rig.pump.dataReceived(b"what was on its way")
    assert rig.wire.producerState == "producing"
    rig.pump.resume()
    rig.pump.pause()
    assert rig.wire.producerState == "producing"


def pause_at(rig: Rig, *pauses: Event) -> None:
    def pause(event: Event) -> None:
        if event in pauses:
            rig.pump.pause()

    rig.owner.on_event = pause


def test_a_pause_holds_from_the_event_on_at_which_it_was_made(rig: Rig) -> None:
    pause_at(rig, RUN, SECOND)
    rig.session.events = [RUN, SECOND, THIRD]
    rig.pump.dataReceived(b"1")
    assert rig.owner.heard == [RUN]
    rig.pump.resume()
    assert rig.owner.heard == [RUN, SECOND]
    assert rig.wire.producerState == "paused"
    rig.pump.resume()
    assert rig.owner.heard == [RUN, SECOND, THIRD]
    assert rig.wire.producerState == "producing"


def test_a_pause_that_is_over_within_a_delivery_changes_nothing(rig: Rig) -> None:
    def blink(event: Event) -> None:
        rig.pump.pause()
        rig.pump.resume()
        assert rig.owner.heard[-1] is event, "delivered within another delivery"

    rig.owner.on_event = blink
    rig.session.events = [RUN, SECOND]
    rig.pump.dataReceived(b"1")
    assert rig.owner.heard == [RUN, SECOND]
    assert rig.wire.producerState == "producing"


def test_what_happens_in_a_pause_is_told_behind_what_is_kept(rig: Rig) -> None:
    pause_at(rig, RUN)
    rig.session.events = [RUN, SECOND]
    rig.pump.dataReceived(b"1")
    rig.session.outbox, rig.session.events = b"NOTIFICATION", [THIRD, DOWN]
    rig.pump.drive(rig.session.timeout)
    assert rig.wire.half_closed
    assert rig.owner.heard == [RUN]
    rig.pump.resume()
    assert rig.owner.heard == [RUN, SECOND, THIRD, DOWN]


def test_a_stream_that_is_lost_in_a_pause_is_gone_when_all_is_told(rig: Rig) -> None:
    pause_at(rig, RUN)
    rig.session.events = [RUN, SECOND]
    rig.pump.dataReceived(b"1")
    rig.session.events = [DOWN]
    rig.lose()
    assert rig.owner.heard == [RUN]
    rig.pump.resume()
    assert rig.owner.heard == [RUN, SECOND, DOWN, "gone"]
    rig.pump.pause()
    rig.pump.resume()
    assert rig.owner.heard.count("gone") == 1
    assert rig.clock.getDelayedCalls() == []


def test_an_owner_that_ends_a_paused_session_hears_only_that_and_later(rig: Rig) -> None:
    pause_at(rig, RUN)
    rig.session.events = [RUN, SECOND]
    rig.pump.dataReceived(b"1")
    rig.session.events = [DOWN]
    rig.pump.end(rig.session.timeout)
    assert rig.owner.heard == [RUN]
    rig.pump.resume()
    assert rig.owner.heard == [RUN, DOWN]


def test_an_owner_that_catches_up_hears_all_at_once(rig: Rig) -> None:
    pause_at(rig, RUN)
    rig.session.events = [RUN, SECOND]
    rig.pump.dataReceived(b"1")
    rig.session.events = [DOWN]
    rig.lose()
    rig.pump.end(rig.session.timeout)
    rig.pump.catch_up()
    assert rig.owner.heard == [RUN, SECOND, DOWN, "gone"]


def test_an_end_in_a_delivery_voids_what_is_kept_even_of_a_paused_peer(rig: Rig) -> None:
    def end(event: Event) -> None:
        if event is RUN:
            rig.pump.pause()
            rig.session.events = [DOWN]
            rig.pump.end(rig.session.timeout)

    rig.owner.on_event = end
    rig.session.events = [RUN, SECOND]
    rig.pump.dataReceived(b"1")
    rig.pump.resume()
    assert rig.owner.heard == [RUN, DOWN]


def test_an_end_that_comes_too_late_voids_nothing(rig: Rig) -> None:
    rig.owner.on_event = lambda event: event is RUN and rig.pump.end(rig.session.timeout)
    rig.session.events = [RUN, SECOND, DOWN]
    rig.pump.dataReceived(b"1")
    assert rig.owner.heard == [RUN, SECOND, DOWN]


def test_our_bug_in_what_was_kept_costs_this_connection_only(rig: Rig) -> None:
    def fail(event: Event) -> None:
        if event is SECOND:
            raise KeyError("bug")

    rig.pump.pause()
    rig.session.events = [RUN, SECOND, THIRD]
    rig.pump.dataReceived(b"1")
    rig.owner.on_event = fail
    rig.pump.resume()
    assert [bug.type for bug in rig.owner.bugs] == [KeyError]
    assert rig.wire.disconnected
    rig.lose()
    assert rig.owner.heard == [RUN, SECOND, "gone"]


def test_a_paused_peer_is_kept_alive_by_so_many_octets_only(rig: Rig) -> None:
    def sip(size: int) -> bool:
        rig.session.due = rig.clock.seconds()
        rig.session.events = []
        rig.pump.dataReceived(b"")
        rig.clock.advance(0)
        was_read = rig.wire.producerState == "producing"
        rig.session.events = [RUN]
        rig.pump.dataReceived(bytes(size))
        return was_read

    rig.pump.pause()
    assert sip(MAX_SIPPED - 1)
    assert sip(1)
    assert not sip(1)
    rig.pump.resume()
    rig.pump.pause()
    assert sip(1)


def test_a_peer_that_takes_nothing_for_the_send_hold_time_is_reset(rig: Rig) -> None:
    rig.session.outbox = b"KEEPALIVE"
    rig.pump.dataReceived(b"1")
    rig.clock.advance(MIN_SEND_HOLD_TIME - 1)
    assert not rig.wire.disconnected
    rig.clock.advance(1)
    assert rig.wire.disconnected
    assert rig.owner.heard == [SessionDown(reason="stuck")]


def test_a_peer_that_takes_what_it_is_sent_is_left_alone(rig: Rig) -> None:
    for _ in range(5):
        rig.session.outbox = b"KEEPALIVE"
        rig.pump.dataReceived(b"1")
        rig.clock.advance(MIN_SEND_HOLD_TIME - 1)
        rig.wire.producer.resumeProducing()
    rig.clock.advance(MIN_SEND_HOLD_TIME)
    assert not rig.wire.disconnected


def test_what_waits_for_a_peer_that_never_reads_is_bounded(rig: Rig) -> None:
    half = bytes(MAX_WAITING_OCTETS // 2)
    for _ in range(10):
        rig.session.outbox = half
        rig.pump.dataReceived(b"1")
    assert len(rig.wire.value()) == MAX_WAITING_OCTETS
    rig.clock.advance(0)
    assert rig.wire.disconnected


def test_the_send_hold_time_is_eight_minutes_or_twice_the_hold_time() -> None:
    assert (send_hold_time(180), send_hold_time(0), send_hold_time(300)) == (480, 480, 600)


def test_a_longer_send_hold_time_counts_from_the_next_write(rig: Rig) -> None:
    rig.pump.set_send_hold(600)
    rig.session.outbox = b"KEEPALIVE"
    rig.pump.dataReceived(b"1")
    rig.clock.advance(599)
    assert not rig.wire.disconnected
    rig.clock.advance(1)
    assert rig.wire.disconnected
