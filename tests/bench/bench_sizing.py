"""What a machine for our daemons needs besides the routes themselves: memory of the process and of idle peers, CPU of
their keepalives, octets of a row in logs and dumps; as Markdown.

usage: python -m tests.bench.bench_sizing [--peers 500] [--routes 100000] [--seconds 30]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.daemons import OURS, OURS_BMP, Running
from tests.bench.measure import CpuMeter, memory, wait_until_idle
from tests.bench.play import read_updates
from tests.bench.report import table
from tests.peers.raw_speaker import KEEPALIVE, RawSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
#: Three of them for each hold time (RFC 4271 section 10): a session's part in each minute with 90 s.
KEEPALIVE_EVERY: Final = 30.0


def established(running: Running, count: int, stack: ExitStack) -> list[RawSession]:
    """Establish sessions from addresses of their own."""
    sessions = []
    for number in range(count):
        source = f"127.0.{1 + number // 250}.{1 + number % 250}"
        session = stack.enter_context(RawSession(running.target, source, patience=60))
        session.establish(65001)
        sessions.append(session)
    return sessions


def processes(folder: Path, port: int) -> Iterator[Sequence[str]]:
    """Measure what a daemon holds that has no peers."""
    for number, kind in enumerate((OURS, OURS_BMP)):
        with Running(kind, folder / f"idle-{number}", port + number) as running:
            yield f"{kind.program[-1].rpartition('.')[2]}, no peers", f"{memory(running.pid) / 2**20:.0f} MiB"


def peers(folder: Path, port: int, count: int, seconds: float) -> Iterator[Sequence[str]]:
    """Measure what sessions cost that only keep themselves alive."""
    with ExitStack() as stack:
        running = stack.enter_context(Running(OURS, folder / "peers", port, {"bgp_daemon_max_peers": str(count + 1)}))
        before = memory(running.pid)
        sessions = established(running, count, stack)
        wait_until_idle(CpuMeter(running.pid))
        yield f"{count} idle peers, each", f"{(memory(running.pid) - before) / count / 1024:.1f} KiB"
        meter, due = CpuMeter(running.pid), time.monotonic()
        rounds = max(1, int(seconds // 1))
        for _ in range(rounds):  # each round is what all peers say in KEEPALIVE_EVERY seconds
            for session in sessions:
                session.send(KEEPALIVE)
            due += 1.0
            time.sleep(max(0.0, due - time.monotonic()))
        share = meter.seconds() / rounds / KEEPALIVE_EVERY
        yield f"keepalives of {count} peers, hold time 90 s", f"{100 * share:.2f} % of a core"


def rows(folder: Path, port: int, routes: int) -> Iterator[Sequence[str]]:
    """Measure how long the rows of a table are in a message log and in a dump."""
    stream = folder / "table"
    arguments = ["tests.bench.make_table", str(stream), "--prefixes", str(routes), "--v6", str(routes // 5)]
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    log = folder / "messages.json"
    with (
        Running(OURS, folder / "rows", port, {"bgp_daemon_msglog_file": str(log)}) as running,
        RawSession(running.target, "127.0.1.1", patience=60) as session,
    ):
        session.establish(65001)
        session.send(read_updates(stream))
        wait_until_idle(CpuMeter(running.pid))
        octets, count = log.stat().st_size, sum(1 for _ in log.open("rb"))
        yield f"row of a message log or dump, JSON, mean of {count:,}", f"{octets / count:.0f} octets"
    compressed = subprocess.run(["gzip", "-c", str(log)], check=True, capture_output=True).stdout
    yield "the same, gzip", f"{len(compressed) / count:.0f} octets"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--peers", type=int, default=500)
    parser.add_argument("--routes", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--port", type=int, default=21_700)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sizing-") as name:
        folder = Path(name)
        found = [
            *processes(folder, options.port),
            *peers(folder, options.port + 2, options.peers, options.seconds),
            *rows(folder, options.port + 3, options.routes),
        ]
    sys.stdout.write(table(("what", "measured"), found))


if __name__ == "__main__":
    main()
