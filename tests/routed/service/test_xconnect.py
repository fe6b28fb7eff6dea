"""A pair of connections: what goes through it, and its ends; which octets end it is tested with the session."""

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol

from routed.model.xconnect_event import End
from routed.service.xconnect import MAX_LINGER
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from tests.routed.service.xconnect_rig import ADMIN_RESET, CEASE, ENDS, KEEPALIVE, UPDATE, Rig, lose

PREFIX_LIMIT = encode_message(MessageType.NOTIFICATION, bytes([6, 1]))
SHUTDOWN = encode_message(MessageType.NOTIFICATION, bytes([6, 2, 3]) + b"bye")
GARBAGE = bytes(19)
CARRIED = "src to dst: 2 messages, 42 octets. dst to src: 0 messages, 0 octets"


@ENDS
def test_octets_go_through_both_ways(end: End) -> None:
    pair = Rig().pair()
    pair.of(end)[0].dataReceived(KEEPALIVE + UPDATE + UPDATE[:9])
    assert pair.of(end.other)[1].value() == KEEPALIVE + UPDATE
    pair.of(end)[0].dataReceived(UPDATE[9:])
    assert pair.of(end.other)[1].value() == KEEPALIVE + UPDATE + UPDATE
    assert pair.of(end)[1].value() == b""


def test_a_peer_is_not_read_before_its_collector_is_there() -> None:
    rig = Rig()
    _peer, wire = rig.connect()
    assert wire.producerState == "paused"
    rig.calls[0].answer()
    assert wire.producerState == "producing"


@ENDS
def test_who_does_not_read_slows_the_other_one_down(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    consumer, producer = pair.of(end.other)[1], pair.of(end)[1]
    assert consumer.streaming
    consumer.producer.pauseProducing()
    assert producer.producerState == "paused"
    assert consumer.producerState == "producing"
    consumer.producer.resumeProducing()
    assert producer.producerState == "producing"
    pauses = [s.value for s in rig.metrics.walk() if s.name == "xconnect_pauses" and ("from", end.value) in s.labels]
    assert pauses == [1]


@ENDS
@pytest.mark.parametrize(("lost", "number"), [(ConnectionDone(), 0), (ConnectionLost(), 104)])
def test_when_one_end_dies_the_other_one_gets_a_cease(end: End, lost: Exception, number: int) -> None:
    rig = Rig()
    pair = rig.pair()
    pair.peer.dataReceived(UPDATE + KEEPALIVE)
    lose(pair.of(end)[0], lost)
    other = pair.of(end.other)[1]
    assert other.notification == (CEASE, ADMIN_RESET)
    assert other.half_closed
    assert not other.disconnecting
    name = {End.PEER: "router", End.COLLECTOR: "collector"}[end]
    assert rig.texts[1:] == [
        f"[192.0.2.1 x 10.0.0.1:17901] recv(): BGP xconnect reset by {end.value} peer ({number})",
        f"[192.0.2.1 x 10.0.0.1:17901] BGP xconnect closed: the {name} closed the connection. {CARRIED}",
    ]


@ENDS
def test_an_end_that_only_says_no_more_is_closed_too(end: End) -> None:
    pair = Rig().pair()
    half, wire = pair.of(end)
    assert IHalfCloseableProtocol.providedBy(half)
    half.readConnectionLost()
    half.writeConnectionLost()
    assert wire.disconnecting
    assert pair.of(end.other)[1].notification == (CEASE, ADMIN_RESET)


@ENDS
def test_a_notification_goes_through_and_closes_both(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    half, wire = pair.of(end)
    other, other_wire = pair.of(end.other)
    half.dataReceived(PREFIX_LIMIT + UPDATE)
    assert wire.value() == b""
    assert wire.disconnecting
    assert other_wire.value() == PREFIX_LIMIT
    assert other_wire.half_closed
    other.dataReceived(UPDATE)  # into the void
    assert wire.value() == b""
    other.readConnectionLost()
    assert other_wire.disconnecting
    assert f"[192.0.2.1 x 10.0.0.1:17901] BGP_NOTIFICATION received from {end.value} peer (6, 1)." in rig.texts


def test_what_an_operator_wrote_is_logged() -> None:
    rig = Rig()
    rig.pair().peer.dataReceived(SHUTDOWN)
    assert (
        "[192.0.2.1 x 10.0.0.1:17901] BGP_NOTIFICATION received from src peer (6, 2). Shutdown Message: 'bye'"
        in rig.texts
    )


@ENDS
def test_who_breaks_the_framing_is_told_so_and_the_other_one_gets_a_cease(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    pair.of(end)[0].dataReceived(UPDATE + GARBAGE)
    assert pair.of(end)[1].notification == (1, 1)
    other = pair.of(end.other)[1]
    assert other.value().startswith(UPDATE)
    assert other.notification == (CEASE, ADMIN_RESET)
    assert "sent a bad header: marker is not all ones" in rig.texts[-1]


@ENDS
def test_who_takes_no_last_words_is_reset(end: End) -> None:
    rig = Rig()
    pair = rig.pair()
    half, wire = pair.of(end)
    pair.of(end.other)[0].dataReceived(PREFIX_LIMIT)
    rig.clock.advance(MAX_LINGER - 0.1)
    assert not wire.disconnected
    rig.clock.advance(0.1)
    assert wire.disconnected
    assert half is pair.of(end)[0]


def test_a_stream_that_ends_in_time_is_not_reset() -> None:
    rig = Rig()
    pair = rig.pair()
    pair.peer.dataReceived(PREFIX_LIMIT)
    lose(pair.peer)
    lose(pair.collector)
    assert rig.clock.getDelayedCalls() == []
    assert rig.listener.stopService().called


def test_what_a_pair_passed_is_counted_while_it_lives() -> None:
    rig = Rig()
    pair = rig.pair()
    pair.peer.dataReceived(UPDATE)
    labels = {
        dict(sample.labels)["from"]: sample.value for sample in rig.metrics.walk() if sample.name == "xconnect_messages"
    }
    assert labels == {"src": 1, "dst": 0}
    [first, *_] = [sample for sample in rig.metrics.walk() if sample.name == "xconnect_octets"]
    assert first.labels == (("collector", "10.0.0.1:17901"), ("from", "src"), ("peer", "192.0.2.1"), ("port", "40000"))
    lose(pair.peer)
    assert rig.samples("xconnect") == {}


def test_a_bug_in_a_step_resets_both_connections(bugs: list[tuple[str, type]], monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    pair = rig.pair()
    [session] = [pair.session for pair in rig.listener.pairs.values()]
    monkeypatch.setattr(session, "receive", lambda *_: 1 / 0)
    pair.peer.dataReceived(UPDATE)
    assert len(bugs) == 1
    assert pair.peer_wire.disconnected
    assert pair.collector_wire.disconnected
    lose(pair.peer)
    lose(pair.collector)
    assert rig.listener.pairs == {}
