"""Compare our daemon with Debian's pmbgpd and BIRD, all in one run, and print Markdown.

Each case is played several times, the daemons taking turns, and the best of each counts: the machine may be
shared, so only ratios within a run mean anything. A daemon that is not installed is left out, by name.

Usage: python -m tests.bench.side_by_side [--scale 0.1] [--rounds 3] [--case NAME ...] [--write]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from tests.bench import cases, report
from tests.bench.daemons import BIRD, BIRD_IMPORT_TABLE, OURS, PMBGPD, Kind
from tests.bench.play import read_updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
ALL: Final = (OURS, PMBGPD, BIRD, BIRD_IMPORT_TABLE)
PMACCT_LIKE: Final = (OURS, PMBGPD)
IPV4_ROUTES, IPV6_ROUTES, VIEWS = 1_000_000, 200_000, 4
CROWD_PEERS, CROWD_ROUTES, CROWD_VIEWS = 500, 10_000, 50
CHURN_PEERS, CHURN_ROUTES, CHURN_CYCLES = 4, 100_000, 12
RECORDED_UPDATES, RECORDED_ROUTES = 316_830, 496_825


class Costly(Protocol):
    """Figures that can be compared: the fewer CPU seconds the better."""

    @property
    def cpu(self) -> float: ...


Figures = TypeVar("Figures", bound=Costly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the person asked for."""

    scale: float
    rounds: int
    daemons: Sequence[Kind]
    generator: Sequence[str]
    recorded: Path | None

    def among(self, kinds: Sequence[Kind]) -> list[Kind]:
        """Return those of the kinds that take part."""
        return [kind for kind in kinds if kind in self.daemons]


class Bench:
    """All cases on one ground, with the tables they share."""

    def __init__(self, plan: Plan, folder: Path, first_port: int) -> None:
        self._plan = plan
        self._tables = folder
        self._ground = cases.Ground(folder / "runs", first_port)
        self._single: dict[str, cases.Ingest] = {}

    def _view(self, view: int, ipv4: int, ipv6: int) -> bytes:
        path = self._tables / f"{ipv4}-{ipv6}-{view}.bgp"
        if not path.exists():
            sizes = ("--prefixes", str(ipv4), "--v6", str(ipv6), "--peer", str(view))
            subprocess.run([*self._plan.generator, str(path), *sizes], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        return read_updates(path)

    def _generated(self, peers: int) -> cases.Load:
        ipv4, ipv6 = int(IPV4_ROUTES * self._plan.scale), int(IPV6_ROUTES * self._plan.scale)
        streams = [self._view(view, ipv4, ipv6) for view in range(peers)]
        return cases.Load(name="generated", streams=streams, peers=peers, routes=peers * (ipv4 + ipv6))

    def _best(
        self, measure: Callable[[cases.Ground, Kind, cases.Load], Figures], kinds: Sequence[Kind], load: cases.Load
    ) -> dict[str, Figures]:
        """Let the daemons take turns, and keep each one's cheapest round."""
        best: dict[str, Figures] = {}
        for _ in range(self._plan.rounds):
            for kind in self._plan.among(kinds):
                figures = measure(self._ground, kind, load)
                sys.stderr.write(f"{load.name}, {load.peers} peers, {kind.name}: {figures}\n")
                if kind.name not in best or figures.cpu < best[kind.name].cpu:
                    best[kind.name] = figures
        return best

    def single(self) -> str:
        """One peer with a full table."""
        self._single = self._best(cases.ingest, ALL, self._generated(1))
        return report.ingest_table(self._single, {}, OURS.name)

    def several(self) -> str:
        """Four peers with a full table each, their own attribute sets in it."""
        if not self._single:
            self.single()
        return report.ingest_table(self._best(cases.ingest, ALL, self._generated(VIEWS)), self._single, OURS.name)

    def recorded(self) -> str:
        """The recorded table of a real exchange point."""
        if self._plan.recorded is None:
            return "No recording given.\n"
        streams = [read_updates(self._plan.recorded, RECORDED_UPDATES)]
        load = cases.Load(name="recorded", streams=streams, peers=1, routes=RECORDED_ROUTES)
        return report.ingest_table(self._best(cases.ingest, ALL, load), {}, OURS.name)

    def dump(self) -> str:
        """A dump of one full table to a file of JSON."""
        return report.rows_table(self._best(cases.table_dump, PMACCT_LIKE, self._generated(1)), OURS.name)

    def log(self) -> str:
        """The message log while one full table loads."""
        return report.rows_table(self._best(cases.message_log, PMACCT_LIKE, self._generated(1)), OURS.name)

    def crowd(self) -> str:
        """Hundreds of peers that come up together, with a probe that keeps asking."""
        routes = int(CROWD_ROUTES * self._plan.scale)
        streams = [self._view(view, routes * 9 // 10, routes // 10) for view in range(CROWD_VIEWS)]
        load = cases.Load(name="crowd", streams=streams, peers=CROWD_PEERS, routes=CROWD_PEERS * routes)
        return report.pauses_table(
            {kind.name: cases.pauses(self._ground, kind, load) for kind in self._plan.among((OURS, BIRD))}
        )

    def churn(self) -> str:
        """Peers that come with tables and go again, many times."""
        routes = int(CHURN_ROUTES * self._plan.scale)
        streams = [self._view(view, routes * 9 // 10, routes // 10) for view in range(CHURN_PEERS)]
        load = cases.Load(name="churn", streams=streams, peers=CHURN_PEERS, routes=CHURN_PEERS * routes)
        kinds = self._plan.among((OURS, PMBGPD, BIRD))
        return report.churn_table({kind.name: cases.churn(self._ground, kind, load, CHURN_CYCLES) for kind in kinds})


CASES: Final[dict[str, tuple[str, Callable[[Bench], str]]]] = {
    "single": ("Taking in a full table from one peer", Bench.single),
    "several": ("Taking in full tables from four peers", Bench.several),
    "recorded": ("Taking in a recorded table", Bench.recorded),
    "dump": ("Dumping a table", Bench.dump),
    "log": ("Logging every route of a table", Bench.log),
    "crowd": ("500 peers together", Bench.crowd),
    "churn": ("Memory after churn", Bench.churn),
}


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}"


def _sections(bench: Bench, wanted: Sequence[str], plan: Plan) -> Iterator[str]:
    names = ", ".join(kind.name for kind in plan.daemons)
    yield f"Measured on {_machine()}; {names}; best of {plan.rounds}; tables of {plan.scale:g} times the full size.\n"
    for name in wanted:
        title, run = CASES[name]
        yield f"### {title}\n\n{run(bench)}"


def _write(body: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the tables, 1 for the whole Internet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one, may be repeated")
    parser.add_argument("--without", action="append", default=[], choices=[kind.name for kind in ALL])
    parser.add_argument("--generator", type=Path, help="another table generator with make_table's options")
    parser.add_argument("--recorded", type=Path, help=f"a recorded stream of {RECORDED_ROUTES:,} routes")
    parser.add_argument("--port", type=int, default=20300, help="first of 50 ports to listen on")
    parser.add_argument("--write", action="store_true", help=f"put the result into {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def main() -> None:
    """Run the wanted cases and print what they found."""
    options = _options()
    daemons = [kind for kind in ALL if kind.present and kind.name not in options.without]
    for kind in ALL:
        if kind not in daemons:
            sys.stderr.write(f"left out: {kind.name}\n")
    generator = (
        [sys.executable, str(options.generator)]
        if options.generator
        else [sys.executable, "-m", "tests.bench.make_table"]
    )
    plan = Plan(
        scale=options.scale, rounds=options.rounds, daemons=daemons, generator=generator, recorded=options.recorded
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(plan, Path(folder), options.port)
        body = "\n".join(_sections(bench, options.case or list(CASES), plan))
    sys.stdout.write(body)
    if options.write:
        _write(body)


if __name__ == "__main__":
    main()
