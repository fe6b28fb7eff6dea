"""What a looking glass sees: the tables that there are at this moment, and who they are of."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv6Address

    from routed.query.request import PeerFilter
    from routed.rib._rib import PeerRib
    from routed.service.collector import Neighbor
    from routed.service.monitored import MonitoredRouter, View

    Address = IPv4Address | IPv6Address

#: A record of somebody who is connected.
PeerRecord = dict[str, Any]
#: Shown where a peer has not said its Router-ID.
UNKNOWN_ID: Final = IPv4Address(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleRib:
    """One RIB, whose it is, and how its routes show; `keys`, `vpn_keys` and `end` are those of `Rows.source`."""

    rib: PeerRib
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
            wanted.address in {None, self.address}
            and wanted.port in {None, self.port}
            and wanted.router_id in {None, self.router_id}
            and wanted.router in {None, self.router}
            and wanted.rib_type in {None, self.rib_type}
        )


class Tables(Protocol):
    """Where the tables are."""

    def tables_of(self, address: Address, port: int | None) -> Sequence[VisibleRib]:
        """Return those of a peer, by its address and, unless it does not matter, its port; the best view first."""

    def all_tables(self) -> Sequence[VisibleRib]:
        """Return all of them, by slot."""

    def peers(self) -> Sequence[PeerRecord]:
        """Return who is connected, a record each."""


class BgpTables:
    """The tables of BGP peers, which are named by address or by Router-ID."""

    def __init__(self, source: NeighborSource, *, peer_id: bool) -> None:
        self._source, self._peer_id = source, peer_id

    def tables_of(self, address: Address, port: int | None) -> list[VisibleRib]:
        """Return the tables of a peer; one that is away for a graceful restart still has some."""
        return [
            visible
            for neighbor in self._source.neighbors()
            if address in {neighbor.text.address, neighbor.text.router_id} and port in {None, neighbor.text.port}
            for visible in self._visible(neighbor)
        ]

    def all_tables(self) -> list[VisibleRib]:
        """Return the tables of all peers."""
        return [visible for neighbor in self._source.neighbors() for visible in self._visible(neighbor)]

    def _visible(self, neighbor: Neighbor) -> list[VisibleRib]:
        text = neighbor.text
        keys = text.keys(peer_id=self._peer_id)
        return [
            VisibleRib(
                rib=rib, address=text.address, port=text.port, router_id=text.router_id, keys=keys, vpn_keys=keys
            )
            for rib in neighbor.ribs()
        ]

    def peers(self) -> list[PeerRecord]:
        """Return the peers whose session is up."""
        return [
            {
                "peer_ip_src": str(neighbor.text.address),
                "peer_id": str(neighbor.text.router_id or UNKNOWN_ID),
                "peer_tcp_port": neighbor.text.port,
                "peer_as": neighbor.asn,
            }
            for neighbor in self._source.neighbors()
            if neighbor.peer is not None
        ]


class BmpTables:
    """The tables that routers show.

    An address names the peers that have it, or a router. Of several views the one that comes nearest to what is used
    comes first: a Loc-RIB, then routes after policy, then before; what is sent to a peer comes last.
    """

    def __init__(self, source: RouterSource) -> None:
        self._source = source

    def tables_of(self, address: Address, port: int | None) -> list[VisibleRib]:
        """Return the views of a peer, or all of a router; a port is that of a router's session."""
        found = [
            (rank(view), visible_view(router, view))
            for router in self._source.neighbors()
            if port in {None, 0, router.text.port}
            for view in router.all_views()
            if address in {router.text.address, view.header.address}
        ]
        return [visible for _, visible in sorted(found, key=lambda ranked: ranked[0])]

    def all_tables(self) -> list[VisibleRib]:
        """Return the views of all routers."""
        return [visible_view(router, view) for router in self._source.neighbors() for view in router.all_views()]

    def peers(self) -> list[PeerRecord]:
        """Return the peers that routers say to be up."""
        return [
            {
                "peer_ip_src": str(peer.key.address),
                "peer_id": str(peer.bgp_id),
                "peer_tcp_port": 0,
                "peer_as": peer.asn,
                "bmp_router": str(router.text.address),
                "bmp_router_port": router.text.port,
            }
            for router in self._source.neighbors()
            for peer in router.peers
        ]


class NeighborSource(Protocol):
    """Who has BGP tables."""

    def neighbors(self) -> Iterable[Neighbor]:
        """Return the routers that have a table, by slot."""


class RouterSource(Protocol):
    """Who has BMP tables."""

    def neighbors(self) -> Iterable[MonitoredRouter]:
        """Return the routers, by slot."""


def visible_view(router: MonitoredRouter, view: View) -> VisibleRib:
    """Return how a RIB of a monitored peer is seen."""
    return VisibleRib(
        rib=view.rib,
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
