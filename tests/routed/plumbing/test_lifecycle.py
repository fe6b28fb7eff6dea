from __future__ import annotations

import os
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

from routed.plumbing.lifecycle import IGNORED, REQUESTS, STOPS, Lifecycle, install_signals, requests_held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@implementer(IReactorFromThreads)
class WakingReactor:
    """Keeps what was handed over for its next turn."""

    def __init__(self) -> None:
        self.next_turn: list[Callable[[], object]] = []

    def callFromThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:  # noqa: A002, N802
        self.next_turn.append(partial(callable, *args, **kwargs))


@pytest.fixture
def restored_signals() -> Iterator[None]:
    numbers = (*IGNORED, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize(
    ("number", "done"),
    [
        (signal.SIGINT, "stop SIGINT"),
        (signal.SIGTERM, "stop SIGTERM"),
        (signal.SIGHUP, "reopen"),
        (signal.SIGUSR2, "reload"),
        (signal.SIGUSR1, "tell"),
    ],
)
def test_a_signal_is_acted_on_in_the_next_turn_of_the_reactor(number: signal.Signals, done: str) -> None:
    told: list[str] = []
    reactor = WakingReactor()
    install_signals(
        reactor,
        Lifecycle(
            stop=lambda name: told.append(f"stop {name}"),
            reopen=lambda: told.append("reopen"),
            reload=lambda: told.append("reload"),
            abort=lambda name: told.append(f"abort {name}"),
            tell=lambda: told.append("tell"),
        ),
    )
    os.kill(os.getpid(), number)
    assert told == []
    for call in reactor.next_turn:
        call()
    assert told == [done]


@pytest.mark.usefixtures("restored_signals")
def test_what_is_asked_while_a_daemon_starts_waits_until_it_can_be_heard() -> None:
    told: list[str] = []
    reactor = WakingReactor()
    with requests_held():
        signal.raise_signal(signal.SIGUSR2)  # for this thread, others of pytest do not wait
        install_signals(reactor, replace(quiet_lifecycle([]), reload=lambda: told.append("reload")))
        for call in reactor.next_turn:
            call()
    assert told == ["reload"]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(REQUESTS)


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize("number", IGNORED)
def test_some_signals_mean_nothing(number: signal.Signals) -> None:
    reactor = WakingReactor()
    install_signals(reactor, quiet_lifecycle([]))
    os.kill(os.getpid(), number)
    assert reactor.next_turn == []


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize("first", STOPS)
@pytest.mark.parametrize("second", STOPS)
def test_a_second_stop_does_not_wait_for_the_reactor(first: signal.Signals, second: signal.Signals) -> None:
    reactor, aborted = WakingReactor(), list[str]()
    install_signals(reactor, quiet_lifecycle(aborted))
    os.kill(os.getpid(), first)
    assert (len(reactor.next_turn), aborted) == (1, [])
    os.kill(os.getpid(), second)
    assert (len(reactor.next_turn), aborted) == (1, [second.name])


def quiet_lifecycle(aborted: list[str]) -> Lifecycle:
    return Lifecycle(stop=lambda _name: None, reopen=lambda: None, reload=lambda: None, abort=aborted.append)
