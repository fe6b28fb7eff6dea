"""The reactor of the daemons: monotonic, fair in small turns, and able to say how long its longest turn was.

A turn is what happens between two looks at the sockets: the events handed out by the first, then the timers that are
due. Twisted handles every ready socket in one turn, so a thousand peers that all have 64 KiB to read would keep a
keepalive waiting for all of them. Here a turn takes few sockets, the kernel hands the others out next (epoll rotates
its ready list), and timers run in between. Twisted also reads the wall clock, which an operator may set; a hold timer
must not notice.

Who asks is served first: the sockets of looking glasses come before all others in each turn, and whoever works for
longer than a fraction of a millisecond lets them be served in between (`attend`).
"""

import select
from collections.abc import Callable
from time import monotonic, thread_time
from typing import Final, cast

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.internet.main import installReactor
from twisted.python.log import callWithLogger

#: Sockets served between two looks at the timers: at 64 KiB each, a few milliseconds of decoding.
EVENTS_PER_TURN: Final = 4
#: How long those who are in a hurry may hold other work up in one turn; a crowd of them waits for the next. Units:
#: seconds.
ATTENTION: Final = 0.002
#: Turns that take longer are counted. Units: seconds.
LONG: Final = 0.02


class Poller:
    """An epoll object that hands out few events at a time and times what is done with them.

    Descriptors in `urgent` when they are registered are in an epoll object of their own, which the other one watches:
    their events come first, and can be asked for alone.
    """

    def __init__(
        self,
        epoll: select.epoll,
        urgent: select.epoll,
        seconds: Callable[[], float] = monotonic,
        busy_seconds: Callable[[], float] = thread_time,
    ) -> None:
        self.longest_turn = 0.0
        self.long_turns = 0
        self.busiest_turn = 0.0
        self.urgent: set[int] = set()
        self.attended = 0.0  # seconds that urgent descriptors took in the midst of this turn
        self._epoll, self._urgent = epoll, urgent
        self._seconds, self._busy_seconds = seconds, busy_seconds
        self._woke: float | None = None
        self._busy_before = 0.0
        self._watched = urgent.fileno()
        epoll.register(self._watched, select.EPOLLIN)

    def register(self, descriptor: int, events: int) -> None:
        """Watch a descriptor."""
        self._of(descriptor).register(descriptor, events)

    def modify(self, descriptor: int, events: int) -> None:
        """Watch a descriptor for something else."""
        self._of(descriptor).modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        """Watch a descriptor no longer; its number may be that of anything else by the next time."""
        self._of(descriptor).unregister(descriptor)
        self.urgent.discard(descriptor)

    def close(self) -> None:
        """Give both descriptors back."""
        self._urgent.close()
        self._epoll.close()

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        """Wait for events, as `select.epoll.poll` does."""
        if self._woke is not None:
            turn = self._seconds() - self._woke
            self.longest_turn = max(self.longest_turn, turn)
            self.long_turns += turn > LONG
            self.busiest_turn = max(self.busiest_turn, self._busy_seconds() - self._busy_before)
        try:
            ready = self._epoll.poll(timeout, min(most + 1, EVENTS_PER_TURN))
            return [*self.poll_urgent(), *(event for event in ready if event[0] != self._watched)]
        finally:
            self._woke, self._busy_before = self._seconds(), self._busy_seconds()
            self.attended = 0.0

    def poll_urgent(self) -> list[tuple[int, int]]:
        """Return what has happened to urgent descriptors."""
        return self._urgent.poll(0, EVENTS_PER_TURN) if self.urgent else []

    def _of(self, descriptor: int) -> select.epoll:
        return self._urgent if descriptor in self.urgent else self._epoll


class DaemonReactor(EPollReactor):
    """An epoll reactor that turns quickly and cannot be set back."""

    seconds = staticmethod(monotonic)

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._poller = Poller(cast("select.epoll", self._poller), select.epoll())
        self._attending = False

    def hurry(self, descriptor: IReadDescriptor | IWriteDescriptor) -> None:
        """Serve a descriptor before others as soon as it is added, until nothing of it is watched any more."""
        cast("Poller", self._poller).urgent.add(descriptor.fileno())

    def attend(self) -> None:
        """Serve those who are in a hurry now, in the midst of other work, which is to be in order at that moment."""
        poller = cast("Poller", self._poller)
        if self._attending or poller.attended >= ATTENTION or not (events := poller.poll_urgent()):
            return
        self._attending, began = True, self.seconds()
        try:
            for descriptor, event in events:
                selectable = self._selectables.get(descriptor)
                if selectable is not None:
                    callWithLogger(selectable, self._doReadOrWrite, selectable, descriptor, event)  # type: ignore[no-untyped-call]  # bare too
        finally:
            self._attending = False
            poller.attended += self.seconds() - began

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


def attention(clock: object) -> Callable[[], None]:
    """Return what lets those who are in a hurry be served in between; nothing where nobody can be."""
    return getattr(clock, "attend", _nothing)


def _nothing() -> None:
    """Serve nobody."""


def install() -> DaemonReactor:
    """Make this the process's reactor; to be called before anything imports `twisted.internet.reactor`."""
    reactor = DaemonReactor()
    installReactor(reactor)  # type: ignore[no-untyped-call]  # the same
    return reactor
