"""A flow daemon under test, and what it prints."""

import socket
import struct
import sys
from pathlib import Path
from typing import ClassVar, Final

from tests.flowcorr.exports import export_set, template
from tests.peers.collector import PATIENCE, Collector, read_rows
from tests.peers.network import COLLECTOR
from tests.peers.route import Row
from tests.peers.siege import Host
from tests.peers.waiting import eventually

#: Where exporters send to.
PORT: Final = 2_100
#: Of the flows below, in NetFlow v9: source address, packets, octets.
LAYOUT: Final = export_set(0, template(300, (8, 4), (2, 4), (1, 4)))


def flow(number: int) -> bytes:
    """Return a flow of 10.0.0.0 and so many addresses on, of so many packets of a hundred octets."""
    return export_set(300, struct.pack("!III", 0x0A000000 + number, number, 100 * number))


def udp_listens(pid: int, port: int) -> bool:
    """Tell whether somebody receives on a UDP port in the namespace of a process."""
    tables = (Path(f"/proc/{pid}/net/{table}") for table in ("udp", "udp6"))
    sockets = (line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:])
    return any(fields[1].endswith(f":{port:04X}") for fields in sockets)


class FlowDaemon(Collector):
    """An nfacctd that prints every second and resolves nothing."""

    name: ClassVar[str] = "nfacctd"
    command = (sys.executable, "-m", "flowcorr.daemon.nfacctd")
    port = PORT

    def defaults(self) -> dict[str, object]:
        return {
            f"{self.name}_ip": COLLECTOR,
            f"{self.name}_port": self.port,
            "plugins": "print[rows]",
            "print_output": "json",
            "print_output_file": self.home / "flows.json",
            "print_output_file_append": "true",
            "print_refresh_time": 1,
        }

    def ready(self) -> None:
        """Wait until exporters can send."""
        eventually(lambda: udp_listens(self.pid, self.port) or not self.running, PATIENCE, "the daemon to receive")
        assert self.running, f"the daemon left at once:\n{self.text}"

    def flows(self, **facts: object) -> list[Row]:
        """Return the rows printed so far that hold all of `facts`."""
        return [row for row in read_rows(self.home / "flows.json") if facts.items() <= row.items()]

    def wait_for_flows(self, count: int, **facts: object) -> list[Row]:
        """Wait until so many rows with all of `facts` are printed."""
        what = f"{count} rows with {facts}"
        try:
            return eventually(lambda: rows if len(rows := self.flows(**facts)) >= count else [], PATIENCE, what)
        except TimeoutError as timeout:
            timeout.add_note(f"rows: {self.flows()[-20:]}\nthe daemon said:\n{self.text[-3000:]}")
            raise


class SflowDaemon(FlowDaemon):
    """An sfacctd that prints every second."""

    name: ClassVar[str] = "sfacctd"
    command = (sys.executable, "-m", "flowcorr.daemon.sfacctd")


class LoopbackDaemon(FlowDaemon):
    """An nfacctd on a port of the machine."""

    def __init__(self, home: Path, port: int, **settings: object) -> None:
        self.port = port
        super().__init__(Host(), home, {"aggregate": "src_host", **settings})

    def send(self, octets: bytes, exporter: str = "127.0.0.1") -> None:
        """Send a datagram."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((exporter, 0))
            sender.sendto(octets, ("127.0.0.1", self.port))
