"""Long work on the tables of BGP routers, in slices: a router is not read before its own is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.python.failure import Failure

from routed.rib._rib import STALE, Rib, sweep_all, sweep_stale
from routed.rib.families import INDEX
from routed.service.message_log import room
from routed.service.neighbor import contain
from routed.service.sweeper import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from routed.rib._table import Table
    from routed.service.message_log import Stream
    from routed.service.neighbor import Neighbor
    from routed.service.peers import Peer
    from routed.service.sweeper import Steps, Sweeper
    from routed.wire.family import Family


class Walks:
    """The walks over the tables of all routers.

    Args:
        stream_of: where the routes of a router are logged now.
    """

    def __init__(self, sweeper: Sweeper, rib: Rib, stream_of: Callable[[Neighbor], Stream | None]) -> None:
        self._sweeper, self._rib, self._stream_of = sweeper, rib, stream_of
        self.are_over = False  # the daemon ends: nothing more is swept

    def walk(self, neighbor: Neighbor, steps: Steps, concerned: Peer | None = None) -> None:
        """Let a router wait for a walk; a bug in it costs the session that is concerned, if there is one."""
        if not neighbor.sweeps and neighbor.peer is not None:
            neighbor.peer.pause()
        walk = self._sweeper.walk(steps)
        neighbor.sweeps.add(walk)

        def done(result: object) -> None:
            neighbor.sweeps.discard(walk)
            if isinstance(result, Failure):
                contain(neighbor, concerned, result)
            if not neighbor.sweeps and neighbor.peer is not None:
                neighbor.peer.resume()

        walk.addBoth(done)

    def empty(self, neighbor: Neighbor, tables: Iterable[tuple[int, Table]], stream: Stream | None) -> None:
        """Empty tables that were taken out of their RIB, by family index."""
        for family, table in tables:
            self.walk(neighbor, self._emptying(family, table, stream))

    def sweep_stale(self, neighbor: Neighbor, family: Family, which: int = STALE) -> None:
        """Remove the stale routes of a family, or `which` of them."""
        table = None if neighbor.table is None else neighbor.table.table(family)
        if table is None or not table.stale:
            return
        number = table.begin_sweep()  # from now on: a sweep under way ends
        self.walk(neighbor, self._renewing(neighbor, INDEX[family], table, number, which))

    def _emptying(self, family: int, table: Table, stream: Stream | None) -> Steps:
        done = False
        while not done and not self.are_over:
            rows = None if stream is None else stream.rows()
            done = sweep_all(self._rib, family, table, ROUTES, rows)
            if stream is not None:
                stream.write(rows)
            yield room(stream)

    def _renewing(self, neighbor: Neighbor, family: int, table: Table, number: int, which: int) -> Steps:
        """Remove stale routes until that is done, or until the table ages again or is taken out meanwhile."""
        done = False
        while not done and not self.are_over and table.sweep_number == number:
            stream = self._stream_of(neighbor)
            rows = None if stream is None else stream.rows()
            done = sweep_stale(self._rib, family, table, ROUTES, rows, which=which)
            if stream is not None:
                stream.write(rows)
            yield room(stream)
