"""How long a looking glass takes to answer while a table loads, beside BIRD's control socket.

Some peers have sent a full table each; one more sends its own while one client, or a hundred, ask for longest matches
and for exact prefixes, one question after the other. Then everything is quiet and the same is asked again, and whole
tables are searched. The asker is a process of its own; where there are two processors, three processes share them.

Usage: python -m tests.bench.bench_glass [--prefixes 1000000] [--v6 200000] [--peers 4] [--bird]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import zmq

from tests.bench.asker import Asker, Bird, Latency
from tests.bench.bench_search import PLAYER_AS, report, tables_of
from tests.bench.daemons import BIRD, OURS, Running
from tests.bench.make_table import Shape
from tests.bench.measure import CpuMeter, wait_until_idle
from tests.bench.play import Player

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT: Final = 17_910
GLASS: Final = 17_911
HTTP: Final = 17_912
#: Seconds that a client asks for while nothing else goes on, and addresses that it asks for.
QUIET: Final = 5.0
ADDRESSES: Final = 5_000
CROWD: Final = 100
ROUNDS: Final = 5
#: Seconds without work after which a daemon has done what it had to.
SETTLED: Final = 0.2
#: Searches: what they are called, our condition, and BIRD's.
SEARCHES: Final = (
    ("community *:777", {"community": "*:777"}, "bgp_community ~ [(*, 777)]"),
    ("path _33560_", {"as_path": "_33560_"}, "bgp_path ~ [= * 33560 * =]"),
    ("path _1[0-9][0-9]$", {"as_path": "_1[0-9][0-9]$"}, "bgp_path ~ [= * 100..199 =]"),
)


def addresses_of(stream: bytes) -> tuple[list[str], list[str]]:
    """Return addresses inside routes of a stream, and prefixes that are routes."""
    draw = random.Random(5)
    networks: list[IPv4Network] = []
    at = 0
    while at < len(stream) and len(networks) < 40 * ADDRESSES:
        length = int.from_bytes(stream[at + 16 : at + 18], "big")
        withdrawn = int.from_bytes(stream[at + 19 : at + 21], "big")
        attributes = int.from_bytes(stream[at + 21 + withdrawn : at + 23 + withdrawn], "big")
        here, end = at + 23 + withdrawn + attributes, at + length
        while here < end:
            octets = (stream[here] + 7) // 8
            address = stream[here + 1 : here + 1 + octets].ljust(4, b"\0")
            networks.append(IPv4Network((address, stream[here]), strict=False))
            here += 1 + octets
        at += length
    chosen = draw.sample(networks, min(ADDRESSES, len(networks)))
    inside = [str(IPv4Address(int(one.network_address) + draw.randrange(one.num_addresses))) for one in chosen]
    return inside, [str(one) for one in chosen]


def show(name: str, latency: Latency, cpu: float | None) -> None:
    rate = latency.answers / latency.seconds
    each = "-" if cpu is None else f"{1e6 * cpu / latency.answers:.0f}"
    report(
        f"{name:34}{latency.p50_ms:9.2f}{latency.p99_ms:9.2f}{latency.worst_ms:9.1f}{rate:10.0f}{each:>9}"
        f"{100 * latency.found / latency.answers:8.0f}%"
    )


def asked(name: str, ask: Callable[[], Asker], work: Callable[[], object], meter: CpuMeter | None = None) -> None:
    """Ask while some work is done; when there is no other, the processor's time is that of the answers."""
    before = 0.0 if meter is None else meter.seconds()
    with ask() as asker:
        work()
    show(name, asker.latency, None if meter is None else meter.seconds() - before)


class Ours:
    """Our daemon."""

    kind = OURS
    extra: Final = {
        "bgp_daemon_lg": "true",
        "bgp_daemon_lg_port": str(GLASS),
        "bgp_daemon_lg_http": "true",
        "bgp_daemon_lg_http_port": str(HTTP),
    }

    def __init__(self, _running: Running) -> None:
        self._socket = zmq.Context.instance().socket(zmq.REQ)
        self._socket.connect(f"tcp://127.0.0.1:{GLASS}")

    def asker(self, addresses: Sequence[str], clients: int = 1) -> Asker:
        return Asker("zmq", GLASS, addresses, clients)

    def count(self, where: dict[str, Any], _bird: str) -> int:
        question = {"select": "count", "where": where}
        self._socket.send_multipart([b'{"query_type": 3}', json.dumps(question).encode()])
        return int(json.loads(self._socket.recv_multipart()[1])["count"])

    def pauses(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{HTTP}/metrics") as answer:
            text = answer.read().decode()
        found = {name: float(re.search(rf"^routed_reactor_{name} (\S+)$", text, re.MULTILINE)[1]) for name in TURNS}  # type: ignore[index]  # they are there
        longest, busiest, long = found.values()
        return f"longest turn {1e3 * longest:.1f} ms (of the processor {1e3 * busiest:.1f} ms), {long:.0f} above 20 ms"


TURNS: Final = ("longest_turn_seconds", "busiest_turn_seconds", "long_turns_total")


class Birds:
    """BIRD."""

    kind = BIRD
    extra: Final[dict[str, str]] = {}

    def __init__(self, running: Running) -> None:
        self._path = running.folder / "control"
        self._bird = Bird(str(self._path))

    def asker(self, addresses: Sequence[str], clients: int = 1) -> Asker:
        return Asker("bird", self._path, addresses, clients)

    def count(self, _where: dict[str, Any], bird: str) -> int:
        self._bird._socket.sendall(f"show route table all where {bird} count\n".encode())
        total, line = 0, b""
        while not (line[:4].isdigit() and line[4:5] == b" " and not line.startswith(b"1")):
            line = self._bird._file.readline()
            total += sum(int(found) for found in re.findall(rb"(\d+) of \d+ routes", line)[:1])
            if b"Total" in line or line.startswith(b"0014"):
                return int(re.findall(rb"(\d+) of \d+ routes", line)[0]) if b" of " in line else total
        return total

    def pauses(self) -> str:
        return ""


@contextmanager
def keeping_alive(player: Player) -> Iterator[None]:
    """Keep sessions alive while others work."""
    over = threading.Event()
    thread = threading.Thread(target=player.stay, args=(over.is_set,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(glass: type[Ours | Birds], tables: list[bytes], folder: Path, port: int) -> None:
    inside, exact = addresses_of(tables[0])
    with Running(glass.kind, folder, port, glass.extra) as running:
        player = Player(running.target, len(tables) - 1, PLAYER_AS)
        meter = CpuMeter(running.pid)
        player.play(tables[:-1])
        wait_until_idle(meter, SETTLED)
        daemon = glass(running)
        report(f"{glass.kind.name}, load average {os.getloadavg()[0]:.1f}")
        report(f"{'milliseconds':34}{'p50':>9}{'p99':>9}{'worst':>9}{'answers/s':>10}{'CPU, us':>9}{'found':>9}")
        with keeping_alive(player):
            asked("longest match, quiet", lambda: daemon.asker(inside), lambda: time.sleep(QUIET), meter)
            asked("exact, quiet", lambda: daemon.asker(exact), lambda: time.sleep(QUIET), meter)
            if glass is Ours:
                asked("100 clients, quiet", lambda: daemon.asker(inside, CROWD), lambda: time.sleep(QUIET), meter)
            for clients in (1, CROWD) if glass is Ours else (1,):
                late = Player(running.target, 1, PLAYER_AS, first=len(tables) - 1)

                name = "a table loads" if clients == 1 else f"a table loads, {clients} clients"
                asked(name, partial(daemon.asker, inside, clients), partial(late.play, tables[-1:]))
                late.close()
                wait_until_idle(meter, SETTLED)
            if daemon.pauses():
                report(daemon.pauses())
            for name, where, bird in SEARCHES:
                times, cpu, count = [], [], 0
                for _ in range(ROUNDS):
                    start, before = time.perf_counter(), meter.seconds()
                    count = daemon.count(where, bird)
                    times.append(time.perf_counter() - start)
                    cpu.append(meter.seconds() - before)
                report(f"{name:34}{1e3 * min(times):9.0f} ms, {1e3 * min(cpu):.0f} ms of processor, {count} routes")
            if daemon.pauses():
                report(daemon.pauses())
        player.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefixes", type=int, default=1_000_000, help="IPv4 routes of each peer")
    parser.add_argument("--v6", type=int, default=200_000, help="IPv6 routes of each peer")
    parser.add_argument("--peers", type=int, default=4, help="tables that are held; one more is loaded")
    parser.add_argument("--bird", action="store_true", help="ask BIRD the same")
    options = parser.parse_args()
    tables = [b"".join(runs) for runs in tables_of(Shape(ipv4=options.prefixes, ipv6=options.v6), options.peers + 1)]
    report(f"{options.peers} tables of {options.prefixes + options.v6} routes are held, one more loads")
    with tempfile.TemporaryDirectory() as folder:
        measure(Ours, tables, Path(folder) / "ours", PORT)
        if options.bird:
            measure(Birds, tables, Path(folder) / "bird", PORT + 10)


if __name__ == "__main__":
    sys.exit(main())
