"""What the messages of routers do to tables and message log."""

import pytest

from routed.session import bmp_peers
from tests.oracles.bmp_build import ROUTE_MIRRORING, A, L, O, frame, peer, tlv
from tests.oracles.build import MANDATORY, attribute, mp_reach, update
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
    TERM,
    Rig,
    announce,
    community,
    deletes,
    monitoring,
    net,
    peer_down,
    peer_up,
    route,
    stateless,
    stats,
    two_routes_a_turn,
    updates,
    withdraw,
)

#: Paths of one prefix that are stored.
MAX_PATHS = 256


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


# -- plain sessions ----------------------------------------------------------------------------------------------------


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


# -- peers -------------------------------------------------------------------------------------------------------------


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


def test_legacy_as_paths_are_read_by_their_looks() -> None:
    """RFC 7854 4.2: the A flag; there are routers that set it without need."""
    rig = Rig()
    rig.up(announce(1, header=peer(flags=A)), announce(2))
    assert [record["as_path"] for record in rig.records() if "as_path" in record] == ["65001", "65001"]


# -- what is wrong -----------------------------------------------------------------------------------------------------


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


def test_routes_of_other_families_are_passed_over_and_said_once() -> None:
    """Routers show all that they have, whatever anybody has agreed on."""
    rig = Rig()
    flowspec = update([*MANDATORY, mp_reach((1, 133), b"", b"\3\1\x08\x0a")])
    wire = rig.up(monitoring(P1, flowspec), announce(1), monitoring(P1, flowspec))
    said = f"INFO [{ADDRESS}] routes of ipv4/flowspec (1/133) are not stored"
    assert rig.lines.lines.count(said) == 1
    assert (rig.monitored.counters.passed_over, rig.monitored.counters.malformed) == (2, 0)
    assert rig.rows()[3:] == updates(1)
    wire.lose()
    rig.settle()
    assert rig.lines.lines[-1].endswith("paused 0 times; 2 UPDATEs of families that are not stored")


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


# -- tags --------------------------------------------------------------------------------------------------------------


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
