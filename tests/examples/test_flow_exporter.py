"""What the example routers export is read by the intake of the flow daemons, and nothing of it is refused."""

from ipaddress import ip_address

import numpy as np
import pytest
from announcements import RouteGroup, Table
from flow_exporter import FLOWS_PER_DATAGRAM, V5, V9, VERSIONS, FlowExporter, Traffic

from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.flowcorr.exports import NOW, Input

SHORT = bytes((8, 10))
LONG = bytes((32, 192, 0, 2, 1))
NAMES = {
    "src_host": "source",
    "dst_host": "destination",
    "in_iface": "input",
    "out_iface": "output",
    "packets": "packets",
    "bytes": "octets",
    "src_port": "source_port",
    "dst_port": "destination_port",
    "proto": "protocol",
}


def table() -> Table:
    routes = Table()
    routes.add(RouteGroup(IPV4_UNICAST, b"", 1), SHORT)
    routes.add(RouteGroup(IPV4_UNICAST, b"", 1), LONG)
    routes.add(RouteGroup(IPV6_UNICAST, b"", 1), bytes((16, 0x20, 1)))
    return routes


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_exported_is_what_is_read(version: int) -> None:
    count = 3 * FLOWS_PER_DATAGRAM + 5
    flows = Traffic(table(), seed=1).draw(count)
    exporter, collector = FlowExporter(version), Input(" ".join((*NAMES, "timestamp_start", "timestamp_end")))
    rows = collector.take(*exporter.datagrams(flows, NOW, uptime=1000.0))
    rows += collector.take(*exporter.datagrams(flows, NOW, uptime=1000.0))
    assert not any(collector.intake.refused.values())
    assert len(rows) == 2 * count
    for n, row in enumerate(rows[:count]):
        expected = {name: int(flows[column][n]) for name, column in NAMES.items()}
        for end in ("src_host", "dst_host"):
            expected[end] = str(ip_address(expected[end]))
        assert {name: row[name] for name in NAMES} == expected
        start, end = NOW - flows["age"][n] / 1000, NOW
        if version == V9:
            start = int(start)  # uptimes of NetFlow are read in whole seconds
        if version != V5:
            assert abs(row["timestamp_end"] - end * 1e6) < 1e6
        assert abs(row["timestamp_start"] - start * 1e6) <= 1e6
    [slot] = collector.intake.exporters
    counted = collector.intake.statistics(slot)
    assert (counted["jumps_forward"], counted["jumps_backward"]) == (0, 0)


def test_flows_end_inside_prefixes_of_the_table_and_the_same_ones_get_most_everywhere() -> None:
    draws = [Traffic(table(), seed).draw(2000)["destination"] for seed in (1, 2)]
    host, network = int(ip_address("192.0.2.1")), 10
    for destinations in draws:
        assert np.all((destinations == host) | (destinations >> 24 == network))
    shares = [np.mean(destinations == host) for destinations in draws]
    assert abs(shares[0] - shares[1]) < 0.1
    assert 0.1 < shares[0] < 0.9
