"""Long walks over tables, in slices between which the reactor turns."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator

#: How long the walks may hold the reactor in one turn. Units: seconds.
SLICE: Final = 0.003
#: Routes between two looks at the clock.
ROUTES: Final = 2_000


class Sweeper:
    """Runs walks side by side, all of them together for one slice a turn."""

    def __init__(self, reactor: IReactorTime, seconds: Callable[[], float] = monotonic) -> None:
        def slice_of() -> Callable[[], bool]:
            end = seconds() + SLICE
            return lambda: seconds() >= end

        self._cooperator = Cooperator(
            terminationPredicateFactory=slice_of, scheduler=lambda turn: reactor.callLater(0, turn)
        )

    def walk(self, steps: Iterator[Deferred[None] | None]) -> Deferred[None]:
        """Walk to the end; each step is to be short, or says what to wait for. Fires when it is done.

        Fails with what a step raised.
        """
        done: Deferred[None] = self._cooperator.coiterate(steps).addCallback(lambda _: None)
        return done
