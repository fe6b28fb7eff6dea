"""Keep look-ups current in slices while routes come, so that no flow has to wait for a whole table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Changes of a table that are taken over at once: some milliseconds of work.
CHANGES: Final = 20_000
#: How often is looked whether there are any. Units: seconds.
INTERVAL: Final = 0.5


class Follows(Protocol):
    """What answers look-ups from a structure of its own."""

    def follow(self, most: int) -> bool:
        """Take over so many changes of the tables; return whether nothing is left."""


class Following:
    """Lets all that look routes up follow the tables."""

    def __init__(self, reactor: IReactorTime, followers: Sequence[Follows]) -> None:
        self._reactor = reactor
        self._followers = followers
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        self._take_over()

    def _take_over(self) -> None:
        done = [one.follow(CHANGES) for one in self._followers]
        self._next = self._reactor.callLater(INTERVAL if all(done) else 0, self._take_over)

    def stop(self) -> None:
        """End."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
