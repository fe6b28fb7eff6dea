"""Filters, maps and networks files beside Debian's nfacctd: the same traffic with and without each, as Markdown.

What a filter or a file costs is the CPU time of a flow beyond that of the same flows without it, so either daemon is
its own measure; what it takes to load, and what it holds, is told in the same way.  Flows are those of one router
between random addresses; half of their destinations are in the maps.

    python -m tests.bench.bench_maps_beside [--case networks ...] [--rounds 2] [--flows 400000]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.bench_flows import DATAGRAMS, Case, Figures, Offer, measure
from tests.bench.bench_networks import text_of
from tests.bench.flow_traffic import SOURCE, netflow, random_addresses
from tests.bench.report import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

AGGREGATE: Final = "dst_as, peer_src_ip, tag, src_port"
FILTER: Final = "not dst net 192.0.2.0/24 and (tcp or udp or ip[9] != 1) and not (src port 1 and dst port 2)"
IPV4, IPV6 = 1_000_000, 200_000
#: How often a daemon may die of a measurement: Debian's 1.7.7 does now and then, of its index of maps.
MOST_DEATHS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured: the keys that switch it on, and at what pace Debian's can be offered how many flows."""

    title: str
    keys: Callable[[Path, Sequence[bytes]], Mapping[str, object]]
    addresses: int = 20_000
    theirs: tuple[int, int] = (200_000, 40_000)  # flows; flows a second


def _filter(_folder: Path, _addresses: Sequence[bytes]) -> Mapping[str, object]:
    return {"aggregate_filter[rows]": FILTER}


def _networks(folder: Path, _addresses: Sequence[bytes]) -> Mapping[str, object]:
    file = folder / "networks"
    if not file.exists():
        file.write_bytes(text_of(IPV4, IPV6, random.Random(1), shuffled=False))
    return {"networks_file": file, "nfacctd_as": "file", "nfacctd_net": "file"}


def _map(rows: int, *, index: bool) -> Callable[[Path, Sequence[bytes]], Mapping[str, object]]:
    def keys(folder: Path, addresses: Sequence[bytes]) -> Mapping[str, object]:
        file = folder / f"tags-{rows}"
        file.write_text("".join(f"{row}\n" for row in _rows(rows, addresses)))
        return {"pre_tag_map": file, "maps_entries": 2 * rows, "maps_index": str(index).lower()}

    return keys


def _rows(count: int, addresses: Sequence[bytes]) -> Iterator[str]:
    """Rows of addresses behind the router, of which every second one has no flows."""
    for number in range(1, count + 1):
        address = IPv4Address(addresses[number]) if number % 2 else IPv4Address("224.0.0.0") + number
        yield f"set_tag={number} ip={SOURCE} dst_net={address}/32"


SUBJECTS: Final = {
    "filter": Subject(title="`aggregate_filter` of three parts", keys=_filter),
    "networks": Subject(title="`networks_file` of 1.2 M rows", keys=_networks, addresses=200_000),
    "map": Subject(
        title="`pre_tag_map` of 10,000 rows", keys=_map(10_000, index=False), addresses=10_000, theirs=(20_000, 2_000)
    ),
    "indexed": Subject(
        title="... with `maps_index`", keys=_map(10_000, index=True), addresses=10_000, theirs=(40_000, 20_000)
    ),
    "large": Subject(
        title="`pre_tag_map` of 100,000 rows with `maps_index`",
        keys=_map(100_000, index=True),
        addresses=100_000,
        theirs=(200_000, 20_000),
    ),
}
COMMANDS: Final = {"ours": [sys.executable, "-m", "flowcorr.daemon.nfacctd"], "theirs": ["/usr/sbin/nfacctd"]}
HEAD: Final = ("what", "ours", "Debian's", "ratio", "loaded in, CPU s", "Debian's", "MB", "Debian's")


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs. Units: CPU seconds a flow, CPU seconds, octets."""

    flow: float
    load: float
    held: int

    @classmethod
    def between(cls, base: Figures, one: Figures) -> Cost:
        """Return by how much one measurement is above another."""
        return cls(
            one.cpu / one.accounted - base.cpu / base.accounted, one.start - base.start, one.loaded - base.loaded
        )


def cost(kind: str, subject: Subject, folder: Path, options: argparse.Namespace) -> Cost:
    """Measure a daemon with and without something; the cheapest of several rounds counts."""
    addresses = random_addresses(subject.addresses)
    traffic = netflow(addresses, DATAGRAMS)
    flows, rate = (options.flows, 100_000) if kind == "ours" else subject.theirs
    case = Case(title="", daemon="nfacctd", aggregate=AGGREGATE, traffic=netflow)

    def run(keys: Mapping[str, object]) -> Figures:
        with tempfile.TemporaryDirectory(dir=folder) as home:
            offer = Offer(stream=b"", traffic=traffic, flows=flows, rate=rate, extra=keys)
            return measure(COMMANDS[kind], case, offer, Path(home) / "run", options.port)

    def cheapest(keys: Mapping[str, object]) -> Figures:
        found: list[Figures] = []
        for _ in range(options.rounds + MOST_DEATHS):
            with suppress(ConnectionRefusedError):
                found.append(run(keys))
            if len(found) == options.rounds:
                break
        return min(found, key=lambda one: one.cpu / one.accounted)

    return Cost.between(cheapest({}), cheapest(subject.keys(folder, addresses)))


def _cells(subject: Subject, ours: Cost, theirs: Cost) -> Sequence[str]:
    return (
        subject.title,
        f"{ours.flow * 1e9:.0f} ns",
        f"{theirs.flow * 1e9:,.0f} ns",
        f"{theirs.flow / ours.flow:.1f}" if ours.flow > 0 else "",
        f"{ours.load:.2f}",
        f"{theirs.load:.2f}",
        f"{ours.held / 1e6:.0f}",
        f"{theirs.held / 1e6:.0f}",
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=SUBJECTS, help="only this one, may be repeated")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--flows", type=int, default=400_000, help="that ours is offered")
    parser.add_argument("--port", type=int, default=21_950)
    options = parser.parse_args()
    if shutil.which(COMMANDS["theirs"][0]) is None:
        sys.exit("pmacct is not installed: apt install pmacct")
    found = []
    with tempfile.TemporaryDirectory() as name:
        for key in options.case or SUBJECTS:
            subject = SUBJECTS[key]
            found.append(_cells(subject, *(cost(kind, subject, Path(name), options) for kind in COMMANDS)))
            sys.stderr.write(" | ".join(found[-1]) + "\n")
    sys.stdout.write(table(HEAD, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
