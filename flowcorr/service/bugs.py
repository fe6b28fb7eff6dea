"""What our own code got wrong on the way of a flow: counted, and logged with its traceback a few times a minute.

Whoever sends flows may choose how often a bug is met, so it costs what was at hand and nothing else: a datagram, or the
flows of a batch; reading goes on.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from routed.plumbing.metrics import counter
from routed.plumbing.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.plumbing.log import Log

#: Tracebacks of one place a minute; what is beyond is counted, and told with the first one of the next.
AT_MOST_PER_MINUTE: Final = 2


@dataclass(slots=True)
class BugCounters:
    """What bugs have cost."""

    bugs_total: int = counter("exceptions from our own code, which cost a datagram, a batch of flows or a look around")
    flows_lost: int = counter("flows of such batches, for each plugin that they did not come to")


@dataclass(slots=True)
class Bugs:
    """Hears of exceptions. `now` is a monotonic clock in seconds."""

    log: Log
    now: Callable[[], float]
    counters: BugCounters = field(default_factory=BugCounters)
    _limit: RateLimit = field(default_factory=RateLimit)

    def in_datagram(self, error: Exception) -> None:
        """Take note of an exception that cost the datagram at hand."""
        self._tell("a datagram", error)

    def in_batch(self, place: str, flows: int, error: Exception) -> None:
        """Take note of an exception that cost some flows, in a part of their way."""
        self.counters.flows_lost += flows
        self._tell(place, error)

    def contain(self, place: str, work: Callable[[], object]) -> None:
        """Do some work that is done again later; an exception costs what it has not done."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 (our own bug costs this time)
            self._tell(place, error)

    def _tell(self, place: str, error: Exception) -> None:
        self.counters.bugs_total += 1
        held_back = self._limit.admit(place, AT_MOST_PER_MINUTE, self.now())
        if held_back is None:
            return
        more = f" ({held_back} more like this were not logged)" if held_back else ""
        self.log.error(f"bug in {place}{more}")
        for line in "".join(traceback.format_exception(error)).splitlines():
            self.log.error(line)
