"""Look flows up in a full table and write what the routes say: flows a second, of the processor.

Flows of one router go to addresses inside the prefixes that it announces; for each of them the destination is looked
up, and AS numbers, AS path, communities and next hop are written into its row. The first pass reads every path it meets
for the first time; the second finds all of them read.

Usage: python -m tests.bench.bench_enrich [--prefixes 1000000] [--v6 200000] [--flows 2000000] [--both]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import TYPE_CHECKING, Final

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.columns.layout import Layout
from flowcorr.correlate._enrich import Enricher
from flowcorr.correlate._facts import Facts
from flowcorr.correlate._source import Source
from flowcorr.correlate.correlation import Correlation
from routed.rib._lookup import Lookups
from routed.rib._resolve import Resolver, Step, View
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from tests.bench.make_table import Shape, updates

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Rows that are looked up together.
BATCH: Final = 4_096
RUN: Final = 5_000
COLUMNS: Final = "exporter src_host dst_host dst_as peer_dst_as as_path std_comm peer_dst_ip bgp_next_hop".split()  # noqa: SIM905
BOTH: Final = "src_as src_net src_mask".split()  # noqa: SIM905


def load(prefixes: int, v6: int) -> tuple[Rib, PeerRib]:
    """Return a RIB with a table."""
    rib = Rib(1)
    peer = PeerRib(rib)
    messages = list(updates(Shape(ipv4=prefixes, ipv6=v6)))
    for at in range(0, len(messages), RUN):
        apply(peer, b"".join(messages[at : at + RUN]))
    return rib, peer


def batches(rib: Rib, layout: Layout, flows: int) -> list[Batch]:
    """Return flows to random prefixes of all that there are."""
    lookups, chance = Lookups(rib), random.Random(1)
    known = []
    for family in (0, 4):
        number = 1
        while True:
            try:
                address, _, _ = lookups.prefix(family, number)
            except KeyError:
                break
            known.append(address if len(address) == 16 else IPV4_MAPPED + address)
            number += 1
    made = []
    for _ in range(flows // BATCH):
        batch = Batch(layout, BATCH)
        for _ in range(BATCH):
            batch.append(exporter=1, src_host=chance.choice(known), dst_host=chance.choice(known))
        made.append(batch)
    return made


def looking_up(rib: Rib, peer: PeerRib, names: Sequence[str]) -> tuple[Layout, Enricher, Facts, Texts]:
    """Return what looks columns of flows up in the table of a peer."""
    layout, texts = Layout(BUILTIN[name] for name in names), Texts()
    correlation = Correlation(as_source=("bgp",), net_source=("bgp",))
    resolver = Resolver(rib)
    view = resolver.add(View([Step(0, b"", [[peer]])]))
    facts = Facts(resolver, texts, correlation.texts(names))
    source = Source(resolver, facts, lambda *_: view, lambda *_: b"bgp")
    return layout, Enricher(layout, texts, [source], correlation.groups(["bgp"])), facts, texts


def say(line: str) -> None:
    """Write a line of the result."""
    sys.stdout.write(line + "\n")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefixes", type=int, default=1_000_000)
    parser.add_argument("--v6", type=int, default=200_000)
    parser.add_argument("--flows", type=int, default=500_000)
    parser.add_argument("--both", action="store_true", help="sources too")
    options = parser.parse_args()
    rib, peer = load(options.prefixes, options.v6)
    names = [*COLUMNS, *(BOTH if options.both else ())]
    layout, enricher, facts, texts = looking_up(rib, peer, names)
    made = batches(rib, layout, options.flows)
    flows = sum(map(len, made))
    for name in ("paths read for the first time", "paths known"):
        before = time.process_time()
        for batch in made:
            enricher.enrich(batch)
        spent = time.process_time() - before
        say(f"{name}: {flows / spent / 1e6:.2f} M flows/s, {spent / flows * 1e9:.0f} ns a flow")
    say(f"{len(facts)} paths, {texts.count} texts, {enricher.found} of {2 * flows} found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
