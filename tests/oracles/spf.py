"""Shortest paths, slowly: distances relaxed until nothing changes, first hops found by walking back from each node.

Written from ISO/IEC 10589 section 7.2 and RFC 5302 alone.
"""

from collections.abc import Sequence

from routed.wire.isis.lsp import Lsp
from routed.wire.prefix import Prefix

INFINITY = float("inf")


def links_of(lsps: Sequence[Lsp], topology: int) -> dict[bytes, dict[bytes, int]]:
    """Return, by node, the neighbours that name it too, and the lowest metric of the ways to each."""
    whole = {lsp.lsp_id[:7] for lsp in lsps if lsp.lsp_id[7] == 0}
    said: dict[bytes, dict[bytes, int]] = {node: {} for node in whole}
    for lsp in lsps:
        node = lsp.lsp_id[:7]
        for link in lsp.neighbors:
            counts = node in whole and link.node in whole and (link.topology == topology or node[6])
            if counts and link.metric != 0xFFFFFF:
                said[node][link.node] = min(link.metric, said[node].get(link.node, link.metric))
    return {
        node: {other: metric for other, metric in links.items() if node in said[other]} for node, links in said.items()
    }


def distances(lsps: Sequence[Lsp], root: bytes, topology: int) -> dict[bytes, float]:
    """Return how far each node is."""
    links = links_of(lsps, topology)
    closed = set()
    for lsp in lsps:
        if lsp.lsp_id[7] == 0 and not lsp.lsp_id[6]:
            if topology == 0 and lsp.flags.overload:
                closed.add(lsp.lsp_id[:7])
            if any(each.id == topology and each.overload for each in lsp.topologies):
                closed.add(lsp.lsp_id[:7])
    closed.discard(root)
    far = dict.fromkeys(links, INFINITY)
    far[root] = 0
    for _ in links:
        for node, others in links.items():
            if node not in closed:
                for other, metric in others.items():
                    far[other] = min(far[other], far[node] + metric)
    return {node: distance for node, distance in far.items() if distance < INFINITY}


def first_hops(lsps: Sequence[Lsp], root: bytes, topology: int) -> dict[bytes, set[bytes]]:
    """Return the systems next to the root on the shortest ways to each node."""
    links, far = links_of(lsps, topology), distances(lsps, root, topology)
    closed = {
        lsp.lsp_id[:7] for lsp in lsps if lsp.lsp_id[6:] == b"\0\0" and (lsp.flags.overload and topology == 0)
    } - {root}
    hops: dict[bytes, set[bytes]] = {}

    def walk(node: bytes, seen: frozenset[bytes]) -> set[bytes]:
        """Return the first systems on the ways from the root to a node."""
        found: set[bytes] = set()
        for before, others in links.items():
            if node not in others or before not in far or before in closed or before in seen:
                continue
            if far[before] + others[node] != far[node]:
                continue
            ways = set() if before == root else walk(before, seen | {before})
            is_at_root = before == root or (before[6] and touches_root(before, seen | {before}))
            found |= ways
            if is_at_root and not node[6]:
                found.add(node)
        return found

    def touches_root(lan: bytes, seen: frozenset[bytes]) -> bool:
        """Tell whether a pseudonode is reached from the root, or from one that is, without a system between."""
        nearer = (
            before
            for before, others in links.items()
            if lan in others and before in far and before not in seen and far[before] + others[lan] == far[lan]
        )
        return any(before == root or (bool(before[6]) and touches_root(before, seen | {before})) for before in nearer)

    for node in far:
        hops[node] = set() if node == root else walk(node, frozenset({node}))
    return hops


def routes(
    lsps: Sequence[Lsp], root: bytes, topology: int, octets: int
) -> dict[Prefix, tuple[int, tuple[bytes, ...], tuple[bytes, ...]]]:
    """Return metric, originators and first hops of each prefix whose address has so many octets."""
    far, hops = distances(lsps, root, topology), first_hops(lsps, root, topology)
    found: dict[Prefix, list[tuple[tuple[float, ...], int, bytes]]] = {}
    for lsp in lsps:
        node = lsp.lsp_id[:7]
        for reach in lsp.prefixes:
            if node not in far or reach.topology != topology or len(reach.prefix.address) != octets:
                continue
            if reach.metric > 0xFE000000:
                continue
            through = far[node] + reach.metric
            rank = (1, reach.down, reach.metric, far[node]) if reach.external_metric else (0, reach.down, through, 0)
            shown = reach.metric if reach.external_metric else int(through)
            found.setdefault(reach.prefix, []).append((rank, shown, node))
    best = {}
    for prefix, ways in found.items():
        lowest = min(rank for rank, _, _ in ways)
        nodes = sorted({node for rank, _, node in ways if rank == lowest})
        shown = next(metric for rank, metric, _ in ways if rank == lowest)
        best[prefix] = shown, tuple(nodes), tuple(sorted(set().union(*(hops[node] for node in nodes))))
    return best
