"""Networks files: how long 1.2 million rows take to load, what they hold, and what a flow takes.

    python -m tests.bench.bench_networks [--ipv4 1000000] [--ipv6 200000] [--flows 500000] [--file FILE]

Rows are `nexthop,neighbour_origin,prefix` in the order of an archive's table and of the lengths that such a table has;
with `--shuffled` in no order.  Times are those of this process (CPU), best of three.
"""

import argparse
import random
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np

from flowcorr.columns._batch import Batch
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._network_rows import Rows
from flowcorr.correlate._networks import Networks
from flowcorr.correlate.networks import SIDES, NetworksUse
from tests.bench.bench_maps import MAPPED, seconds

LENGTHS4 = (16, 18, 20, 21, 22, 22, 23, 24, 24, 24, 24, 24, 24)
LENGTHS6 = (32, 36, 40, 44, 48, 48, 48, 48)
BATCH = 8_192
LAYOUT = Layout([*ALWAYS, *(BUILTIN[name] for side in SIDES for name in side if name)])


def prefixes(
    count: int, lengths: tuple[int, ...], first: int, bits: int, rng: random.Random
) -> Iterator[tuple[int, int]]:
    """Prefixes in order, among one another here and there."""
    drawn: set[tuple[int, int]] = set()
    while len(drawn) < count:
        length = rng.choice(lengths)
        drawn.add((first | rng.getrandbits(bits - 3) >> (bits - length) << (bits - length), length))
    return iter(sorted(drawn))


def text_of(ipv4: int, ipv6: int, rng: random.Random, *, shuffled: bool) -> bytes:
    rows = [
        f"10.0.0.{rng.randrange(50)},{rng.randrange(1, 200)}_{rng.randrange(1, 75_000)},{kind(address)}/{length}"
        for kind, drawn in (
            (IPv4Address, prefixes(ipv4, LENGTHS4, 0, 32, rng)),
            (IPv6Address, prefixes(ipv6, LENGTHS6, 1 << 125, 128, rng)),
        )
        for address, length in drawn
    ]
    if shuffled:
        rng.shuffle(rows)
    return "\n".join((*rows, "")).encode()


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ipv4", type=int, default=1_000_000)
    parser.add_argument("--ipv6", type=int, default=200_000)
    parser.add_argument("--flows", type=int, default=500_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--shuffled", action="store_true")
    given = parser.parse_args()
    rng = random.Random(1)
    octets = given.file.read_bytes() if given.file else text_of(given.ipv4, given.ipv6, rng, shuffled=given.shuffled)
    loaded = seconds(lambda: Networks(Rows(octets)))
    networks = Networks(Rows(octets))
    size, each = len(octets) / 1e6, networks.memory / len(networks)
    sys.stdout.write(f"{len(networks)} rows ({size:.0f} MB) loaded in {loaded:.2f} s, {each:.1f} octets a row\n")
    batches = []
    for _ in range(given.flows // BATCH):
        batch = Batch(LAYOUT, BATCH)
        for _ in range(BATCH):
            batch.append(dst_host=MAPPED + (rng.getrandbits(32) >> 3).to_bytes(4, "big"))
        batches.append(batch)
    stage = NetworksUse(as_source=("file",), net_source=("file",)).stage(LAYOUT, networks)
    taken = seconds(lambda: [stage(batch) for batch in batches])
    found = sum(int(np.count_nonzero(batch.rows["dst_as"])) for batch in batches)
    flows = BATCH * len(batches)
    share = 100 * found / flows
    sys.stdout.write(f"{taken / flows * 1e9:.0f} ns a flow to a random address, {share:.0f} % of {flows} found\n")


if __name__ == "__main__":
    main()
