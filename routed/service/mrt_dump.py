"""Table dumps in MRT: TABLE_DUMP_V2, a record for each route, the peers in the order of their slots.

The collector keeps no time of arrival for each route, so the originated time of an entry is that of the dump.

Source: RFC 6396 section 4.3, RFC 8050 section 4.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from routed.rib._dump import Snapshot
from routed.rib.families import FAMILIES
from routed.wire.bgp.nlri import Nlri
from routed.wire.family import Family, Safi
from routed.wire.mrt.rib_attributes import next_hop_attribute
from routed.wire.mrt.table_dump_v2 import MrtPeer
from routed.wire.mrt.table_dump_writer import TableDumpWriter
from routed.wire.prefix import Prefix
from routed.wire.rd import RouteDistinguisher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from routed.plumbing.sink import InThread, Lane
    from routed.service.neighbor import Neighbor

#: Routes turned into records in one go of the thread.
ROUTES: Final = 1_024
#: The families that have record types of their own; routes of others go into RIB_GENERIC.
PLAIN: Final = (Safi.UNICAST, Safi.MULTICAST)

#: One route as a snapshot gives it.
Route = tuple[int, bytes, int, bytes, int | None, bytes, bytes, bytes]


async def write_mrt(
    file: Lane, neighbors: list[Neighbor], when: int, in_thread: InThread, goes_on: Callable[[], Awaitable[bool]]
) -> int:
    """Write the tables of some peers; how many routes they have.

    Args:
        file: where to.
        neighbors: the peers.
        when: the time of the dump.
        in_thread: where routes become octets.
        goes_on: waits for room in the file; false gives the dump up, whose file is of no use then.
    """
    octets = bytearray()
    peers = [
        MrtPeer(
            bytes(4) if neighbor.text.router_id is None else neighbor.text.router_id.packed,
            neighbor.text.address.packed,
            neighbor.asn,
        )
        for neighbor in neighbors
    ]
    writer = TableDumpWriter(octets.extend, peers, timestamp=when)
    entries = 0
    for index, neighbor in enumerate(neighbors):
        if neighbor.table is None:
            continue
        snapshot = Snapshot(neighbor.table.rib)
        entries += len(snapshot)
        try:
            while await in_thread(partial(put_routes, writer, index, snapshot, when)):
                file.write(bytes(octets), 0)
                octets.clear()
                if not await goes_on():
                    return entries
        finally:
            snapshot.close()
    file.write(bytes(octets), 0)
    return entries


def put_routes(writer: TableDumpWriter, peer: int, snapshot: Snapshot, when: int) -> int:
    """Write the next few routes of a peer; how many."""
    routes = snapshot.routes(ROUTES)
    for route in routes:
        put_route(writer, peer, route, when)
    return len(routes)


def put_route(writer: TableDumpWriter, peer: int, route: Route, when: int) -> None:
    """Write one route."""
    index, address, length, rd, path_id, next_hop, labels, attributes = route
    family = FAMILIES[index]
    prefix = Prefix(address, length)
    entry = (peer, when, attributes + hop_attribute(family, next_hop), path_id)
    if family.safi in PLAIN:
        writer.rib(family, prefix, [entry])
        return
    stack = tuple(int.from_bytes(labels[at : at + 3], "big") >> 4 for at in range(0, len(labels), 3))
    nlri = Nlri(prefix, None, stack, RouteDistinguisher(rd) if rd else None)
    writer.generic_rib(family, nlri, [entry])


def hop_attribute(family: Family, next_hop: bytes) -> bytes:
    """Return the attribute that holds the next hop: NEXT_HOP for plain IPv4, else MP_REACH_NLRI."""
    if len(next_hop) == 4 and family == FAMILIES[0]:
        return b"\x40\x03\x04" + next_hop
    if family.safi == Safi.MPLS_VPN:
        next_hop = bytes(8) + next_hop[:16]
    return next_hop_attribute(next_hop)
