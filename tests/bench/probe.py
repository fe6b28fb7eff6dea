"""How long a busy daemon lets a newcomer wait: the time from an OPEN sent to the answer, over and over.

It runs in a process of its own, so that the player's work is not mistaken for the daemon's.

Usage: python -m tests.bench.probe PORT, then end its standard input; it prints `PROBES WORST_MS 99TH_PERCENTILE_MS`.
"""

from __future__ import annotations

import select
import subprocess
import sys
import time
from ipaddress import IPv4Address
from typing import Final, NamedTuple, Self

from tests.peers.raw_speaker import RawSession, open_message

FIRST_SOURCE: Final = IPv4Address("127.0.200.1")
INTERVAL: Final = 0.05


class Latency(NamedTuple):
    """What the probe saw."""

    probes: int
    worst_ms: float
    percentile_99_ms: float


def _round_trip_ms(target: tuple[str, int], source: str) -> float:
    with RawSession(target, source, patience=60) as session:
        sent = time.perf_counter()
        session.send(open_message(65001, source))
        session.receive()
        elapsed = time.perf_counter() - sent
        session.abort()
    return elapsed * 1000


def main() -> None:
    """Probe until standard input ends."""
    target = ("127.0.0.1", int(sys.argv[1]))
    latencies: list[float] = []
    while not select.select([sys.stdin], [], [], INTERVAL)[0]:
        latencies.append(_round_trip_ms(target, str(FIRST_SOURCE + len(latencies) % 5000)))
    ordered = sorted(latencies)
    sys.stdout.write(f"{len(ordered)} {ordered[-1]:.1f} {ordered[len(ordered) * 99 // 100]:.1f}\n")


class Probe:
    """The probe as a block: it runs while the block does, `latency` is there afterwards."""

    latency: Latency

    def __init__(self, target: tuple[str, int]) -> None:
        command = [sys.executable, "-m", "tests.bench.probe", str(target[1])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        answer, _ = self._process.communicate()
        probes, worst_ms, percentile_99_ms = answer.split()
        self.latency = Latency(int(probes), float(worst_ms), float(percentile_99_ms))


if __name__ == "__main__":
    main()
