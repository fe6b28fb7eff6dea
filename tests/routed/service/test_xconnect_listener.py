"""Peers that want to be passed on: where to, how many, once each; how everything stops."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionLost

from routed.plumbing.output_file import Owner
from routed.service.neighbors import NeighborsFile
from routed.service.xconnect import MAX_LINGER_AT_STOP
from routed.service.xconnect_listener import MAX_HELD_UP
from routed.service.xconnect_map import Destination
from tests.routed.service.xconnect_rig import ADMIN_RESET, ADMIN_SHUTDOWN, CEASE, COLLECTOR, REJECTED, UPDATE, Rig, lose


def test_the_collector_of_the_map_is_connected_to() -> None:
    rig = Rig()
    rig.map["2001:db8::1"] = Destination(ip_address("2001:db8::ff"), 179)
    rig.pair()
    rig.pair("2001:db8::1")
    assert [call.target for call in rig.calls] == [("10.0.0.1", 17901), ("2001:db8::ff", 179)]
    assert rig.log.lines == [
        "INFO [192.0.2.1 x 10.0.0.1:17901] BGP xconnects usage: 1/4",
        "INFO [2001:db8::1 x [2001:db8::ff]:179] BGP xconnects usage: 2/4",
    ]


def test_a_peer_without_a_row_is_refused() -> None:
    rig = Rig()
    rig.default = None
    _driver, wire = rig.connect()
    assert wire.notification == (CEASE, REJECTED)
    assert rig.log.lines == ["WARN [192.0.2.1] unable to xconnect BGP peer. Missing entry in bgp_daemon_xconnect_map"]
    assert rig.samples("xconnects")["xconnects_unmapped"] == 1
    rig.default = COLLECTOR  # the map was read again
    rig.pair(port=40001)
    assert len(rig.listener.pairs) == 1


def test_a_second_connection_of_a_peer_is_always_refused() -> None:
    rig = Rig()
    first = rig.pair()
    rig.clock.advance(100_000)
    _driver, wire = rig.connect(port=40001)
    assert wire.notification == (CEASE, REJECTED)
    assert rig.log.lines[-1] == "WARN [192.0.2.1] Refusing new incoming connection for existing BGP xconnect"
    assert not first.peer_wire.disconnecting
    assert rig.samples("xconnects")["xconnects_refused_existing"] == 1


def test_a_session_that_its_collector_holds_up_for_long_gives_way() -> None:
    """The router may have ended it, and that cannot be read; so the collector may be replaced in the map."""
    rig = Rig()
    first = rig.pair()
    first.collector_wire.producer.pauseProducing()
    rig.clock.advance(MAX_HELD_UP - 1)
    refused, wire = rig.connect(port=40001)
    assert wire.notification == (CEASE, REJECTED)
    lose(refused)
    rig.clock.advance(1)
    rig.map["192.0.2.1"] = Destination(ip_address("10.0.0.2"), 17902)
    rig.pair(port=40002)
    assert rig.calls[-1].target == ("10.0.0.2", 17902)
    assert first.collector_wire.notification == (CEASE, ADMIN_RESET)
    assert first.peer_wire.disconnected
    assert [str(pair.place) for pair in rig.listener.pairs.values()] == ["192.0.2.1 x 10.0.0.2:17902"]


def test_a_session_that_goes_on_again_does_not_give_way() -> None:
    rig = Rig()
    first = rig.pair()
    first.collector_wire.producer.pauseProducing()
    rig.clock.advance(MAX_HELD_UP)
    first.collector_wire.producer.resumeProducing()
    _refused, wire = rig.connect(port=40001)
    assert wire.notification == (CEASE, REJECTED)


def test_peers_behind_one_address_are_told_apart_by_their_ports() -> None:
    rig = Rig(settings={"compare_ports": True})
    rig.pair(port=40000)
    rig.pair(port=40001)
    assert len(rig.listener.pairs) == 2


def test_out_of_slots_is_said_and_answered() -> None:
    rig = Rig(settings={"max_peers": 1})
    rig.pair()
    _driver, wire = rig.connect("192.0.2.2")
    assert wire.notification == (CEASE, REJECTED)


def test_a_slot_is_free_when_both_connections_are_gone() -> None:
    rig = Rig(settings={"max_peers": 1})
    pair = rig.pair()
    lose(pair.peer)
    assert rig.listener.pairs == {}
    _driver, wire = rig.connect("192.0.2.2")
    assert wire.notification == (CEASE, REJECTED)
    lose(pair.collector)
    rig.pair("192.0.2.2")
    assert len(rig.listener.pairs) == 1


@pytest.mark.parametrize("reason", ["Connection refused", "Connection timed out"])
def test_a_collector_that_is_not_there_is_said_and_answered(reason: str) -> None:
    rig = Rig()
    peer, wire = rig.connect()
    rig.calls[0].fail(reason)
    assert wire.notification == (CEASE, REJECTED)
    assert wire.half_closed
    assert rig.log.lines == [f"WARN [192.0.2.1 x 10.0.0.1:17901] unable to connect to BGP collector: {reason}"]
    assert rig.samples("xconnects")["xconnects_unreachable"] == 1
    lose(peer)
    rig.pair()
    assert rig.samples("xconnects")["xconnects_connected"] == 1


def test_a_peer_that_leaves_before_its_collector_is_there_leaves_nothing() -> None:
    rig = Rig()
    peer, _wire = rig.connect()
    lose(peer, ConnectionLost())
    assert rig.calls[0].cancelled
    assert rig.log.lines == []
    assert rig.listener.pairs == {}
    stopped = rig.listener.stopService()
    assert stopped.called


def test_a_stop_tells_both_ends_and_waits_until_they_are_gone() -> None:
    rig = Rig()
    pair = rig.pair()
    waiting, waiting_wire = rig.connect("192.0.2.2")
    stopped = rig.listener.stopService()
    for wire in (pair.peer_wire, pair.collector_wire, waiting_wire):
        assert wire.notification == (CEASE, ADMIN_SHUTDOWN)
    assert rig.calls[1].cancelled
    lose(pair.peer)
    lose(waiting)
    assert not stopped.called
    lose(pair.collector)
    assert stopped.called


def test_a_peer_that_comes_again_ends_the_wait_for_the_rest_of_its_last_session() -> None:
    """So who connects again and again holds one slot, whatever its collector does not read."""
    rig = Rig(settings={"max_peers": 3})
    other = rig.pair("192.0.2.2")
    for port in range(5):
        pair = rig.pair(port=port)
        lose(pair.peer)
        assert not pair.collector_wire.disconnected
        again, _wire = rig.connect(port=port + 100)
        assert pair.collector_wire.disconnected
        lose(pair.collector, ConnectionAborted())
        lose(again)
    assert not other.collector_wire.disconnected
    assert len(rig.listener.pairs) == 1
    assert rig.listener._leaving == {}


def test_nobody_takes_long_when_the_daemon_stops() -> None:
    rig = Rig()
    leaving, live = rig.pair("192.0.2.1"), rig.pair("192.0.2.2")
    lose(leaving.peer)
    rig.listener.stopService()
    rig.clock.advance(MAX_LINGER_AT_STOP)
    for wire in (leaving.collector_wire, live.peer_wire, live.collector_wire):
        assert wire.disconnected


def test_the_neighbors_file_lists_who_is_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "neighbors"
    neighbors = NeighborsFile(file, later=lambda work: work(), on_error=pytest.fail, owner=Owner(-1, -1))
    rig = Rig(neighbors=neighbors)
    first, second = rig.pair(), rig.pair("2001:db8::1")
    assert file.read_text() == "192.0.2.1\n2001:db8::1\n"
    lose(first.peer)
    assert file.read_text() == "2001:db8::1\n"
    lose(first.collector)
    stopped = rig.listener.stopService()
    lose(second.peer)
    lose(second.collector)
    assert stopped.called
    assert file.read_text() == ""


def test_a_bug_costs_one_pair(bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    other = rig.pair("192.0.2.2")
    rig.bug_in_dial = True
    peer, wire = rig.connect()
    assert len(bugs) == 1
    assert rig.listener.counters.bugs_total == 1
    assert wire.disconnected
    rig.bug_in_dial = False
    lose(peer, ConnectionAborted())
    assert list(rig.listener.pairs) == [(ip_address("192.0.2.2"), 0)]
    other.peer.dataReceived(UPDATE)
    assert other.collector_wire.value() == UPDATE
