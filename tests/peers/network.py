"""A network namespace of a test's own: every port is free in it and nothing outside of it is touched.

All hosts of a test live in one namespace and differ by loopback address: the collector is 127.0.0.1 and fd00::1, the
speakers are 127.0.0.11 onwards and fd00::11 onwards. A second, ordinary interface carries the documentation prefixes
from which speakers take their next hops, because some refuse a gateway they cannot reach.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

COLLECTOR: Final = "127.0.0.1"
COLLECTOR_6: Final = "fd00::1"
SPEAKERS_6: Final = tuple(f"fd00::{last}" for last in range(11, 17))

_SERIAL: Final = itertools.count()


class Network:
    """The inside of one namespace."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` inside."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv: str) -> str:
        """Run a short command inside, check its exit status and return what it wrote."""
        done = subprocess.run(self.command(argv), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{argv} exited with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


def counter(pid: int, name: str) -> int:
    """Return a TCP counter of the namespace that a process lives in, such as TCPMD5Failure."""
    lines = Path(f"/proc/{pid}/net/netstat").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(values[names.index(name)])


def listens(pid: int, port: int) -> bool:
    """Tell whether somebody listens on a TCP port in the namespace of a process, without connecting to it."""
    tables = (Path(f"/proc/{pid}/net/{table}") for table in ("tcp", "tcp6"))
    sockets = (line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:])
    return any(fields[1].endswith(f":{port:04X}") and fields[3] == "0A" for fields in sockets)


@contextmanager
def network() -> Iterator[Network]:
    """Make a namespace and remove it whatever happens."""
    name = f"pmbgpd-{os.getpid()}-{next(_SERIAL)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for line in (
            "link set lo up",
            *(f"address add {address}/128 dev lo" for address in (COLLECTOR_6, *SPEAKERS_6)),
            "link add gateway type veth peer name far",
            "link set gateway up",
            "link set far up",
            "address add 192.0.2.1/24 dev gateway",
            "address add 2001:db8::1/64 dev gateway nodad",
        ):
            subprocess.run(["ip", "-n", name, *line.split()], check=True)
        yield Network(name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
