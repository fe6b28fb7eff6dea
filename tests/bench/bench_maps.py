"""Maps of many rows, packet filters: how long a flow takes, and how long they take to load.

    python -m tests.bench.bench_maps [--rows 10000 100000] [--flows 200000]

Rows are those of an exchange or a wholesale network: interfaces of hundreds of routers, prefixes of customers, ports of
servers.  Half of the flows match a row.  Times are those of this process (CPU), best of three.

Then a map is read again as a daemon does it, in a thread, while this one works on batches and gives the interpreter
up after each: what one of them takes at most then and before is the pause that flows feel.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._packet_program import COLUMNS, PacketFilter
from flowcorr.correlate.map_compiler import compile_map
from flowcorr.correlate.maps import PRE_TAG, Pace, TagRules, tag_rules
from flowcorr.daemon.packet_filters import compile_expression
from routed.plumbing.background import beside_others, give_back, uncollected, with_rests
from routed.plumbing.log import LogLine
from routed.plumbing.maps import Limits, iterate_rows

NAMES = ("exporter_address", "in_iface", "out_iface", "tag", "tag2", "label", "tos")
LAYOUT = Layout([*ALWAYS, *(BUILTIN[name] for name in dict.fromkeys((*NAMES, *COLUMNS)))])
ROUTERS = 500
BATCH = 8_192
MAPPED = bytes(10) + b"\xff\xff"
FILTERS = ("src net 10.0.0.0/8 and dst port 80", "tcp[tcpflags] & tcp-syn != 0 and not dst net 192.0.2.0/24")


def rows_of(count: int, rng: random.Random) -> Iterator[str]:
    """Rows of three forms: an interface of a router, a prefix behind a router, a port of a server."""
    for number in range(1, count + 1):
        router = f"172.16.{rng.randrange(ROUTERS) >> 8}.{rng.randrange(256)}"
        if number % 3 == 0:
            yield f"set_tag={number} ip={router}/32 in={rng.randrange(10 * count)}"
        elif number % 3 == 1:
            yield f"set_tag={number} ip={router}/32 src_net=10.{rng.randrange(256)}.{rng.randrange(256)}.0/24"
        else:
            server = f"192.0.{rng.randrange(256)}.{rng.randrange(256)}"
            yield f"set_tag={number} dst_net={server}/32 dst_port={rng.randrange(65536)}"


def flows_of(rows: list[str], count: int, rng: random.Random) -> Batch:
    """Flows of which half have what a row asks for."""
    batch = Batch(LAYOUT, count)
    for _ in range(count):
        values = {"family": 4, "proto": 6, "src_host": MAPPED + rng.randbytes(4), "dst_host": MAPPED + rng.randbytes(4)}
        values |= {"exporter_address": MAPPED + b"\xac\x10" + rng.randbytes(2), "in_iface": rng.randrange(1000)}
        for pair in rng.choice(rows).split() if rng.random() < 0.5 else ():
            key, value = pair.split("=")
            address = value.partition("/")[0]
            octets = MAPPED + bytes(map(int, address.split("."))) if "." in address else b""
            column = {"ip": "exporter_address", "src_net": "src_host", "dst_net": "dst_host"}.get(key)
            values |= {column: octets} if column else {}
            values |= {{"in": "in_iface"}.get(key, key): int(value)} if key in {"in", "dst_port"} else {}
        batch.append(**values)
    return batch


def seconds(work: Callable[[], object], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return min(taken)


def load(text: str, texts: Texts, pace: "Pace[Any]" = iter) -> TagRules:
    """Read a map as a daemon does."""
    lines: list[LogLine] = []
    rows = iterate_rows(text, "map", PRE_TAG.keys, Limits(len(text), 288), lines)
    made, refused = compile_map(PRE_TAG, pace(rows))
    assert not refused
    assert not lines
    rules = tag_rules(made, LAYOUT, texts, pace)
    give_back(made.rows, pace)
    return rules


def longest_turns(text: str, texts: Texts, batches: list[Batch]) -> tuple[float, float, float]:
    """Return what a batch takes at most: while nothing else happens, while the map is read, and to take it over."""
    tag = load(text, texts).tagger(texts)
    found: list[TagRules] = []

    def read_again() -> None:
        with beside_others():
            found.append(load(text, texts, with_rests))

    def turns(goes_on: Callable[[], bool]) -> float:
        longest = 0.0
        while goes_on():
            before = time.perf_counter()
            tag(batches[0])
            time.sleep(0)  # as any call to the system does
            longest = max(longest, time.perf_counter() - before)
        return longest

    until = time.perf_counter() + 1.0
    quiet = turns(lambda: time.perf_counter() < until)
    thread = Thread(target=read_again)
    thread.start()
    busy = turns(thread.is_alive)
    before = time.perf_counter()
    new = found[0].tagger(texts)
    tag.close()
    taken = time.perf_counter() - before
    new.close()
    return quiet, busy, taken


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--flows", type=int, default=200_000)
    given = parser.parse_args()
    rng = random.Random(1)
    for count in given.rows:
        rows = list(rows_of(count, rng))
        text = "\n".join(rows)
        texts = Texts()
        before = time.process_time()
        with uncollected():
            stage = load(text, texts).tagger(texts)
        loaded = time.process_time() - before
        batches = [flows_of(rows, BATCH, rng) for _ in range(max(1, given.flows // BATCH))]
        taken = seconds(lambda stage=stage, batches=batches: [stage(batch) for batch in batches])
        flows = BATCH * len(batches)
        tagged = sum(int((batch.rows["tag"] != 0).sum()) for batch in batches)
        sys.stdout.write(
            f"pre_tag_map of {count} rows: {taken / flows * 1e9:.0f} ns a flow, "
            f"{100 * tagged / flows:.0f} % of {flows} tagged; loaded in {loaded:.2f} s\n"
        )
        quiet, busy, taken = longest_turns(text, texts, [flows_of(rows, 512, rng)])
        sys.stdout.write(
            f"  512 flows at most {quiet * 1e3:.1f} ms, {busy * 1e3:.1f} ms while the map is read again; "
            f"taken over in {taken * 1e3:.1f} ms\n"
        )
    for text in FILTERS:
        packet_filter = PacketFilter(LAYOUT, [compile_expression(text)])
        taken = seconds(lambda one=packet_filter: [one.passes(batch) for batch in batches])
        sys.stdout.write(f"aggregate_filter '{text}': {taken / flows * 1e9:.0f} ns a flow\n")


if __name__ == "__main__":
    main()
