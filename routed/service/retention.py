"""Graceful restart: the routes of routers that are away, or back and not through yet, and until when they count.

What a lost router showed stays, stale, until it comes back and has announced everything again (End-of-RIB), or does not
come back in time (RFC 4724 section 4.2); what may live long stays on for its own time (RFC 9494 section 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.rib._rib import DOOMED, SHORT_LIVED
from routed.rib.families import FAMILIES
from routed.service.restart import fell_silent, preserved, restart_families, restart_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from routed.model.event import PeerUp, SessionDown
    from routed.service.message_log import Stream
    from routed.service.neighbor import Identity, Neighbor
    from routed.service.walks import Walks
    from routed.wire.family import Family


class Retention:
    """The stale routes of all routers.

    Args:
        drop: lets all routes of a router go.
        stale_time: how long routes may be stale at the most. Units: seconds.
        most: routers that are away at a time; the tables of those that are lost first go for others.
    """

    def __init__(
        self, clock: IReactorTime, walks: Walks, drop: Callable[[Neighbor], None], *, stale_time: int, most: int
    ) -> None:
        self._clock, self._walks, self._drop = clock, walks, drop
        self._away: dict[Identity, Neighbor] = {}  # the first lost first
        self.configure(stale_time=stale_time, most=most)

    def configure(self, *, stale_time: int, most: int) -> None:
        """Take over other bounds; what is kept already stays."""
        self._stale_time, self._most = stale_time, most

    def lost(self, neighbor: Neighbor, up: PeerUp, down: SessionDown) -> None:
        """Keep the routes of a router that may come back."""
        assert neighbor.table is not None
        if neighbor.stream is not None:
            neighbor.stream.close()
        families = FAMILIES if fell_silent(down) else [entry.family for entry in restart_families(up)]
        self._walks.empty(neighbor, neighbor.table.age(families), neighbor.stream)
        for family in neighbor.table.doomed_families():
            self._walks.sweep_stale(neighbor, family, DOOMED)
        patience = min(restart_time(up, down), self._stale_time)
        self._set_alarm(neighbor, patience, lambda: self._begin_long_life(neighbor, up))
        self._away[neighbor.identity] = neighbor
        if len(self._away) > self._most:  # tables of routers that are away are bounded like the others
            self._drop(next(iter(self._away.values())))

    def returned(self, neighbor: Neighbor, up: PeerUp, stream: Stream | None) -> None:
        """Let a router that is back announce everything again, in the time that there is for that."""
        assert neighbor.table is not None
        self._away.pop(neighbor.identity, None)
        self._walks.empty(neighbor, neighbor.table.renew(up.context, preserved(up)), stream)
        if neighbor.stream is not None:
            neighbor.stream.release()
            neighbor.stream = None
        self._set_alarm(neighbor, self._stale_time, lambda: self._end_patience(neighbor))

    def forget(self, neighbor: Neighbor) -> None:
        """Expect nothing of a router any more."""
        self._away.pop(neighbor.identity, None)
        if neighbor.alarm is not None:
            neighbor.alarm.cancel()
            neighbor.alarm = None

    def _begin_long_life(self, neighbor: Neighbor, up: PeerUp) -> None:
        """The router did not return in time: keep what may live long."""
        assert neighbor.table is not None
        long_lived = () if up.long_lived is None else up.long_lived.families
        patience = {entry.family: min(entry.stale_time, self._stale_time) for entry in long_lived}
        self._live_on(neighbor, patience)
        if neighbor.table is not None:
            for family in neighbor.table.stale_families():
                self._walks.sweep_stale(neighbor, family, SHORT_LIVED)

    def _live_on(self, neighbor: Neighbor, patience: dict[Family, int]) -> None:
        """Keep stale routes, those of each family for its own time, and look again when the next one is over."""
        assert neighbor.table is not None
        kept = {family: seconds for family, seconds in patience.items() if seconds > 0}
        self._walks.empty(neighbor, neighbor.table.drop_families(kept), neighbor.stream)
        if not len(neighbor.table):
            self._drop(neighbor)
            return
        wait = min(kept.values())
        rest = {family: seconds - wait for family, seconds in kept.items()}
        self._set_alarm(neighbor, wait, lambda: self._live_on(neighbor, rest))

    def _end_patience(self, neighbor: Neighbor) -> None:
        """The router came back, but does not say when it has announced everything."""
        assert neighbor.table is not None
        for family in neighbor.table.stale_families():
            self._walks.sweep_stale(neighbor, family)

    def _set_alarm(self, neighbor: Neighbor, seconds: float, action: Callable[[], None]) -> None:
        if neighbor.alarm is not None:
            neighbor.alarm.cancel()

        def ring() -> None:
            neighbor.alarm = None
            action()

        neighbor.alarm = self._clock.callLater(seconds, ring)
