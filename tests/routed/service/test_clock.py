from typing import Any

from routed.service.clock import EVENTS_PER_TURN, DaemonReactor, Poller


class Epoll:
    """An epoll object whose time passes while it waits, and between two waits as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[float, int]] = []
        self.register = self.modify = self.unregister = self.close = self.poll

    def poll(self, timeout: float = 0, most: int = 0) -> list[tuple[int, int]]:
        self.asked.append((timeout, most))
        self.now += 1000
        return []

    def seconds(self) -> float:
        return self.now


def test_the_longest_turn_does_not_count_the_waiting() -> None:
    epoll: Any = Epoll()
    poller = Poller(epoll, epoll.seconds)
    epoll.now += 50  # the start of the daemon is no turn
    for turn in (0.25, 0.5, 2.0):
        poller.poll(1.0, 100)
        epoll.now += turn
    assert poller.longest_turn == 0.5
    poller.poll(1.0, 100)
    assert poller.longest_turn == 2.0


def test_a_turn_serves_few_sockets() -> None:
    epoll: Any = Epoll()
    poller = Poller(epoll, epoll.seconds)
    poller.poll(1.0, 1000)
    poller.poll(1.0, 2)
    assert epoll.asked == [(1.0, EVENTS_PER_TURN), (1.0, 2)]


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
