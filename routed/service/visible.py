"""What a looking glass sees: the tables that there are at this moment, and who they are of.

How a table shows is written down once, and again only when something about the tables has changed: of thousands of
them, one question looks at few.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from routed.query.request import PeerFilter
from routed.service.peer_records import (
    UNKNOWN_ID,
    Listed,
    PeerRecord,
    absent_peer,
    bgp_peer,
    bmp_router,
    monitored_peer,
    peer_key,
    place_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from routed.rib._rib import PeerRib
    from routed.service.monitored import MonitoredRouter, View
    from routed.service.neighbor import Neighbor
    from routed.service.peers import Peer
    from routed.session.bmp_peers import MonitoredPeer

    Address = IPv4Address | IPv6Address

ANYBODY: Final = PeerFilter()


class Numbered(Protocol):
    """Whose tables they are; it has another number as soon as one of them is replaced."""

    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleRib:
    """One RIB, whose it is, and how its routes show; `keys`, `vpn_keys` and `end` are those of `Rows.source`."""

    rib: PeerRib
    owner: Numbered
    address: Address  # of the peer
    port: int
    router_id: IPv4Address | None
    router: Address | None = None  # that shows the RIB, when it is not the peer itself
    rib_type: str | None = None
    keys: bytes
    vpn_keys: bytes
    end: bytes = b""

    def passes(self, wanted: PeerFilter) -> bool:
        """Tell whether a question is about this RIB."""
        return (
            passes(wanted, self.address, self.port, self.router_id)
            and wanted.router in {None, self.router}
            and wanted.rib_type in {None, self.rib_type}
        )


class Tables(Protocol):
    """Where the tables are."""

    def tables_of(self, address: Address, port: int | None) -> Sequence[VisibleRib]:
        """Return those of a peer, by its address and, unless it does not matter, its port; the best view first."""

    def all_tables(self) -> Sequence[VisibleRib]:
        """Return all of them, by slot."""

    def peers(self) -> Iterator[PeerRecord]:
        """Iterate over who is connected at this moment, a record each, as pmacct does."""

    def listing(self, wanted: PeerFilter) -> Iterable[Listed]:
        """Return the peers that there are, in any order, to be described in full."""

    def routers(self, wanted: PeerFilter) -> Iterable[Listed]:
        """Return the BMP routers that there are, likewise."""

    @property
    def end_of_ribs(self) -> int:
        """Return how often somebody said to have shown a whole table (RFC 4724 section 2)."""


class BgpTables:
    """The tables of BGP peers, which are named by address or by Router-ID.

    Args:
        connected: returns all connections, also those whose session is not up.
        clock: that of the connections, in seconds.
    """

    def __init__(
        self,
        source: NeighborSource,
        *,
        peer_id: bool,
        connected: Callable[[], Iterable[Peer]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._peer_id, self._clock = source, peer_id, clock
        self._connected = self._established if connected is None else connected
        self._roll: Sequence[Neighbor] = ()
        self._tables: list[VisibleRib] = []

    @property
    def end_of_ribs(self) -> int:
        """Return how often a peer said to have sent a whole table."""
        return self._source.end_of_ribs

    def tables_of(self, address: Address, port: int | None) -> list[VisibleRib]:
        """Return the tables of a peer; one that is away for a graceful restart still has some."""
        return [
            table
            for table in self.all_tables()
            if address in {table.address, table.router_id} and port in {None, table.port}
        ]

    def all_tables(self) -> list[VisibleRib]:
        """Return the tables of all peers."""
        roll = self._source.neighbors()
        if roll is not self._roll:
            self._roll = roll
            self._tables = [table for neighbor in roll for table in self._visible(neighbor)]
        return self._tables

    def _visible(self, neighbor: Neighbor) -> Iterator[VisibleRib]:
        text, table = neighbor.text, neighbor.table
        if table is not None:
            keys = text.keys(peer_id=self._peer_id)
            yield VisibleRib(
                rib=table.rib,
                owner=table,
                address=text.address,
                port=text.port,
                router_id=text.router_id,
                keys=keys,
                vpn_keys=keys,
            )

    def peers(self) -> Iterator[PeerRecord]:
        """Iterate over the peers whose session is up."""
        connected = [neighbor for neighbor in self._source.neighbors() if neighbor.peer is not None]
        return (
            {
                "peer_ip_src": str(neighbor.text.address),
                "peer_id": str(neighbor.text.router_id or UNKNOWN_ID),
                "peer_tcp_port": neighbor.text.port,
                "peer_as": neighbor.asn,
            }
            for neighbor in connected
        )

    def listing(self, wanted: PeerFilter) -> Iterator[Listed]:
        """Return all peers: connected, or away for a graceful restart."""
        if wanted.router is not None or wanted.rib_type is not None:
            return
        for peer in self._connected():
            if passes(wanted, peer.address, peer.port, peer.router_id):
                yield Listed(place_key(peer.address, peer.port), partial(self._describe, peer))
        for neighbor in self._source.neighbors():
            text = neighbor.text
            if neighbor.peer is None and passes(wanted, text.address, text.port, text.router_id):
                yield Listed(place_key(text.address, text.port), partial(absent_peer, neighbor))

    def routers(self, wanted: PeerFilter) -> tuple[()]:  # noqa: ARG002 (there are none)
        """Return nobody."""
        return ()

    def _describe(self, peer: Peer) -> PeerRecord:
        return bgp_peer(peer, self._source.neighbor_of(peer), self._clock())

    def _established(self) -> list[Peer]:
        return [neighbor.peer for neighbor in self._source.neighbors() if neighbor.peer is not None]


class BmpTables:
    """The tables that routers show.

    An address names the peers that have it, or a router. Of several views the one that comes nearest to what is used
    comes first: a Loc-RIB, then routes after policy, then before; what is sent to a peer comes last.
    """

    def __init__(self, source: RouterSource, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._source, self._wall_clock = source, wall_clock
        self._tables: dict[MonitoredRouter, tuple[Sequence[View], list[VisibleRib]]] = {}

    @property
    def end_of_ribs(self) -> int:
        """Return how often a router said to have shown a whole table."""
        return self._source.end_of_ribs

    def tables_of(self, address: Address, port: int | None) -> list[VisibleRib]:
        """Return the views of a peer, or all of a router; a port is that of a router's session."""
        found = [
            (rank(view), table)
            for router in self._source.neighbors()
            if port in {None, 0, router.text.port}
            for view, table in zip(router.all_views(), self._visible(router), strict=True)
            if address in {router.text.address, view.header.address}
        ]
        return [table for _, table in sorted(found, key=lambda ranked: ranked[0])]

    def all_tables(self) -> list[VisibleRib]:
        """Return the views of all routers."""
        routers = self._source.neighbors()
        if len(self._tables) > len(routers):
            self._tables = {router: self._tables[router] for router in routers if router in self._tables}
        return [table for router in routers for table in self._visible(router)]

    def _visible(self, router: MonitoredRouter) -> list[VisibleRib]:
        views = router.all_views()
        seen, tables = self._tables.get(router, (None, []))
        if seen is not views:
            tables = [visible_view(router, view) for view in views]
            self._tables[router] = views, tables
        return tables

    def peers(self) -> Iterator[PeerRecord]:
        """Iterate over the peers that routers say to be up."""
        up = [(router.text, peer) for router in self._source.neighbors() for peer in router.peers]
        return (
            {
                "peer_ip_src": str(peer.key.address),
                "peer_id": str(peer.bgp_id),
                "peer_tcp_port": 0,
                "peer_as": peer.asn,
                "bmp_router": str(text.address),
                "bmp_router_port": text.port,
            }
            for text, peer in up
        )

    def listing(self, wanted: PeerFilter) -> Iterator[Listed]:
        """Return the peers that routers say to be up; of an RIB type, those that have such a RIB."""
        for router in self._routers(wanted):
            place = router_key(router)
            for peer in router.peers:
                if passes(wanted, peer.key.address, 0, peer.bgp_id) and has_rib(router, peer, wanted.rib_type):
                    yield Listed(peer_key(place, peer.key), partial(self._describe, router, peer))

    def routers(self, wanted: PeerFilter) -> Iterator[Listed]:
        """Return the routers whose session is up."""
        for router in self._routers(wanted):
            yield Listed(router_key(router), partial(self._describe_router, router))

    def _routers(self, wanted: PeerFilter) -> Iterator[MonitoredRouter]:
        return (router for router in self._source.neighbors() if wanted.router in {None, router.text.address})

    def _describe(self, router: MonitoredRouter, peer: MonitoredPeer) -> PeerRecord:
        return monitored_peer(router, peer, self._wall_clock())

    def _describe_router(self, router: MonitoredRouter) -> PeerRecord:
        return bmp_router(router, self._wall_clock())


class NeighborSource(Protocol):
    """Who has BGP tables."""

    end_of_ribs: int

    def neighbors(self) -> Sequence[Neighbor]:
        """Return the routers that have a table, by slot; another list as soon as something has changed."""

    def neighbor_of(self, peer: Peer) -> Neighbor | None:
        """Return whose session it is."""


class RouterSource(Protocol):
    """Who has BMP tables."""

    end_of_ribs: int

    def neighbors(self) -> Sequence[MonitoredRouter]:
        """Return the routers, by slot."""


def passes(wanted: PeerFilter, address: Address, port: int, router_id: IPv4Address | None) -> bool:
    """Tell whether a question is about this peer; as far as RIBs go, see `VisibleRib.passes`."""
    return wanted.address in {None, address} and wanted.port in {None, port} and wanted.router_id in {None, router_id}


def has_rib(router: MonitoredRouter, peer: MonitoredPeer, rib_type: str | None) -> bool:
    """Tell whether a peer has a RIB of a type, or none is asked for."""
    return rib_type is None or any(view.header.rib_type == rib_type for view in router.views_of(peer.key))


def router_key(router: MonitoredRouter) -> bytes:
    """Return what routers are sorted by."""
    return place_key(router.text.address, router.text.port)


def visible_view(router: MonitoredRouter, view: View) -> VisibleRib:
    """Return how a RIB of a monitored peer is seen."""
    return VisibleRib(
        rib=view.rib,
        owner=view,
        address=view.header.address,
        port=0,
        router_id=view.header.bgp_id,
        router=router.text.address,
        rib_type=view.header.rib_type,
        keys=view.rib.keys,
        vpn_keys=view.rib.vpn_keys,
        end=view.rib.end,
    )


def rank(view: View) -> tuple[bool, bool, bool]:
    """Return what views are sorted by."""
    header = view.header
    return not header.is_loc, header.is_out, not header.is_post
