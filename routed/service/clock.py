"""The reactor of the daemons: monotonic, fair in small turns, and able to say how long its longest turn was.

A turn is what happens between two looks at the sockets: the events handed out by the first, then the timers that are
due. Twisted handles every ready socket in one turn, so a thousand peers that all have 64 KiB to read would keep a
keepalive waiting for all of them. Here a turn takes few sockets, the kernel hands the others out next (epoll rotates
its ready list), and timers run in between. Twisted also reads the wall clock, which an operator may set; a hold timer
must not notice.
"""

import select
from collections.abc import Callable
from time import monotonic, thread_time
from typing import Final, cast

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

#: Sockets served between two looks at the timers: at 64 KiB each, a few milliseconds of decoding.
EVENTS_PER_TURN: Final = 4
#: Turns that take longer are counted. Units: seconds.
LONG: Final = 0.02


class Poller:
    """An epoll object that hands out few events at a time and times what is done with them."""

    def __init__(
        self,
        epoll: select.epoll,
        seconds: Callable[[], float] = monotonic,
        busy_seconds: Callable[[], float] = thread_time,
    ) -> None:
        self.longest_turn = 0.0
        self.long_turns = 0
        self.busiest_turn = 0.0
        self.register, self.modify, self.unregister = epoll.register, epoll.modify, epoll.unregister
        self.close = epoll.close
        self._poll, self._seconds, self._busy_seconds = epoll.poll, seconds, busy_seconds
        self._woke: float | None = None
        self._busy_before = 0.0

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        """Wait for events, as `select.epoll.poll` does."""
        if self._woke is not None:
            turn = self._seconds() - self._woke
            self.longest_turn = max(self.longest_turn, turn)
            self.long_turns += turn > LONG
            self.busiest_turn = max(self.busiest_turn, self._busy_seconds() - self._busy_before)
        try:
            return self._poll(timeout, min(most, EVENTS_PER_TURN))
        finally:
            self._woke, self._busy_before = self._seconds(), self._busy_seconds()


class DaemonReactor(EPollReactor):
    """An epoll reactor that turns quickly and cannot be set back."""

    seconds = staticmethod(monotonic)

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._poller = Poller(cast("select.epoll", self._poller))

    @property
    def longest_turn(self) -> float:
        """Seconds of the longest turn since the start."""
        return cast("Poller", self._poller).longest_turn

    @property
    def long_turns(self) -> int:
        """Return how many turns took more than 20 ms."""
        return cast("Poller", self._poller).long_turns

    @property
    def busiest_turn(self) -> float:
        """Seconds of processor time in the busiest turn: a longer turn had to wait for a processor."""
        return cast("Poller", self._poller).busiest_turn


def install() -> DaemonReactor:
    """Make this the process's reactor; to be called before anything imports `twisted.internet.reactor`."""
    reactor = DaemonReactor()
    installReactor(reactor)  # type: ignore[no-untyped-call]  # the same
    return reactor
