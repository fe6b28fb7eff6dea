"""Routes whose status changes because payloads do: a row of its own in the message log for each of them.

One pass over the prefixes of each family finds those that the change is about; then their routes are judged by the old
payloads and by the new ones, peer by peer. Both go in slices, and wait for slow files. Changes are followed one after
the other. A route that arrives meanwhile is logged by the new payloads at once, and may be told about once more.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from routed.plumbing.metrics import counter
from routed.plumbing.sink import log_bug
from routed.rib._origins import concerned, look_again
from routed.rib.families import FAMILIES
from routed.service.sweeper import ROUTES, Sweeper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from routed.rib._rib import PeerRib, Rib
    from routed.rib._rows import Rows
    from routed.rib._vrps import Vrps
    from routed.service.message_log import Stream

#: Prefixes between two looks at the clock: a millisecond.
PREFIXES: Final = 50_000

Steps = Iterator["Deferred[None] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A RIB whose routes are logged."""

    rib: PeerRib
    stream: Stream
    rows: Callable[[], Rows | None]  # a buffer for rows of the RIB that happen now
    is_there: Callable[[], bool]  # its session is


class LoggedSource(Protocol):
    """Who has routes that are logged."""

    def logged(self) -> Iterable[Logged]:
        """Return its RIBs."""


@dataclass(slots=True)
class RevalidationCounters:
    """What changes of payloads came to."""

    prefixes: int = counter("prefixes that changes of payloads were about")
    routes: int = counter("routes whose status changed because payloads did")


class Revalidation:
    """Follows changes of payloads through the tables of a daemon."""

    def __init__(self, reactor: IReactorTime, rib: Rib, source: LoggedSource) -> None:
        self.counters = RevalidationCounters()
        self._rib, self._source = rib, source
        self._sweeper = Sweeper(reactor)
        self._changes: deque[tuple[Vrps, Vrps, Vrps]] = deque()
        self._is_stopped = False

    def payloads_changed(self, before: Vrps, after: Vrps, changed: Vrps) -> None:
        """Look at the routes again that `changed` covers, as soon as earlier changes are through."""
        self._changes.append((before, after, changed))
        if len(self._changes) == 1:
            self._sweeper.walk(self._follow()).addErrback(log_bug, "routes that changed payloads are about")

    @property
    def is_busy(self) -> bool:
        """Tell whether a change is being followed."""
        return bool(self._changes)

    def stop(self) -> None:
        """Log nothing any more."""
        self._is_stopped = True

    def _follow(self) -> Steps:
        while self._changes:
            try:
                yield from self._follow_one(*self._changes[0])
            finally:
                self._changes.popleft()

    def _follow_one(self, before: Vrps, after: Vrps, changed: Vrps) -> Steps:
        found: dict[int, array[int]] = {}
        for family in range(len(FAMILIES)):
            ids = array("I")
            start = 1
            while start:
                some, start = concerned(self._rib, family, changed, start, PREFIXES)
                ids.extend(some)
                yield None
            if ids:
                found[family] = ids
                self.counters.prefixes += len(ids)
        for logged in tuple(self._source.logged()):
            for family, ids in found.items():
                yield from self._look(logged, family, ids, before, after)

    def _look(self, logged: Logged, family: int, ids: array[int], before: Vrps, after: Vrps) -> Steps:
        at = 0
        while at < len(ids) and logged.is_there() and not self._is_stopped:
            rows = logged.rows()
            count, at = look_again(logged.rib, family, ids, before, after, rows, at, ROUTES)
            self.counters.routes += count
            logged.stream.write(rows)
            yield logged.stream.drained()
