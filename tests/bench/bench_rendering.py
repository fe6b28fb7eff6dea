"""Rows of finished bins: how many are written a CPU second, in each format.

python tests/bench/bench_rendering.py [rows]
"""

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
from flowcorr.correlate.bins import Length
from flowcorr.service.formats import make_renderer
from flowcorr.service.render import Output, RowSettings
from tests.bench.bench_aggregation import BATCH, KEYS, fill

NOW: Final = 1_790_000_000


def measure(name: str, rows: int) -> None:
    """Fill a bin, and write it in all formats."""
    aggregate = parse_aggregate(KEYS[name], "nfacctd")
    layout, texts = Layout([*ALWAYS, *aggregate.columns]), Texts()
    settings = AggregationSettings(history=Length(seconds=60), most_entries=1 << 24)
    aggregation, batch = Aggregation(layout, aggregate, texts, settings, NOW), Batch(layout, BATCH)
    for first in range(0, rows, BATCH):
        fill(batch, texts, np.arange(first, first + BATCH, dtype=np.uint32))
        aggregation.add(batch, None, NOW)
    [flush] = aggregation.take_all()
    for output in Output:
        renderer = make_renderer(aggregate, aggregation.plan, RowSettings(output=output, has_history=True))
        octets = at = 0
        longest = 0.0
        began = time.process_time()
        while at < len(flush.bins[0]):
            turn = time.process_time()
            at = renderer.render(flush.bins[0], at, NOW)
            octets += len(renderer.take())
            longest = max(longest, time.process_time() - turn)
        spent = time.process_time() - began
        speed = f"{at / spent / 1e6:5.2f} M rows/CPU s {octets / spent / 1e6:5.0f} MB/CPU s"
        sys.stdout.write(f"{name:20} {output.value:16} {speed}  longest buffer {longest * 1000:4.1f} ms\n")


def main() -> None:
    """Measure both kinds of keys."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    for name in KEYS:
        measure(name, rows)


if __name__ == "__main__":
    main()
