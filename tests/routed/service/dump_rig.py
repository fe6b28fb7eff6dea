"""What dumps need around them: a thread that works when a test says so, and a log in memory."""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from routed.plumbing.log import Level

#: 2026-11-20 15:00:00 UTC.
HOUR = 1_795_186_800


class Thread:
    """Does its work at once, or when it is told to."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[Callable[[], Any], Deferred[Any]]] = deque()
        self.held, self.calls = False, 0

    def __call__(self, work: Callable[[], Any], /) -> Deferred[Any]:
        self.calls += 1
        if not self.held:
            return maybeDeferred(work)
        done: Deferred[Any] = Deferred()
        self.jobs.append((work, done))
        return done

    def run(self, count: int = 1_000_000) -> None:
        while self.jobs and count:
            work, done = self.jobs.popleft()
            maybeDeferred(work).chainDeferred(done)
            count -= 1


class Lines:
    """Takes the lines of a log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str) -> None:
        self.lines.append(f"WARN {text}")

    def write_limited(self, _kind: str, _at_most: int, level: Level, text: str, **_: object) -> None:
        self.lines.append(f"{level.name} {text}")
