"""How long a looking glass takes to answer look-ups, asked one after the other by one client or by many.

It runs in a process of its own, so that the player's work is not mistaken for the daemon's.

Usage: python -m tests.bench.asker zmq PORT CLIENTS | python -m tests.bench.asker bird SOCKET 1
Reads lines of addresses to ask for, then an empty one; says `ready`, asks until its standard input ends, and prints
`ANSWERS FOUND P50_MS P99_MS WORST_MS SECONDS`.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

import zmq

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_MS: Final = 60_000
#: Reply codes of BIRD's control socket that end an answer have a blank behind them, others a dash.
CODE: Final = 4


class Latency(NamedTuple):
    """What an asker saw."""

    answers: int
    found: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    seconds: float


class Glass(Protocol):
    """Who is asked."""

    def ask(self, address: str) -> bool:
        """Ask for the longest match of all peers; whether there is one."""


class Zmq:
    """Our looking glass, with a question of one peer: what pmacct's client asks."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], port: int) -> None:
        self._socket = context.socket(zmq.REQ)
        self._socket.linger = 0
        self._socket.connect(f"tcp://127.0.0.1:{port}")

    def ask(self, address: str) -> bool:
        """Ask."""
        self.send(address)
        return self.take()

    def send(self, address: str) -> None:
        """Ask without waiting."""
        question = {"ip_prefix": address, "match": "exact" if "/" in address else "longest"}
        self._socket.send_multipart([b'{"query_type": 3}', json.dumps(question).encode()])

    def take(self) -> bool:
        """Wait for the answer."""
        if not self._socket.poll(PATIENCE_MS):
            raise TimeoutError
        return json.loads(self._socket.recv_multipart()[0])["results"] > 0


class Bird:
    """BIRD's control socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._file = self._socket.makefile("rb")
        self._file.readline()

    def ask(self, address: str) -> bool:
        """Ask."""
        command = f"show route {address} all" if "/" in address else f"show route for {address} all"
        self._socket.sendall(command.encode() + b"\n")
        return self.answer().startswith(b"0")

    def answer(self) -> bytes:
        """Return the last line of an answer."""
        while True:
            line = self._file.readline()
            if line[:CODE].isdigit() and line[CODE : CODE + 1] == b" ":
                return line


def main() -> None:
    """Ask until standard input ends."""
    kind, place, clients = sys.argv[1], sys.argv[2], int(sys.argv[3])
    addresses = [line.strip() for line in iter(sys.stdin.readline, "\n")]
    latencies: list[float] = []
    found = 0
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    began = time.perf_counter()
    if kind == "bird" or clients == 1:
        glass: Glass = Bird(place) if kind == "bird" else Zmq(zmq.Context(), int(place))
        number = 0
        while number % 16 or not number or not select.select([sys.stdin], [], [], 0)[0]:
            start = time.perf_counter()
            found += glass.ask(addresses[number % len(addresses)])
            latencies.append(time.perf_counter() - start)
            number += 1
    else:
        context = zmq.Context()
        crowd = [Zmq(context, int(place)) for _ in range(clients)]
        number = 0
        while not number or not select.select([sys.stdin], [], [], 0)[0]:
            starts = []
            for one in crowd:  # all of them wait at the same time
                starts.append(time.perf_counter())
                one.send(addresses[number % len(addresses)])
                number += 1
            for one, start in zip(crowd, starts, strict=True):
                found += one.take()
                latencies.append(time.perf_counter() - start)
    seconds = time.perf_counter() - began
    ordered = sorted(latency * 1e3 for latency in latencies)
    count = len(ordered)
    figures = (count, found, ordered[count // 2], ordered[count * 99 // 100], ordered[-1], seconds)
    sys.stdout.write(" ".join(map(str, figures)) + "\n")


class Asker:
    """The asker as a block: it asks while the block runs, `latency` is there afterwards."""

    latency: Latency

    def __init__(self, kind: str, place: object, addresses: Sequence[str], clients: int = 1) -> None:
        command = [sys.executable, "-m", "tests.bench.asker", kind, str(place), str(clients)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(addresses) + "\n\n")
        self._process.stdin.flush()
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it is ready

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        answer, _ = self._process.communicate()
        answers, found, *rest = answer.split()
        self.latency = Latency(int(answers), int(found), *map(float, rest))


if __name__ == "__main__":
    main()
