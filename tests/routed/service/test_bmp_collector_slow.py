"""Work that takes many turns, and files that are slower than routers."""

from dataclasses import replace

import pytest
from twisted.internet.error import ConnectionLost

from routed.plumbing.sink import TEXT, Framing
from tests.oracles.bmp_build import peer
from tests.routed.service.bmp_rig import (
    ADDRESS,
    END_OF_RIB,
    INIT,
    P1,
    P2,
    STATION,
    TERM,
    Rig,
    announce,
    deletes,
    long_run,
    monitoring,
    peer_down,
    peer_up,
    route,
    stats,
    two_routes_a_turn,
    updates,
    withdraw,
)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


# -- large work --------------------------------------------------------------------------------------------------------


def test_a_run_that_is_much_work_goes_on_in_later_turns_and_in_order() -> None:
    rig = Rig()
    wire = rig.up(long_run())
    assert 0 < rig.routes < 3000
    wire.send(peer_up(P2), announce(1, header=P2))
    assert wire.is_read
    assert rig.rows()[-1].startswith("1000 update")
    rig.settle()
    assert rig.routes == 3001
    assert rig.rows()[-2:] == ["1000 peer_up 192.0.2.2", *updates(1)]
    assert [record["seq"] for record in rig.records()] == list(range(3 + 3000 + 2))


def test_what_comes_while_a_peer_is_swept_is_behind_its_deletes() -> None:
    rig = Rig()
    wire = rig.up(announce(*range(1, 8)))
    rig.new_rows()
    wire.send(peer_down(), peer_up(), announce(1))
    rig.clock.turn()
    wire.send(announce(2), stats(P1, 1))
    rig.settle()
    assert rig.new_rows() == [
        "1000 peer_down 192.0.2.1",
        *deletes(*range(1, 8)),
        "1000 peer_up 192.0.2.1",
        *updates(1, 2),
        "1000 stats",
    ]
    assert rig.routes == 2


def test_other_routers_do_not_wait() -> None:
    rig = Rig()
    one, other = rig.up(announce(*range(1, 8))), rig.up(port=2000, address="192.0.2.102")
    one.send(peer_down())
    rig.clock.turn()
    rig.new_rows()
    other.send(announce(9))
    assert rig.new_rows() == updates(9, port=2000)


def test_a_peer_with_many_empty_ribs_goes_in_slices_too() -> None:
    rig = Rig()
    headers = [peer(address=f"192.0.2.{n}") for n in range(1, 100)]
    wire = rig.connect(INIT, *[peer_up(header) + announce(1, header=header) for header in headers])
    wire.send(*[withdraw(1, header=header) for header in headers])
    wire.lose()
    turns = 0
    while rig.clock.turn():
        turns += 1
    assert turns > 50
    assert rig.is_empty


# -- a slow file -------------------------------------------------------------------------------------------------------


def test_nothing_is_lost_or_reordered_while_a_file_is_slow() -> None:
    rig = Rig()
    wire = rig.up(announce(1))
    rig.fill()
    wire.send(announce(2), stats(P1, 1), withdraw(2))
    wire.send(peer_up(P2), announce(3, header=P2), peer_down(), monitoring(P2, END_OF_RIB))
    rig.settle()
    assert len(rig.rows()) == 4
    assert wire.is_read
    rig.drain()
    assert rig.rows()[4:] == [
        *updates(2),
        "1000 stats",
        f"1000 withdraw {route(2)}",
        "1000 peer_up 192.0.2.2",
        *updates(3),
        "1000 peer_down 192.0.2.1",
        *deletes(1),
        "1000 end-of-rib",
    ]


def test_a_file_that_is_full_behind_each_record_is_waited_for_each_time() -> None:
    rig = Rig()
    wire = rig.up()
    file = rig.files["log"]
    write = file.write

    def write_and_be_full(octets: bytes, rows: int, framing: Framing = TEXT) -> None:
        write(octets, rows, framing)
        rig.fill()

    file.write = write_and_be_full  # type: ignore[method-assign]
    wire.send(*[announce(n) + stats(P1, n) for n in range(1, 5)])
    for written in range(4, 11):
        rig.settle()
        assert file.rows == written
        rig.drain()
    assert rig.rows()[3:] == [row for n in range(1, 5) for row in (*updates(n), "1000 stats")]


def test_a_sweep_waits_for_a_slow_file() -> None:
    rig = Rig()
    wire = rig.up(announce(*range(1, 10)))
    wire.send(peer_down())
    rig.clock.turn()
    rig.fill()
    rig.settle()
    written = rig.files["log"].rows
    assert written < 3 + 9 + 1 + 9
    wire.lose()
    rig.settle()
    assert rig.files["log"].rows == written
    rig.drain()
    assert rig.is_empty
    assert rig.rows()[-10:] == [*deletes(*range(1, 10)), "1000 log_close"]


def test_a_long_run_waits_for_a_slow_file() -> None:
    rig = Rig()
    rig.up(long_run())
    rig.fill()
    rig.settle()
    assert rig.files["log"].rows < 3000
    rig.drain()
    assert rig.files["log"].rows == 3003


def test_a_router_is_paused_when_too_much_waits_and_read_on_at_half_of_it() -> None:
    rig = Rig(replace(STATION, backlog=20_000))
    wire = rig.up()
    rig.fill()
    sent = 0
    while wire.is_read:
        assert not rig.monitored.counters.paused
        sent += 1
        wire.send(announce(sent))
    [session] = rig.sessions
    assert 20_000 < session.backlog.octets < 21_000
    wire.send(announce(sent + 1), announce(sent + 2))  # these wait with the router
    assert session.backlog.octets < 21_000
    assert rig.monitored.counters.paused == 1
    warning = f"WARN [{ADDRESS}] is not read: more waits than bmp_daemon_backlog allows"
    assert rig.lines.lines.count(warning) == 1
    assert ("paused " + ADDRESS, 6) in rig.lines.limited
    rig.files["log"].watch.on_drained()
    while not wire.is_read:
        assert session.backlog.octets > 10_000
        assert rig.clock.turn()
    assert session.backlog.octets > 9_000
    rig.settle()
    assert rig.rows()[3:] == updates(*range(1, sent + 3))
    assert session.backlog.octets == 0


def test_a_router_may_be_paused_again() -> None:
    rig = Rig(replace(STATION, backlog=2_000))
    wire = rig.up()
    for _ in range(3):
        rig.fill()
        wire.send(*[announce(n) for n in range(1, 40)])
        wire.send(*[stats(P1, n) for n in range(40)])
        assert not wire.is_read
        rig.drain()
        assert wire.is_read
    assert rig.monitored.counters.paused >= 3
    assert [record["seq"] for record in rig.records()] == list(range(3 + 3 * (39 + 40)))


def test_one_read_of_the_socket_may_go_beyond_the_limit_and_is_taken_whole() -> None:
    rig = Rig(replace(STATION, backlog=1))
    wire = rig.up()
    rig.fill()
    wire.send(stats(P1, 1), announce(1), stats(P1, 2), announce(2), TERM)
    assert rig.router.holds == 1
    rig.drain()
    assert rig.rows()[3:-3] == ["1000 stats", *updates(1), "1000 stats", *updates(2), "1000 term"]
    assert rig.rows()[-3:] == [*deletes(1, 2), "1000 log_close"]
    assert rig.is_empty


def test_a_router_that_is_lost_while_it_is_paused_is_heard_to_its_end() -> None:
    rig = Rig(replace(STATION, backlog=1))
    wire = rig.up()
    rig.fill()
    wire.send(announce(1), stats(P1, 1), announce(2))
    wire.lose(ConnectionLost())
    rig.settle()
    assert rig.rows()[3:] == []
    rig.drain()
    assert rig.rows()[3:] == [*updates(1), "1000 stats", *updates(2), *deletes(1, 2), "1000 log_close"]
    assert rig.is_empty
