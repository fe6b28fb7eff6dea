"""Signals, as calls in the reactor's own thread.

A handler does nothing but hand over: it may interrupt anything, so the work is done in the next turn of the reactor,
which it wakes. An idle daemon therefore reacts at once.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from twisted.internet.interfaces import IReactorFromThreads


class StartError(Exception):
    """Something that the settings name cannot be had; the text says what, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """What a daemon does when it is told to."""

    stop: Callable[[str], None]
    reopen: Callable[[], None]
    reload: Callable[[], None]

    def actions(self) -> Mapping[signal.Signals, Callable[[], None]]:
        """Return what each signal means."""
        return {
            signal.SIGINT: lambda: self.stop("SIGINT"),
            signal.SIGTERM: lambda: self.stop("SIGTERM"),
            signal.SIGHUP: self.reopen,
            signal.SIGUSR2: self.reload,
        }


#: Signals that would end a process which has not said otherwise.
IGNORED: Final = (signal.SIGPIPE, signal.SIGUSR1)


def install_signals(reactor: IReactorFromThreads, lifecycle: Lifecycle) -> None:
    """Let signals reach the daemon; the reactor must run with `installSignalHandlers=False`."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    for number, action in lifecycle.actions().items():
        signal.signal(number, _hand_over(reactor, action))


def _hand_over(reactor: IReactorFromThreads, action: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        reactor.callFromThread(action)

    return handle
