"""A flow daemon as a process: flows over UDP and IPFIX over TCP, maps read again while it runs, a good end."""

import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import eventually
from tests.ports import reserved_port

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0


def netflow5(*destinations: str) -> bytes:
    records = b"".join(
        ip_address("10.0.0.1").packed
        + ip_address(destination).packed
        + struct.pack("!4sHHIIIIHHBBBBHHBBH", bytes(4), 1, 2, 3, 300, 0, 0, 1000, 80, 0, 2, 6, 0, 0, 0, 0, 0, 0)
        for destination in destinations
    )
    return struct.pack("!HHIIIIBBH", 5, len(destinations), 1000, 1_700_000_000, 0, 0, 0, 0, 0) + records


def ipfix(destination: str) -> bytes:
    """A template of destination, packets and octets, and a record of it (RFC 7011)."""
    template = struct.pack("!HHHHHHHHHH", 2, 20, 256, 3, 12, 4, 2, 4, 1, 4)
    record = struct.pack("!HH4sII", 256, 16, ip_address(destination).packed, 5, 500)
    body = template + record
    return struct.pack("!HHIII", 10, 16 + len(body), 1_700_000_000, 0, 1) + body


class Daemon:
    """An nfacctd with one plugin."""

    def __init__(self, home: Path) -> None:
        self.home, self.udp, self.tcp = home, reserved_port(), reserved_port()
        self.map, self.rows_file, self.log = home / "tags", home / "rows.json", home / "log"
        self.map.write_text("set_tag=1 ip=127.0.0.0/8\n")
        self.networks = home / "networks"
        self.networks.write_text("65001,192.0.2.0/24\n")
        (home / "conf").write_text(
            f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {self.udp}\nnfacctd_tcp_port: {self.tcp}\n"
            f"logfile: {self.log}\npre_tag_map: {self.map}\n"
            f"networks_file: {self.networks}\nnfacctd_as: file\n"
            "plugins: print[all], print[few]\naggregate[all]: tag, dst_host, dst_as\naggregate[few]: tag\n"
            f"print_output: json\nprint_output_file[all]: {self.rows_file}\nprint_output_file_append: true\n"
            f"print_output_file[few]: {home / 'few.json'}\nprint_refresh_time: 1\npre_tag_filter[few]: 2\n"
            "post_tag[few]: 9\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flowcorr.daemon.nfacctd", "-f", str(home / "conf")], cwd=ROOT
        )
        self.wait_for_line(f"port={self.tcp}/tcp")

    def wait_for_line(self, words: str) -> None:
        eventually(lambda: self.log.exists() and words in self.log.read_text(), PATIENCE, f"a line with {words}")

    def send(self, octets: bytes) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as exporter:
            exporter.sendto(octets, ("127.0.0.1", self.udp))

    def rows(self, file: Path) -> list[dict[str, Any]]:
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_for_row(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        [row] = eventually(lambda: [row for row in self.rows(self.rows_file) if wanted(row)], PATIENCE, "a row")
        return row


@pytest.fixture(name="daemon")
def a_daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.process.kill()
    daemon.process.wait()


def test_a_life(daemon: Daemon) -> None:
    daemon.send(netflow5("192.0.2.1", "192.0.2.2"))
    row = daemon.wait_for_row(lambda row: row["ip_dst"] == "192.0.2.1")
    assert (row["tag"], row["packets"], row["bytes"], row["as_dst"]) == (1, 3, 300, 65001)

    with socket.create_connection(("127.0.0.1", daemon.tcp)) as exporter:
        exporter.sendall(ipfix("192.0.2.3"))
        assert daemon.wait_for_row(lambda row: row["ip_dst"] == "192.0.2.3")["packets"] == 5

    daemon.process.send_signal(signal.SIGUSR1)
    daemon.wait_for_line("discarded_packets=0")
    for domain in (0, 1):  # of NetFlow v5 and of IPFIX
        assert f"stats [127.0.0.1:{daemon.udp}] agent=127.0.0.1:{domain} time=" in daemon.log.read_text()

    daemon.map.write_text("set_tag=2 ip=127.0.0.0/8 dst_net=192.0.2.4/32\nset_tag=nonsense ip=127.0.0.0/8\n")
    daemon.networks.write_text("65002,192.0.2.0/24\n65003,192.0.2.0/2")  # half written
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.wait_for_line("nothing has changed")
    assert f"[{daemon.networks}:2] '65003,192.0.2.0/2' ends the file" in daemon.log.read_text()
    daemon.send(netflow5("192.0.2.4"))
    row = daemon.wait_for_row(lambda row: row["ip_dst"] == "192.0.2.4")
    assert (row["tag"], row["as_dst"]) == (1, 65001)

    daemon.map.write_text("set_tag=2 ip=127.0.0.0/8 dst_net=192.0.2.5/32\n")
    daemon.networks.write_text("65002,192.0.2.0/24\n65003,192.0.2.6/32\n")
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.wait_for_line("maps and configuration reloaded")
    daemon.send(netflow5("192.0.2.5", "192.0.2.6"))
    rows = [daemon.wait_for_row(lambda row, host=host: row["ip_dst"] == host) for host in ("192.0.2.5", "192.0.2.6")]
    assert [(row["tag"], row["as_dst"]) for row in rows] == [(2, 65002), (0, 65003)]

    daemon.map.write_text("set_tag=3 ip=127.0.0.0/8 src_port=1000 in=1 vlan=-7 ip_proto=tcp\n")
    daemon.process.send_signal(signal.SIGUSR2)
    eventually(lambda: daemon.log.read_text().count("maps and configuration reloaded") == 2, PATIENCE, "a reload")
    daemon.send(netflow5("192.0.2.8"))
    assert daemon.wait_for_row(lambda row: row["ip_dst"] == "192.0.2.8")["tag"] == 3

    daemon.send(netflow5("192.0.2.7"))
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(PATIENCE) == 0
    assert "ERROR" not in daemon.log.read_text().replace("[", "\n[").partition("nothing has changed")[2]
    few = daemon.rows(daemon.home / "few.json")
    assert [(row["tag"], row["packets"]) for row in few] == [(9, 3)]
    assert sum(row["packets"] for row in daemon.rows(daemon.rows_file)) >= 3 * 6 + 5
