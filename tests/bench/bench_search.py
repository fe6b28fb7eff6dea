"""Search whole tables by what routes are like: milliseconds, and routes a second; on request beside BIRD.

Some peers send a full table each, in an order of their own; they share prefixes and no attribute sets. A search is
opened, counts, counts again what it knows by now, and finds a page. "New page" is what a person waits for who asks for
the first routes: open, find, write rows, close. Times are those of the processor.

Usage: python -m tests.bench.bench_search [--prefixes 1000000] [--v6 200000] [--peers 4] [--bird]
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from routed.query.path_expression import compile_path_expression
from routed.rib._aspa import Attestations
from routed.rib._condition import Condition
from routed.rib._lookup import Lookups
from routed.rib._payloads import Payloads
from routed.rib._rib import PeerRib, Rib
from routed.rib._rows import Rows
from routed.rib._search import Search
from routed.rib._update import apply
from routed.rib._vrps import Vrps
from routed.service.explaining import as_path_of
from tests.bench.daemons import BIRD, Running
from tests.bench.make_table import Shape, updates
from tests.bench.measure import CpuMeter, wait_until_idle
from tests.bench.play import Player

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 5
PAGE: Final = 100
#: Routes that are looked at together.
PIECE: Final = 100_000
#: Messages that are applied together.
RUN: Final = 5_000
PORT: Final = 17_900
PLAYER_AS: Final = 65_001

Tables: TypeAlias = list[list[bytes]]


def path(expression: str) -> Callable[[], Condition]:
    return lambda: Condition.path(compile_path_expression(expression))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of us and of BIRD."""

    name: str
    make: Callable[[], Condition | None]
    bird: str


QUESTIONS: Final = (
    Question("every route", lambda: None, "true"),
    Question("origin AS 174000", lambda: Condition.origin_as(174_000), "bgp_path.last = 174000"),
    Question("community *:777", lambda: Condition.community(None, 777), "bgp_community ~ [(*, 777)]"),
    Question(
        "large community *:100:7",
        lambda: Condition.large_community(None, 100, 7),
        "",  # its sets of large communities have no wildcard in front
    ),
    Question("AS 33560 in the path", lambda: Condition.any_as(33_560), "bgp_path ~ [= * 33560 * =]"),
    Question("path _33560_", path("_33560_"), "bgp_path ~ [= * 33560 * =]"),
    Question("path ^64500_", path("^64500_"), "bgp_path ~ [= 64500 * =]"),
    Question("path _1[0-9][0-9]$", path("_1[0-9][0-9]$"), "bgp_path ~ [= * 100..199 =]"),
    Question(
        "community *:777, MED >= 400",
        lambda: Condition.community(None, 777) & Condition.med(">=", 400),
        "bgp_community ~ [(*, 777)] && bgp_med >= 400",
    ),
)


def report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def milliseconds(run: Callable[[], object]) -> float:
    """Take the quickest of some runs."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times) * 1e3


def tables_of(shape: Shape, peers: int) -> Tables:
    """Make the runs of messages of each peer."""
    tables = []
    for view in range(peers):
        messages = list(updates(Shape(ipv4=shape.ipv4, ipv6=shape.ipv6, view=view)))
        random.Random(view).shuffle(messages)
        tables.append([b"".join(messages[at : at + RUN]) for at in range(0, len(messages), RUN)])
    return tables


def loaded(tables: Tables) -> tuple[Rib, list[PeerRib]]:
    rib = Rib(1)
    ribs = [PeerRib(rib) for _ in tables]
    for peer, runs in zip(ribs, tables, strict=True):
        for octets in runs:
            apply(peer, octets)
    return rib, ribs


def searched(ribs: list[PeerRib], question: Question) -> tuple[int, dict[str, float]]:
    """Count what is found, and the milliseconds of each step."""
    routes, times = 0, dict.fromkeys(("open", "count", "again", "page"), 1e9)
    for _ in range(ROUNDS):
        moments = [time.process_time()]
        search = Search(ribs, condition=question.make())
        moments.append(time.process_time())
        routes = sum(search.count())
        moments.append(time.process_time())
        search.count()
        moments.append(time.process_time())
        search.run(PAGE)
        moments.append(time.process_time())
        search.close()
        for at, step in enumerate(times):
            times[step] = min(times[step], 1e3 * (moments[at + 1] - moments[at]))
    return routes, times


def show(ribs: list[PeerRib], question: Question, most: int, *, everything: bool = False) -> int:
    """Open, find, write rows, close; how many routes were shown."""
    search = Search(ribs, condition=question.make())
    rows = Rows()
    rows.lookup()
    after, shown = None, 0
    while True:
        found = search.run(most, after)
        at = 0
        while at < len(found):
            at = found.render(rows, lambda _: None, at)
            rows.take()
        shown += len(found)
        after = found.after
        if after is None or not everything:
            search.close()
            return shown


def narrow(ribs: list[PeerRib], length: int) -> int:
    search = Search(ribs, within=(0, bytes([100, 64, 0, 0]), length))
    routes = sum(search.count())
    search.close()
    return routes


def validated(ribs: list[PeerRib]) -> None:
    """Ask for routes by what payloads for half of the prefixes, an eighth of them of another AS, make of them."""
    payloads, aspas = Payloads(), dict[int, frozenset[int]]()
    draw = random.Random(1)
    every = Search(ribs[:1])
    after: tuple[int, int, int] | None = None
    while True:
        found = every.run(PIECE, after)
        for _, _, address, length, *_, attributes in found.routes():
            path = as_path_of(attributes)
            origin, upstream = int.from_bytes(path[-4:], "big"), int.from_bytes(path[-8:-4], "big")
            if draw.random() < 0.5:
                payloads.add(address, length, length, origin + (draw.random() < 0.125))
            if draw.random() < 0.1:
                aspas[origin] = frozenset({upstream, upstream + 1})
        after = found.after
        if after is None:
            break
    every.close()
    vrps = payloads.applied_to(Vrps(), strict=False)
    started = time.process_time()
    attestations = Attestations(aspas)
    took = 1e3 * (time.process_time() - started)
    report(f"{len(vrps)} payloads, {len(aspas)} ASPAs (made in {took:.0f} ms): to count, milliseconds")
    for status in (b"v", b"i", b"u"):
        count_all(f"roa {status.decode()}", lambda status=status: Search(ribs, origins=(vrps, status)))  # type: ignore[misc]
    for verdict in ("valid", "invalid"):
        condition = Condition.aspa(attestations, verdict, is_upstream=True)
        count_all(f"aspa_upstream {verdict}", lambda condition=condition: Search(ribs, condition=condition))  # type: ignore[misc]


def count_all(name: str, make: Callable[[], Search]) -> None:
    """Count what a search finds, each time with a new one."""
    count, best = 0, 1e9
    for _ in range(ROUNDS):
        search = make()
        started = time.process_time()
        count = sum(search.count())
        best = min(best, 1e3 * (time.process_time() - started))
        search.close()
    report(f"{name:28}{count:9}{best:17.1f}")


def measure(rib: Rib, ribs: list[PeerRib], bird: Bird | None) -> None:
    total = sum(map(len, ribs))
    report(f"{total} routes, {len(rib.paths)} attribute sets, {rib.memory['paths'] >> 20} MiB of paths; milliseconds:")
    report(f"{'':28}{'found':>9}{'open':>8}{'count':>9}{'M routes/s':>12}{'again':>8}{'new page':>10}{'BIRD':>8}")
    for question in QUESTIONS:
        routes, ms = searched(ribs, question)
        page = milliseconds(lambda question=question: show(ribs, question, PAGE))  # type: ignore[misc]
        line = f"{question.name:28}{routes:9}{ms['open']:8.2f}{ms['count']:9.1f}{total / ms['count'] / 1e3:12.1f}"
        report(f"{line}{ms['again']:8.1f}{page:10.2f}{'-' if bird is None else bird.milliseconds(question, routes):>8}")
    every = milliseconds(lambda: show(ribs, QUESTIONS[2], 10_000, everything=True))
    report(f"{QUESTIONS[2].name}, all rows written: {every:.1f} ms")
    for length in (8, 16, 22):
        ms_narrow = milliseconds(lambda length=length: narrow(ribs, length))  # type: ignore[misc]
        report(f"more specific than a /{length}: {narrow(ribs, length)} in {ms_narrow:.2f} ms")
    lookups = Lookups(rib)
    for name, family, address in (("IPv4", 0, bytes([100, 64, 1, 1])), ("IPv6", 4, b"\x2a\x00" + bytes(14))):

        def around(family: int = family, address: bytes = address) -> None:
            for _ in range(1000):
                lookups.less_specific_routes(ribs, family, address, 8 * len(address))

        report(f"less specific than a host, {name}: {milliseconds(around):.1f} us")
    validated(ribs)


class Bird:
    """BIRD with the same tables, and sessions that stay."""

    def __init__(self, tables: Tables, folder: Path) -> None:
        self._folder = folder / "bird"
        self._stack = ExitStack()
        running = self._stack.enter_context(Running(BIRD, self._folder, PORT))
        self._player = Player(running.target, len(tables), PLAYER_AS)
        self._stack.callback(self._player.close)
        self._meter = CpuMeter(running.pid)
        self._player.play([b"".join(runs) for runs in tables])
        wait_until_idle(self._meter)

    def milliseconds(self, question: Question, expected: int) -> str:
        """Ask BIRD to count; the milliseconds of its processor."""
        if not question.bird:
            return "-"
        command = ("birdc", "-s", str(self._folder / "control"), f"show route table all where {question.bird} count")
        before = self._meter.seconds()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
            self._player.stay(lambda: asking.poll() is not None)
            assert asking.stdout is not None
            answer = asking.stdout.read()
        took = self._meter.seconds() - before
        counts = [int(found) for found in re.findall(r"^(\d+) of \d+ routes", answer, re.MULTILINE)]
        if abs(sum(counts) - expected) > 2 + expected // 50:  # it refuses paths that we take
            report(f"BIRD counts otherwise: {answer}")
        return f"{took * 1e3:.0f}"

    def close(self) -> None:
        """End sessions and daemon."""
        self._stack.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefixes", type=int, default=1_000_000, help="IPv4 routes of each peer")
    parser.add_argument("--v6", type=int, default=200_000, help="IPv6 routes of each peer")
    parser.add_argument("--peers", type=int, default=4)
    parser.add_argument("--bird", action="store_true", help="ask BIRD the same")
    options = parser.parse_args()
    tables = tables_of(Shape(ipv4=options.prefixes, ipv6=options.v6), options.peers)
    rib, ribs = loaded(tables)
    if not options.bird:
        measure(rib, ribs, None)
        return
    with tempfile.TemporaryDirectory() as folder:
        bird = Bird(tables, Path(folder))
        try:
            measure(rib, ribs, bird)
        finally:
            bird.close()


if __name__ == "__main__":
    main()
