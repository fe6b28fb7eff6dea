"""How long the memory plugin takes to answer over a million rows, while it counts and when it does not.

A table is filled in a process of its own, served over a UNIX socket, and asked by our client's library: a listing as
JSON and as columns, the ten largest rows, and one matched query. With `--busy` the daemon sums all the while.

Usage: python -m tests.bench.bench_memory [--rows 1000000] [--busy]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from twisted.internet import reactor as twisted_reactor

from flowcorr.client.ask import ask
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.live_table import LiveTable
from flowcorr.service.memory_answer import Table
from flowcorr.service.memory_server import ClientCounters, SocketPlace, Surroundings, TableFactory
from flowcorr.service.render import RowSettings
from routed.plumbing.output_file import Owner
from routed.plumbing.sink import PoolThreads

BATCH: Final = 4_096
AGGREGATE: Final = "src_host, dst_host, src_port, dst_port, proto"
QUESTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("all rows, JSON", {"do": "list", "output": "json"}),
    ("all rows, CSV", {"do": "list", "output": "csv"}),
    ("all rows, formatted", {"do": "list"}),
    ("the ten largest", {"do": "list", "output": "csv", "top": "bytes", "most": 10}),
    ("one matched", {"do": "count", "primitives": ["src_host"], "values": [["10.0.1.1"]]}),
    ("4,096 queries", {"do": "count", "primitives": ["src_port"], "values": [[str(n)] for n in range(4_096)]}),
)


def fill(batch: Batch, first: int) -> None:
    """Put rows into a batch, each with a key of its own."""
    batch.clear()
    for _ in range(BATCH):
        batch.append(record_type=4, packets=1, bytes=100, flows=1, proto=6)
    numbers = np.arange(first, first + BATCH, dtype=">u4")
    host = np.zeros((BATCH, 16), np.uint8)
    host[:, 10:12] = 0xFF
    host[:, 12:] = numbers.view(np.uint8).reshape(BATCH, 4) + np.array([10, 0, 0, 0], np.uint8)
    batch.rows["src_host"] = host.view("V16").ravel()
    batch.rows["src_port"] = numbers % 65_536


def serve(path: Path, rows: int, *, busy: bool) -> None:
    """Fill a table, and answer for ever."""
    reactor: Any = twisted_reactor
    aggregate = parse_aggregate(AGGREGATE, "nfacctd")
    layout, texts = Layout([*ALWAYS, *aggregate.columns]), Texts()
    live = LiveTable(layout, aggregate, texts, 2 * rows)
    batch = Batch(layout, BATCH)
    for first in range(0, rows, BATCH):
        fill(batch, first)
        live.add(batch, None, 0.0)
    sys.stdout.write(f"{len(live):,} rows, {live.octets / len(live):.0f} octets each\n")
    sys.stdout.flush()

    def count() -> None:
        live.add(batch, None, 0.0)
        reactor.callLater(0, count)

    if busy:
        reactor.callWhenRunning(count)
    around = Surroundings(reactor, PoolThreads(reactor), time.time)
    factory = TableFactory(Table(live, aggregate, RowSettings(), 0.0), around, ClientCounters())
    SocketPlace(path, Owner()).listen(reactor, factory)
    reactor.run(installSignalHandlers=False)


def main() -> None:
    """Ask and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--busy", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        server = multiprocessing.Process(target=serve, args=(path, chosen.rows), kwargs={"busy": chosen.busy})
        server.start()
        try:
            while not path.is_socket():
                time.sleep(0.1)
            for name, question in QUESTIONS:
                began, octets = time.perf_counter(), 0
                with ask(str(path), question) as answer:
                    while chunk := answer.body.read(1 << 20):
                        octets += len(chunk)
                seconds = time.perf_counter() - began
                sys.stdout.write(f"{name:22}{1_000 * seconds:8.0f} ms {octets / 1e6:8.1f} MB\n")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
