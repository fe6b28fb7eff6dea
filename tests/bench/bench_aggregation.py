"""Aggregation of flows: records a CPU second, memory of a key, and the longest turn.

    python tests/bench/bench_aggregation.py [keys [records]]

Keys are drawn at random, so that every record misses the caches; the second table has a hundred times as many records
as keys, as collectors do.
"""

import secrets
import sys
import time
from typing import Final

import numpy as np

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.aggregation import Aggregation, AggregationSettings

BATCH: Final = 4096
KEYS: Final = {
    "addresses and ports": "src_host, dst_host, src_port, dst_port, proto",
    "routes": "dst_as, peer_dst_as, as_path, std_comm, peer_src_ip, in_iface",
}


def fill(batch: Batch, texts: Texts, numbers: "np.ndarray[tuple[int], np.dtype[np.uint32]]") -> None:
    """Write a record for each number: equal numbers, equal keys."""
    batch.clear()
    for _ in range(len(numbers)):
        batch.append()
    rows, names = batch.rows, batch.layout.columns
    rows["packets"], rows["bytes"], rows["flows"] = 3, 1500, 1
    if "src_host" in names:
        octets = np.zeros((len(numbers), 16), np.uint8)
        octets[:, 10:12] = 255
        octets[:, 12:] = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
        rows["src_host"] = octets.view("V16").reshape(-1)
        rows["src_port"] = numbers & 0xFFFF
    else:
        rows["dst_as"] = numbers % 80_000
        rows["in_iface"] = numbers // 80_000
        paths = [texts.id_of(b"64500_%d" % number) for number in (numbers % 50_000).tolist()]
        rows["as_path"] = paths


def measure(name: str, keys: int, records: int) -> None:
    """Aggregate records and say what it took."""
    aggregate = parse_aggregate(KEYS[name], "nfacctd")
    layout = Layout([*ALWAYS, *aggregate.columns])
    texts = Texts()
    aggregation = Aggregation(layout, aggregate, texts, AggregationSettings(most_entries=1 << 24), 0.0)
    batch = Batch(layout, BATCH)
    random = np.random.default_rng(secrets.randbits(32))
    spent = longest = 0.0
    for _ in range(records // BATCH):
        fill(batch, texts, random.integers(0, keys, BATCH, dtype=np.uint32))
        began = time.process_time()
        aggregation.add(batch, None, 1.0)
        took = time.process_time() - began
        spent, longest = spent + took, max(longest, took)
    keys = aggregation.entries
    sys.stdout.write(
        f"{name:19} {keys:>9,} keys {records / spent / 1e6:6.2f} M records/CPU s {aggregation.octets / keys:4.0f} "
        f"octets a key  longest batch {longest * 1000:5.2f} ms\n"
    )


def main() -> None:
    """Measure both kinds of keys."""
    keys, records = (int(argument) for argument in (*sys.argv[1:], "1000000", "4000000")[:2])
    for name in KEYS:
        measure(name, keys // 100, records)
        measure(name, keys, records)


if __name__ == "__main__":
    main()
