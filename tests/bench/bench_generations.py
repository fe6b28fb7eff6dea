"""What it costs when flow processes inherit the tables of a routing process that forks them every few seconds.

A process takes a full table in and builds the index of look-ups, which it shares with what it forks (memory is copied
page by page where either writes). Measured are how long a fork holds the routing process up, what it takes a new flow
process to look the same flows up for the first time and again, what memory it has for itself by then, and what taking
changes in costs the routing process while somebody else still has the pages. The alternative is a flow process with a
table of its own: what that table holds and took to load is printed first.

Usage: python -m tests.bench.bench_generations [--prefixes 1000000] [--v6 200000] [--flows 400000] [--generations 3]
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routed.rib._update import apply
from tests.bench.bench_enrich import COLUMNS, batches, load, looking_up, say
from tests.bench.make_table import Shape, updates
from tests.bench.measure import memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowcorr.columns._batch import Batch
    from flowcorr.correlate._enrich import Enricher
    from routed.rib._rib import PeerRib

#: Messages of a burst of changes: about five routes each.
CHANGES: Final = 10_000
#: What a worker tells: CPU seconds of its first and second pass, and octets of its own before and after.
REPORT: Final = struct.Struct("ddqq")


def own_memory() -> int:
    """Return the octets that this process shares with nobody."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of something."""
    before = time.process_time()
    work()
    return time.process_time() - before


def look_up(enricher: Enricher, made: Sequence[Batch]) -> None:
    """Look all flows up once."""
    for batch in made:
        enricher.enrich(batch)


def worker(enricher: Enricher, made: Sequence[Batch], told: int, until: int) -> None:
    """Look everything up twice, tell what it took, and stay until it may go."""
    for batch in made:
        batch.rows["dst_as"] = 0  # pages of flows are our own from the start, as those of a socket are
    before = own_memory()
    first, second = (cpu(lambda: look_up(enricher, made)) for _ in range(2))
    os.write(told, REPORT.pack(first, second, before, own_memory()))
    os.read(until, 1)


def generation(enricher: Enricher, made: Sequence[Batch], peer: PeerRib, changes: bytes) -> tuple[float, ...]:
    """Fork a worker and take changes in beside it; return what was measured."""
    (telling, told), (until, go) = os.pipe(), os.pipe()
    before = time.perf_counter()
    pid = os.fork()
    if not pid:
        worker(enricher, made, told, until)
        os._exit(0)
    pause = time.perf_counter() - before
    report = REPORT.unpack(os.read(telling, REPORT.size))
    taken = cpu(lambda: apply(peer, changes))
    os.write(go, b"\0")
    os.waitpid(pid, 0)
    for descriptor in (telling, told, until, go):
        os.close(descriptor)
    return pause, *report, taken


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefixes", type=int, default=1_000_000)
    parser.add_argument("--v6", type=int, default=200_000)
    parser.add_argument("--flows", type=int, default=400_000)
    parser.add_argument("--generations", type=int, default=3)
    options = parser.parse_args()
    empty = memory(os.getpid())
    rib, peer = load(options.prefixes, options.v6)
    layout, enricher, _, _ = looking_up(rib, peer, COLUMNS)
    made = batches(rib, layout, options.flows)
    flows, of_flows = sum(map(len, made)), sum(batch.rows.nbytes for batch in made)
    enricher.enrich(made[0])  # builds the index
    say(f"a table of its own, with index: {(memory(os.getpid()) - empty - of_flows) / 1e6:.0f} MB at most")
    views = [
        b"".join(islice(updates(Shape(ipv4=options.prefixes, ipv6=options.v6, view=view)), CHANGES)) for view in (1, 2)
    ]
    routes = apply(peer, views[0]).announced
    alone = min(cpu(lambda view=view: apply(peer, view)) for view in (views[1], views[0], views[1]))
    say(f"{routes:,} changed routes taken in with nobody beside: {alone / routes * 1e9:.0f} ns a route")
    for number in range(options.generations):
        pause, first, second, before, after, taken = generation(enricher, made, peer, views[number % 2])
        say(
            f"generation {number + 1}: fork {pause * 1e3:.1f} ms; {first / flows * 1e9:.0f} ns a flow at first, "
            f"{second / flows * 1e9:.0f} ns then; {(after - before) / 1e6:.0f} MB of its own; "
            f"changes {taken / routes * 1e9:.0f} ns a route"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
