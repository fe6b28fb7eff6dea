"""Compare our daemons with Debian's pmbgpd and pmbmpd and with BIRD, all in one run, and print Markdown.

Each case is played several times, the daemons taking turns, and the best of each counts: the machine may be
shared, so only ratios within a run mean anything. A daemon that is not installed is left out, by name.

Usage: python -m tests.bench.side_by_side [--scale 0.1] [--rounds 3] [--case NAME ...] [--write]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench import bgp_bench, bmp_bench
from tests.bench.plan import RECORDED_ROUTES, ROOT, Measuring, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE: Final = ROOT / "docs" / "benchmarks.md"
NAMES: Final = tuple(dict.fromkeys(kind.name for kind in (*bgp_bench.ALL, *bmp_bench.ALL)))


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} x {model}, Linux {kernel}, Python {platform.python_version()}"


def _sections(measuring: Measuring, protocol: str, wanted: Sequence[str]) -> Iterator[str]:
    """Run the wanted cases of a protocol; yield what is printed of each."""
    plan = measuring.plan
    ours, bench = (bgp_bench, bgp_bench.BgpBench) if protocol == "bgp" else (bmp_bench, bmp_bench.BmpBench)
    names = ", ".join(kind.name for kind in plan.among(ours.ALL))
    yield f"`{_command()}`\n"
    yield f"Measured on {_machine()}; {names}; best of {plan.rounds}; tables of {plan.scale:g} times the full size.\n"
    measured = bench(measuring)
    for name, (title, run) in ours.CASES.items():
        if name in wanted:
            yield f"#### {title}\n\n{run(measured)}"


def _command() -> str:
    """Return how this was called; files that are not ours are FILE."""
    words = ("FILE" if word.startswith("/") else word for word in sys.argv[1:] if word != "--write")
    return " ".join(("python -m tests.bench.side_by_side", *words))


def _write(protocol: str, body: str) -> None:
    begin, end = (f"<!-- measured {protocol}: {edge} -->\n" for edge in ("begin", "end"))
    before, _, rest = PAGE.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}{body}{end}{after}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*bgp_bench.CASES, *bmp_bench.CASES]
    parser.add_argument("--scale", type=float, default=1.0, help="size of the tables, 1 for the whole Internet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", choices=names, help="only this one, may be repeated")
    parser.add_argument("--without", action="append", default=[], choices=NAMES)
    parser.add_argument("--generator", type=Path, help="another table generator with make_table's options")
    parser.add_argument("--recorded", type=Path, help=f"a recorded stream of {RECORDED_ROUTES:,} routes")
    parser.add_argument("--port", type=int, default=20300, help="first of 50 ports to listen on")
    parser.add_argument("--write", action="store_true", help=f"put the result into {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def main() -> None:
    """Run the wanted cases and print what they found."""
    options = _options()
    for kind in (*bgp_bench.ALL, *bmp_bench.ALL):
        if not kind.present or kind.name in options.without:
            sys.stderr.write(f"left out: {kind.name}\n")
    generator = (
        [sys.executable, str(options.generator)]
        if options.generator
        else [sys.executable, "-m", "tests.bench.make_table"]
    )
    plan = Plan(
        scale=options.scale,
        rounds=options.rounds,
        without=options.without,
        generator=generator,
        recorded=options.recorded,
    )
    for protocol, bench in (("bgp", bgp_bench), ("bmp", bmp_bench)):
        wanted = [name for name in bench.CASES if options.case is None or name in options.case]
        if not wanted:
            continue
        printed = []
        with tempfile.TemporaryDirectory() as folder:
            for section in _sections(Measuring(plan, Path(folder), options.port), protocol, wanted):
                printed.append(section)
                sys.stdout.write(f"{section}\n")
                sys.stdout.flush()  # a case that fails takes only itself away
        if options.write:
            _write(protocol, "\n".join(printed))


if __name__ == "__main__":
    main()
