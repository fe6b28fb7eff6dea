"""The tables that flows follow: whose they are, by an address that an exporter may have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from routed.rib._rib import PeerRib
    from routed.service.monitored import View
    from routed.service.visible import NeighborSource, RouterSource

    Address = IPv4Address | IPv6Address


class Rank(IntEnum):
    """What comes nearest to what a router does with packets comes first."""

    USED = 0  # a Loc-RIB, or the only table of a BGP peer
    POST_POLICY = 1
    PRE_POLICY = 2
    SENT = 3  # Adj-RIB-Out: what the router tells others


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table that flows of a router may follow.

    `distinguisher` is that of a VRF that a BMP router shows (RFC 7854 section 4.2), empty for the global instance.
    """

    rib: PeerRib
    rank: Rank
    distinguisher: bytes
    name: str


class FlowTables(Protocol):
    """Where the tables are."""

    def candidates(self, address: Address, port: int | None) -> list[Candidate]:
        """Return the tables of a router, by an address of it; a port is that of its session, where it matters."""

    def changed(self) -> bool:
        """Tell whether other tables may be found than at the last call."""


class BgpFlowTables:
    """A BGP peer is found by its Router-ID or by the address of its session."""

    def __init__(self, source: NeighborSource, *, check_router_id: bool) -> None:
        self._source, self._check_router_id = source, check_router_id
        self._seen: Iterable[object] | None = None

    def candidates(self, address: Address, port: int | None) -> list[Candidate]:
        """Return the tables of the peers that an address names; several where they differ by port."""
        return [
            Candidate(rib, Rank.USED, b"", f"bgp {neighbor.text.address}")
            for neighbor in self._source.neighbors()
            if (self._check_router_id and port is None and neighbor.text.router_id == address)
            or (neighbor.text.address == address and port in {None, neighbor.text.port})
            for rib in neighbor.ribs()
        ]

    def changed(self) -> bool:
        """Tell whether peers came or went."""
        before, self._seen = self._seen, self._source.neighbors()
        return before is not self._seen


class BmpFlowTables:
    """A router is found by the address of its session; if there is none, a peer that some router shows by its own."""

    def __init__(self, source: RouterSource) -> None:
        self._source = source
        self._seen: Sequence[object] = ()

    def candidates(self, address: Address, _port: int | None) -> list[Candidate]:
        """Return the tables of a router, or of a peer behind any router."""
        routers = list(self._source.neighbors())
        views = [view for router in routers if router.text.address == address for view in router.all_views()]
        if not views:
            views = [view for router in routers for view in router.all_views() if view.header.address == address]
        return [Candidate(view.rib, rank_of(view), distinguisher_of(view), name_of(view)) for view in views]

    def changed(self) -> bool:
        """Tell whether routers or their views came or went."""
        seen = [router.all_views() for router in self._source.neighbors()]
        before, self._seen = self._seen, seen
        return len(before) != len(seen) or any(one is not other for one, other in zip(before, seen, strict=True))


class IgpFlowTables:
    """An IGP has one table, and all routers of the network follow it."""

    def __init__(self, table: PeerRib) -> None:
        self._found = [Candidate(table, Rank.USED, b"", "igp")]

    def candidates(self, _address: Address, _port: int | None) -> list[Candidate]:
        """Return the table."""
        return self._found

    def changed(self) -> bool:
        """Tell that it is always the same one."""
        return False


def rank_of(view: View) -> Rank:
    """Return what views are preferred by."""
    header = view.header
    if header.is_loc:
        return Rank.USED
    if header.is_out:
        return Rank.SENT
    return Rank.POST_POLICY if header.is_post else Rank.PRE_POLICY


def distinguisher_of(view: View) -> bytes:
    """Return the distinguisher of a view's VRF, empty for the global instance."""
    distinguisher = view.header.distinguisher
    return distinguisher if any(distinguisher) else b""


def name_of(view: View) -> str:
    """Return what explains a look-up."""
    return f"bmp {view.header.address} {view.header.rib_type}"
