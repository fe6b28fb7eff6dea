"""A real exporter on a real interface: softflowd counts packets, and what it exports is what was sent."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests.peers.collector import at_work
from tests.peers.flow_daemon import PORT, FlowDaemon
from tests.peers.install import require
from tests.peers.network import COLLECTOR, COLLECTOR_6, network
from tests.peers.route import Row
from tests.peers.softflowd import BEYOND, BEYOND_6, PACKAGE, Softflowd, export, know_neighbours, send

pytestmark = pytest.mark.peers

SOURCE, SOURCE_6 = "192.0.2.1", "2001:db8::1"
PACKETS, PACKETS_6, PAYLOAD = 120, 30, 100
IPV4_OCTETS, IPV6_OCTETS = 20 + 8 + PAYLOAD, 40 + 8 + PAYLOAD

#: Of each exporter: the port of the packets that it counts, the version that it speaks, from where it exports.
V5, V9, IPFIX = (4005, 5, COLLECTOR), (4009, 9, COLLECTOR), (4010, 10, COLLECTOR)
OVER_IPV6 = (4019, 9, COLLECTOR_6)
ALL: Final = (V5, V9, IPFIX, OVER_IPV6)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was printed, and when packets were sent."""

    rows: list[Row]
    began: float
    ended: float

    def row(self, port: int, source: str) -> Row:
        """Return the only row of the packets to a port."""
        [row] = [row for row in self.rows if (row["port_dst"], row["ip_src"]) == (port, source)]
        return row


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """What four exporters make of the same kind of packets; one of them speaks over IPv6."""
    require("iproute2")
    require(PACKAGE)
    home = tmp_path_factory.mktemp("softflowd")
    settings = {
        "nfacctd_ip": "::",
        "nfacctd_renormalize": "true",
        "nfacctd_uptime_from_options": "true",
        "aggregate": "src_host, dst_host, src_port, dst_port, proto, tos, export_proto_version, sampling_rate, "
        "peer_src_ip, timestamp_start, timestamp_end, flows",
    }
    with network() as inside, at_work(FlowDaemon(inside, home, settings)) as daemon:
        know_neighbours(inside)
        exporters = []
        try:
            for port, version, address in ALL:
                collector = f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"
                exporters.append(Softflowd(inside, home, collector, version, port))
            for exporter in exporters:
                exporter.ready()
            ports = [port for port, _, _ in ALL]
            began = time.time()
            send(inside, (SOURCE, BEYOND), PACKETS, PAYLOAD, *ports)
            send(inside, (SOURCE_6, BEYOND_6), PACKETS_6, PAYLOAD, *ports)
            ended = time.time()
            export(inside, SOURCE, exporters)
            for port in ports:
                daemon.wait_for_flows(1, port_dst=port, ip_src=SOURCE)
            for port, _, _ in (V9, IPFIX):
                daemon.wait_for_flows(1, port_dst=port, ip_src=SOURCE_6)
            yield Exported(daemon.flows(), began, ended)
        finally:
            for exporter in exporters:
                exporter.kill()


@pytest.mark.parametrize(("port", "version", "address"), ALL)
def test_what_was_sent_is_what_is_printed(port: int, version: int, address: str, exported: Exported) -> None:
    row = exported.row(port, SOURCE)
    assert (row["ip_dst"], row["port_src"], row["ip_proto"], row["tos"]) == (BEYOND, 3000, "udp", 0)
    assert (row["packets"], row["bytes"], row["flows"]) == (PACKETS, PACKETS * IPV4_OCTETS, 1)
    assert row["export_proto_version"] == version
    assert row["peer_ip_src"] == address
    assert row["sampling_rate"] == (0 if version == V5[1] else 1)  # which its options tell


@pytest.mark.parametrize(("port", "version", "address"), [V9, IPFIX])
def test_packets_of_ipv6_are_counted_too(port: int, version: int, address: str, exported: Exported) -> None:
    row = exported.row(port, SOURCE_6)
    assert (row["ip_dst"], row["export_proto_version"], row["peer_ip_src"]) == (BEYOND_6, version, address)
    assert (row["packets"], row["bytes"], row["flows"]) == (PACKETS_6, PACKETS_6 * IPV6_OCTETS, 1)


@pytest.mark.parametrize(("port", "version", "address"), ALL)
def test_times_are_those_of_the_packets(port: int, version: int, address: str, exported: Exported) -> None:
    """NetFlow tells them by uptime; so does softflowd in IPFIX, where options tell when that began."""
    row = exported.row(port, SOURCE)
    start, end = (float(row[name]) for name in ("timestamp_start", "timestamp_end"))
    # uptimes of NetFlow count from whole seconds, rounded down twice
    assert exported.began - 2 <= start <= end <= exported.ended + 2, (version, address)
