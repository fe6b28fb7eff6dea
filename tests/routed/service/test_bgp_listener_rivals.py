"""Several connections that claim to be one peer, by address or by router id: which one is it."""

import pytest

from tests.routed.service.bgp_listener_rig import CEASE, COLLISION, KEEPALIVE, REJECTED, Rig, lose, open_message


def test_a_second_connection_of_a_live_peer_is_refused() -> None:
    rig = Rig()
    _pump, first = rig.establish()
    rig.clock.advance(80)
    link = rig.connect(port=40001)
    assert link is not None
    assert link[1].notification == (CEASE, REJECTED)
    assert rig.log.lines[-1] == "WARN [192.0.2.1] Refusing new connection from existing peer (residual holdtime: 100)"
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 1)]
    assert not first.disconnecting
    assert rig.connect(port=40002) is not None
    assert len(rig.listener.peers) == 1


def test_a_silent_session_gives_way_to_a_new_connection() -> None:
    rig = Rig()
    _pump, first = rig.establish()
    rig.clock.advance(91)
    pump, second = rig.establish(port=40001)
    assert first.notification == (CEASE, COLLISION)
    assert "[192.0.2.1] Replenishing stale connection by peer." in rig.texts
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]
    assert not rig.history.downs[0].graceful
    assert second.value().endswith(KEEPALIVE)
    lose(pump)
    assert len(rig.listener.peers) == 0


def test_a_peer_that_restarts_gracefully_keeps_its_routes_and_hears_nothing() -> None:
    rig = Rig()
    _pump, first = rig.establish(graceful=True)
    sent = first.value()
    rig.establish(port=40001, graceful=True)
    assert first.disconnected
    assert first.value() == sent
    assert rig.history.downs[0].graceful
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]


def test_a_connection_without_open_gives_way_soon() -> None:
    rig = Rig()
    rig.connect()
    rig.clock.advance(11)
    rig.establish(port=40001)
    assert rig.history.story() == [("accepted", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]


def test_peers_behind_one_address_are_told_apart_by_their_ports() -> None:
    rig = Rig(settings={"compare_ports": True})
    rig.establish(port=40000, router_id=bytes([192, 0, 2, 1]))
    rig.establish(port=40001, router_id=bytes([192, 0, 2, 2]))
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("PeerUp", 1)]


def test_a_router_id_that_another_live_peer_has_is_refused() -> None:
    rig = Rig()
    rig.establish("192.0.2.1")
    _pump, second = rig.establish("192.0.2.2")
    assert second.notification == (CEASE, COLLISION)
    assert "WARN [192.0.2.2] Refusing new connection from existing Router-ID." in rig.log.lines
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1), ("closed", 1)]


def test_a_router_id_of_a_silent_peer_is_taken_over() -> None:
    rig = Rig()
    _pump, first = rig.establish("192.0.2.1")
    rig.clock.advance(91)
    rig.establish("192.0.2.2")
    assert first.notification == (CEASE, COLLISION)
    assert rig.history.story()[-2:] == [("closed", 0), ("PeerUp", 1)]


def test_a_stranger_that_only_sent_an_open_locks_no_router_out() -> None:
    rig = Rig()
    link = rig.connect("192.0.2.66")
    assert link is not None
    link[0].dataReceived(open_message())
    rig.establish("192.0.2.1")
    assert link[1].notification == (CEASE, COLLISION)
    assert rig.history.story() == [("accepted", 0), ("accepted", 1), ("closed", 0), ("PeerUp", 1)]


@pytest.mark.parametrize("host", ["192.0.2.1", "192.0.2.2"])
def test_a_session_whose_end_a_pause_keeps_back_gives_way(host: str) -> None:
    rig = Rig()
    pump, _wire = rig.establish("192.0.2.1")
    (peer,) = rig.listener.peers
    peer.pause()
    lose(pump)
    assert peer.down is None
    rig.establish(host, port=40001)
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1)]
    assert not any("Replenishing" in text for text in rig.texts)
    peer.resume()
    assert rig.history.story()[3:] == [("closed", 0), ("PeerUp", 1)]


@pytest.mark.parametrize("graceful", [False, True])
def test_who_replaces_a_paused_session_waits_for_its_end(graceful: bool) -> None:
    rig = Rig()
    rig.establish(graceful=graceful)
    (peer,) = rig.listener.peers
    rig.clock.advance(91)
    peer.pause()
    _pump, wire = rig.establish(port=40001, graceful=graceful)
    assert wire.producerState == "paused"
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("accepted", 1)]
    peer.resume()
    assert wire.producerState == "producing"
    assert rig.history.story()[3:] == [("closed", 0), ("PeerUp", 1)]


def test_who_waits_for_an_end_is_read_even_if_that_meets_a_bug(bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    (peer,) = rig.listener.peers
    peer.pause()
    lose(pump)
    rig.establish(port=40001)
    rig.history.bug_in = "closed"
    peer.resume()
    assert rig.history.story()[3:] == [("closed", 0), ("PeerUp", 1)]
    assert len(bugs) == 1


def test_the_router_id_check_can_be_switched_off() -> None:
    rig = Rig(check_router_id=False)
    rig.establish("192.0.2.1")
    rig.establish("192.0.2.2")
    assert len(rig.listener.peers) == 2


def test_a_router_id_is_free_again_after_its_session() -> None:
    rig = Rig()
    pump, _wire = rig.establish("192.0.2.1")
    lose(pump)
    rig.establish("192.0.2.2")
    assert rig.history.story()[-1] == ("PeerUp", 0)
