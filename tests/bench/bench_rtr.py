"""What RPKI payloads cost: a full sync beside rtrlib's client, memory, look-ups in batches, and a change.

    python tests/bench/bench_rtr.py [--payloads 1000000] [--stream FILE] [--routes 5000000]

A server replays the octets of an answer, recorded (`--stream`, version 1) or made up, to our client and to `rtrclient`
of the package rtr-tools, each a process of its own; what counts is their processor time. Then a change of 1,000
payloads goes through the tables of five peers while a heartbeat measures for how long the reactor stood still.
"""

from __future__ import annotations

import argparse
import lzma
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from array import array
from functools import partial
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from routed.rib._payloads import Payloads  # noqa: E402
from routed.rib._rib import PeerRib, Rib  # noqa: E402 (the path comes first)
from routed.rib._rows import Rows  # noqa: E402
from routed.rib._update import apply  # noqa: E402
from routed.rib._vrps import Vrps  # noqa: E402
from routed.service.rtr_connection import prefix_pdu  # noqa: E402
from routed.wire.rtr.pdu import CacheResponse, EndOfData, Intervals, encode_pdu  # noqa: E402
from tests.oracles.build import attribute, prefix, segments, update  # noqa: E402

PEERS: Final = 5
CHANGES: Final = 1_000
LOOKUPS: Final = 1_000_000
PAGE: Final = os.sysconf("SC_PAGE_SIZE")

#: Address and length.
Net = tuple[bytes, int]


def made_up(count: int) -> bytes:
    """Return an answer of version 1 with so many payloads, a fifth of them IPv6, in no order."""
    chance = random.Random(8210)
    pdus: set[bytes] = set()
    while len(pdus) < count:
        is_ipv6 = len(pdus) % 5 == 0
        bits, lengths = (128, (32, 40, 44, 48, 48)) if is_ipv6 else (32, (16, 20, 22, 23, 24, 24))
        length = chance.choice(lengths)
        address = (0x2A00 << 112 | chance.getrandbits(32) << 84) if is_ipv6 else chance.getrandbits(32) | 1 << 24
        octets = (address >> (bits - length) << (bits - length)).to_bytes(bits // 8, "big")
        header = b"\1\6\0\0\0\0\0\x20" if is_ipv6 else b"\1\4\0\0\0\0\0\x14"
        lengths = bytes((1, length, min(length + chance.choice((0, 0, 2)), bits), 0))
        pdus.add(header + lengths + octets + chance.randrange(1, 400_000).to_bytes(4, "big"))
    shuffled = sorted(pdus)
    chance.shuffle(shuffled)
    end = encode_pdu(1, EndOfData(7, 1, Intervals(3_600, 600, 7_200)))
    return encode_pdu(1, CacheResponse(7)) + b"".join(shuffled) + end


def recorded(path: Path) -> bytes:
    """Return the first answer of a recorded stream: up to its End of Data."""
    octets = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    at = 0
    while octets[at + 1] != 7:
        at += int.from_bytes(octets[at + 4 : at + 8], "big")
    return octets[: at + int.from_bytes(octets[at + 4 : at + 8], "big")]


def serve(answer: bytes) -> int:
    """Replay an answer to whoever asks; the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def tell(connection: socket.socket) -> None:
        with connection:
            connection.recv(64)
            connection.sendall(answer)
            while connection.recv(64):
                pass

    def run() -> None:
        while True:
            threading.Thread(target=tell, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return int(listening.getsockname()[1])


def resident() -> int:
    """Octets of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def most_resident(process: int | str) -> int:
    """Octets of memory that a process has held at once since it began; rusage counts its parent's too."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def sync(port: int) -> None:
    """Be our client: print processor time and memory of one sync."""
    from twisted.internet import reactor  # noqa: PLC0415 (it installs itself)

    from routed.plumbing.sink import PoolThreads  # noqa: PLC0415
    from routed.plumbing.values import Endpoint  # noqa: PLC0415
    from routed.service.rtr_connector import RtrConnector, RtrSettings  # noqa: PLC0415
    from routed.service.validation import Validation  # noqa: PLC0415

    class Quiet:
        def write_limited(self, *_: object) -> None:
            done()

    in_thread = PoolThreads(reactor)  # type: ignore[arg-type]  # the module is one
    validation = Validation(in_thread)
    settings = RtrSettings(caches=(Endpoint("127.0.0.1", port),), version=1)
    connector = RtrConnector(reactor, settings, validation, in_thread=in_thread, log=Quiet())  # type: ignore[arg-type]  # all it is asked
    before, began = resident(), time.process_time()

    def done() -> None:
        spent = time.process_time() - began
        payloads = len(validation.current.vrps)
        reactor.callLater(0.5, finish, spent, payloads)  # type: ignore[attr-defined]  # the same

    def finish(spent: float, payloads: int) -> None:
        peak = most_resident("self")
        more, most = (resident() - before) / 1e6, (peak - before) / 1e6
        say(f"routed     {payloads:9,} payloads  {spent:6.2f} s CPU  {more:6.1f} MB more held  {most:6.1f} MB at most")
        reactor.stop()  # type: ignore[attr-defined]  # the same

    reactor.callWhenRunning(connector.start)  # type: ignore[attr-defined]  # the same
    reactor.run()  # type: ignore[attr-defined]  # the same


def measure_rtrlib(port: int) -> None:
    """Let rtrlib's client make one sync."""
    if shutil.which("rtrclient") is None:
        say("rtrlib     rtrclient (package rtr-tools) is not installed")
        return
    command = ["rtrclient", "-e", "-o", "/dev/null", "tcp", "127.0.0.1", str(port)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        while client.poll() is None:
            most = max(most, most_resident(client.pid))
            time.sleep(0.01)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    say(f"rtrlib     status {client.returncode}          {spent:6.2f} s CPU  {most / 1e6:6.1f} MB at most")


def payloads_of(answer: bytes) -> Vrps:
    """Read an answer at once."""
    from routed.wire.rtr._stream import Stream  # noqa: PLC0415

    payloads = Payloads()
    for _, octets, count in Stream().feed(answer):
        if count:
            payloads.add_pdus(octets)
    return payloads.applied_to(Vrps(), strict=True)


def measure_lookups(vrps: Vrps) -> None:
    """Judge routes to prefixes of payloads, in no order."""
    chance = random.Random(6811)
    everything = list(vrps.payloads())
    for width, name in ((4, "IPv4"), (16, "IPv6")):
        asked = chance.choices([payload for payload in everything if len(payload[0]) == width], k=LOOKUPS)
        addresses, lengths = b"".join(one[0] for one in asked), bytes(one[1] for one in asked)
        origins = array("I", [one[3] for one in asked])
        best = min(spent(partial(vrps.statuses, addresses, lengths, origins)) for _ in range(5))
        say(f"look-ups   {name}  {1e9 * best / LOOKUPS:6.1f} ns each in a batch")


def spent(work: Any) -> float:
    """Return the processor time of something."""
    began = time.process_time()
    work()
    return time.process_time() - began


def load(routes: int, vrps: Vrps) -> tuple[Rib, list[PeerRib], dict[Net, int]]:
    """Make tables: IPv4 prefixes, a third of them those of payloads, hardly any valid; and say who originates them."""
    chance = random.Random(1)
    nets = {(address, length) for address, length, _, _ in vrps.payloads() if len(address) == 4}
    wanted = routes // PEERS
    chosen = chance.sample(sorted(nets), min(len(nets), wanted // 3))
    found = set(chosen)
    while len(found) < wanted:
        length = chance.choice((20, 22, 23, 24, 24, 24))
        found.add(((chance.getrandbits(length) << (32 - length)).to_bytes(4, "big"), length))
    every = list(found)
    rib = Rib(1)
    peers = [PeerRib(rib) for _ in range(PEERS)]
    origins: dict[Net, int] = {}
    for at in range(0, len(every), 500):
        some, origin = every[at : at + 500], chance.randrange(1, 400_000)
        origins.update(dict.fromkeys(some, origin))
        nlri = b"".join(prefix(*net) for net in some)
        for number, peer in enumerate(peers):
            head = [attribute(1, b"\0"), attribute(2, segments((2, [number + 1, origin])))]
            apply(peer, update([*head, attribute(3, b"\xc0\0\2\1")], nlri))
    return rib, peers, origins


def changed(vrps: Vrps, origins: dict[Net, int]) -> Payloads:
    """Make a change: half of its payloads make an invalid route valid, half leave one that was invalid unknown."""
    chance = random.Random(2)
    concerned = [payload for payload in vrps.payloads() if payload[:2] in origins]
    changes = Payloads()
    for number, (address, length, longest, asn) in enumerate(chance.sample(concerned, CHANGES)):
        if number % 2:
            changes.add(address, length, longest, origins[address, length])
        else:
            changes.add_pdus(prefix_pdu(1, address, length, longest, asn, kind="unknown"))
    return changes


class Change:
    """A change of payloads on its way through tables, while the reactor turns."""

    def __init__(self, routes: int, vrps: Vrps) -> None:
        from twisted.internet import reactor  # noqa: PLC0415 (it installs itself)

        from routed.plumbing.sink import PoolThreads  # noqa: PLC0415
        from routed.rib.payload_set import PayloadSet  # noqa: PLC0415
        from routed.service.revalidation import Logged, Revalidation  # noqa: PLC0415
        from routed.service.validation import Validation  # noqa: PLC0415

        self.reactor: Any = reactor
        self.rib, self.peers, origins = load(routes, vrps)
        self.changes = changed(vrps, origins)
        self.vrps, self.rows, self.octets = vrps, Rows(), 0
        self.in_thread = PoolThreads(self.reactor)
        self.validation = Validation(self.in_thread)
        self.validation.load(PayloadSet(vrps))
        self.revalidation = Revalidation(self.reactor, self.rib, self)
        self.validation.followers.append(self.revalidation)
        self.make_set, self.make_logged = PayloadSet, Logged

    def logged(self) -> list[Any]:
        """Return the RIBs, whose rows go nowhere."""
        stream: Any = self
        return [
            self.make_logged(rib=peer, stream=stream, rows=self.begin, is_there=lambda: True) for peer in self.peers
        ]

    def begin(self) -> Rows:
        """Return a buffer."""
        self.validation.prepare(self.rows)
        self.rows.log(b"now", b"", b"")
        return self.rows

    def write(self, rows: Rows) -> None:
        """Take rows."""
        self.octets += len(rows.take())

    def drained(self) -> None:
        """Be ready for more."""

    def run(self) -> None:
        """Measure."""
        self.reactor.callWhenRunning(self._start)
        self.reactor.run()

    def _start(self) -> None:
        from twisted.internet.defer import ensureDeferred  # noqa: PLC0415

        self.longest, self.began, self.began_cpu = 0.0, time.monotonic(), time.process_time()
        self.beaten = self.began
        self._beat()
        ensureDeferred(self._change()).addCallback(lambda _: self._finish())

    def _beat(self) -> None:
        now = time.monotonic()
        self.longest, self.beaten = max(self.longest, now - self.beaten), now
        self.reactor.callLater(0, self._beat)

    async def _change(self) -> None:
        after = await self.in_thread(partial(self.changes.applied_to, self.vrps, strict=False))
        await self.validation.replace(self.make_set(after))

    def _finish(self) -> None:
        if self.revalidation.is_busy:
            self.reactor.callLater(0.001, self._finish)
            return
        wall, cpu = time.monotonic() - self.began, time.process_time() - self.began_cpu
        counters = self.revalidation.counters
        say(
            f"change     {CHANGES:,} payloads, {sum(map(len, self.peers)):,} routes: {1e3 * wall:.0f} ms, "
            f"{1e3 * cpu:.0f} ms CPU with the heartbeat; {counters.prefixes:,} prefixes looked at, "
            f"{counters.routes:,} routes differ, {self.octets:,} octets of rows; "
            f"the reactor stood still for at most {1e3 * self.longest:.1f} ms"
        )
        self.reactor.stop()


def say(line: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payloads", type=int, default=1_000_000)
    parser.add_argument("--stream", type=Path)
    parser.add_argument("--routes", type=int, default=5_000_000)
    parser.add_argument("--sync", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sync is not None:
        sync(arguments.sync)
        return
    answer = made_up(arguments.payloads) if arguments.stream is None else recorded(arguments.stream)
    port = serve(answer)
    for _ in range(3):
        subprocess.run([sys.executable, __file__, "--sync", str(port)], check=True)
        measure_rtrlib(port)
    vrps = payloads_of(answer)
    say(f"store      {len(vrps):9,} payloads  {vrps.memory / 1e6:6.1f} MB")
    measure_lookups(vrps)
    Change(arguments.routes, vrps).run()


if __name__ == "__main__":
    main()
