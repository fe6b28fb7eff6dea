"""The Adj-RIB-In of one peer beyond single sessions: what is stale, and until when (RFC 4724, RFC 7313, RFC 9494).

No clock and no I/O: methods say what is to be swept; whoever sweeps calls `sweep_all` and `sweep_stale` in slices.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from routed.rib._rib import PeerRib, Rib
from routed.rib.families import FAMILIES, INDEX, bits_of
from routed.rib.serials import next_serial
from routed.wire.bgp.context import DecodeContext
from routed.wire.family import Family

if TYPE_CHECKING:
    from routed.rib._table import Table


class AdjRibIn:
    """The routes of one peer, kept for its next session when that is agreed."""

    def __init__(self, rib: Rib, context: DecodeContext) -> None:
        self.rib = PeerRib(rib, as4=context.as4, external=context.external, add_path=bits_of(context.add_path))
        self.serial = next_serial()  # another one as soon as a table was taken out

    def __len__(self) -> int:
        return len(self.rib)

    def renew(self, context: DecodeContext, kept: Iterable[Family]) -> "list[tuple[int, Table]]":
        """Begin a new session over stale routes.

        Args:
            context: what the new session agreed on.
            kept: families whose forwarding state the peer preserved; the stale routes of others go now
                (RFC 4724 section 4.2).
        Returns: tables to be swept.
        """
        gone = self.rib.renew(as4=context.as4, external=context.external, add_path=bits_of(context.add_path))
        return self._taken_out(gone) + self.drop_families(kept)

    def age(self, families: Iterable[Family]) -> "list[tuple[int, Table]]":
        """Make the routes of some families stale, and let those of the others go.

        Routes that are stale already do not get a second life (RFC 4724 section 4.2): `doomed_families` has them.
        Returns: tables to be swept.
        """
        gone = self.drop_families(families)
        return gone + [entry for family in self.rib.families() if (entry := self._age_family(family)) is not None]

    def begin_refresh(self, family: Family) -> None:
        """Make the routes of a family stale at a BoRR; a second one before the EoRR changes nothing (RFC 7313 4)."""
        table = self.table(family)
        if table is not None and not table.stale:
            table.age()

    def drop_families(self, kept: Iterable[Family]) -> "list[tuple[int, Table]]":
        """Take out the tables of all other families, to be swept."""
        return self._taken_out(self.rib.detach(bits_of(kept)))

    def detach(self) -> "list[tuple[int, Table]]":
        """Take out all tables, to be swept."""
        return self._taken_out(self.rib.detach(0))

    def table(self, family: Family) -> "Table | None":
        """Return the table of a family."""
        index = INDEX.get(family)
        return None if index is None else self.rib.family_table(index)

    def stale_families(self) -> list[Family]:
        """Return the families that have stale routes."""
        return [FAMILIES[index] for index, table in self._tables() if table.stale]

    def doomed_families(self) -> list[Family]:
        """Return the families that have routes which were stale before they aged."""
        return [FAMILIES[index] for index, table in self._tables() if table.doomed]

    def _tables(self) -> "Iterator[tuple[int, Table]]":
        for index in self.rib.families():
            table = self.rib.family_table(index)
            assert table is not None
            yield index, table

    def _age_family(self, family: int) -> "tuple[int, Table] | None":
        table = self.rib.family_table(family)
        if table is None or table.age():
            return None
        return self._taken_out(self.rib.detach(bits_of(other for other in FAMILIES if INDEX[other] != family)))[0]

    def _taken_out(self, tables: "list[tuple[int, Table]]") -> "list[tuple[int, Table]]":
        if tables:
            self.serial = next_serial()
        return tables
