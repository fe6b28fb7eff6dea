"""Sessions passed on: throughput, memory and fairness of our daemon beside Debian's pmbgpd, as Markdown.

A process of its own is every collector: it answers an OPEN and counts what it is sent. The sessions play their tables
together, as fast as the proxy takes them; the time ends when the last octet has arrived. Meanwhile one more session
sends a KEEPALIVE every 20 ms, and the collector sends it back: how long that takes both ways is what a router's hold
timer sees. Daemons take turns, the best round counts.

usage: python -m tests.bench.bench_xconnect [--pairs 1 100 1000] [--octets 200] [--rounds 3] [--without pmbgpd]
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.daemons import LOOPBACK, OURS, PMBGPD, Kind, Running
from tests.bench.measure import CpuMeter, memory, wait_until_idle
from tests.bench.play import FIRST_SOURCE, Player, read_updates
from tests.bench.report import table
from tests.peers.raw_speaker import KEEPALIVE, open_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.sharedctypes import Synchronized

ASN: Final = 64512
PROBE: Final = "127.0.0.77"
PROBE_EVERY: Final = 0.02
CHUNK: Final = 1 << 18
#: Debian's daemon selects: two descriptors a pair, and some of its own.
MOST_OF_SELECT: Final = 500
LONGEST_TURN: Final = re.compile(r"busiest turn: ([\d.]+) ms")
ROOT: Final = Path(__file__).resolve().parents[2]


def _configuration(folder: Path, port: int, extra: Mapping[str, str]) -> str:
    keys = {
        "bgp_daemon_ip": LOOPBACK,
        "bgp_daemon_port": str(port),
        "bgp_daemon_xconnect_map": "{folder}/../map",
        "maps_entries": "4096",
        "logfile": "{folder}/log",
        **extra,
    }
    return "".join(f"{key}: {value.format(folder=folder)}\n" for key, value in keys.items())


def proxy(kind: Kind) -> Kind:
    """Return the same daemon as a proxy."""
    return Kind(name=kind.name, program=kind.program, arguments=kind.arguments, configuration=_configuration)


def collect(listening: socket.socket, arrived: Synchronized[int]) -> None:
    """Be every collector until killed; a session that begins with the probe's OPEN has everything sent back."""
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    answer = open_message(ASN, "127.0.0.1", hold_time=240) + KEEPALIVE
    probe_open = open_message(ASN, PROBE, hold_time=240)
    probes: set[int] = set()
    buffer = bytearray(CHUNK)
    begun: set[int] = set()
    while True:
        for key, _ in selector.select():
            if key.fileobj is listening:
                tcp, _ = listening.accept()
                tcp.settimeout(None)
                selector.register(tcp, selectors.EVENT_READ)
                continue
            tcp = key.fileobj
            assert isinstance(tcp, socket.socket)
            octets = 0
            with suppress(OSError):
                octets = tcp.recv_into(buffer)
            if not octets:
                selector.unregister(tcp)
                begun.discard(key.fd)
                probes.discard(key.fd)
                tcp.close()
            elif key.fd not in begun:
                begun.add(key.fd)
                if buffer[:octets].startswith(probe_open):
                    probes.add(key.fd)
                tcp.sendall(answer)
            elif key.fd in probes:
                tcp.sendall(buffer[:octets])
            else:
                with arrived.get_lock():
                    arrived.value += octets


class Probe:
    """A session that measures how long a KEEPALIVE takes to the collector and back."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._tcp = socket.create_connection(target, timeout=60, source_address=(PROBE, 0))
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tcp.sendall(open_message(ASN, PROBE, hold_time=240))
        self._receive(len(open_message(ASN, "127.0.0.1")) + len(KEEPALIVE))
        self.seconds: list[float] = []
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _receive(self, octets: int) -> None:
        while octets:
            received = len(self._tcp.recv(octets))
            if not received:
                raise ConnectionError("the session of the probe has ended")
            octets -= received

    def _run(self) -> None:
        while not self._leaving.wait(PROBE_EVERY):
            began = time.monotonic()
            with suppress(TimeoutError):  # that long, then
                self._tcp.sendall(KEEPALIVE)
                self._receive(len(KEEPALIVE))
            self.seconds.append(time.monotonic() - began)

    def leave(self) -> None:
        """Close the session."""
        self._leaving.set()
        self._thread.join()
        self._tcp.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one round came to. Units: seconds, octets."""

    octets: int
    messages: int
    cpu: float
    wall: float
    idle_memory: int  # of all pairs, before anything goes through
    peak_memory: int  # of all pairs, while it does
    delays: Sequence[float]
    turn: str = ""  # the longest of the reactor, in ms of its own processor time


class Peak(threading.Thread):
    """Watches the memory of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.octets = 0
        self._pid, self._leaving = pid, threading.Event()
        self.start()

    def run(self) -> None:
        """Look again and again."""
        while not self._leaving.wait(0.1):
            self.octets = max(self.octets, memory(self._pid))

    def leave(self) -> int:
        """Stop; return the most that was seen."""
        self._leaving.set()
        self.join()
        return max(self.octets, memory(self._pid))


def play(kind: Kind, folder: Path, port: int, pairs: int, stream: bytes) -> Figures:
    """Let one daemon pass on so many sessions at once, each with the stream."""
    context = multiprocessing.get_context("fork")
    arrived = context.Value("q", 0)
    with socket.create_server((LOOPBACK, 0), backlog=1024) as listening:
        collector = context.Process(target=collect, args=(listening, arrived), daemon=True)
        collector.start()
        where = f"{LOOPBACK}:{listening.getsockname()[1]}"
        sources = [PROBE, *(str(FIRST_SOURCE + number) for number in range(pairs))]
        folder.mkdir(parents=True)
        (folder / "map").write_text("".join(f"bgp_dst={where} bgp_src={source}\n" for source in sources))
        try:
            with Running(proxy(kind), folder / "run", port, {"bgp_daemon_max_peers": str(pairs + 4)}) as daemon:
                figures = _measure(daemon, pairs, stream, arrived)
        finally:
            collector.kill()
            collector.join()
        turn = LONGEST_TURN.search(daemon.log())
        return figures if turn is None else replace(figures, turn=turn.group(1))


def _measure(daemon: Running, pairs: int, stream: bytes, arrived: Synchronized[int]) -> Figures:
    before = memory(daemon.pid)
    probe = Probe(daemon.target)
    player = Player(daemon.target, pairs, ASN)
    idle = memory(daemon.pid) - before
    time.sleep(0.5)
    expected = arrived.value + pairs * len(stream)
    probe.seconds.clear()
    peak, meter, began = Peak(daemon.pid), CpuMeter(daemon.pid), time.monotonic()
    player.play([stream])
    player.stay(lambda: arrived.value >= expected)
    wall, cpu = time.monotonic() - began, meter.seconds()
    probe.leave()
    figures = Figures(
        octets=pairs * len(stream),
        messages=pairs * stream.count(b"\xff" * 16),
        cpu=cpu,
        wall=wall,
        idle_memory=idle,
        peak_memory=peak.leave() - before,
        delays=sorted(probe.seconds),
    )
    player.close()
    wait_until_idle(meter)  # or its longest turn would be that of its stop
    return figures


def row(name: str, pairs: int, one: Figures, ours: Figures | None) -> Sequence[str]:
    """Write a row of the table."""
    ratio = "" if ours is None or ours is one else f"{(ours.octets / ours.cpu) / (one.octets / one.cpu):.1f}"
    delays = (statistics.median(one.delays), one.delays[-1]) if one.delays else (0.0, 0.0)
    return (
        name,
        f"{pairs:,}",
        f"{one.octets / one.cpu / 1e6:.0f}",
        f"{one.messages / one.cpu / 1e6:.2f} M",
        f"{one.octets / one.wall / 1e6:.0f}",
        ratio,
        f"{one.idle_memory / pairs / 1024:.0f}",
        f"{one.peak_memory / pairs / 1024:.0f}",
        f"{delays[0] * 1e3:.1f}",
        f"{delays[1] * 1e3:.1f}",
        one.turn,
    )


HEAD: Final = (
    "daemon",
    "pairs",
    "MB/CPU s",
    "messages/CPU s",
    "MB/s",
    "ours is faster by",
    "KiB/pair idle",
    "KiB/pair at most",
    "KEEPALIVE there and back, ms",
    "longest",
    "longest turn, ms of CPU",
)


def _stream(folder: Path, octets: int) -> bytes:
    """Return whole UPDATEs of about so many octets, as a table has them."""
    path = folder / "table.bgp"
    if not path.exists():
        generator = [sys.executable, "-m", "tests.bench.make_table", str(path), "--prefixes", "100000", "--v6", "20000"]
        subprocess.run(generator, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    once = read_updates(path)
    stream = once * (octets // len(once))
    at, rest = 0, octets - len(stream)
    while at < rest:
        at += int.from_bytes(once[at + 16 : at + 18], "big")
    return stream + once[:at]


def main() -> None:
    """Run all rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--octets", type=float, default=200, help="millions of octets that go through in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", action="append", default=[], choices=["ours", "pmbgpd"])
    parser.add_argument("--port", type=int, default=20800, help="first of 50 ports to listen on")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows, serial = [], 0
    with tempfile.TemporaryDirectory() as name:
        for pairs in options.pairs:
            stream = _stream(Path(name), int(options.octets * 1e6 / pairs))
            best: dict[str, Figures] = {}
            for kind in (OURS, PMBGPD) * options.rounds:
                beyond = kind is PMBGPD and pairs > MOST_OF_SELECT
                if not kind.present or kind.name in options.without or beyond:
                    continue
                figures = play(kind, Path(name) / f"{serial}", options.port + serial % 50, pairs, stream)
                serial += 1
                sys.stderr.write(f"{kind.name}, {pairs} pairs: {row(kind.name, pairs, figures, None)}\n")
                if kind.name not in best or figures.cpu < best[kind.name].cpu:
                    best[kind.name] = figures
            rows += [row(name, pairs, figures, best.get(OURS.name)) for name, figures in best.items()]
    sys.stdout.write(table(HEAD, rows))


if __name__ == "__main__":
    main()
