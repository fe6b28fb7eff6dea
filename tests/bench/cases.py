"""What is measured: one function a case, each starts its daemon, loads it and returns figures."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import count
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Final

from tests.bench.bmp_stream import opening
from tests.bench.daemons import BIRD, Kind, Running
from tests.bench.measure import CpuMeter, kernel_seconds, memory, wait_until_idle
from tests.bench.play import Player, Router
from tests.bench.probe import Latency, Probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Seconds of idleness after which a daemon gives no more memory back.
SETTLED: Final = 3.0
PLAYER_AS: Final = 65001
#: What is in every row of a dump and nowhere else, and what is in the last record, by encoding.
DUMPED: Final[Mapping[str, tuple[bytes, bytes]]] = {
    "json": (b'"ip_prefix"', b'"event_type": "dump_close"'),
    "avro": (b"\x08dump", b"\x14dump_close"),
}
PAUSE: Final = re.compile(r"longest reactor pause: ([\d.]+) ms(?: \(busiest turn: ([\d.]+) ms)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Streams that are played together, and how many routes they leave in all tables."""

    name: str
    streams: Sequence[bytes]
    peers: int
    routes: int
    messages: int = 0

    def connect(self, target: tuple[str, int]) -> Player | Router:
        """Begin the sessions."""
        return Player(target, self.peers, PLAYER_AS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterLoad(Load):
    """What one BMP router shows; the messages that open its session are not measured."""

    def connect(self, target: tuple[str, int]) -> Router:
        """Begin the session."""
        return Router(target, opening(self.peers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What it cost to take a load in."""

    routes: int
    cpu: float
    kernel: float
    wall: float
    octets: int
    messages: int = 0

    @property
    def speed(self) -> float:
        """Routes a CPU second."""
        return self.routes / self.cpu

    @property
    def user_speed(self) -> float:
        """Routes a CPU second outside of the kernel, whose page faults cost what the machine pleases."""
        return self.routes / max(0.01, self.cpu - self.kernel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What it cost to write rows of JSON."""

    rows: int
    cpu: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How responsive the daemon stayed during a load."""

    wall: float
    probed: Latency
    logged_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What it cost to lose a router: until all its routes were gone, and what memory was left then."""

    routes: int
    cpu: float
    wall: float
    before: int
    loaded: int
    after: int
    pause_ms: float | None
    busy_ms: float | None


class Ground:
    """Where daemons run: a folder and a range of ports, a fresh one of each for every start."""

    def __init__(self, folder: Path, first_port: int) -> None:
        self._folder = folder
        self._runs = count()
        self._first_port = first_port

    def start(self, kind: Kind, **extra: str) -> Running:
        """Prepare a daemon; the block that enters it starts the measurement."""
        run = next(self._runs)
        return Running(kind, self._folder / str(run), self._first_port + run % 50, extra)


def play(daemon: Running, load: Load) -> tuple[Player | Router, Ingest]:
    player = load.connect(daemon.target)
    wait_until_idle(CpuMeter(daemon.pid), 0.3)
    before, kernel = memory(daemon.pid), kernel_seconds(daemon.pid)
    meter, begin = CpuMeter(daemon.pid), time.monotonic()
    player.play(load.streams)
    cpu, end = wait_until_idle(meter)
    kernel = kernel_seconds(daemon.pid) - kernel
    octets = memory(daemon.pid) - before
    figures = Ingest(
        routes=load.routes, messages=load.messages, cpu=cpu, kernel=kernel, wall=end - begin, octets=octets
    )
    return player, figures


def ingest(ground: Ground, kind: Kind, load: Load) -> Ingest:
    """Take a load in, with nothing else to do."""
    with ground.start(kind) as daemon:
        player, figures = play(daemon, load)
        player.close()
    return figures


def message_log(ground: Ground, kind: Kind, load: Load) -> Rows:
    """Take a load in and log every route of it."""
    with ground.start(kind, **{f"{kind.log}_file": "{folder}/messages.json"}) as daemon:
        player, figures = play(daemon, load)
        rows = _count_rows(daemon.folder / "messages.json", b'"log_type": "update"')
        player.close()
    return Rows(rows=rows, cpu=figures.cpu, wall=figures.wall)


def table_dump(ground: Ground, kind: Kind, load: Load, output: str = "json") -> Rows:
    """Dump the tables at the next full minute, from the first sign of a file to the last row in place."""
    row, end = DUMPED[output]
    keys = {f"{kind.dump}_file": "{folder}/dumps/table", f"{kind.dump}_refresh_time": "60"}
    with ground.start(kind, **keys, **{f"{kind.dump}_output": output}) as daemon:
        player, _ = play(daemon, load)
        dumps, meter = daemon.folder / "dumps", CpuMeter(daemon.pid)
        dumps.mkdir(exist_ok=True)
        rows = 0
        while rows < load.routes // 2:  # a dump that fell into the load does not count
            for path in dumps.iterdir():
                path.unlink()
            player.stay(until=lambda: any(dumps.iterdir()))
            begin, before = time.monotonic(), meter.seconds()
            player.stay(until=lambda: meter.seconds() > 0 and _is_whole(dumps / "table", end))
            wall, cpu = time.monotonic() - begin, meter.seconds() - before
            rows = _count_rows(dumps / "table", row)
        player.close()
    return Rows(rows=rows, cpu=cpu, wall=wall)


def pauses(ground: Ground, kind: Kind, load: Load) -> Pauses:
    """Probe the daemon while all peers of a load connect and announce, and ask its log afterwards."""
    room = {} if kind.program == BIRD.program else {"bgp_daemon_max_peers": str(load.peers + 16)}
    with ground.start(kind, **room) as daemon:
        with Probe(daemon.target) as probe:
            begin = time.monotonic()
            player = Player(daemon.target, load.peers, PLAYER_AS)
            player.play(load.streams)
            end = _until_little_work(CpuMeter(daemon.pid))
        player.close()
    return Pauses(wall=end - begin, probed=probe.latency, logged_ms=longest_pause(daemon)[0])


def loss(ground: Ground, kind: Kind, load: Load) -> Loss:
    """Take a load in and lose the router that brought it."""
    with ground.start(kind) as daemon:
        before = memory(daemon.pid)
        player, _ = play(daemon, load)
        loaded = memory(daemon.pid)
        meter, begin = CpuMeter(daemon.pid), time.monotonic()
        player.close()
        cpu, end = wait_until_idle(meter, SETTLED)
        after = memory(daemon.pid)
    pause_ms, busy_ms = longest_pause(daemon)
    return Loss(
        routes=load.routes,
        cpu=cpu,
        wall=end - begin,
        before=before,
        loaded=loaded,
        after=after,
        pause_ms=pause_ms,
        busy_ms=busy_ms,
    )


def longest_pause(daemon: Running) -> tuple[float | None, float | None]:
    """Return what an ended daemon said of its longest pause and its busiest turn, in milliseconds."""
    logged = PAUSE.findall(daemon.log())
    return (float(logged[-1][0]), float(logged[-1][1] or "nan")) if logged else (None, None)


def churn(ground: Ground, kind: Kind, load: Load, cycles: int) -> list[int]:
    """Return the memory after each of some cycles of loading a table and losing all its peers."""
    after = []
    with ground.start(kind) as daemon:
        for _ in range(cycles):
            player, _ = play(daemon, load)
            player.close()
            wait_until_idle(CpuMeter(daemon.pid))
            after.append(memory(daemon.pid))
    return after


def _until_little_work(meter: CpuMeter) -> float:
    """Wait until the daemon uses less than a fifth of one CPU for a second, and return since when.

    It is never idle while it is probed.
    """
    last, busy_until = meter.seconds(), time.monotonic()
    while time.monotonic() - busy_until < 1.0:
        time.sleep(0.1)
        reading = meter.seconds()
        if reading - last > 0.02:
            busy_until = time.monotonic()
        last = reading
    return busy_until


def _count_rows(path: Path, sign: bytes) -> int:
    if not path.stat().st_size:
        return 0
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as octets:
        return sum(1 for _ in re.finditer(re.escape(sign), octets))


def _is_whole(path: Path, end: bytes) -> bool:
    """Whether a dump of one peer has its last row."""
    if not path.exists():
        return False
    with path.open("rb") as octets:
        octets.seek(max(0, path.stat().st_size - 400))
        return end in octets.read()
