"""Gives back, a little at a time, memory of the stores that is not in use any more."""

from collections.abc import Iterator
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from routed.plumbing.sink import log_bug
from routed.rib._rib import Rib
from routed.service.sweeper import Sweeper

#: How often there is a look. Units: seconds.
INTERVAL: Final = 1.0


class Tidier:
    """Tidies one set of stores from its start to its stop."""

    def __init__(self, reactor: IReactorTime, rib: Rib, sweeper: Sweeper) -> None:
        self._reactor, self._rib, self._sweeper = reactor, rib, sweeper
        self._alarm: IDelayedCall | None = None
        self._stopping = False

    def start(self) -> None:
        """Look again after a while."""
        self._alarm = self._reactor.callLater(INTERVAL, self._tidy)

    def stop(self) -> None:
        """Stop."""
        self._stopping = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _tidy(self) -> None:
        self._alarm = None

        def steps() -> Iterator[None]:
            while not self._stopping and self._rib.tidy():
                yield

        def again(_: object) -> None:
            if not self._stopping:
                self.start()

        self._sweeper.walk(steps()).addErrback(log_bug, "giving memory back").addBoth(again)
