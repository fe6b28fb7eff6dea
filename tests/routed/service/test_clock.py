# ruff: noqa: N802 (Twisted's names are camelCase)

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.service.clock import ATTENTION, EVENTS_PER_TURN, DaemonReactor, Poller, attention

WATCHED = 7


class Epoll:
    """An epoll object whose time passes while it waits, and between two waits as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[float, int]] = []
        self.watched: list[int] = []
        self.ready: list[tuple[int, int]] = []

    def fileno(self) -> int:
        return WATCHED

    def register(self, descriptor: int, _events: int) -> None:
        self.watched.append(descriptor)

    def unregister(self, descriptor: int) -> None:
        self.watched.remove(descriptor)

    def poll(self, timeout: float = 0, most: int = 0) -> list[tuple[int, int]]:
        self.asked.append((timeout, most))
        self.now += 1000
        ready, self.ready = self.ready, []
        return ready

    def seconds(self) -> float:
        return self.now


def test_the_longest_turn_does_not_count_the_waiting() -> None:
    epoll: Any = Epoll()
    poller = Poller(epoll, Epoll(), epoll.seconds)  # type: ignore[arg-type]  # as good as one
    epoll.now += 50  # the start of the daemon is no turn
    for turn in (0.25, 0.5, 2.0):
        poller.poll(1.0, 100)
        epoll.now += turn
    assert poller.longest_turn == 0.5
    poller.poll(1.0, 100)
    assert poller.longest_turn == 2.0


def test_a_turn_serves_few_sockets() -> None:
    epoll: Any = Epoll()
    poller = Poller(epoll, Epoll(), epoll.seconds)  # type: ignore[arg-type]  # as good as one
    poller.poll(1.0, 1000)
    poller.poll(1.0, 2)
    assert epoll.asked == [(1.0, EVENTS_PER_TURN), (1.0, 3)]  # the one that is watched for urgent ones is not counted


def test_urgent_descriptors_come_first() -> None:
    epoll, urgent = Epoll(), Epoll()
    poller = Poller(epoll, urgent, epoll.seconds)  # type: ignore[arg-type]  # the same
    poller.register(20, 1)
    poller.urgent.add(30)
    poller.register(30, 1)
    assert (epoll.watched, urgent.watched) == ([WATCHED, 20], [30])
    epoll.ready, urgent.ready = [(20, 1), (WATCHED, 1)], [(30, 1)]
    assert poller.poll(1.0, 100) == [(30, 1), (20, 1)]
    epoll.ready, urgent.ready = [(20, 1)], [(30, 1)]
    assert poller.poll_urgent() == [(30, 1)]


def test_a_number_that_was_urgent_is_like_any_other_when_it_comes_again() -> None:
    epoll, urgent = Epoll(), Epoll()
    poller = Poller(epoll, urgent, epoll.seconds)  # type: ignore[arg-type]  # the same
    poller.urgent.add(30)
    poller.register(30, 1)
    poller.unregister(30)
    poller.register(30, 1)
    assert (epoll.watched, urgent.watched) == ([WATCHED, 30], [])
    asked = len(urgent.asked)
    assert poller.poll_urgent() == []
    assert len(urgent.asked) == asked  # nobody is: that costs no look


@implementer(IReadDescriptor)
class Reader:
    """One end of a pair of sockets, whose octets are written down, and what is done with each."""

    def __init__(self, read: list[bytes], then: Any = None) -> None:
        self.near, self.far = socket.socketpair()
        self._read, self._then = read, then

    def fileno(self) -> int:
        return self.near.fileno()

    def logPrefix(self) -> str:
        return "reader"

    def doRead(self) -> None:
        self._read.append(self.near.recv(1))
        if self._then is not None:
            self._then()

    def connectionLost(self, reason: Failure | None) -> None:  # noqa: ARG002 (Twisted's)
        self.near.close()
        self.far.close()


@pytest.fixture
def reactor() -> Iterator[DaemonReactor]:
    reactor = DaemonReactor()
    yield reactor
    for selectable in reactor.removeAll():
        selectable.connectionLost(None)


def test_who_is_in_a_hurry_is_served_in_the_midst_of_other_work(reactor: DaemonReactor) -> None:
    read: list[bytes] = []

    def work() -> None:
        for _ in range(2):
            reactor.attend()
        read.append(b"done")

    busy, hurried = Reader(read, work), Reader(read, reactor.attend)  # who is attended to is not interrupted
    reactor.hurry(hurried)
    reactor.addReader(hurried)
    reactor.addReader(busy)
    busy.far.sendall(b"b")
    reactor.iterate(0.1)
    assert read == [b"b", b"done"]
    hurried.far.sendall(b"123")
    busy.far.sendall(b"b")
    reactor.iterate(0.1)
    assert read[2:] == [b"1", b"2", b"b", b"3", b"done"]


def test_a_crowd_that_is_in_a_hurry_does_not_hold_other_work_up_for_long(reactor: DaemonReactor) -> None:
    read: list[bytes] = []
    hurried = Reader(read)
    reactor.hurry(hurried)
    reactor.addReader(hurried)
    hurried.far.sendall(b"12")
    poller: Any = reactor._poller
    poller.attended = ATTENTION
    reactor.attend()
    assert read == []
    reactor.iterate(0)  # it is its turn
    assert (read, poller.attended) == ([b"1"], 0)
    reactor.attend()
    assert read == [b"1", b"2"]
    assert poller.attended > 0


def test_whoever_has_left_is_not_attended_to(reactor: DaemonReactor) -> None:
    read: list[bytes] = []
    hurried = Reader(read)
    reactor.hurry(hurried)
    reactor.addReader(hurried)
    hurried.far.sendall(b"1")
    reactor.removeReader(hurried)
    reactor.attend()
    assert read == []
    hurried.connectionLost(None)


def test_a_clock_that_is_no_reactor_attends_to_nobody() -> None:
    assert attention(Clock())() is None


def test_the_reactor_turns_and_cannot_be_set_back() -> None:
    reactor = DaemonReactor()
    rung: list[float] = []
    before = reactor.seconds()
    reactor.callLater(0, lambda: rung.append(reactor.seconds()))
    reactor.iterate(0)
    reactor.iterate(0)
    assert len(rung) == 1
    assert rung[0] >= before
    assert reactor.longest_turn > 0
    for selectable in reactor.removeAll():
        selectable.connectionLost(None)
