"""Waiting for the real world: ask again and again until the answer is yes or the deadline has passed.

Real peers have their own idea of time, so these tests, alone among all, look at the clock. They never sleep for a
fixed time in the hope that something has happened by then.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

#: Seconds between two looks.
PACE: Final = 0.05

T = TypeVar("T")


def eventually(ask: Callable[[], T], within: float, what: str) -> T:
    """Return the first true answer of `ask`.

    Units: `within` in seconds.
    Raises: TimeoutError, which says what was waited for and what the last answer was.
    """
    deadline = time.monotonic() + within
    while not (answer := ask()):
        if time.monotonic() > deadline:
            message = f"waited {within} s for {what}; the last answer was {answer!r}"
            raise TimeoutError(message)
        time.sleep(PACE)
    return answer


def steadily(ask: Callable[[], object], throughout: float, what: str) -> None:
    """Demand a true answer of `ask` at every look for `throughout` seconds."""
    deadline = time.monotonic() + throughout
    while time.monotonic() < deadline:
        assert ask(), f"{what} did not last {throughout} s"
        time.sleep(PACE)
