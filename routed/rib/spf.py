"""Shortest paths over a link-state database, and the prefixes that they lead to.

Of a prefix that several nodes have, those count that RFC 5302 section 3.2 and RFC 7775 section 2 prefer: internal
metrics before external ones, what was not leaked down before what was; then the lowest cost.

IPv6 has the standard topology, or that of its own (RFC 5120) where the root takes part in it.

Everything is a function of LSPs, so that it may run in any thread. The bench is `tests/bench/bench_spf.py`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from routed.rib.spf_tree import Node, Tree, nodes_of
from routed.wire.isis.codepoints import TopologyId
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.reachability import Reachability
from routed.wire.prefix import Prefix

#: A prefix of a larger metric is not for paths (RFC 5305 section 4).
MAX_PATH_METRIC: Final = 0xFE00_0000

#: A prefix is held with one integer: what is lower for a node that is preferred, and the number of that node.
_NUMBER_BITS: Final = 32
_NUMBER: Final = (1 << _NUMBER_BITS) - 1
#: What sets ranks of prefixes apart, above every distance: leaked ones, and those with external metrics.
_RANK_SHIFT: Final = 64
_LEAKED: Final = 1 << 128
_EXTERNAL: Final = 1 << 129
_IPV4_OCTETS: Final = 4
_IPV6_OCTETS: Final = 16
_STANDARD, _IPV6 = int(TopologyId.STANDARD), int(TopologyId.IPV6_UNICAST)


class Route(NamedTuple):
    """The way to a prefix: whose it is, nodes of equal cost each, and the first systems on the ways to them."""

    metric: int
    originators: tuple[bytes, ...]
    first_hops: tuple[bytes, ...]
    topology: int
    down: bool
    external: bool


class Way(NamedTuple):
    """What a table needs of a route: the prefix, the originator with the lowest id, and the cost."""

    prefix: Prefix
    node: bytes
    metric: int


class _Chosen:
    """The prefixes of a tree, whose addresses have so many octets, with the nodes that are preferred."""

    def __init__(self, tree: Tree, octets: Collection[int]) -> None:
        self._tree = tree
        self.best: dict[Prefix, int] = {}
        self._says: dict[Prefix, Reachability] = {}  # what the node of `best` says
        self._equal: dict[Prefix, list[tuple[int, Reachability]]] = {}  # others, when they had the same rank
        self._choose(octets)

    def _choose(self, octets: Collection[int]) -> None:
        best, says, topology = self.best, self._says, self._tree.topology
        for number, distance, lsp in self._tree.heard():
            for reach in lsp.prefixes:
                prefix, metric = reach.prefix, reach.metric
                if reach.topology != topology or metric > MAX_PATH_METRIC or len(prefix[0]) not in octets:
                    continue
                rank = distance + metric
                if reach.external_metric or reach.down:
                    rank = _rank(reach, distance)
                known = best.get(prefix)
                if known is None or rank < known >> _NUMBER_BITS:
                    best[prefix] = rank << _NUMBER_BITS | number
                    says[prefix] = reach
                elif rank == known >> _NUMBER_BITS:
                    self._equal.setdefault(prefix, []).append((rank << _NUMBER_BITS | number, reach))

    def route(self, prefix: Prefix) -> Route:
        """Return the way to a prefix that is there."""
        tree, key, reach = self._tree, self.best[prefix], self._says[prefix]
        number = key & _NUMBER
        others = self._others(prefix, key)
        numbers = {number, *(other & _NUMBER for other, _ in others)}
        return Route(
            reach.metric if reach.external_metric else tree.distances[number] + reach.metric,
            tuple(sorted(tree.ids[each] for each in numbers)),
            tree.first_hops(numbers),
            tree.topology,
            reach.down,
            reach.external or any(other.external for _, other in others),
        )

    def ways(self) -> Iterator[Way]:
        """Go through all of them."""
        ids, equal = self._tree.ids, self._equal
        for prefix, key in self.best.items():
            rank, node = key >> _NUMBER_BITS, ids[key & _NUMBER]
            if rank >= _LEAKED or prefix in equal:
                route = self.route(prefix)
                yield Way(prefix, route.originators[0], route.metric)
            else:
                yield Way(prefix, node, rank)

    def _others(self, prefix: Prefix, key: int) -> list[tuple[int, Reachability]]:
        """Return who else has a prefix at the cost that is the best in the end."""
        rank = key >> _NUMBER_BITS
        return [other for other in self._equal.get(prefix, ()) if other[0] >> _NUMBER_BITS == rank]


class Routes(Mapping[Prefix, Route]):
    """The way to each prefix; a `Route` is made for whoever looks."""

    def __init__(self, chosen: Mapping[int, _Chosen]) -> None:
        self._chosen = chosen  # by octets of addresses
        self._each = tuple(dict.fromkeys(chosen.values()))

    def __getitem__(self, prefix: Prefix) -> Route:
        return self._chosen[len(prefix.address)].route(prefix)

    def __contains__(self, prefix: object) -> bool:
        return any(prefix in each.best for each in self._each)

    def __iter__(self) -> Iterator[Prefix]:
        for each in self._each:
            yield from each.best

    def __len__(self) -> int:
        return sum(len(each.best) for each in self._each)

    def ways(self) -> Iterator[Way]:
        """Go through all of them, without a `Route` for each."""
        for each in self._each:
            yield from each.ways()


@dataclass(frozen=True, slots=True)
class Paths:
    """What a calculation came to: nodes and prefixes that are reached. `roots` is where it began."""

    roots: tuple[bytes, ...]
    nodes: dict[bytes, Node]
    trees: Mapping[int, Tree]  # by topology
    routes: Routes

    def address_of(self, node: bytes, octets: int) -> bytes:
        """Return an address of a node in the family of so many octets, empty when it names none."""
        found = self.nodes.get(node)
        return b"" if found is None else found.address(octets)


def shortest_paths(lsps: Iterable[Lsp], roots: Collection[bytes]) -> Paths:
    """Calculate the paths from one system, or from several at no distance, to everything.

    Args:
        lsps: the live ones of a database.
        roots: nodes of 7 octets; those that the database does not have reach nothing.
    """
    nodes = nodes_of(lsps)
    present = tuple(root for root in roots if root in nodes)
    of_ipv6 = _IPV6 if any(_IPV6 in nodes[root].topologies for root in present) else _STANDARD
    trees = {topology: Tree(nodes, present, topology) for topology in sorted({_STANDARD, of_ipv6})}
    if of_ipv6 == _STANDARD:
        both = _Chosen(trees[_STANDARD], (_IPV4_OCTETS, _IPV6_OCTETS))
        chosen = {_IPV4_OCTETS: both, _IPV6_OCTETS: both}
    else:
        chosen = {
            _IPV4_OCTETS: _Chosen(trees[_STANDARD], (_IPV4_OCTETS,)),
            _IPV6_OCTETS: _Chosen(trees[of_ipv6], (_IPV6_OCTETS,)),
        }
    return Paths(tuple(roots), nodes, trees, Routes(chosen))


def _rank(reach: Reachability, distance: int) -> int:
    """Return what is lower for a prefix that is preferred: external metrics count alone, then the way there."""
    leaked = _LEAKED if reach.down else 0
    if reach.external_metric:
        return _EXTERNAL + leaked + (reach.metric << _RANK_SHIFT) + distance
    return leaked + distance + reach.metric
