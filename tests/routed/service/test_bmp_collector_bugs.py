"""Bugs of ours cost one session."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from routed.rib._monitoring import MonitoringRun
from routed.service import bmp_collector as module
from routed.service import bmp_event_log
from tests.oracles.bmp_build import L, O, peer
from tests.oracles.build import MANDATORY, update
from tests.routed.service.bmp_rig import (
    ADDRESS,
    P1,
    P2,
    STATION,
    Rig,
    announce,
    deletes,
    end,
    net,
    peer_down,
    peer_up,
    stateless,
    stats,
    two_routes_a_turn,
)
from tests.routed.service.doubles import bugs_logged


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


def break_at(monkeypatch: pytest.MonkeyPatch, where: ModuleType, what: str, *numbers: int) -> None:
    """Let a function fail at some of its calls from a module."""
    original, calls = getattr(where, what), [0]

    def broken(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] in numbers:
            raise RuntimeError("bug")
        return original(*arguments, **named)

    monkeypatch.setattr(where, what, broken)


def test_a_bug_in_a_walk_costs_one_session_and_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire, other = rig.up(announce(*range(1, 8))), rig.up(announce(1), port=2000, address="192.0.2.102")
    break_at(monkeypatch, module, "sweep_all", 2)
    with bugs_logged() as bugs:
        wire.send(peer_down(), peer_up(), announce(1))
        rig.settle()
    assert bugs == [(f"the session of {ADDRESS}", RuntimeError)]
    assert rig.listener.counters.bugs_total == 1
    assert wire.end == "reset"
    assert [session.router.port for session in rig.sessions] == [2000]
    rows = [row for row in rig.rows() if row.startswith("1000")]
    assert rows[-9:] == ["1000 peer_down 192.0.2.1", *deletes(*range(1, 8)), "1000 log_close"]
    other.send(announce(2))
    assert rig.routes == 2
    other.lose()
    rig.up(port=3000)
    rig.settle()
    assert "3000 peer_up 192.0.2.1" in rig.rows()


def test_a_bug_at_an_event_costs_one_session_and_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire = rig.up(announce(1, 2, 3))
    break_at(monkeypatch, bmp_event_log, "event_records", 1, 2)
    with bugs_logged() as bugs:
        wire.send(peer_up(P2), announce(4, header=P2), stats(P1, 1))
        rig.settle()
    assert bugs == [(f"the session of {ADDRESS}", RuntimeError)]
    assert wire.end == "reset"
    assert rig.rows()[-4:] == [*deletes(1, 2, 3), "1000 log_close"]
    assert rig.is_empty


def test_a_bug_behind_a_peer_down_leaves_no_routes_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire = rig.up(announce(1, 2, 3))
    break_at(monkeypatch, bmp_event_log, "event_records", 1)
    with bugs_logged():
        wire.send(peer_down())
        rig.settle()
    assert rig.rows()[-4:] == [*deletes(1, 2, 3), "1000 log_close"]
    assert rig.is_empty


def test_a_bug_while_the_router_is_paused_does_not_leave_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(replace(STATION, backlog=1))
    wire = rig.up(announce(*range(1, 8)))
    break_at(monkeypatch, module, "sweep_all", 2)
    wire.send(peer_down())
    wire.send(announce(1), announce(2))
    assert not wire.is_read
    with bugs_logged() as bugs:
        rig.settle()
    assert len(bugs) == 1
    assert wire.is_gone
    assert rig.is_empty


def test_a_bug_in_the_sweep_of_a_lost_router_lets_the_rest_go_without_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    views = [peer(flags=flags) for flags in (0, L, O)]
    wire = rig.up(*[announce(*range(1, 8), header=view) for view in views], peer_up(P2), announce(1, header=P2))
    break_at(monkeypatch, module, "sweep_all", 3)
    wire.lose()
    rig.up(port=2000)  # waits all the same
    with bugs_logged() as bugs:
        rig.settle()
    assert bugs == [(f"the session of {ADDRESS}", RuntimeError)]
    rows = rig.rows()
    assert rows.index("1000 log_close") < rows.index("2000 init")
    assert [row for row in rows if "1000 delete" in row and rows.index(row) > rows.index("1000 log_close")] == []
    assert rig.routes == 0
    assert sum(map(len, rig.rib.prefixes)) == 0


def test_a_bug_that_lasts_ends_the_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire = rig.up(announce(*range(1, 8)))
    break_at(monkeypatch, module, "sweep_all", *range(1, 100))
    wire.lose()
    rig.up(port=2000)
    with bugs_logged() as bugs:
        rig.settle()
    assert len(bugs) == 1  # of a session, the first says what is wrong
    assert rig.rows()[-1] == "2000 peer_up 192.0.2.1"
    ended = end(rig)
    rig.settle()
    assert ended == [None]


def test_a_bug_in_the_tables_keeps_what_was_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables whose path identifiers changed are taken out by a run that may fail behind that."""

    class Broken:
        def __init__(self, *arguments: Any) -> None:
            self.run = MonitoringRun(*arguments)
            self.is_over = False

        @property
        def gone(self) -> Any:
            return self.run.gone

        def step(self, rows: Any) -> Any:
            self.run.step(rows)
            raise MemoryError

    rig = Rig()
    wire = rig.up(announce(1, 2))
    monkeypatch.setattr(module, "Run", Broken)
    with bugs_logged() as bugs:
        wire.send(stateless(update(MANDATORY, net(1, path_id=5))))
        rig.settle()
    assert [kind for _, kind in bugs] == [MemoryError]
    assert rig.is_empty
