"""What other packages and the edges of this one may ask of the RIB, as values.

Bulk questions stay with `Lookups`, whose answers are arrays of ids, and `origin_statuses`, which validates such ids by
the payloads of a `Vrps`; here an answer is for a person or an API.

The routes of an IGP are an `Igp`: its `rib` and `table` are asked like those of a peer, by `Lookups` or by a `Resolver`
with a `View` of the table. A path's next hop is the system that the prefix belongs to, its MULTI_EXIT_DISC what the way
there costs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from routed.rib._lookup import Lookups
from routed.rib._origins import statuses as origin_statuses
from routed.rib._rib import PeerRib, Rib
from routed.rib._vrps import Vrps
from routed.rib.families import INDEX
from routed.rib.igp import Igp, IgpRoute
from routed.wire.family import Family
from routed.wire.prefix import Prefix

__all__ = ["Igp", "IgpRoute", "Lookups", "Route", "Routes", "Vrps", "origin_statuses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of one peer; its attributes as on the wire, but for next hops and with AS paths of four octets."""

    family: Family
    rd: bytes  # 8 octets, empty outside VPN families
    prefix: Prefix
    path_identifier: int | None  # with ADD-PATH (RFC 7911)
    next_hop: bytes  # 0, 4, 16 or 32 octets
    labels: tuple[int, ...]  # outermost first (RFC 8277)
    attributes: bytes


class Routes:
    """Routes by prefix and by address; in the thread that writes the RIB."""

    def __init__(self, rib: Rib) -> None:
        self._lookups = Lookups(rib)

    def lookup(self, peer: PeerRib, family: Family, prefix: Prefix, rd: bytes = b"") -> list[Route]:
        """Return the routes of a peer to exactly this prefix; several only with ADD-PATH."""
        index = INDEX[family]
        return list(self._routes(peer, family, self._lookups.exact(index, prefix.address, prefix.length, rd)))

    def longest_match(self, peer: PeerRib, family: Family, address: bytes, rd: bytes = b"") -> list[Route]:
        """Return the routes of a peer to the most specific prefix that covers an address and that it has."""
        found = self._lookups.longest_match(INDEX[family], address, peer, rd)
        return list(self._routes(peer, family, found[0]))

    def _routes(self, peer: PeerRib, family: Family, prefix: int) -> Iterator[Route]:
        index = INDEX[family]
        for path_identifier, path in self._lookups.routes(peer, index, prefix):
            address, length, rd = self._lookups.prefix(index, prefix)
            next_hop, labels, attributes = self._lookups.path(path)
            yield Route(
                family=family,
                rd=rd,
                prefix=Prefix(address, length),
                path_identifier=path_identifier,
                next_hop=next_hop,
                labels=tuple(int.from_bytes(labels[at : at + 3], "big") >> 4 for at in range(0, len(labels), 3)),
                attributes=attributes,
            )
