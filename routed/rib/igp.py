"""The routes that shortest paths lead to, in the stores that all look-ups read.

The table of an IGP is like that of a peer. Of a prefix it has the system that it belongs to as the next hop, which is
where traffic leaves the network, and what the way there costs as MULTI_EXIT_DISC. Where several systems have a prefix
at the same cost, it is the one with the lowest id; all of them, and the first hops, are in `paths`.

What changes is calculated in any thread and then applied, in portions, by the one that writes the stores.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from routed.octets import Writer
from routed.rib._rib import PeerRib, Rib
from routed.rib._untrack import untrack
from routed.rib._update import apply
from routed.rib.spf import Paths, shortest_paths
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.family import Afi, Safi
from routed.wire.isis.lsp import Lsp
from routed.wire.prefix import Prefix, encode_prefix

#: Octets of UPDATEs that are applied at once: a millisecond or less.
PORTION: Final = 16_384
#: Octets of NLRI in one UPDATE: with attributes, they fit into the 4,096 octets of a message.
_NLRI_OCTETS: Final = 3_900
#: Before the addresses of systems that name none of IPv6 (RFC 4291 section 2.5.5.2).
_MAPPED: Final = bytes(10) + b"\xff\xff"
_IPV4_OCTETS, _IPV6_OCTETS = 4, 16

_ORIGIN_AND_EMPTY_PATH: Final = bytes.fromhex("400101004002 00")
_NEXT_HOP: Final = bytes.fromhex("400304")
_MED: Final = bytes.fromhex("800404")
_MP_REACH: Final = bytes.fromhex("900e")
_MP_UNREACH: Final = bytes.fromhex("900f")
_IPV6_UNICAST: Final = Afi.IPV6.to_bytes(2, "big") + bytes((Safi.UNICAST,))


class IgpRoute(NamedTuple):
    """What the table has of a prefix: the packed address of the system that it belongs to, and what the way costs."""

    next_hop: bytes
    metric: int


class Change(NamedTuple):
    """A route that came, changed or, with None after it, went."""

    prefix: Prefix
    before: IgpRoute | None
    after: IgpRoute | None

    @property
    def route(self) -> IgpRoute:
        """Return the route as it is now, of one that went as it was."""
        route = self.before if self.after is None else self.after
        assert route is not None, "something changed"
        return route


@dataclass(frozen=True, slots=True)
class Calculated:
    """What a calculation came to, and what of it is not in the table yet."""

    paths: Paths
    routes: Mapping[Prefix, IgpRoute]
    changes: tuple[Change, ...]
    portions: tuple[bytes, ...]  # of UPDATEs


class Igp:
    """The table of an IGP.

    `rib` are its stores and `table` the one table in them: for `Lookups`, or a `Resolver` with a `View` of it. `paths`
    is what the last calculation came to, None before the first.
    """

    def __init__(self, seed: int) -> None:
        self.rib = Rib(seed)
        self.table = PeerRib(self.rib, as4=True, external=False)
        self.paths: Paths | None = None
        self.routes: Mapping[Prefix, IgpRoute] = {}

    def apply(self, portion: bytes) -> None:
        """Write a portion of changes into the table."""
        applied = apply(self.table, portion)
        assert not applied.refusals, "we have written these UPDATEs ourselves"

    def finish(self, calculated: Calculated) -> None:
        """Take a calculation over whose portions have been applied."""
        self.paths, self.routes = calculated.paths, calculated.routes


def calculate(lsps: Iterable[Lsp], roots: Collection[bytes], before: Mapping[Prefix, IgpRoute]) -> Calculated:
    """Calculate paths, and what has to change in a table; in any thread.

    Args:
        lsps: the live ones of a database.
        roots: nodes that the view is from.
        before: the routes of the table.
    """
    paths = shortest_paths(lsps, roots)
    routes, changes = _compare(paths, before)
    return Calculated(paths, routes, changes, tuple(_portions(changes)))


def next_hop_of(paths: Paths, node: bytes, octets: int) -> bytes:
    """Return an address of a system in the family of a prefix; of zeros when it names none."""
    own = paths.address_of(node, octets)
    if own or octets == _IPV4_OCTETS:
        return own or bytes(octets)
    other = paths.address_of(node, _IPV4_OCTETS)
    return _MAPPED + other if other else bytes(octets)


def _compare(paths: Paths, before: Mapping[Prefix, IgpRoute]) -> tuple[dict[Prefix, IgpRoute], tuple[Change, ...]]:
    """Return the routes of a table, and what is different; a route that is as it was before is the same object."""
    addresses: dict[int, dict[bytes, bytes]] = {_IPV4_OCTETS: {}, _IPV6_OCTETS: {}}
    routes: dict[Prefix, IgpRoute] = {}
    changes: list[Change] = []
    known = 0
    for prefix, node, metric in paths.routes.ways():
        octets = len(prefix[0])
        next_hop = addresses[octets].get(node)
        if next_hop is None:
            next_hop = addresses[octets][node] = next_hop_of(paths, node, octets)
        old = before.get(prefix)
        known += old is not None
        if old is not None and old[1] == metric and old[0] == next_hop:
            routes[prefix] = old
        else:
            new = routes[prefix] = IgpRoute(next_hop, metric)
            changes.append(Change(prefix, old, new))
    untrack(routes.values())
    gone: list[Change] = []
    if known < len(before):
        gone = [Change(prefix, old, None) for prefix, old in before.items() if prefix not in routes]
    return routes, (*gone, *changes)


def _portions(changes: Iterable[Change]) -> Iterator[bytes]:
    """Iterate over UPDATEs, as many as are applied at once."""
    gone: dict[tuple[int, IgpRoute | None], list[Prefix]] = {}
    for prefix, _, after in changes:
        gone.setdefault((len(prefix.address), after), []).append(prefix)
    portion = bytearray()
    for (octets, route), prefixes in gone.items():
        for nlri in _nlri(prefixes):
            portion += _update(octets, route, nlri)
            if len(portion) >= PORTION:
                yield bytes(portion)
                portion.clear()
    if portion:
        yield bytes(portion)


def _nlri(prefixes: Iterable[Prefix]) -> Iterator[bytes]:
    w = Writer()
    length = 0
    for prefix in prefixes:
        encode_prefix(w, prefix)
        length += 1 + (prefix.length + 7) // 8
        if length >= _NLRI_OCTETS:
            yield bytes(w)
            w, length = Writer(), 0
    if length:
        yield bytes(w)


def _update(octets: int, route: IgpRoute | None, nlri: bytes) -> bytes:
    """Write an UPDATE: routes of equal next hop and metric, or withdrawals."""
    if octets == _IPV4_OCTETS:
        if route is None:
            return encode_message(MessageType.UPDATE, _with_length(nlri) + bytes(2))
        attributes = _attributes(_NEXT_HOP + route.next_hop, route)
        return encode_message(MessageType.UPDATE, bytes(2) + _with_length(attributes) + nlri)
    if route is None:
        attributes = _MP_UNREACH + _with_length(_IPV6_UNICAST + nlri)
    else:
        reach = _IPV6_UNICAST + bytes((_IPV6_OCTETS,)) + route.next_hop + b"\0" + nlri
        attributes = _attributes(_MP_REACH + _with_length(reach), route)
    return encode_message(MessageType.UPDATE, bytes(2) + _with_length(attributes))


def _attributes(next_hop: bytes, route: IgpRoute) -> bytes:
    metric = min(route.metric, 0xFFFF_FFFF)
    return _ORIGIN_AND_EMPTY_PATH + next_hop + _MED + metric.to_bytes(4, "big")


def _with_length(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets
