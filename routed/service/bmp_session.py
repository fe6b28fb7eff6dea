"""One router's session as the collector knows it: what waits, what goes, and where its records go."""

from __future__ import annotations

from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from routed.service.backlog import Backlog
from routed.service.other_families import OtherFamilies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routed.rib._monitoring import MonitoredRib
    from routed.rib._table import Table
    from routed.service.message_log import Stream
    from routed.service.monitored import MonitoredRouter, View
    from routed.service.routers import Router


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """One router's session and the work that it made."""

    router: Router
    monitored: MonitoredRouter
    stream: Stream | None
    backlog: Backlog = field(default_factory=Backlog)
    work: Deferred[None] | None = None  # under way
    gone: deque[tuple[View, int, Table]] = field(default_factory=deque)  # taken out, with the family: to be swept
    orphan: bytes | None = None  # per-peer header of the last route that was of no peer, until that is said
    is_paused: bool = False
    lost_at: float | None = None  # its connection no longer exists. Units: seconds since 1970
    leaving: Iterable[View] = ()  # what a lost router showed, and was not taken out yet
    is_given_up: bool = False  # a bug kept what it showed from going in good order
    over: Deferred[None] = field(default_factory=Deferred)  # fires when a lost router has left nothing behind
    refused: Tally[tuple[int, str]] = field(default_factory=Tally)  # (attribute, verdict): UPDATEs
    other_families: OtherFamilies = field(default_factory=OtherFamilies)

    def empty(self, view: View) -> None:
        """Take all tables of a RIB out, to be swept."""
        self.gone.extend((view, family, table) for family, table in view.rib.detach())

    def take_out(self, tables: list[tuple[MonitoredRib, int, Table]]) -> None:
        """Take tables of RIBs that stay, to be swept."""
        self.gone.extend((self.monitored.view_of(rib), family, table) for rib, family, table in tables)


def after(over: Deferred[None]) -> Deferred[None]:
    """Return what fires behind something that others wait for, too."""
    ended: Deferred[None] = Deferred()
    over.addCallback(ended.callback)
    return ended
