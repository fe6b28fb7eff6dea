"""Shortest paths over a link-state database, and the prefixes that they lead to.

A link counts when both of its ends name it. Nodes whose overload bit is set are reached, and nothing goes through them.
An LSP counts when the first fragment of its node is there (ISO/IEC 10589 section 7.2.5). All paths of equal cost are
kept, as a set of first hops for each node.

Of a prefix that several nodes have, those count that RFC 5302 section 3.2 and RFC 7775 section 2 prefer: internal
metrics before external ones, what was not leaked down before what was; then the lowest cost.

IPv6 has the standard topology, or that of its own (RFC 5120) where the root takes part in it.

Everything is a function of LSPs, so that it may run in any thread. The bench is `tests/bench/bench_spf.py`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, NamedTuple

from routed.wire.isis.codepoints import NODE_OCTETS, SYSTEM_ID_OCTETS, TopologyId
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.reachability import Reachability
from routed.wire.prefix import Prefix

#: A link of this metric is not for paths (RFC 5305 section 3).
UNUSABLE_LINK: Final = (1 << 24) - 1
#: A prefix of a larger metric is not for paths (RFC 5305 section 4).
MAX_PATH_METRIC: Final = 0xFE00_0000

#: Systems next to the root that are told apart: more than a router has equal ways; of the others nothing is said.
MAX_FIRST_HOPS: Final = 256

_FAR: Final = 1 << 62
#: An entry of the heap: distance, whether it is a system, number.
_SHIFT: Final = 33
_SYSTEM: Final = 1 << 32
_NUMBER: Final = _SYSTEM - 1
#: What sets ranks of prefixes apart, above every distance: leaked ones, and those with external metrics.
_RANK_SHIFT: Final = 64
_LEAKED: Final = 1 << 128
_EXTERNAL: Final = 1 << 129
_IPV4_OCTETS: Final = 4
_IPV6_OCTETS: Final = 16
_STANDARD, _IPV6 = int(TopologyId.STANDARD), int(TopologyId.IPV6_UNICAST)


@dataclass(slots=True)
class Node:
    """A system or pseudonode: what its fragments say together."""

    fragments: list[Lsp]
    overload: frozenset[int] = frozenset()  # topologies that it does not want to be passed through in
    topologies: frozenset[int] = frozenset((_STANDARD,))
    attached: bool = False

    @property
    def first(self) -> Lsp:
        """Return the first fragment, which alone has the flags."""
        return self.fragments[0]

    def addresses(self) -> Iterator[bytes]:
        """Iterate over what the system is reached by: its router ids first, then its interfaces."""
        for lsp in self.fragments:
            if lsp.router_id:
                yield lsp.router_id
        for lsp in self.fragments:
            yield from lsp.addresses


class Route(NamedTuple):
    """The way to a prefix: whose it is, nodes of equal cost each, and the first systems on the ways to them."""

    metric: int
    originators: tuple[bytes, ...]
    first_hops: tuple[bytes, ...]
    topology: int
    down: bool
    external: bool


class Reached(NamedTuple):
    """How far a node is, and by which systems next to the root."""

    distance: int
    first_hops: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """What a calculation came to: nodes and prefixes that are reached. `roots` is where it began."""

    roots: tuple[bytes, ...]
    nodes: dict[bytes, Node]
    reached: dict[int, dict[bytes, Reached]]  # by topology
    routes: dict[Prefix, Route]

    def address_of(self, node: bytes, octets: int) -> bytes:
        """Return an address of a node in the family of so many octets, empty when it names none."""
        found = self.nodes.get(node)
        return b"" if found is None else next((each for each in found.addresses() if len(each) == octets), b"")


def shortest_paths(lsps: Iterable[Lsp], roots: Collection[bytes]) -> Paths:
    """Calculate the paths from one system, or from several at no distance, to everything.

    Args:
        lsps: the live ones of a database.
        roots: nodes of 7 octets; those that the database does not have reach nothing.
    """
    nodes = nodes_of(lsps)
    present = tuple(root for root in roots if root in nodes)
    of_ipv6 = _IPV6 if any(_IPV6 in nodes[root].topologies for root in present) else _STANDARD
    reached: dict[int, dict[bytes, Reached]] = {}
    routes: dict[Prefix, Route] = {}
    for topology in sorted({_STANDARD, of_ipv6}):
        tree = _Tree(nodes, present, topology)
        reached[topology] = tree.reached()
        octets = {octets for octets, used in ((_IPV4_OCTETS, _STANDARD), (_IPV6_OCTETS, of_ipv6)) if used == topology}
        routes.update(tree.routes(octets))
    return Paths(tuple(roots), nodes, reached, routes)


def nodes_of(lsps: Iterable[Lsp]) -> dict[bytes, Node]:
    """Put fragments together; those of nodes whose first one is missing do not count."""
    fragments: dict[bytes, list[Lsp]] = {}
    for lsp in lsps:
        fragments.setdefault(lsp.lsp_id[:NODE_OCTETS], []).append(lsp)
    nodes = {}
    for node, parts in fragments.items():
        if len(parts) > 1:
            parts.sort(key=_id_of)
        first = parts[0]
        if not first.lsp_id[NODE_OCTETS]:
            nodes[node] = _node(parts, is_system=not node[SYSTEM_ID_OCTETS])
    return nodes


def _id_of(lsp: Lsp) -> bytes:
    return lsp.lsp_id


def _node(parts: list[Lsp], *, is_system: bool) -> Node:
    first = parts[0]
    node = Node(parts)
    if not is_system:
        return node
    flags = first.flags
    node.attached = bool(flags.attached)
    overload = {_STANDARD} if flags.overload else set()
    if first.topologies:
        node.topologies = frozenset(each.id for each in first.topologies)
        overload |= {each.id for each in first.topologies if each.overload}
    if overload:
        node.overload = frozenset(overload)
    return node


def _rank(reach: Reachability, distance: int) -> int:
    """Return what is lower for a prefix that is preferred: external metrics count alone, then the way there."""
    leaked = _LEAKED if reach.down else 0
    if reach.external_metric:
        return _EXTERNAL + leaked + (reach.metric << _RANK_SHIFT) + distance
    return leaked + distance + reach.metric


class _Tree:
    """The shortest paths in one topology. Nodes have numbers, first hops are bits of an integer."""

    def __init__(self, nodes: dict[bytes, Node], roots: Collection[bytes], topology: int) -> None:
        self._topology = topology
        self._ids = list(nodes)
        self._nodes = list(nodes.values())
        self._numbers = {node: number for number, node in enumerate(self._ids)}
        self._roots = [self._numbers[root] for root in roots]
        self._hops: list[bytes] = []  # by bit
        self._bits: dict[int, int] = {}
        self._sets: dict[int, tuple[bytes, ...]] = {}
        self._links = self._read_links()
        self._distance = [_FAR] * len(self._ids)
        self._first = [0] * len(self._ids)
        self._is_root = bytearray(len(self._ids))
        self._is_near = bytearray(len(self._ids))  # the root, and LANs next to it: behind these are the first hops
        self._run()

    def reached(self) -> dict[bytes, Reached]:
        """Return the nodes that are reached."""
        return {
            node: Reached(distance, self._hop_set(first))
            for node, distance, first in zip(self._ids, self._distance, self._first, strict=True)
            if distance < _FAR
        }

    def routes(self, octets: Collection[int]) -> dict[Prefix, Route]:
        """Return the ways to the prefixes whose addresses have so many octets."""
        best: dict[Prefix, tuple[int, int, Reachability]] = {}  # rank, whose it is, and what it says
        equal: dict[Prefix, list[tuple[int, int, Reachability]]] = {}  # others of the same rank
        topology = self._topology
        for number, distance, lsp in self._heard():
            for reach in lsp.prefixes:
                prefix, metric = reach.prefix, reach.metric
                if reach.topology != topology or len(prefix.address) not in octets or metric > MAX_PATH_METRIC:
                    continue
                rank = distance + metric
                if reach.external_metric or reach.down:
                    rank = _rank(reach, distance)
                known = best.get(prefix)
                if known is None or rank < known[0]:
                    best[prefix] = rank, number, reach
                elif rank == known[0]:
                    equal.setdefault(prefix, []).append((rank, number, reach))
        routes = {prefix: self._route(number, reach) for prefix, (_, number, reach) in best.items()}
        for prefix, others in equal.items():
            found = best[prefix]
            same = [found, *(other for other in others if other[0] == found[0])]
            if len(same) > 1:
                routes[prefix] = self._joined(routes[prefix], same)
        return routes

    def _heard(self) -> Iterator[tuple[int, int, Lsp]]:
        """Iterate over the LSPs of nodes that are reached: number, distance, LSP."""
        for number, (node, distance) in enumerate(zip(self._nodes, self._distance, strict=True)):
            if distance < _FAR:
                for lsp in node.fragments:
                    yield number, distance, lsp

    def _route(self, number: int, reach: Reachability) -> Route:
        metric = reach.metric if reach.external_metric else self._distance[number] + reach.metric
        hops = self._hop_set(self._first[number])
        return Route(metric, (self._ids[number],), hops, self._topology, reach.down, reach.external)

    def _joined(self, route: Route, same: list[tuple[int, int, Reachability]]) -> Route:
        """Return the route to a prefix that several nodes have at the same cost."""
        numbers = {number for _, number, _ in same}
        first = 0
        for number in numbers:
            first |= self._first[number]
        return route._replace(
            originators=tuple(sorted(self._ids[number] for number in numbers)),
            first_hops=self._hop_set(first),
            external=any(reach.external for _, _, reach in same),
        )

    def _read_links(self) -> list[list[tuple[int, int]]]:
        """Return the links of each node that both ends name, as (number of the other end, metric)."""
        numbers, topology = self._numbers, self._topology
        size = len(self._ids)
        said: list[dict[int, int]] = []
        for id_, node in zip(self._ids, self._nodes, strict=True):
            links: dict[int, int] = {}
            all_topologies = id_[
                SYSTEM_ID_OCTETS
            ]  # a pseudonode has one list of neighbours for all (RFC 5120 section 4)
            for lsp in node.fragments:
                for link in lsp.neighbors:
                    metric = link.metric
                    if link.topology != topology and not all_topologies:
                        continue
                    if metric == UNUSABLE_LINK:
                        continue
                    other = numbers.get(link.node, size)
                    if other != size and metric < links.get(other, _FAR):
                        links[other] = metric
            said.append(links)
        return [
            [(other, metric) for other, metric in links.items() if number in said[other]]
            for number, links in enumerate(said)
        ]

    def _run(self) -> None:
        """Go through the nodes in the order of their distance (Dijkstra).

        The heap holds distance and number as one integer, pseudonodes in front of systems of the same distance. Who is
        reached by another way of the same cost after its turn, which links without cost allow, has another one.
        """
        stops = [self._topology in node.overload for node in self._nodes]
        for root in self._roots:
            stops[root] = False  # what begins there is not in transit
        heap = self._begin()
        done = bytearray(len(stops))
        while heap:
            number = heappop(heap) & _NUMBER
            if not done[number]:
                done[number] = 1
                if not stops[number]:
                    self._relax(number, heap, done)

    def _begin(self) -> list[int]:
        """Set out from the roots; where there are several, they are the first hops."""
        for root in self._roots:
            self._distance[root] = 0
            self._is_root[root] = 1
            if len(self._roots) > 1:
                self._first[root] = self._bit(root)
            else:
                self._is_near[root] = 1
        return [_SYSTEM | root for root in self._roots]

    def _relax(self, number: int, heap: list[int], done: bytearray) -> None:
        """Go from a node to its neighbours."""
        distances, firsts, near = self._distance, self._first, self._is_near
        distance, first, is_near = distances[number], firsts[number], near[number]
        for other, metric in self._links[number]:
            through = distance + metric
            if through > distances[other] or self._is_root[other]:
                continue
            lan = self._ids[other][SYSTEM_ID_OCTETS]
            hops = first | self._bit(other) if is_near and not lan else first
            is_next = 1 if is_near and lan else 0
            if through < distances[other]:
                distances[other], firsts[other], near[other] = through, hops, is_next
            elif hops & ~firsts[other] or is_next > near[other]:
                firsts[other] |= hops
                near[other] |= is_next
                if not done[other]:
                    continue
                done[other] = 0
            else:
                continue
            heappush(heap, through << _SHIFT | (0 if lan else _SYSTEM) | other)

    def _bit(self, number: int) -> int:
        bit = self._bits.get(number)
        if bit is None:
            if len(self._hops) >= MAX_FIRST_HOPS:
                return 0
            bit = self._bits[number] = 1 << len(self._hops)
            self._hops.append(self._ids[number])
        return bit

    def _hop_set(self, first: int) -> tuple[bytes, ...]:
        found = self._sets.get(first)
        if found is None:
            hops = (hop for bit, hop in enumerate(self._hops) if first >> bit & 1)
            found = self._sets[first] = tuple(sorted(hops))
        return found
