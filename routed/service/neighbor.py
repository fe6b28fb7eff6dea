"""A BGP router as the collector knows it, over all of its sessions."""

from __future__ import annotations

from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, TypeAlias

from routed.plumbing.sink import log_bug
from routed.service.other_families import OtherFamilies

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from routed.rib._rib import PeerRib
    from routed.rib._rows import Rows
    from routed.rib._update import Run
    from routed.rib.adj_rib_in import AdjRibIn
    from routed.service.message_log import Stream
    from routed.service.peers import Peer
    from routed.service.records import PeerText
    from routed.service.settings import RenderSettings

#: What tells one router from another: its address, and the port where many share one.
Identity: TypeAlias = tuple[IPv4Address | IPv6Address, int]


@dataclass(slots=True)
class RouteCounters:
    """What the UPDATEs of one peer came to."""

    updates: int = 0
    announced: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    unknown: int = 0
    dropped: int = 0
    passed_over: int = 0  # UPDATEs with routes of families that are not stored


@dataclass(slots=True, eq=False, kw_only=True)
class Neighbor:
    """A router, over all of its sessions, from its first routes to the sweep of its last."""

    identity: Identity
    text: PeerText
    slot: int
    asn: int = 0
    peer: Peer | None = None  # while connected
    table: AdjRibIn | None = None
    stream: Stream | None = None
    alarm: IDelayedCall | None = None  # the end of patience with stale routes
    sweeps: set[Deferred[None]] = field(default_factory=set)  # under way
    runs: deque[Run] = field(default_factory=deque)  # UPDATEs that wait for their turn
    counters: RouteCounters = field(default_factory=RouteCounters)
    refused: Tally[tuple[int, str]] = field(default_factory=Tally)  # (attribute, verdict): UPDATEs
    other_families: OtherFamilies = field(default_factory=OtherFamilies)

    def ribs(self) -> list[PeerRib]:
        """Return what is dumped."""
        return [] if self.table is None else [self.table.rib]

    def begin_dump(self, rows: Rows, _rib: PeerRib, timestamp: bytes, render: RenderSettings) -> None:
        """Let the rows that follow be dump rows of this router."""
        text = self.text
        rows.own_as = text.own_as
        rows.dump(timestamp, text.keys(peer_id=render.peer_id), text.dump_tag, text.dump_tagger)

    def closing_facts(self, entries: int) -> bytes:
        """Return the keys of the record that closes a dump."""
        return b'"entries": %d, "tables": 1' % entries

    def events_written(self, *, is_whole: bool) -> None:
        """Nothing was taken."""

    def take_events(self) -> tuple[()]:
        """Return nothing: BGP has no events that dumps repeat."""
        return ()


def contain(neighbor: Neighbor, concerned: Peer | None, bug: Failure) -> None:
    """Let a bug in a walk cost one session, or nothing but the walk."""
    if concerned is None or neighbor.peer is not concerned:
        log_bug(bug, f"the routes of {neighbor.text.address}")
        return
    neighbor.runs.clear()
    concerned.fail(bug)
