"""How long shortest paths take over a large network: links of a grid with shortcuts, three prefixes a system.

Run: python -m tests.bench.bench_spf [systems]
"""

import random
import sys
import time

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


def main() -> None:
    """Print the best and the worst of some runs, in CPU seconds of this thread."""
    systems = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    lsps = network(systems)
    taken = []
    for _ in range(RUNS):
        begin = time.thread_time()
        paths = shortest_paths(lsps, [node(0)])
        taken.append(time.thread_time() - begin)
    assert len(paths.routes) == 3 * systems
    sys.stdout.write(
        f"{systems} LSPs, {len(paths.routes)} routes: {min(taken) * 1000:.0f} to {max(taken) * 1000:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
