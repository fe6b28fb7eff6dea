"""Routers that are lost and come again, and the end of the daemon."""

import pytest

from routed.service import bmp_collector as module
from tests.oracles.build import MANDATORY, attribute, prefix, update
from tests.routed.service.bmp_rig import (
    P1,
    P2,
    Rig,
    announce,
    deletes,
    end,
    long_run,
    monitoring,
    peer_down,
    peer_up,
    route,
    stats,
    two_routes_a_turn,
    updates,
)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


# -- the loss of a router ----------------------------------------------------------------------------------------------


def test_a_router_that_is_lost_while_a_peer_is_swept_goes_behind_it() -> None:
    rig = Rig()
    wire = rig.up(announce(*range(1, 6)), peer_up(P2), announce(9, header=P2))
    rig.new_rows()
    wire.send(peer_down())
    rig.clock.turn()
    wire.lose()
    assert rig.collector.neighbors() == []
    rig.settle()
    assert rig.new_rows() == ["1000 peer_down 192.0.2.1", *deletes(*range(1, 6)), *deletes(9), "1000 log_close"]
    assert rig.is_empty


def test_a_router_that_is_lost_in_a_long_run_has_it_taken_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUTES", 500)
    rig = Rig()
    rig.up(long_run(), stats(P1, 1)).lose()
    rig.settle()
    rows = rig.rows()
    assert len(rows) == 3 + 3000 + 1 + 3000 + 1
    assert rows[3003] == "1000 stats"
    assert rig.is_empty


def test_a_new_session_of_the_same_router_waits_for_the_sweep_of_the_old_one() -> None:
    rig = Rig()
    rig.up(announce(*range(1, 8))).lose()
    rig.clock.turn()
    new = rig.up(announce(1), port=2000)
    other = rig.up(announce(2), port=3000, address="192.0.2.102")
    new.send(announce(2))
    assert new.is_read
    assert "3000 update " + route(2) in rig.rows()
    assert "2000 init" not in rig.rows()
    rig.settle()
    rows = [row for row in rig.rows() if not row.startswith("3000")]
    assert rows[rows.index("2000 log_init") :] == [
        "2000 log_init",
        *deletes(*range(3, 8)),
        "1000 log_close",
        "2000 init",
        "2000 peer_up 192.0.2.1",
        *updates(1, 2, port=2000),
    ]
    assert rig.routes == 3
    assert other.is_read


def test_a_new_session_waits_for_all_old_ones_of_its_address() -> None:
    rig = Rig()
    long, short = rig.up(announce(*range(1, 30)), port=1000), rig.up(announce(1), port=1001)
    long.lose()
    short.lose()
    rig.up(port=2000)
    rig.settle()
    rows = rig.rows()
    assert rows.index("1001 log_close") < rows.index("1000 log_close") < rows.index("2000 init")
    long = rig.up(announce(*range(1, 30)), port=3000)
    short = rig.up(announce(1), port=3001)
    short.lose()
    long.lose()
    rig.up(port=4000)
    rig.settle()
    rows = rig.rows()
    assert rows.index("3001 log_close") < rows.index("3000 log_close") < rows.index("4000 init")


def test_a_session_that_waits_may_go_before_its_turn_comes() -> None:
    rig = Rig()
    rig.up(announce(*range(1, 8))).lose()
    rig.up(announce(1), port=2000).lose()
    rig.up(announce(2), port=3000).lose()
    rig.settle()
    rows = rig.rows()
    assert [row for row in rows if "log_close" in row] == ["1000 log_close", "2000 log_close", "3000 log_close"]
    assert rows.index("1000 log_close") < rows.index("2000 init") < rows.index("2000 log_close")
    assert rows.index("2000 log_close") < rows.index("3000 init")
    assert rig.is_empty


def test_several_sessions_of_one_router_are_several() -> None:
    """RFC 7854 3.2."""
    rig = Rig()
    one, other = rig.up(announce(1), port=1000), rig.up(announce(1, 2), port=2000)
    assert [len(router.ribs()[0]) for router in rig.collector.neighbors()] == [1, 2]
    one.send(peer_down())
    rig.settle()
    assert rig.routes == 2
    one.lose()
    rig.settle()
    other.send(announce(3))
    assert rig.rows()[-2:] == ["1000 log_close", *updates(3, port=2000)]


def test_files_of_routers_are_closed_behind_their_last_rows() -> None:
    rig = Rig(name="log-$peer_tcp_port")
    wire = rig.up(announce(*range(1, 8)))
    wire.lose()
    rig.clock.turn()
    assert not rig.files["log-1000"].is_closed
    rig.settle()
    assert rig.files["log-1000"].is_closed
    assert rig.rows("log-1000")[-1] == "1000 log_close"


def test_memory_is_given_back_behind_a_sweep() -> None:
    rig = Rig(log=False)
    big = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(120)))
    staying, leaving = rig.up(), rig.up(port=2000)

    def one(n: int) -> bytes:
        return monitoring(
            P1, update([*MANDATORY, big, attribute(4, n.to_bytes(4, "big"))], prefix(n.to_bytes(4, "big"), 32))
        )

    for first in range(0, 4800, 16):  # neighbours in the arena
        staying.send(one(first))
        leaving.send(*map(one, range(first + 1, first + 16)))
        rig.settle()
    full = rig.rib.paths.memory
    leaving.lose()
    rig.settle()
    rig.collector.start()
    rig.clock.advance(1)
    rig.settle()
    assert rig.rib.paths.memory < full / 3
    assert rig.routes == 300


# -- the end -----------------------------------------------------------------------------------------------------------


def test_the_end_of_the_daemon_closes_streams_and_sweeps_nothing() -> None:
    rig = Rig()
    rig.up(announce(1))
    rig.up(announce(1), port=2000)
    ended = end(rig)
    rig.settle()
    assert ended == [None]
    assert rig.rows()[-2:] == ["1000 log_close", "2000 log_close"]
    assert not [row for row in rig.rows() if "delete" in row]
    rig.clock.advance(10)
    assert rig.clock.calls == []


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("work", ["run", "sweep", "backlog", "lost", "waits"])
def test_nothing_is_logged_behind_the_log_close_of_a_session_that_ends_in_its_work(work: str, turns: int) -> None:
    rig = Rig(name="log-$peer_tcp_port")
    wire = rig.up(announce(*range(1, 8)), peer_up(P2), announce(9, header=P2))
    if work == "run":
        wire.send(long_run())
    elif work == "sweep":
        wire.send(peer_down())
    elif work == "backlog":
        wire.send(peer_down(), peer_up(), *[announce(n) + stats(P1, 1) for n in range(9)])
    elif work == "lost":
        wire.send(peer_down(), announce(1, header=P2))
        wire.lose()
    else:
        wire.lose()
        rig.up(announce(1), port=2000)
    for _ in range(turns):
        rig.clock.turn()
    ended = end(rig)
    if not wire.is_gone:
        wire.send(announce(77, header=P2), stats(P1, 2))
    rig.settle()
    assert ended == [None]
    for name, file in rig.files.items():
        assert file.is_closed
        rows = rig.rows(name)
        assert [row.partition(" ")[2] for row in rows if "log_close" in row] == ["log_close"]
        assert rows[-1].endswith("log_close")
    rig.clock.advance(10)
    assert rig.clock.calls == []


def test_the_end_waits_for_a_walk_that_waits_for_its_file() -> None:
    rig = Rig()
    wire = rig.up(announce(*range(1, 8)))
    wire.send(peer_down())
    rig.clock.turn()
    rig.fill()
    rig.settle()
    ended = end(rig)
    rig.settle()
    assert ended == []
    rig.drain()
    assert ended == [None]
    assert rig.rows()[-1] == "1000 log_close"


def test_what_comes_behind_the_stop_is_not_taken_in() -> None:
    rig = Rig()
    wire = rig.up(announce(1))
    rig.collector.stop()
    wire.send(announce(2), stats(P1, 1))
    wire.lose()
    rig.settle()
    assert rig.rows()[3:] == [*updates(1), "1000 log_close"]


def test_an_end_without_work_is_immediate() -> None:
    ended: list[None] = []
    Rig().collector.stop().addCallback(ended.append)
    assert ended == [None]


def test_a_collector_is_idle_when_no_work_is_left_though_some_began_meanwhile() -> None:
    rig = Rig()
    wire, other = rig.up(announce(*range(1, 8))), rig.up(announce(*range(1, 30)), port=2000, address="192.0.2.102")
    idle: list[None] = []
    rig.collector.idle().addCallback(idle.append)
    assert idle == [None]
    wire.lose()
    rig.collector.idle().addCallback(idle.append)
    rig.clock.turn()
    other.lose()
    rig.settle()
    assert idle == [None, None]
    assert rig.is_empty

    wire = rig.up(announce(*range(1, 5)), port=3000)
    other = rig.up(announce(*range(1, 30)), port=4000, address="192.0.2.102")
    wire.lose()
    rig.collector.idle().addCallback(lambda _: idle.append(len(rig.collector._works)))  # type: ignore[arg-type]
    other.lose()
    rig.settle()
    assert idle == [None, None, 0]
