"""Datagrams from a socket; a pair of local ones, so no network."""

import socket
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from twisted.internet.task import Clock

from flowcorr.service._udp import Receiver
from flowcorr.service.udp_input import MOST_OCTETS, PAUSE, UdpInput
from flowcorr.service.udp_socket import UdpSettings, open_udp
from tests.flowcorr.exports import v5, v5_record
from tests.flowcorr.service.flows import Kept


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(0)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_many_datagrams_come_with_one_call(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    for n in range(5):
        theirs.send(bytes(n + 1))
    receiver = Receiver(3)
    assert receiver.receive(ours.fileno()) == len(receiver.datagrams) == 3
    assert receiver.datagrams.octets == 1 + 2 + 3
    assert receiver.receive(ours.fileno()) == 2
    assert receiver.receive(ours.fileno()) == 0
    assert len(receiver.datagrams) == 0


def test_the_longest_datagram_is_not_cut(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.send(bytes(65_507))
    receiver = Receiver(2)
    receiver.receive(ours.fileno())
    assert receiver.datagrams.octets == 65_507


def test_a_socket_that_is_gone_is_an_error() -> None:
    with pytest.raises(OSError, match="recvmmsg"):
        Receiver(1).receive(1 << 20)


def test_a_turn_reads_what_is_there_and_lets_its_rows_go_on(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    kept = Kept()
    flows = UdpInput(Mock(), ours, kept.flows, receiver=Receiver(2), seconds=lambda: 0.0)
    for n in range(5):
        theirs.send(v5(v5_record(octets=n + 1), sequence=n))
    flows.doRead()
    assert [row["bytes"] for row in kept.rows] == [1, 2, 3, 4, 5]
    assert kept.batches == [5]


def test_a_turn_ends_when_its_time_is_over(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    kept = Kept()
    times = iter(range(100))
    flows = UdpInput(Mock(), ours, kept.flows, receiver=Receiver(1), seconds=lambda: float(next(times)))
    for n in range(3):
        theirs.send(v5(v5_record(), sequence=n))
    flows.doRead()
    assert len(kept.rows) == 1


def test_what_has_come_is_read_before_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    kept, reactor = Kept(), Mock()
    flows = UdpInput(reactor, ours, kept.flows)
    flows.startService()
    theirs.send(v5(v5_record()))
    flows.stopService()
    assert len(kept.rows) == 1
    reactor.addReader.assert_called_once_with(flows)
    reactor.removeReader.assert_called_once_with(flows)


class Reactor(Clock):
    """A clock that knows who is watched."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[object] = []
        self.addReader, self.removeReader = self.watched.append, self.watched.remove


def test_while_datagrams_come_the_socket_is_looked_at_after_pauses(pair: tuple[socket.socket, socket.socket]) -> None:
    """A turn costs the same for one datagram as for many, so the first one does not start a turn for each other."""
    ours, theirs = pair
    kept, reactor = Kept(), Reactor()
    flows = UdpInput(reactor, ours, kept.flows, receive_buffer=1 << 30)
    flows.startService()
    theirs.send(v5(v5_record(), sequence=0))
    flows.doRead()
    assert (len(kept.rows), reactor.watched) == (1, [])
    for sequence in range(1, 4):
        theirs.send(v5(v5_record(), sequence=sequence))
    reactor.advance(PAUSE * 0.9)
    assert len(kept.rows) == 1
    reactor.advance(PAUSE * 0.2)
    assert (len(kept.rows), reactor.watched) == (4, [])
    reactor.advance(PAUSE)
    assert reactor.watched == [flows]
    assert not reactor.getDelayedCalls()
    flows.stopService()
    assert not reactor.watched


def test_a_small_buffer_is_looked_at_before_it_can_fill(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    kept, reactor = Kept(), Reactor()
    flows = UdpInput(reactor, ours, kept.flows, receive_buffer=MOST_OCTETS // 1000)
    flows.startService()
    flows.doRead()
    theirs.send(v5(v5_record()))
    reactor.advance(0.001)
    assert len(kept.rows) == 1
    theirs.send(v5(v5_record()))
    flows.stopService()
    assert len(kept.rows) == 2
    assert not reactor.getDelayedCalls()


def test_what_a_turn_leaves_is_read_without_a_pause(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    kept, reactor = Kept(), Reactor()
    times = iter(range(100))
    flows = UdpInput(
        reactor, ours, kept.flows, receive_buffer=1 << 30, receiver=Receiver(1), seconds=lambda: float(next(times))
    )
    flows.startService()
    for sequence in range(3):
        theirs.send(v5(v5_record(), sequence=sequence))
    flows.doRead()
    assert len(kept.rows) == 1
    reactor.advance(0)
    assert len(kept.rows) == 3


def test_without_a_configured_buffer_ours_is_asked_for_without_complaint() -> None:
    opened = open_udp(UdpSettings(port=0))
    opened.socket.close()
    assert opened.receive_buffer > 0
    assert not opened.warnings
