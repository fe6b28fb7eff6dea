from typing import Any

import pytest
from twisted.internet.error import ConnectionLost

from routed.service.listener import STOPS_PER_TURN
from routed.service.pump import MAX_LINGER
from routed.service.replay import StreamLost
from tests.oracles.bmp_build import frame
from tests.routed.service.bmp_rig import (
    ADDRESS,
    INIT,
    P1,
    TERM,
    Rig,
    announce,
    peer_down,
    peer_up,
    stats,
)
from tests.routed.service.doubles import bugs_logged, listener_settings


def test_a_session_reads_in_the_log_as_operators_know_it() -> None:
    rig = Rig()
    wire = rig.up(announce(1), peer_up(), peer_down())
    wire.lose()
    rig.settle()
    assert rig.lines.lines == [
        f"INFO [{ADDRESS}] BMP peers usage: 1/10",
        f"INFO [{ADDRESS}] BMP connection reset by peer (0).",
        (
            f"INFO [{ADDRESS}] 1 route monitoring messages of 1 peers (0 of unknown peers, 0 malformed): "
            "1 routes announced, 0 again, 0 withdrawn, 0 dropped; 4 other messages (0 mirrored), 0 discarded; "
            "paused 0 times"
        ),
    ]
    assert rig.is_empty
    assert rig.listener.routers == {}


def test_a_broken_connection_has_a_number() -> None:
    rig = Rig()
    rig.up().lose(ConnectionLost())
    assert rig.lines.lines[-1] == f"INFO [{ADDRESS}] BMP connection reset by peer (104)."


def test_a_capture_with_a_gap_says_what_is_missing() -> None:
    rig = Rig()
    rig.up().lose(StreamLost("7 octets are missing"))
    assert rig.lines.lines[-1] == f"INFO [{ADDRESS}] 7 octets are missing. Closing up."


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (TERM, "the router terminated the session"),
        (b"\5\0\0\0\6\4", "version 5"),
        (b"\3\0\0\0\5\4", "length 5"),
    ],
)
def test_what_ends_a_session_is_said_and_its_connection_closed(octets: bytes, reason: str) -> None:
    """RFC 7854 4.5; no way to find the next message."""
    rig = Rig()
    wire = rig.up()
    wire.send(octets)
    assert wire.end == "closed"
    [line] = [line for line in rig.lines.lines if line.endswith("Closing up.")]
    assert reason in line
    assert rig.listener.routers == {}
    rig.settle()
    assert rig.is_empty


def test_one_router_may_have_several_sessions() -> None:
    """RFC 7854 3.2: they are not told apart from those of several routers behind one address."""
    rig = Rig()
    rig.up(port=1)
    rig.up(port=2)
    rig.up(port=3, address="2001:db8::1")
    assert [(router.slot, router.name, router.port) for router in rig.listener.sessions()] == [
        (0, ADDRESS, 1),
        (1, ADDRESS, 2),
        (2, "2001:db8::1", 3),
    ]


def test_a_slot_is_free_again_behind_its_session() -> None:
    rig = Rig(listener=listener_settings(max_peers=2))
    one = rig.up(port=1)
    rig.up(port=2)
    assert rig.accept(3) is None
    one.lose()
    rig.up(port=3)
    assert [router.port for router in rig.listener.sessions()] == [3, 2]


def test_a_router_that_says_nothing_is_a_session_all_the_same() -> None:
    """BMP has no timers: the socket's own probes find out whether it is still there."""
    rig = Rig()
    wire = rig.connect()
    rig.clock.advance(100_000)
    assert not wire.end
    assert rig.clock.calls == []


def test_octets_may_be_cut_anywhere() -> None:
    rig = Rig()
    wire = rig.connect()
    for octet in INIT + stats(P1, 1):
        wire.send(bytes([octet]))
    assert rig.rows() == ["1000 log_init", "1000 init", "1000 stats"]


def test_a_stop_ends_every_session_and_waits_for_the_connections() -> None:
    rig = Rig()
    one, other = rig.up(port=1), rig.up(port=2)
    other.loseConnection = lambda: None  # type: ignore[method-assign]  # whose peer does not let go
    stopped = rig.listener.stopService()
    assert rig.port.stopped
    assert one.end == "closed"
    assert one.value() == b""
    rig.settle()
    assert not stopped.called
    rig.clock.advance(MAX_LINGER)
    rig.settle()
    assert other.end == "reset"
    assert stopped.called
    assert [line for line in rig.lines.lines if "shut down" in line] == [f"INFO [{ADDRESS}] shut down. Closing up."] * 2


def test_a_stop_does_not_wait_for_pauses() -> None:
    rig = Rig()
    wire = rig.up()
    rig.router.pause()
    wire.send(announce(1))
    stopped = rig.listener.stopService()
    rig.settle()
    assert stopped.called
    assert wire.is_gone


def test_a_stop_of_many_routers_takes_several_turns() -> None:
    rig = Rig(listener=listener_settings(max_peers=STOPS_PER_TURN + 1))
    for port in range(STOPS_PER_TURN + 1):
        rig.connect(port=port)
    rig.listener.stopService()
    assert len(rig.listener.routers) == 1
    rig.settle()
    assert rig.listener.routers == {}


# -- bugs of ours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["the log", "the collector"])
def test_a_bug_at_the_acceptance_leaves_no_router(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(_router: Any) -> None:
        raise KeyError("bug")

    rig = Rig()
    with bugs_logged() as bugs, monkeypatch.context() as patch:
        if where == "the log":
            patch.setattr(rig.lines, "bug_in", "usage")
        else:
            patch.setattr(rig.collector, "accepted", broken)
        assert rig.accept() is None
    assert len(bugs) == rig.listener.counters.bugs_total == 1
    assert rig.listener.routers == {}
    rig.up()
    assert [router.slot for router in rig.listener.sessions()] == [0]


def test_a_bug_at_an_event_costs_that_session(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    good, bad = rig.up(port=1), rig.up(port=2, address="192.0.2.102")
    with bugs_logged() as bugs, monkeypatch.context() as patch:
        patch.setattr(rig.collector, "event", lambda *_: 1 / 0)
        bad.send(announce(1), stats(P1, 1), INIT)
        assert bad.end == "reset"
        bad.send(frame(4))
        rig.settle()
    assert bugs == [("the session of 192.0.2.102", ZeroDivisionError)]
    assert rig.lines.lines[-2] == "INFO [192.0.2.102] the connection was reset by us. Closing up."
    good.send(announce(1))
    assert rig.routes == 1
    assert [router.port for router in rig.listener.sessions()] == [1]


def test_a_bug_at_the_end_of_a_session_still_frees_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire = rig.up()
    monkeypatch.setattr(rig.lines, "bug_in", "reset by peer")
    with bugs_logged() as bugs:
        wire.lose()
        rig.settle()
    assert len(bugs) == 1
    assert rig.listener.routers == {}
    assert rig.is_empty
    assert rig.listener.stopService().called


def test_a_session_that_a_bug_kept_from_saying_so_is_over_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire = rig.up(announce(1))
    with bugs_logged() as bugs:
        monkeypatch.setattr(rig.router.session, "end_of_stream", lambda _now: 1 / 0)
        wire.lose()
    assert len(bugs) == 1
    rig.settle()
    assert rig.rows()[-1] == "1000 log_close"
    assert rig.is_empty
