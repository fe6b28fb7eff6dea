"""Connections of BGP from their beginning to their end: who is let in, what is said of them, how all of them stop."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionLost

from routed.model.event import PeerUp
from routed.plumbing.output_file import Owner
from routed.service.listener import ACCEPTS_PER_TURN, STOPS_PER_TURN
from routed.service.neighbors import NeighborsFile
from routed.service.pump import MAX_LINGER
from routed.service.refusal import MAX_REFUSALS
from routed.wire.bgp.notification import Notification
from tests.routed.service.bgp_listener_rig import CEASE, REJECTED, SHUTDOWN, Rig, lose, open_message


def test_a_session_reads_in_the_log_as_operators_know_it() -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    lose(pump)
    assert rig.log.lines == [
        "INFO [192.0.2.1] BGP peers usage: 1/4",
        "INFO [192.0.2.1] Capability: MultiProtocol [1] AFI [1] SAFI [1]",
        "INFO [192.0.2.1] Capability: 4-bytes AS [65] ASN [65001]",
        "INFO [192.0.2.1] BGP_OPEN: Local AS: 65000 Remote AS: 65001 HoldTime: 180",
        "INFO [192.0.2.1] BGP connection reset by peer (0).",
    ]
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0), ("closed", 0)]


def test_a_broken_connection_has_a_number() -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    lose(pump, ConnectionLost())
    assert rig.texts[-1] == "[192.0.2.1] BGP connection reset by peer (104)."


def test_the_peer_is_called_by_its_router_id_from_its_open_on() -> None:
    rig = Rig()
    rig.establish("2001:db8::1", router_id=bytes([198, 51, 100, 7]))
    assert rig.texts[0] == "[2001:db8::1] BGP peers usage: 1/4"
    assert rig.texts[-1].startswith("[198.51.100.7] BGP_OPEN")


def test_a_v4_mapped_peer_is_an_ipv4_peer() -> None:
    rig = Rig()
    rig.connect("::ffff:192.0.2.9")
    assert [str(peer.address) for peer in rig.listener.peers] == ["192.0.2.9"]


def test_a_peer_that_is_not_allowed_is_closed_without_a_trace() -> None:
    rig = Rig(allows=lambda address: str(address) != "192.0.2.9", settings={"batch": 1, "batch_interval": 10})
    assert rig.connect("192.0.2.9") is None
    assert rig.texts == ["peer '192.0.2.9' not allowed. close()"]
    assert rig.history.heard == []
    assert rig.connect("192.0.2.1") is not None  # no batch credit was used


def test_out_of_slots_is_said_and_answered() -> None:
    rig = Rig(settings={"max_peers": 1})
    rig.connect("192.0.2.1")
    link = rig.connect("192.0.2.2")
    assert link is not None
    assert link[1].notification == (CEASE, REJECTED)
    assert rig.texts[-1] == ("Insufficient number of BGP peers has been configured by 'bgp_daemon_max_peers' (1)")
    assert rig.history.story() == [("accepted", 0)]


def test_a_slot_is_free_again_after_its_session() -> None:
    rig = Rig(settings={"max_peers": 1})
    pump, _wire = rig.establish()
    lose(pump)
    rig.establish("192.0.2.2")
    assert rig.history.story()[-2:] == [("accepted", 0), ("PeerUp", 0)]


def test_batches_are_admitted_one_after_the_other_and_throttling_is_said_once() -> None:
    rig = Rig(settings={"batch": 1, "batch_interval": 10})
    assert rig.connect("192.0.2.1") is not None
    assert rig.connect("192.0.2.2") is None
    assert rig.connect("192.0.2.3") is None
    rig.clock.advance(10)
    assert rig.connect("192.0.2.2") is not None
    assert [text for text in rig.texts if "throttling" in text] == ["throttling at BGP peer #1"]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_stop_does_not_wait_for_pauses(is_lost: bool) -> None:
    rig = Rig()
    pump, wire = rig.establish()
    (peer,) = rig.listener.peers
    peer.pause()
    if is_lost:
        lose(pump)
    stopped = rig.listener.stopService()
    assert peer.down is not None
    if not is_lost:
        assert wire.notification == (CEASE, SHUTDOWN)
        lose(pump)
    assert stopped.called


def test_few_connections_are_refused_with_a_word_at_a_time() -> None:
    rig = Rig(settings={"max_peers": 1})
    rig.establish("192.0.2.1")
    links = [rig.connect("192.0.2.2", port) for port in range(MAX_REFUSALS)]
    assert None not in links
    assert rig.connect("192.0.2.2") is None
    assert links[0] is not None
    lose(links[0][0])
    assert rig.connect("192.0.2.2") is not None
    assert rig.connect("192.0.2.2") is None


def test_a_stop_tells_every_peer_why_and_waits_until_they_know() -> None:
    rig = Rig()
    pump, wire = rig.establish("192.0.2.1", router_id=bytes([192, 0, 2, 1]))
    _slow, slow_wire = rig.establish("192.0.2.2", router_id=bytes([192, 0, 2, 2]))
    stopped = rig.listener.stopService()
    assert rig.port.stopped
    assert wire.notification == slow_wire.notification == (CEASE, SHUTDOWN)
    assert wire.value().endswith(b"pmacct received SIGINT - shutting down")
    lose(pump)
    assert not stopped.called
    rig.clock.advance(MAX_LINGER)
    assert slow_wire.disconnected
    lose(_slow)
    assert stopped.called
    assert [what for what, _peer in rig.history.heard].count("closed") == 2


def test_a_stop_of_many_peers_takes_several_turns() -> None:
    rig = Rig(settings={"max_peers": STOPS_PER_TURN + 1})
    for number in range(1, STOPS_PER_TURN + 2):
        rig.establish(f"192.0.2.{number}", router_id=bytes([192, 0, 2, number]))
    rig.listener.stopService()
    assert len(rig.listener.peers) == 1
    rig.clock.advance(0)
    assert len(rig.listener.peers) == 0


def test_a_stop_without_peers_is_done_at_once() -> None:
    assert Rig().listener.stopService().called


def test_the_neighbors_file_follows_the_slots_and_is_emptied_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "neighbors"
    pending: list[Callable[[], None]] = []
    neighbors = NeighborsFile(path, later=pending.append, on_error=pytest.fail, owner=Owner())
    rig = Rig(neighbors=neighbors)
    first, _wire = rig.establish("192.0.2.1", router_id=bytes([192, 0, 2, 1]))
    second, _wire = rig.establish("2001:db8::1", router_id=bytes([192, 0, 2, 2]))
    assert len(pending) == 1
    pending.pop()()
    assert path.read_text() == "192.0.2.1\n2001:db8::1\n"
    lose(first)
    pending.pop()()
    assert path.read_text() == "2001:db8::1\n"
    stopped = rig.listener.stopService()
    lose(second)
    assert stopped.called
    assert path.read_text() == ""


def test_a_subscriber_may_reset_a_peer() -> None:
    rig = Rig()
    _pump, wire = rig.establish()
    (peer,) = rig.listener.peers
    assert isinstance(peer.up, PeerUp)
    peer.reset(Notification(3, 1))
    assert wire.notification == (3, 1)
    assert rig.log.lines[-1].startswith("WARN ")
    assert peer.down is not None


def test_a_turn_of_the_reactor_accepts_few_connections() -> None:
    rig = Rig()
    rig.port.numberAccepts = 1000
    rig.connect()
    assert rig.port.numberAccepts == ACCEPTS_PER_TURN


def test_a_subscriber_may_pause_a_peer() -> None:
    rig = Rig()
    _pump, wire = rig.establish()
    (peer,) = rig.listener.peers
    peer.pause()
    assert wire.producerState == "paused"
    peer.resume()
    assert wire.producerState == "producing"
    assert peer.counters.pauses == 1


def test_a_peer_that_never_reads_is_reset_after_the_send_hold_time() -> None:
    rig = Rig()
    _pump, wire = rig.establish(hold_time=0)
    rig.clock.advance(480)
    assert wire.disconnected
    assert wire.notification == (8, 0)
    assert rig.log.lines[-1].startswith("WARN ")


def test_a_refused_connection_that_goes_away_is_forgotten() -> None:
    rig = Rig(settings={"max_peers": 1})
    first, _wire = rig.establish("192.0.2.1")
    link = rig.connect("192.0.2.2")
    assert link is not None
    link[0].dataReceived(open_message())
    stopped = rig.listener.stopService()
    lose(first)
    assert not stopped.called
    lose(link[0])
    assert stopped.called
