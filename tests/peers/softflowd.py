"""softflowd: makes flows of the packets that it sees on an interface and exports them."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.peers.collector import PATIENCE
from tests.peers.network import Network
from tests.peers.program import Program
from tests.peers.waiting import eventually

PACKAGE: Final = "softflowd"

#: The two ends of a wire: packets leave by one, the exporter watches the other.
NEAR, FAR = "gateway", "far"
#: Neighbours beyond the wire, of no program: their packets are seen and vanish.
BEYOND, BEYOND_6 = "192.0.2.99", "2001:db8::99"
#: Where packets go that only push others out of the kernel's buffers.
FILLER_PORT: Final = 9

_SEND: Final = """
import socket, sys
source, destination, count, octets, *ports = sys.argv[1:]
family = socket.AF_INET6 if ":" in source else socket.AF_INET
for port in map(int, ports):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 3000))
        for _ in range(int(count)):
            sock.sendto(bytes(int(octets)), (destination, port))
"""


def know_neighbours(network: Network) -> None:
    """Let packets to the neighbours beyond the wire leave at once."""
    for address in (BEYOND, BEYOND_6):
        network.run("ip", "neighbour", "add", address, "lladdr", "02:00:00:00:00:99", "dev", NEAR, "nud", "permanent")


def send(network: Network, ends: tuple[str, str], count: int, octets: int, *ports: int) -> None:
    """Send UDP packets from one address to another, so many to each port, with so many octets of payload."""
    network.run(sys.executable, "-c", _SEND, *ends, *map(str, (count, octets, *ports)))


class Softflowd:
    """One exporter; `port` is that of the packets which it counts."""

    def __init__(self, network: Network, home: Path, collector: str, version: int, port: int) -> None:
        self._network = network
        self._control = home / f"softflowd-{port}.ctl"
        self.version, self.port = version, port
        where = ("-i", FAR, "-n", collector, "-v", str(version))
        files = ("-c", str(self._control), "-p", str(home / f"softflowd-{port}.pid"))
        argv = ["softflowd", *where, *files, "-d", "-6", f"udp and (dst port {port} or dst port {FILLER_PORT})"]
        self._program = Program(network, argv, home / f"softflowd-{port}.out")

    def ready(self) -> None:
        """Wait until it watches."""
        eventually(self._control.exists, PATIENCE, "softflowd to watch")

    def tell(self, command: str) -> str:
        """Give a command, and return what it says."""
        return self._network.run("softflowctl", "-c", str(self._control), command)

    def saw(self) -> bool:
        """Tell whether it has seen packets that were sent after those to count."""
        return f":{FILLER_PORT} " in self.tell("dump-flows")

    def stop(self) -> None:
        self._program.stop()

    def kill(self) -> None:
        self._program.kill()


def export(network: Network, source: str, exporters: Iterable[Softflowd]) -> None:
    """Let exporters see all packets that were sent so far, and export them.

    The kernel hands packets over when a buffer is full: others push until it is.
    """
    for exporter in exporters:

        def pushed(exporter: Softflowd = exporter) -> bool:
            send(network, (source, BEYOND), 500, 1000, FILLER_PORT)
            return exporter.saw()

        eventually(pushed, PATIENCE, "softflowd to see the packets")
        exporter.tell("expire-all")
