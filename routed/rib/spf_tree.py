"""The tree of shortest paths over a link-state database, in one topology.

A link counts when both of its ends name it. Nodes whose overload bit is set are reached, and nothing goes through them.
An LSP counts when the first fragment of its node is there (ISO/IEC 10589 section 7.2.5). All paths of equal cost are
kept, as a set of first hops for each node.

Nodes have numbers, distances and first hops are integers: what is made for each of ten thousand nodes is nothing that
the collector of cycles would look at.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, NamedTuple

from routed.rib._untrack import untrack
from routed.wire.isis.codepoints import NODE_OCTETS, SYSTEM_ID_OCTETS, TopologyId
from routed.wire.isis.lsp import Lsp

#: A link of this metric is not for paths (RFC 5305 section 3).
UNUSABLE_LINK: Final = (1 << 24) - 1
#: Systems next to the root that are told apart: more than a router has equal ways; of the others nothing is said.
MAX_FIRST_HOPS: Final = 256
#: How far a node is that is not reached.
FAR: Final = 1 << 62

#: An entry of the heap: distance, whether it is a system, number.
_SHIFT: Final = 33
_SYSTEM: Final = 1 << 32
_NUMBER: Final = _SYSTEM - 1
_STANDARD: Final = int(TopologyId.STANDARD)


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

    def address(self, octets: int) -> bytes:
        """Return what the system is reached by in a family, a router id before an interface; empty for nothing."""
        for lsp in self.fragments:
            if len(lsp.router_id) == octets:
                return lsp.router_id
        for lsp in self.fragments:
            for address in lsp.addresses:
                if len(address) == octets:
                    return address
        return b""


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
    untrack(fragments.values())
    untrack(nodes.values())
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


class Reached(NamedTuple):
    """How far a node is, and by which systems next to the root."""

    distance: int
    first_hops: tuple[bytes, ...]


class Tree:
    """The shortest paths in one topology.

    `ids`, `nodes` and `distances` are by number; first hops are bits of an integer.
    """

    def __init__(self, nodes: dict[bytes, Node], roots: Collection[bytes], topology: int) -> None:
        self.topology = topology
        self.ids, self.nodes = list(nodes), list(nodes.values())
        self.distances = [FAR] * len(nodes)
        self._numbers = {node: number for number, node in enumerate(self.ids)}
        self._first = [0] * len(nodes)
        self._hops: list[bytes] = []  # by bit
        self._bits: dict[int, int] = {}
        self._sets: dict[int, tuple[bytes, ...]] = {}
        self._run([self._numbers[root] for root in roots])

    def reached(self) -> dict[bytes, Reached]:
        """Return the nodes that are reached."""
        found = zip(self.ids, self.distances, self._first, strict=True)
        return {node: Reached(distance, self._hop_set(first)) for node, distance, first in found if distance < FAR}

    def heard(self) -> Iterator[tuple[int, int, Lsp]]:
        """Iterate over the LSPs of nodes that are reached: number, distance, LSP."""
        for number, (node, distance) in enumerate(zip(self.nodes, self.distances, strict=True)):
            if distance < FAR:
                for lsp in node.fragments:
                    yield number, distance, lsp

    def first_hops(self, numbers: Iterable[int]) -> tuple[bytes, ...]:
        """Return the first systems on the ways to some nodes, in the order of their ids."""
        first = 0
        for number in numbers:
            first |= self._first[number]
        return self._hop_set(first)

    def _read_links(self) -> list[dict[int, int]]:
        """Return the links that each node names: metrics by the number of the other end."""
        numbers, topology = self._numbers, self.topology
        said: list[dict[int, int]] = []
        for id_, node in zip(self.ids, self.nodes, strict=True):
            links: dict[int, int] = {}
            is_lan = id_[SYSTEM_ID_OCTETS]  # it has one list of neighbours for all topologies (RFC 5120 section 4)
            for lsp in node.fragments:
                for link in lsp.neighbors:
                    if link.topology != topology and not is_lan:
                        continue
                    other, metric = numbers.get(link.node), link.metric
                    if other is not None and metric != UNUSABLE_LINK and metric < links.get(other, FAR):
                        links[other] = metric
            said.append(links)
        return said

    def _run(self, roots: list[int]) -> None:
        """Go through the nodes in the order of their distance (Dijkstra).

        The heap holds distance and number as one integer, pseudonodes in front of systems of the same distance. Who is
        reached by another way of the same cost after its turn, which links without cost allow, has another one.
        """
        links, lans = self._read_links(), bytes(bool(id_[SYSTEM_ID_OCTETS]) for id_ in self.ids)
        stops = [self.topology in node.overload for node in self.nodes]
        is_root, done = bytearray(len(lans)), bytearray(len(lans))
        near = bytearray(len(lans))  # the root, and LANs next to it: behind these are the first hops
        distances, firsts = self.distances, self._first
        for root in roots:
            distances[root], is_root[root], stops[root] = 0, 1, False  # what begins there is not in transit
            near[root] = len(roots) == 1
            firsts[root] = 0 if near[root] else self._bit(root)  # where there are several, they are the first hops
        heap = [_SYSTEM | root for root in sorted(roots)]
        while heap:
            number = heappop(heap) & _NUMBER
            if done[number]:
                continue
            done[number] = 1
            distance, first, is_near = distances[number], firsts[number], near[number]
            for other, metric in () if stops[number] else links[number].items():
                through, known, lan = distance + metric, distances[other], lans[other]
                if through > known or is_root[other] or number not in links[other]:
                    continue
                hops = first | self._bit(other) if is_near and not lan else first
                is_next = is_near & lan
                if through < known:
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
            self._hops.append(self.ids[number])
        return bit

    def _hop_set(self, first: int) -> tuple[bytes, ...]:
        found = self._sets.get(first)
        if found is None:
            hops = (hop for bit, hop in enumerate(self._hops) if first >> bit & 1)
            found = self._sets[first] = tuple(sorted(hops))
        return found
