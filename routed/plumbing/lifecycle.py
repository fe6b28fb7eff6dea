"""Signals, as calls in the reactor's own thread.

A handler does nothing but hand over: it may interrupt anything, so the work is done in the next turn of the reactor,
which it wakes. An idle daemon therefore reacts at once. Only who is told to stop for the second time does not wait for
the reactor, which may be what hangs.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from twisted.internet.interfaces import IReactorFromThreads

    Handler: TypeAlias = Callable[[int, FrameType | None], None]


class StartError(Exception):
    """Something that the settings name cannot be had; the text says what, for the operator."""


def in_order(*steps: Callable[[], None]) -> Callable[[], None]:
    """Return what takes several steps as one."""

    def take() -> None:
        for step in steps:
            step()

    return take


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """What a daemon does when it is told to."""

    stop: Callable[[str], None]
    reopen: Callable[[], None]
    reload: Callable[[], None]
    abort: Callable[[str], None]
    tell: Callable[[], None] | None = None

    def actions(self) -> Mapping[signal.Signals, Callable[[], None]]:
        """Return what each signal means."""
        told = {} if self.tell is None else {signal.SIGUSR1: self.tell}
        return {
            **told,
            signal.SIGINT: lambda: self.stop("SIGINT"),
            signal.SIGTERM: lambda: self.stop("SIGTERM"),
            signal.SIGHUP: self.reopen,
            signal.SIGUSR2: self.reload,
        }


#: Signals that end a daemon, gracefully the first time.
STOPS: Final = (signal.SIGINT, signal.SIGTERM)
#: Signals that would end a process which has not said otherwise.
IGNORED: Final = (signal.SIGPIPE, signal.SIGUSR1)
#: Signals that ask a daemon for something.
REQUESTS: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def requests_held() -> Iterator[None]:
    """Let what a daemon is asked for while it starts wait until it can be heard."""
    signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)
    try:
        yield
    finally:
        hear_requests()


def hear_requests() -> None:
    """Take signals that were held back; whoever calls this has handlers for them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)


def install_signals(reactor: IReactorFromThreads, lifecycle: Lifecycle) -> None:
    """Let signals reach the daemon; the reactor must run with `installSignalHandlers=False`."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    stops: list[str] = []
    for number, action in lifecycle.actions().items():
        handler = _hand_over(reactor, action)
        signal.signal(number, _first_only(handler, stops, lifecycle.abort) if number in STOPS else handler)
    hear_requests()


def _hand_over(reactor: IReactorFromThreads, action: Callable[[], None]) -> Handler:
    def handle(_number: int, _frame: FrameType | None) -> None:
        reactor.callFromThread(action)

    return handle


def _first_only(handler: Handler, stops: list[str], abort: Callable[[str], None]) -> Handler:
    """Let the first of several signals be handled, and the next one abort."""

    def handle(number: int, frame: FrameType | None) -> None:
        stops.append(signal.Signals(number).name)
        if len(stops) == 1:
            handler(number, frame)
        else:
            abort(stops[-1])

    return handle
