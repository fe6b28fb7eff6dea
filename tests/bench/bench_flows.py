"""Compare our flow daemons with Debian's nfacctd and sfacctd: the same table, the same traffic, and print Markdown.

Flows a CPU second count what a daemon accounted, that is the packets in the rows that it wrote at its end, and its CPU
seconds from the first datagram until it has been idle for a second. What was sent and is not in the rows is lost.

    python -m tests.bench.bench_flows [--case bgp ...] [--flows 2000000] [--rate 200000] [--without debian]
    python -m tests.bench.bench_flows --case bgp --routers 2 --processes 2 --without debian

With several routers each announces the table and exports a part of the flows; with several processes ours is measured
as one process and as so many, between which the routers are divided.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.flow_traffic import SOURCE, Traffic, announce, destinations, netflow, random_addresses, send, sflow
from tests.bench.make_table import Shape, updates
from tests.bench.measure import CpuMeter, kernel_seconds, memory, process_tree, wait_until_idle
from tests.bench.play import Player, read_updates
from tests.bench.report import per_second, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PEER_AS: Final = 65001
PATIENCE: Final = 60.0
#: Datagrams that are made, and sent again and again; addresses that they are drawn from.
DATAGRAMS, ADDRESSES = 4_000, 200_000
ROUTES: Final = "dst_as, peer_dst_as, as_path, std_comm, peer_src_ip, in_iface"
ADDRESSES_AND_PORTS: Final = "src_host, dst_host, src_port, dst_port, proto"
KEYS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured: the daemon, the keys of its rows, and what it is sent."""

    title: str
    daemon: str
    aggregate: str
    traffic: Callable[[Sequence[bytes], int], Traffic]
    has_routes: bool = False
    datagrams: int = DATAGRAMS


CASES: Final = {
    "bgp": Case(
        title="Flows with the routes of a full table",
        daemon="nfacctd",
        aggregate=ROUTES,
        traffic=netflow,
        has_routes=True,
    ),
    "plain": Case(
        title="Flows by addresses and ports", daemon="nfacctd", aggregate=ADDRESSES_AND_PORTS, traffic=netflow
    ),
    "sflow": Case(title="Samples of sFlow", daemon="sfacctd", aggregate=ADDRESSES_AND_PORTS, traffic=sflow),
    "keys": Case(
        title="A million keys in a bin",
        daemon="nfacctd",
        aggregate=ADDRESSES_AND_PORTS,
        traffic=netflow,
        datagrams=KEYS // 23 + 1,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a daemon is given: a table, and so many flows, so many a second."""

    stream: bytes
    traffic: Traffic
    flows: int
    rate: int
    routers: int = 1
    processes: int = 1
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def sources(self) -> Sequence[str]:
        """Return the addresses of the routers."""
        return [str(IPv4Address(SOURCE) + number) for number in range(self.routers)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of it."""

    rate: float
    sent: int
    accounted: int
    rows: int
    cpu: float
    kernel: float
    loaded: int
    after: int
    start: float  # CPU seconds until it waited for flows, a table and all files read

    @property
    def speed(self) -> float:
        """Flows a CPU second."""
        return self.accounted / self.cpu


def _configuration(case: Case, offer: Offer, folder: Path, port: int) -> str:
    keys = {
        "daemonize": "false",
        "logfile": folder / "log",
        f"{case.daemon}_ip": SOURCE,
        f"{case.daemon}_port": port,
        f"{case.daemon}_pipe_size": 16 << 20,
        "plugins": "print[rows]",
        "aggregate[rows]": case.aggregate,
        "print_output[rows]": "json",
        "print_output_file[rows]": folder / f"rows{'-$proc_number' * (offer.processes > 1)}.json",
        "print_refresh_time[rows]": 86_400,
        # what Debian's needs to lose nothing between its processes; ours has one
        "plugin_pipe_zmq": "true",
        "plugin_pipe_zmq_profile": "xlarge",
        "print_cache_entries[rows]": 131_071,
    }
    if case.has_routes:
        keys |= {
            "bgp_daemon": "true",
            "bgp_daemon_ip": SOURCE,
            "bgp_daemon_port": port,
            "bgp_daemon_as": 64999,
            "bgp_daemon_id": SOURCE,
            "bgp_daemon_max_peers": 10,
            f"{case.daemon}_as": "bgp",
            f"{case.daemon}_net": "bgp",
        }
    if offer.processes > 1:
        keys["proc_count"] = offer.processes
    return "".join(f"{key}: {value}\n" for key, value in {**keys, **offer.extra}.items())


def _kernel(pid: int) -> float:
    return sum(kernel_seconds(process) for process in process_tree(pid))


def _wait_for_log(process: subprocess.Popen[bytes], log: Path, text: str, times: int) -> None:
    due = time.monotonic() + PATIENCE
    while not (log.exists() and log.read_text(errors="replace").count(text) >= times):
        if process.poll() is not None or time.monotonic() > due:
            raise RuntimeError(f"{process.args!r} does not start")
        time.sleep(0.05)


def _count(folder: Path) -> tuple[int, int]:
    """Return the packets in all rows of the files of a daemon, and the rows."""
    packets = rows = 0
    for path in folder.glob("rows*.json"):
        with path.open() as lines:
            for line in lines:
                packets += json.loads(line)["packets"]
                rows += 1
    return packets, rows


def measure(command: Sequence[str], case: Case, offer: Offer, folder: Path, port: int) -> Figures:
    """Start a daemon, give it the table if there is one, send the traffic, end it and count its rows."""
    traffic = offer.traffic
    folder.mkdir(parents=True)
    (folder / "conf").write_text(_configuration(case, offer, folder, port))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen([*command, "-f", str(folder / "conf")], stdout=output, stderr=output)
    player = None
    try:
        lines = offer.processes * (1 + case.has_routes) if offer.processes > 1 else 1
        _wait_for_log(process, folder / "log", "waiting for", lines)
        if case.has_routes:
            player = Player((SOURCE, port), offer.routers, PEER_AS)
            player.play([offer.stream])
        wait_until_idle(CpuMeter(process.pid), 2.0)
        announce(traffic, port, offer.sources)
        wait_until_idle(CpuMeter(process.pid))
        loaded, kernel, meter = memory(process.pid), _kernel(process.pid), CpuMeter(process.pid)
        start = meter.since_start
        sent, reached = send(traffic, port, offer.flows, offer.rate, offer.sources)
        cpu, _ = wait_until_idle(meter)
        kernel, after = _kernel(process.pid) - kernel, memory(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        if player is not None:
            player.close()
    accounted, rows = _count(folder)
    if traffic.opening in traffic.datagrams:
        accounted -= traffic.records * offer.routers
    return Figures(
        rate=reached,
        sent=sent,
        accounted=accounted,
        rows=rows,
        cpu=cpu,
        kernel=kernel,
        loaded=loaded,
        after=after,
        start=start,
    )


def _row(name: str, one: Figures, ours: Figures) -> Sequence[str]:
    return (
        name,
        per_second(one.rate),
        f"{one.sent:,}",
        f"{one.sent - one.accounted:,}",
        per_second(one.speed),
        f"{one.cpu - one.kernel:.2f}",
        f"{one.kernel:.2f}",
        f"{one.rows:,}",
        f"{one.after / 1e6:.0f}",
        f"{(one.after - one.loaded) / one.rows:.0f}" if one.rows else "",
        "" if one is ours else f"{ours.speed / one.speed:.1f}" if one.accounted else "",
    )


HEAD: Final = (
    "daemon",
    "flows/s offered",
    "sent",
    "lost",
    "flows/CPU s",
    "user s",
    "kernel s",
    "rows",
    "MB",
    "octets a row",
    "ours is faster by",
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=CASES, help="only this one, may be repeated")
    parser.add_argument("--flows", type=int, default=2_000_000)
    parser.add_argument("--rate", type=int, default=200_000, help="flows a second that ours is offered")
    parser.add_argument("--slow", type=int, default=60_000, help="flows a second that Debian's is offered")
    parser.add_argument("--stream", type=Path, help="a table as a stream of UPDATE messages, instead of our own")
    parser.add_argument("--scale", type=float, default=1.0, help="size of our own table, 1 for 1.2 M routes")
    parser.add_argument("--without", action="append", default=[], choices=("ours", "debian"))
    parser.add_argument("--routers", type=int, default=1, help="that announce the table and export flows")
    parser.add_argument("--processes", type=int, default=1, help="measure ours as so many processes too")
    parser.add_argument("--port", type=int, default=21_900)
    return parser.parse_args()


def compare(name: str, stream: bytes, options: argparse.Namespace, folder: Path) -> str:
    """Measure a case with all that take part."""
    case = CASES[name]
    addresses = destinations(stream, ADDRESSES) if case.has_routes else random_addresses(ADDRESSES)
    traffic = case.traffic(addresses, case.datagrams)
    commands: dict[str, tuple[str, ...]] = {}
    if "ours" not in options.without:
        commands["ours"] = (sys.executable, "-m", f"flowcorr.daemon.{case.daemon}")
    program = shutil.which(case.daemon, path="/usr/sbin:/usr/local/sbin")
    if program is not None and "debian" not in options.without:
        commands[f"Debian's {case.daemon}"] = (program,)
    figures = {}
    for kind, command in commands.items():
        rate = options.rate if kind == "ours" else options.slow
        offer = Offer(stream=stream, traffic=traffic, flows=options.flows, rate=rate, routers=options.routers)
        figures[kind] = measure(command, case, offer, folder / name / kind, options.port)
        if kind == "ours" and options.processes > 1:
            offer, several = replace(offer, processes=options.processes), f"ours, {options.processes} processes"
            figures[several] = measure(command, case, offer, folder / name / several, options.port)
    ours = next(iter(figures.values()))
    return f"#### {case.title}\n\n{table(HEAD, [_row(kind, one, ours) for kind, one in figures.items()])}"


def main() -> int:
    """Measure and print."""
    options = _options()
    names = options.case or list(CASES)
    stream = b""
    if any(CASES[name].has_routes for name in names):
        shape = Shape(ipv4=int(1_000_000 * options.scale), ipv6=int(200_000 * options.scale))
        stream = read_updates(options.stream) if options.stream else b"".join(updates(shape))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            sys.stdout.write(compare(name, stream, options, Path(folder)) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
