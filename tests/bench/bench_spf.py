"""How long shortest paths take over a large network, and the comparison with the routes of the calculation before.

The network is a grid with some four links and three prefixes a system.

Run: python -m tests.bench.bench_spf [systems]
"""

import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from routed.rib.igp import calculate
from routed.rib.spf import shortest_paths
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.reachability import Neighbor, Reachability
from routed.wire.prefix import Prefix

RUNS = 7


def network(systems: int, seed: int = 7) -> list[Lsp]:
    """Return the LSPs of a network: systems with some four neighbours, and of prefixes two of IPv4 and one of IPv6."""
    chance = random.Random(seed)
    width = max(2, int(systems**0.5))
    links: dict[int, dict[int, int]] = {one: {} for one in range(systems)}
    for one in range(systems):
        for other in (one + 1, one + width):
            if other < systems:
                links[one][other] = links[other][one] = chance.randint(1, 1000)
    return [
        Lsp(
            lsp_id=node(one) + b"\0",
            sequence=1,
            lifetime=1200,
            checksum=1,
            addresses=((10 << 24 | one).to_bytes(4, "big"),),
            neighbors=tuple(Neighbor(0, node(other), metric) for other, metric in links[one].items()),
            prefixes=(
                Reachability(0, Prefix((10 << 24 | one).to_bytes(4, "big"), 32), 0),
                Reachability(0, Prefix((100 << 24 | one << 8).to_bytes(4, "big"), 24), 10),
                Reachability(0, Prefix((0x20010DB8 << 32 | one).to_bytes(8, "big") + bytes(8), 64), 10),
            ),
        )
        for one in range(systems)
    ]


def node(number: int) -> bytes:
    """Return the id of a system as a node."""
    return number.to_bytes(6, "big") + b"\0"


def best_and_worst(work: Callable[[], object]) -> str:
    """Return the best and the worst of some runs, in CPU time of this thread."""
    taken = []
    for _ in range(RUNS):
        begin = time.thread_time()
        work()
        taken.append(time.thread_time() - begin)
    return f"{min(taken) * 1000:.0f} to {max(taken) * 1000:.0f} ms"


def main() -> None:
    """Print what paths take alone, with the comparison when nothing or one link has changed, and when all is new."""
    systems = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    lsps, root = network(systems), [node(0)]
    before = calculate(lsps, root, {}).routes
    assert len(before) == 3 * systems
    without = [replace(lsps[0], neighbors=lsps[0].neighbors[:1]), *lsps[1:]]
    changed = len(calculate(without, root, before).changes)
    for what, work in (
        ("shortest paths", partial(shortest_paths, lsps, root)),
        ("with the comparison, nothing is different", partial(calculate, lsps, root, before)),
        (f"with the comparison, {changed} routes are different", partial(calculate, without, root, before)),
        ("with the comparison, all routes are new", partial(calculate, lsps, root, {})),
    ):
        sys.stdout.write(f"{systems} LSPs, {3 * systems} routes, {what}: {best_and_worst(work)}\n")


if __name__ == "__main__":
    main()
