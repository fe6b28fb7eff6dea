from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost

from routed.plumbing.sink import TEXT, Framing
from routed.rib._monitoring import MonitoringRun
from routed.service import bmp_collector as module
from routed.session import bmp_peers
from tests.oracles.bmp_build import ROUTE_MIRRORING, A, L, O, frame, peer, tlv
from tests.oracles.build import MANDATORY, attribute, prefix, update
from tests.routed.service.bmp_rig import (
    ADD_PATH,
    ADDRESS,
    AS4,
    BLUE,
    END_OF_RIB,
    INIT,
    P1,
    P2,
    RED,
    STATION,
    TERM,
    Rig,
    announce,
    bugs_logged,
    community,
    monitoring,
    net,
    peer_down,
    peer_up,
    route,
    stats,
    two_routes_a_turn,
    withdraw,
)

#: Paths of one prefix that are stored.
MAX_PATHS = 256


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


def deletes(*numbers: int, port: int = 1000) -> list[str]:
    return [f"{port} delete {route(number)}" for number in numbers]


def updates(*numbers: int, port: int = 1000) -> list[str]:
    return [f"{port} update {route(number)}" for number in numbers]


def long_run(count: int = 3000, header: bytes = P1) -> bytes:
    """More routes than a step takes, and large attributes."""
    many = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(500)))
    nets = [prefix(n.to_bytes(4, "big"), 32) for n in range(count)]
    return monitoring(
        header, *[update([*MANDATORY, many], b"".join(nets[at : at + 300])) for at in range(0, count, 300)]
    )


def stateless(octets: bytes, header: bytes = P1, capabilities: bytes = AS4 + ADD_PATH) -> bytes:
    """A message of version 4 that says how its UPDATE is to be read."""
    return frame(0, header + tlv(1, capabilities, index=0) + tlv(4, octets, index=0), 4)


# -- plain sessions ---------------------------------------------------------------------------------------------------


def test_everything_is_logged_in_the_order_in_which_it_happened() -> None:
    rig = Rig()
    wire = rig.up(announce(1, 2), withdraw(1), monitoring(P1, END_OF_RIB), stats(P1, 4, 5))
    wire.send(peer_up(P2), announce(7, header=P2), peer_down(P1), announce(8, header=P2), TERM)
    rig.settle()
    assert rig.rows() == [
        "1000 log_init",
        "1000 init",
        "1000 peer_up 192.0.2.1",
        *updates(1, 2),
        f"1000 withdraw {route(1)}",
        "1000 end-of-rib",
        "1000 stats",
        "1000 stats",
        "1000 peer_up 192.0.2.2",
        *updates(7),
        "1000 peer_down 192.0.2.1",
        *deletes(2),
        *updates(8),
        "1000 term",
        *deletes(7, 8),
        "1000 log_close",
    ]
    assert [record["seq"] for record in rig.records()] == list(range(18))
    assert rig.is_empty


def test_records_have_the_time_of_the_router_and_that_of_their_arrival() -> None:
    rig = Rig()
    early = peer(time=(1_700_000_001, 5))
    wire = rig.connect(INIT)
    rig.now = 1.5
    wire.send(peer_up(early), announce(1, header=early))
    rig.now = 2.5
    wire.send(peer_down(early))
    rig.now = 3.5
    rig.settle()
    times = [(r["timestamp"][11:], r.get("timestamp_arrival", "")[11:]) for r in rig.records()]
    assert times == [
        ("00:00:00.500000", ""),
        ("00:00:00.000000", "00:00:00.500000"),
        ("22:13:21.000005", "00:00:01.500000"),
        ("22:13:21.000005", "00:00:01.500000"),
        ("22:13:21.000005", "00:00:02.500000"),
        ("00:00:03.500000", "00:00:02.500000"),  # a delete: no message of the router has its time
    ]
    assert rig.records()[1]["timestamp"] == "0000-00-00 00:00:00.000000"


def test_what_waits_keeps_the_time_at_which_it_came() -> None:
    rig = Rig()
    wire = rig.up()
    rig.fill()
    wire.send(announce(1))
    rig.now = 9.0
    rig.drain()
    [record] = [record for record in rig.records() if record.get("log_type") == "update"]
    assert record["timestamp_arrival"] == "1970-01-01 00:00:00.500000"


def test_rows_say_why_they_are_there() -> None:
    rig = Rig()
    wire = rig.up(announce(1))
    wire.lose()
    rig.settle()
    said = {record.get("log_type"): record.get("bmp_msg_type") for record in rig.records()}
    assert (said["update"], said["delete"]) == ("route_monitor", "internal")


def test_each_view_of_a_peer_is_a_rib_of_its_own() -> None:
    """RFC 7854 4.2, RFC 8671 4: one Peer Up, up to four RIBs."""
    rig = Rig()
    views = [peer(flags=flags) for flags in (0, L, O, L | O)]
    wire = rig.up(*[announce(1, header=view) for view in views])
    assert rig.routes == 4
    assert len(rig.monitored.ribs()) == 4
    wire.send(withdraw(1, header=views[1]))
    assert rig.routes == 3
    wire.send(peer_down())
    rig.settle()
    gone = [record["bmp_rib_type"] for record in rig.records() if record.get("log_type") == "delete"]
    assert sorted(gone) == ["Adj-Rib-In Pre-Policy", "Adj-Rib-Out Post-Policy", "Adj-Rib-Out Pre-Policy"]
    assert rig.routes == 0


def test_mirrored_messages_are_counted_and_logged() -> None:
    """RFC 7854 4.7."""
    rig = Rig()
    rig.up(frame(ROUTE_MIRRORING, P1 + tlv(0, update())))
    assert rig.monitored.counters.mirrored == 1
    assert rig.rows()[-1] == "1000 route_mirror"


def test_routes_are_kept_without_a_message_log_too() -> None:
    rig = Rig(log=False)
    wire = rig.up(announce(*range(9)), peer_up(P2), announce(1, 2, 3, header=P2))
    assert rig.routes == 12
    wire.send(peer_down(), withdraw(1, header=P2))
    rig.settle()
    assert rig.routes == 2
    wire.lose()
    rig.settle()
    assert rig.is_empty
    assert rig.files == {}


def test_unchanged_routes_are_logged_once_where_that_is_wanted() -> None:
    rig = Rig(skips_unchanged=True)
    wire = rig.up(announce(1))
    wire.send(announce(1), announce(1, extra=(community(1),)), announce(1, extra=(community(1),)))
    assert rig.rows()[3:] == updates(1, 1)
    assert [record["seq"] for record in rig.records()] == list(range(5))
    again = Rig()
    again.up(announce(1), announce(1))
    assert again.rows()[3:] == updates(1, 1)


# -- large work -------------------------------------------------------------------------------------------------------


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


# -- a slow file ------------------------------------------------------------------------------------------------------


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


# -- peers ------------------------------------------------------------------------------------------------------------


def test_a_second_peer_up_with_the_same_capabilities_changes_nothing() -> None:
    rig = Rig()
    wire = rig.up(announce(1))
    wire.send(peer_up())
    rig.settle()
    assert rig.routes == 1
    assert rig.rows()[-1] == "1000 peer_up 192.0.2.1"


def test_tables_whose_path_identifiers_change_are_renewed_and_their_routes_deleted() -> None:
    """RFC 7911 3: a route is known by prefix and path identifier, or by its prefix."""
    rig = Rig()
    wire = rig.up(announce(*range(1, 6)))
    rig.new_rows()
    wire.send(peer_up(router=AS4 + ADD_PATH, remote=AS4 + ADD_PATH), announce(1, path_id=7), announce(1, path_id=8))
    rig.settle()
    assert rig.new_rows() == [
        "1000 peer_up 192.0.2.1",
        *deletes(*range(1, 6)),
        f"1000 update {route(1)} path 7",
        f"1000 update {route(1)} path 8",
    ]
    assert rig.routes == 2
    wire.send(peer_up(), announce(1))
    rig.settle()
    up, *gone, update_row = rig.new_rows()
    assert up == "1000 peer_up 192.0.2.1"
    assert sorted(gone) == [f"1000 delete {route(1)} path {path_id}" for path_id in (7, 8)]
    assert [update_row] == updates(1)
    wire.lose()
    rig.settle()
    assert rig.is_empty


def test_routes_whose_message_says_that_they_have_path_identifiers_renew_the_table() -> None:
    """draft-ietf-grow-bmp-tlv: stateless parsing."""
    rig = Rig()
    wire = rig.up(announce(1, 2))
    rig.new_rows()
    wire.send(stateless(update(MANDATORY, net(1, path_id=5))), stats(P1, 1))
    rig.settle()
    assert rig.new_rows() == [f"1000 update {route(1)} path 5", *deletes(1, 2), "1000 stats"]
    assert rig.routes == 1


def test_the_end_of_a_peer_of_one_vrf_leaves_the_same_address_in_another_alone() -> None:
    """RFC 7854 4.2: a distinguisher tells peers with one address apart."""
    rig = Rig()
    wire = rig.connect(INIT, peer_up(RED), peer_up(BLUE), announce(1, 2, header=RED), announce(1, 2, 3, header=BLUE))
    wire.send(peer_down(RED))
    rig.settle()
    assert rig.routes == 3
    assert {record["rd"] for record in rig.records() if record.get("log_type") == "delete"} == {"0:1:1"}
    wire.send(announce(4, header=BLUE), announce(4, header=RED))
    assert rig.routes == 4
    assert rig.monitored.counters.orphans == 1


def test_a_peer_may_come_back_with_nothing_of_what_it_had() -> None:
    rig = Rig()
    wire = rig.up(announce(1, 2))
    wire.send(peer_down(), peer_up(), withdraw(1), announce(3))
    rig.settle()
    assert rig.rows()[-2:] == ["1000 peer_up 192.0.2.1", *updates(3)]
    assert rig.routes == 1


# -- what is wrong ----------------------------------------------------------------------------------------------------


def test_messages_about_peers_that_are_not_up_are_counted_and_said_once_a_minute() -> None:
    rig = Rig()
    wire = rig.up(announce(1, header=P2), announce(2, header=P2), announce(3))
    wire.send(announce(4, header=P2), peer_down(P2))
    assert rig.routes == 1
    counters = rig.monitored.counters
    assert (counters.monitoring, counters.orphans, counters.discarded) == (4, 3, 1)
    line = f"INFO [{ADDRESS}] [route monitor] packet discarded: missing peer up BMP message for peer 192.0.2.2"
    assert line in rig.lines.lines
    assert line.replace("route monitor", "peer down") in rig.lines.lines
    assert {at_most for kind, at_most in rig.lines.limited if kind.startswith(f"DISCARDED {ADDRESS}")} == {1}
    assert rig.rows()[3:] == updates(3)


def test_the_peer_that_is_missing_is_named_whatever_else_is_wrong() -> None:
    rig = Rig()
    rig.up(frame(0, P1 + bytes(30)) + announce(1, extra=(attribute(8, b"\0\0\0"),)) + announce(1, header=P2))
    counters = rig.monitored.counters
    assert (counters.malformed, counters.orphans, rig.routes) == (1, 1, 1)
    assert [line for line in rig.lines.lines if "missing" in line] == [
        f"INFO [{ADDRESS}] [route monitor] packet discarded: missing peer up BMP message for peer 192.0.2.2"
    ]


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (frame(9), "[unknown] packet discarded: unknown message type (9)"),
        (frame(3, P1), "[malformed] packet discarded: "),
        (frame(0, bytes(2_000_000)), "[too long] packet discarded: 2000006 octets"),
    ],
)
def test_messages_that_mean_nothing_are_counted_and_said(octets: bytes, line: str) -> None:
    rig = Rig()
    rig.up(octets, announce(1))
    assert rig.monitored.counters.discarded == 1
    assert any(line in said for said in rig.lines.lines)
    assert rig.rows()[3:] == updates(1)


def test_malformed_route_monitoring_is_counted_and_said() -> None:
    rig = Rig()
    rig.up(frame(0, P1 + bytes(30)), announce(1), frame(0, b"\1"))
    assert rig.monitored.counters.malformed == 2
    line = f"INFO [{ADDRESS}] [route monitor] packet discarded: malformed for peer 192.0.2.1; 2 of them so far"
    assert line in rig.lines.lines
    assert rig.rows()[3:] == updates(1)


def test_attributes_that_are_refused_are_said_and_told_at_the_end() -> None:
    """A router shows what it has: no route goes because of an attribute that RFC 7606 has a speaker refuse."""
    rig = Rig()
    wire = rig.up(announce(1, 2))
    wire.send(announce(1, extra=(attribute(8, b"\0\0\0"),)))
    assert rig.rows()[-1:] == updates(1)
    line = f"WARN [{ADDRESS}] peer 192.0.2.1: COMMUNITIES (8): length, attribute-discard (RFC 7606); 1 refused so far"
    assert rig.lines.lines[-1] == line
    assert rig.lines.limited[-1] == (f"refused {ADDRESS}", 6)
    wire.lose()
    rig.settle()
    assert rig.lines.lines[-1] == (
        f"INFO [{ADDRESS}] 2 route monitoring messages of 1 peers (0 of unknown peers, 0 malformed): "
        "2 routes announced, 1 again, 0 withdrawn, 0 dropped; 2 other messages (0 mirrored), 0 discarded; "
        "paused 0 times; refused: COMMUNITIES (8) attribute-discard 1"
    )


def test_peers_beyond_the_limit_are_refused_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bmp_peers.BmpPeers.__init__.__globals__, "MAX_PEERS", 1)
    monkeypatch.setattr(bmp_peers.BmpPeers.__init__, "__defaults__", (1,))
    rig = Rig()
    says_how = stateless(update(MANDATORY, net(9)), P2, AS4)
    rig.up(announce(1), peer_up(P2), announce(2, header=P2), says_how, announce(3))
    assert f"INFO [{ADDRESS}] [peer up] packet discarded: more than 1 peers" in rig.lines.lines
    assert f"INFO [{ADDRESS}] [route monitor] packet discarded: more than 1 peers" in rig.lines.lines
    assert rig.rows()[3:] == updates(1, 3)
    counters = rig.monitored.counters
    assert (counters.discarded, counters.orphans) == (1, 2)


def test_counters_say_what_messages_came_to() -> None:
    rig = Rig()
    rig.up(announce(1), announce(2), monitoring(P1, END_OF_RIB), stats(P1, 1, 2))
    counters = rig.monitored.counters
    assert (counters.messages, counters.monitoring, counters.end_of_ribs, counters.discarded) == (3, 3, 1, 0)


def test_counters_say_what_became_of_routes() -> None:
    rig = Rig()
    rig.up(
        peer_up(P2), announce(1, 2, 3), announce(1, 2), withdraw(3, 4), announce(7, header=P2), withdraw(7, header=P2)
    )
    counters = rig.monitored.counters
    assert (counters.announced, counters.unchanged, counters.withdrawn, counters.unknown) == (4, 2, 2, 1)
    assert counters.dropped == 0


def test_routes_without_room_are_counted_and_said() -> None:
    """Path identifiers could go on without end; each line says how many routes it is about, and how many so far."""
    rig = Rig()
    both = AS4 + ADD_PATH
    paths = b"".join(net(1, path_id) for path_id in range(MAX_PATHS + 44))
    rig.connect(INIT, peer_up(router=both, remote=both), monitoring(P1, update(MANDATORY, paths)))
    rig.settle()
    counters = rig.monitored.counters
    assert (counters.announced, counters.dropped) == (MAX_PATHS, 44)
    line = f"WARN [{ADDRESS}] 44 routes dropped: too many paths of a prefix, or no memory; 44 so far"
    assert rig.lines.lines[-1] == line
    assert rig.lines.limited[-1] == (f"dropped {ADDRESS}", 6)


def test_each_coming_up_of_a_peer_counts() -> None:
    rig = Rig()
    wire = rig.up(peer_up(), peer_up(P2), stateless(update(MANDATORY, net(9)), RED), announce(1, header=RED))
    assert rig.monitored.counters.peers == 3
    wire.send(peer_down(), peer_up())
    rig.settle()
    assert rig.monitored.counters.peers == 4


# -- the loss of a router ---------------------------------------------------------------------------------------------


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


# -- tags -------------------------------------------------------------------------------------------------------------


def test_records_carry_the_tags_of_the_map_and_new_ones_after_a_reload() -> None:
    rig = Rig(tags=f"set_tag=7 ip={ADDRESS}/32")
    wire = rig.up(announce(1))
    rig.tags = f"set_label=west ip={ADDRESS}/32"
    rig.collector.retag()
    wire.send(announce(2), stats(P1, 1))
    wire.lose()
    rig.settle()
    said = [(record.get("tag"), record.get("label")) for record in rig.records()]
    assert said == [(7, None)] * 4 + [(None, "west")] * 5


def test_the_label_filter_keeps_routes_and_events_back_and_nothing_else() -> None:
    rig = Rig(tags=f"set_label=east ip={ADDRESS}/32", label_filter=("west",))
    wire = rig.up(announce(1), monitoring(P1, END_OF_RIB), stats(P1, 1))
    assert rig.routes == 1
    wire.send(peer_down(), TERM)
    rig.settle()
    assert rig.rows() == ["1000 log_init", "1000 log_close"]
    assert [(record["seq"], record["label"]) for record in rig.records()] == [(0, "east"), (1, "east")]
    assert rig.is_empty


def test_routes_are_tagged_one_by_one_where_the_map_looks_at_communities() -> None:
    tags = f"set_label=red comms=65001:1\nset_label=blue comms=65001:2\nset_label=router ip={ADDRESS}/32"
    rig = Rig(tags=tags, label_filter=("red", "router"))
    wire = rig.up(
        announce(1, extra=(community(1),)), announce(2, extra=(community(2),)), announce(3, extra=(community(1),))
    )
    wire.send(stats(P1, 1), withdraw(2), peer_down())
    rig.settle()
    said = [(row, record["label"]) for row, record in zip(rig.rows(), rig.records(), strict=True)]
    assert said[3:] == [
        (*updates(1), "red"),
        (*updates(3), "red"),
        ("1000 stats", "router"),
        ("1000 peer_down 192.0.2.1", "router"),
        (*deletes(1), "red"),
        (*deletes(3), "red"),
    ]
    assert [record["seq"] for record in rig.records()] == list(range(9))


# -- the end ----------------------------------------------------------------------------------------------------------


def end(rig: Rig) -> list[None]:
    """Stop as a plane does."""
    ended: list[None] = []
    swept = rig.collector.stop()
    rig.listener.stopService()
    swept.addCallback(ended.append)
    return ended


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


# -- bugs of ours -----------------------------------------------------------------------------------------------------


def break_at(monkeypatch: pytest.MonkeyPatch, what: str, *numbers: int) -> None:
    """Let a function of the collector's module fail at some of its calls."""
    original, calls = getattr(module, what), [0]

    def broken(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] in numbers:
            raise RuntimeError("bug")
        return original(*arguments, **named)

    monkeypatch.setattr(module, what, broken)


def test_a_bug_in_a_walk_costs_one_session_and_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    wire, other = rig.up(announce(*range(1, 8))), rig.up(announce(1), port=2000, address="192.0.2.102")
    break_at(monkeypatch, "sweep_all", 2)
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
    break_at(monkeypatch, "event_records", 1, 2)
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
    break_at(monkeypatch, "event_records", 1)
    with bugs_logged():
        wire.send(peer_down())
        rig.settle()
    assert rig.rows()[-4:] == [*deletes(1, 2, 3), "1000 log_close"]
    assert rig.is_empty


def test_a_bug_while_the_router_is_paused_does_not_leave_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(replace(STATION, backlog=1))
    wire = rig.up(announce(*range(1, 8)))
    break_at(monkeypatch, "sweep_all", 2)
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
    break_at(monkeypatch, "sweep_all", 3)
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
    break_at(monkeypatch, "sweep_all", *range(1, 100))
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


def test_legacy_as_paths_are_read_by_their_looks() -> None:
    """RFC 7854 4.2: the A flag; there are routers that set it without need."""
    rig = Rig()
    rig.up(announce(1, header=peer(flags=A)), announce(2))
    assert [record["as_path"] for record in rig.records() if "as_path" in record] == ["65001", "65001"]
