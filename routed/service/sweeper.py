"""Long walks over tables, in slices between which the reactor turns."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator

from routed.service.clock import attention

#: A walk: each step is to be short, or says what to wait for.
Steps: TypeAlias = Iterator[Deferred[None] | None]
#: How long the walks may hold the reactor in one turn. Units: seconds.
SLICE: Final = 0.003
#: Routes between two looks at the clock.
ROUTES: Final = 2_000
#: Steps of a run of UPDATEs that are taken at once: a few milliseconds.
STEPS: Final = 16


class Sweeper:
    """Runs walks side by side, all of them together for one slice a turn; between steps questions are answered."""

    def __init__(self, reactor: IReactorTime, seconds: Callable[[], float] = monotonic) -> None:
        attend = self._attend = attention(reactor)

        def slice_of() -> Callable[[], bool]:
            end = seconds() + SLICE

            def is_over() -> bool:
                attend()
                return seconds() >= end

            return is_over

        self._cooperator = Cooperator(
            terminationPredicateFactory=slice_of, scheduler=lambda turn: reactor.callLater(0, turn)
        )

    def walk(self, steps: Steps) -> Deferred[None]:
        """Walk to the end. Fires when it is done.

        Fails with what a step raised.
        """
        done: Deferred[None] = self._cooperator.coiterate(steps).addCallback(lambda _: None)
        return done

    def begin(self, step: Callable[[], bool], may_go_on: Callable[[], bool]) -> bool:
        """Take the first steps of some work now, as long as it may go on; whether the last one said that it is over.

        For what is over after a few steps nearly always, so that it needs no walk.
        """
        for _ in range(STEPS):
            if step():
                return True
            if not may_go_on():
                return False
            self._attend()
        return False
