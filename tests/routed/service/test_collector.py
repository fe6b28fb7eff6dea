import gc
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from routed.model.event import NotificationReceived, RouteRefresh, UpdateRun
from routed.service import walks
from routed.wire.bgp.capability import GracefulRestart
from routed.wire.bgp.codepoints import RefreshSubtype
from routed.wire.bgp.notification import Notification
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, Family
from tests.oracles.build import MANDATORY, attribute, mp_reach, mp_unreach, prefix, update
from tests.routed.service.collector_rig import (
    ADDRESS,
    END_OF_RIB,
    KEPT,
    LOST,
    SPEAKER,
    Rig,
    announce,
    announce_ipv6,
    bugs_of,
    grace,
    paused,
    resets,
    two_routes_a_turn,
    withdraw,
)
from tests.routed.service.doubles import bugs_logged


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    two_routes_a_turn(monkeypatch)


# -- plain sessions ---------------------------------------------------------------------------------------------------


def test_a_session_is_logged_from_its_first_moment_to_the_last_delete() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2), withdraw(1), END_OF_RIB)
    rig.collector.closed(peer, LOST)
    assert rig.routes == 0
    rig.settle()
    assert rig.rows() == [
        "1000 log_init",
        "1000 update 10.1.0.0/16",
        "1000 update 10.2.0.0/16",
        "1000 withdraw 10.1.0.0/16",
        "1000 end-of-rib",
        "1000 delete 10.2.0.0/16",
        "1000 log_close",
    ]
    records = rig.records()
    assert [record["seq"] for record in records] == list(range(7))
    assert {record["timestamp"] for record in records} == {"1970-01-01 00:00:00.500000"}
    assert rig.is_empty


def test_counters_say_what_updates_came_to() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2, 3), announce(1), withdraw(2, 9))
    [neighbor] = rig.collector.neighbors()
    counters = neighbor.counters
    assert (counters.updates, counters.announced, counters.unchanged) == (3, 3, 1)
    assert (counters.withdrawn, counters.unknown, counters.dropped) == (1, 1, 0)
    assert (neighbor.asn, neighbor.slot) == (65001, 1)
    assert neighbor.text.router_id == IPv4Address("192.0.2.1")


def test_a_connection_that_is_refused_as_a_duplicate_opens_and_closes() -> None:
    rig = Rig()
    peer = rig.connect(1000)
    rig.send(peer, announce(1))
    duplicate = rig.accept(2000)
    rig.collector.closed(duplicate, LOST)
    assert rig.rows() == ["1000 log_init", "1000 update 10.1.0.0/16", "2000 log_init", "2000 log_close"]
    rig.send(peer, announce(2))
    assert rig.routes == 2


def test_a_session_that_never_came_up_has_nothing_to_sweep() -> None:
    rig = Rig()
    peer = rig.accept()
    rig.collector.event(peer, NotificationReceived(6, 5, b"", None))
    rig.collector.closed(peer, LOST)
    assert rig.rows() == ["1000 log_init", "1000 log_close"]
    assert rig.is_empty


def test_routes_are_kept_without_a_message_log_too() -> None:
    rig = Rig(log=False)
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2, 3))
    rig.collector.closed(peer, KEPT)
    assert rig.routes == 3
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1), END_OF_RIB)
    rig.settle()
    assert rig.routes == 1
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.files == {}
    assert rig.is_empty


def test_a_new_session_waits_for_the_sweep_of_the_old_tables() -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    new = rig.accept(2000)
    rig.collector.closed(old, LOST)
    rig.clock.turn()
    rig.establish(new)
    assert paused(new)
    rig.clock.turn()
    assert paused(new)
    rig.settle()
    assert not paused(new)
    rig.send(new, announce(1))
    rows = rig.rows()
    assert rows[rows.index("2000 log_init") :] == [
        "2000 log_init",
        *(f"1000 delete 10.{n}.0.0/16" for n in range(1, 8)),
        "1000 log_close",
        "2000 update 10.1.0.0/16",
    ]
    assert rig.routes == 1


def test_a_session_may_come_and_go_while_the_old_one_is_swept() -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    rig.collector.closed(old, LOST)
    new = rig.connect(2000)
    assert paused(new)
    rig.collector.closed(new, LOST)
    rig.settle()
    assert rig.rows()[-2:] == ["1000 log_close", "2000 log_close"] or rig.rows()[-2:] == [
        "2000 log_close",
        "1000 log_close",
    ]
    assert rig.is_empty


def test_routers_behind_one_address_are_told_apart_by_port_if_that_is_wanted() -> None:
    rig = Rig(compare_ports=True)
    one, other = rig.connect(1000), rig.connect(2000)
    rig.send(one, announce(1))
    rig.send(other, announce(1, 2))
    assert [len(neighbor.table or ()) for neighbor in rig.collector.neighbors()] == [1, 2]
    rig.collector.closed(one, LOST)
    rig.settle()
    assert rig.routes == 2


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_an_update_that_must_end_the_session_does() -> None:
    """RFC 4271 6.3: UPDATE Message Error."""
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1), update([*MANDATORY], bytes([33, 10, 0, 0, 0, 0])), announce(2))
    [reset] = resets(peer)
    assert (reset.code, reset.subcode) == (3, 10)
    assert rig.rows() == ["1000 log_init", "1000 update 10.1.0.0/16"]


def test_an_update_that_is_treated_as_withdraw_is_logged_as_one() -> None:
    """RFC 7606 2."""
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2))
    rig.send(peer, announce(1, extra=(attribute(8, b"\0\0\0"),)))
    assert rig.rows()[-1] == "1000 withdraw 10.1.0.0/16"
    assert rig.lines.lines == [
        f"[{ADDRESS}] COMMUNITIES (8): length, treat-as-withdraw (RFC 7606); 1 refused so far",
    ]
    [neighbor] = rig.collector.neighbors()
    assert neighbor.refused == {(8, "treat-as-withdraw"): 1}
    assert not resets(peer)


def test_routes_of_other_families_are_passed_over_and_said_once() -> None:
    rig = Rig()
    peer = rig.connect()
    evpn = update([*MANDATORY, mp_reach((25, 70), b"\xc0\0\2\1", b"\3\0")])
    rig.send(peer, evpn, update([mp_unreach((25, 70), b"\3\0")]), announce(1), update([mp_unreach((25, 70), b"")]))
    rig.send(peer, evpn)
    assert rig.rows() == ["1000 log_init", "1000 update 10.1.0.0/16", "1000 end-of-rib"]
    assert rig.lines.facts == [f"[{ADDRESS}] routes of l2vpn/evpn (25/70) are not stored"]
    [neighbor] = rig.collector.neighbors()
    assert (neighbor.counters.passed_over, neighbor.counters.updates) == (3, 5)
    rig.collector.closed(peer, LOST)
    assert rig.lines.facts[-1].endswith("0 withdrawn; 3 UPDATEs of families that are not stored")


def test_too_many_paths_of_a_prefix_are_dropped_and_said() -> None:
    rig = Rig()
    peer = rig.connect(add_path=frozenset({IPV4_UNICAST}))
    nets = [prefix(bytes([10, 0, 0, 0]), 8, path_id=n) for n in range(257)]
    rig.send(peer, update(MANDATORY, b"".join(nets[:200])), update(MANDATORY, b"".join(nets[200:256])))
    assert rig.lines.lines == []
    rig.send(peer, update(MANDATORY, nets[256]))
    assert rig.lines.lines == [f"[{ADDRESS}] 1 routes dropped: too many paths of a prefix, or no memory"]
    assert rig.routes == 256


@pytest.mark.parametrize(
    ("graceful", "expected"),
    [
        (None, Notification(6, 1)),
        (grace(IPV4_UNICAST), Notification(6, 1)),
        (grace(IPV4_UNICAST, notification=True), Notification(6, 9, b"\x06\x01")),
    ],
    ids=["no grace", "grace", "grace after notifications"],
)
def test_more_routes_than_allowed_end_the_session(graceful: GracefulRestart | None, expected: Notification) -> None:
    """RFC 4486 4; RFC 8538 4: a hard reset where a NOTIFICATION would not end the grace."""
    rig = Rig(replace(SPEAKER, max_routes=3))
    peer = rig.connect(graceful=graceful)
    rig.send(peer, announce(1, 2, 3))
    assert resets(peer) == []
    rig.send(peer, announce(4))
    assert resets(peer) == [expected]


# -- route refresh (RFC 7313) -----------------------------------------------------------------------------------------


def test_what_is_not_announced_between_the_marks_of_a_refresh_is_gone() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(1, 2, 3))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.BEGIN))
    rig.send(peer, announce(2), announce(4))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.BEGIN))  # the second changes nothing
    rig.new_rows()
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.END))
    rig.settle()
    assert rig.new_rows() == ["1000 delete 10.1.0.0/16", "1000 delete 10.3.0.0/16"]
    assert rig.routes == 2


def test_marks_that_mean_nothing_change_nothing() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.BEGIN))
    rig.send(peer, announce(1))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype.END))
    rig.collector.event(peer, RouteRefresh(Family(25, 70), RefreshSubtype.BEGIN))
    rig.collector.event(peer, RouteRefresh(IPV4_UNICAST, RefreshSubtype(0)))
    rig.settle()
    assert rig.routes == 1
    assert not paused(peer)


# -- back-pressure ----------------------------------------------------------------------------------------------------


def test_a_slow_file_and_a_sweep_both_have_to_be_over_before_a_peer_is_read() -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    rig.collector.closed(old, LOST)
    new = rig.connect(2000)
    watch = rig.files["log"].watch
    watch.on_full()
    watch.on_drained()
    assert paused(new)
    watch.on_full()
    rig.settle()
    assert paused(new)
    watch.on_drained()
    rig.settle()
    assert not paused(new)
    assert new.counters.pauses == 3


def test_a_file_of_a_peer_stays_open_until_its_last_row() -> None:
    rig = Rig(name="log-$peer_tcp_port")
    facts: dict[str, Any] = {"graceful": grace(IPV4_UNICAST)}
    peer = rig.connect(1000, **facts)
    rig.send(peer, announce(*range(1, 8)), announce_ipv6())
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert not rig.files["log-1000"].is_closed
    peer = rig.connect(2000, **facts)
    assert rig.files["log-1000"].is_closed
    rig.send(peer, END_OF_RIB)
    rig.clock.turn()
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.files["log-2000"].is_closed
    assert rig.rows("log-2000")[-1] == "2000 log_close"
    assert rig.is_empty


def test_a_peer_without_lasting_routes_closes_its_file_behind_the_deletes() -> None:
    rig = Rig(name="log-$peer_tcp_port")
    peer = rig.connect(1000, graceful=grace(IPV4_UNICAST, seconds=0))
    rig.send(peer, *(announce_ipv6(n) for n in range(1, 9)))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    rows = rig.rows("log-1000")
    assert len([row for row in rows if "delete" in row]) == 8
    assert rig.files["log-1000"].is_closed
    assert rig.is_empty


# -- tags -------------------------------------------------------------------------------------------------------------


def test_records_carry_the_tags_of_the_map_and_new_ones_after_a_reload() -> None:
    rig = Rig(tags=f"set_tag=7 ip={ADDRESS}/32")
    waiting, peer = rig.accept(3000), rig.connect()
    rig.send(peer, announce(1))
    rig.tags = f"set_label=west ip={ADDRESS}/32"
    rig.collector.retag()
    rig.send(peer, announce(2))
    rig.collector.closed(waiting, LOST)
    said = [(r.get("tag"), r.get("label")) for r in rig.records()]
    assert said == [(7, None), (7, None), (7, None), (None, "west"), (None, "west")]


def test_the_label_filter_keeps_route_rows_back_and_nothing_else() -> None:
    rig = Rig(tags=f"set_label=east ip={ADDRESS}/32", label_filter=("west",))
    peer = rig.connect()
    rig.send(peer, announce(1), END_OF_RIB)
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.rows() == ["1000 log_init", "1000 log_close"]
    assert [record["seq"] for record in rig.records()] == [0, 1]


def test_routes_are_tagged_one_by_one_where_the_map_looks_at_communities() -> None:
    rig = Rig(tags="set_label=red comms=65001:1\nset_label=blue comms=65001:2", label_filter=("red",))
    peer = rig.connect()

    def community(value: int) -> tuple[bytes, ...]:
        return (attribute(8, (65001 << 16 | value).to_bytes(4, "big")),)

    rig.send(peer, announce(1, extra=community(1)), announce(2, extra=community(2)), announce(3))
    assert rig.rows()[1:] == ["1000 update 10.1.0.0/16"]
    assert rig.routes == 3


# -- the end ----------------------------------------------------------------------------------------------------------


def test_the_end_of_the_daemon_closes_streams_and_sweeps_nothing() -> None:
    rig = Rig()
    kept = rig.connect(1000, graceful=grace(IPV4_UNICAST))
    rig.send(kept, announce(*range(1, 8)))
    rig.collector.closed(kept, KEPT)
    swept = rig.connect(3000, "192.0.2.3")
    rig.send(swept, announce(*range(1, 8)))
    peer = rig.connect(2000, "192.0.2.2")
    rig.send(peer, announce(1))
    rig.collector.closed(swept, LOST)
    rig.clock.turn()
    rig.new_rows()
    ended: list[None] = []
    rig.collector.stop().addCallback(ended.append)
    assert not ended
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert ended == [None]
    assert rig.new_rows() == ["2000 log_close", "3000 log_close"]
    rig.clock.advance(10_000)
    assert (rig.new_rows(), rig.clock.calls) == ([], [])


def test_an_end_without_sweeps_is_immediate() -> None:
    rig = Rig()
    ended: list[None] = []
    rig.collector.stop().addCallback(ended.append)
    assert ended == [None]


def test_a_sweep_waits_for_a_slow_file() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce(*range(1, 10)))
    rig.send(peer, announce(*range(10, 20)))
    watch = rig.files["log"].watch
    rig.collector.closed(peer, LOST)
    watch.on_full()
    rig.settle()
    written = rig.files["log"].rows
    assert written == 1 + 19 + 2  # what the first slice had to delete
    rig.settle()
    assert rig.files["log"].rows == written
    watch.on_drained()
    rig.settle()
    assert rig.is_empty
    assert rig.rows()[-1] == "1000 log_close"


def test_a_run_that_is_much_work_goes_on_in_later_turns_and_in_order() -> None:
    rig = Rig()
    peer = rig.connect()
    communities = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(500)))
    nets = [prefix(n.to_bytes(4, "big"), 32) for n in range(3000)]
    many = [update([*MANDATORY, communities], b"".join(nets[at : at + 300])) for at in range(0, 3000, 300)]
    rig.send(peer, *many)
    assert paused(peer)  # its next messages wait
    assert 0 < rig.routes < 3000
    rig.collector.event(peer, UpdateRun(update(withdrawn=nets[2999]), 1))  # and if one comes all the same, it is behind
    rig.settle()
    assert not paused(peer)
    assert rig.routes == 2999
    assert rig.rows()[-1].startswith("1000 withdraw")
    assert len(rig.rows()) == 1 + 3000 + 1


def test_a_bug_in_a_long_run_costs_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    peer = rig.connect()
    communities = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(500)))
    nets = [prefix(n.to_bytes(4, "big"), 32) for n in range(3000)]
    rig.send(peer, *[update([*MANDATORY, communities], b"".join(nets[at : at + 300])) for at in range(0, 3000, 300)])
    rig.collector.event(peer, UpdateRun(announce(1), 1))
    with monkeypatch.context() as patch:
        patch.setattr(rig.collector, "_step", lambda *_: 1 / 0)
        rig.settle()
    assert bugs_of(peer) == [ZeroDivisionError]
    assert not paused(peer)
    rig.collector.closed(peer, LOST)
    rig.settle()
    gc.collect()  # the traceback holds the run
    assert rig.is_empty
    assert rig.rows()[-1] == "1000 log_close"


def test_a_bug_in_a_sweep_costs_no_session_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    old = rig.connect(1000)
    rig.send(old, announce(*range(1, 8)))
    monkeypatch.setattr(walks, "sweep_all", lambda *_: 1 / 0)
    rig.collector.closed(old, LOST)
    new = rig.connect(2000)
    with bugs_logged() as bugs:
        rig.settle()
    assert bugs == [(f"the routes of {ADDRESS}", ZeroDivisionError)]
    assert bugs_of(new) == []
    assert not paused(new)
    assert "1000 log_close" in rig.rows()
    rig.send(new, announce(1))
    ended: list[None] = []
    rig.collector.stop().addCallback(ended.append)
    assert ended == [None]


def test_a_session_that_ends_in_a_long_run_leaves_nothing_behind() -> None:
    rig = Rig()
    peer = rig.connect()
    communities = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(500)))
    nets = [prefix(n.to_bytes(4, "big"), 32) for n in range(3000)]
    rig.send(peer, *[update([*MANDATORY, communities], b"".join(nets[at : at + 300])) for at in range(0, 3000, 300)])
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.is_empty
    assert rig.rows()[-1] == "1000 log_close"


def test_memory_is_given_back_behind_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "ROUTES", 4000)
    rig = Rig(log=False)
    communities = attribute(8, b"".join(n.to_bytes(4, "big") for n in range(120)))
    staying, leaving = rig.connect(1000), rig.connect(2000, "192.0.2.2")

    def run(n: int) -> bytes:
        return update([*MANDATORY, communities, attribute(4, n.to_bytes(4, "big"))], prefix(n.to_bytes(4, "big"), 32))

    for first in range(0, 9600, 16):  # neighbours in the arena
        rig.send(staying, run(first))
        rig.send(leaving, *map(run, range(first + 1, first + 16)))
    full = rig.rib.paths.memory
    rig.collector.closed(leaving, LOST)
    rig.settle()
    rig.collector.start()
    rig.clock.advance(1)
    rig.settle()
    assert rig.rib.paths.memory < full / 3
    assert rig.routes == 600


def test_withdrawals_of_other_families_reach_their_tables() -> None:
    rig = Rig()
    peer = rig.connect()
    rig.send(peer, announce_ipv6(), announce_ipv6(2))
    gone = prefix(bytes([0x20, 1, 0xD, 0xB8, 0, 1]) + bytes(10), 48)
    rig.send(peer, update([mp_unreach(IPV6_UNICAST, gone)]), update([mp_unreach(IPV6_UNICAST, b"")]))
    assert rig.rows()[-2:] == ["1000 withdraw 2001:db8:1::/48", "1000 end-of-rib"]
    assert rig.routes == 1
