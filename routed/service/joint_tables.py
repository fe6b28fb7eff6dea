"""The tables of several planes of one process, which one looking glass shows."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from routed.query.request import PeerFilter
    from routed.service.peer_records import Listed, PeerRecord
    from routed.service.visible import Tables, VisibleRib


class JointTables:
    """Tables of which those of the first plane come first; all of them are in the same stores."""

    def __init__(self, planes: Sequence[Tables]) -> None:
        self._planes = planes

    @property
    def end_of_ribs(self) -> int:
        """Return how often somebody said to have shown a whole table."""
        return sum(plane.end_of_ribs for plane in self._planes)

    def tables_of(self, address: IPv4Address | IPv6Address, port: int | None) -> list[VisibleRib]:
        """Return those of a peer, whoever shows them."""
        return [table for plane in self._planes for table in plane.tables_of(address, port)]

    def all_tables(self) -> list[VisibleRib]:
        """Return all of them."""
        return [table for plane in self._planes for table in plane.all_tables()]

    def peers(self) -> Iterator[PeerRecord]:
        """Iterate over who is connected, and over the peers that routers say to be up."""
        return chain.from_iterable(plane.peers() for plane in self._planes)

    def listing(self, wanted: PeerFilter) -> Iterator[Listed]:
        """Return the same, to be described in full."""
        return chain.from_iterable(plane.listing(wanted) for plane in self._planes)

    def routers(self, wanted: PeerFilter) -> Iterator[Listed]:
        """Return the BMP routers that there are."""
        return chain.from_iterable(plane.routers(wanted) for plane in self._planes)
