from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred


class Bench:
    """A thread that runs nothing until it is told to, or everything at once."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[Callable[[], Any], Deferred[Any]]] = deque()
        self.held = False
        self.broken: Exception | None = None  # why no thread can be had

    def __call__(self, work: Callable[[], Any], /) -> Deferred[Any]:
        if self.broken is not None:
            raise self.broken
        if not self.held:
            return maybeDeferred(work)
        done: Deferred[Any] = Deferred()
        self.jobs.append((work, done))
        return done

    def run_one(self) -> None:
        work, done = self.jobs.popleft()
        maybeDeferred(work).chainDeferred(done)

    def run_all(self) -> None:
        while self.jobs:
            self.run_one()


@pytest.fixture
def bench() -> Bench:
    return Bench()
