"""A real sFlow agent: the `sfprobe` of Debian's pmacctd samples packets of an interface and counts its octets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.collector import PATIENCE, at_work, read_rows
from tests.peers.flow_daemon import SflowDaemon
from tests.peers.install import require
from tests.peers.network import COLLECTOR, Network, network
from tests.peers.program import Program
from tests.peers.softflowd import BEYOND, FAR, FILLER_PORT, know_neighbours, send
from tests.peers.waiting import eventually

pytestmark = pytest.mark.peers

AGENT = "10.9.8.7"
SOURCE = "192.0.2.1"
PAYLOAD, PORT = 100, 4000
FRAME = 14 + 20 + 8 + PAYLOAD + 4  # sFlow counts the check sequence of a frame


def sfprobe(inside: Network, home: Path) -> Program:
    """Start an agent that samples every packet and sends its counters every twenty seconds."""
    configuration = home / "pmacctd.conf"
    keys = {
        "pcap_interface": FAR,
        "pcap_filter": f"udp and (dst port {PORT} or dst port {FILLER_PORT})",
        "plugins": "sfprobe",
        "sampling_rate": 1,
        "sfprobe_receiver": f"{COLLECTOR}:{SflowDaemon.port}",
        "sfprobe_agentip": AGENT,
        "sfprobe_agentsubid": 3,
    }
    configuration.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    return Program(inside, ["pmacctd", "-f", str(configuration)], home / "pmacctd.out")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SflowDaemon]:
    """A collector that has heard samples of flows and of counters."""
    require("iproute2")
    require("pmacct")
    home = tmp_path_factory.mktemp("sflow")
    settings = {
        "aggregate": "src_host, dst_host, src_port, dst_port, proto, peer_src_ip, etype, export_proto_sysid",
        "sfacctd_counter_file": home / "counters-$peer_src_ip.json",
    }
    with network() as inside, at_work(SflowDaemon(inside, home, settings)) as ours:
        know_neighbours(inside)
        agent = sfprobe(inside, home)

        def heard() -> bool:
            """Push packets through the kernel's buffers until the collector has samples of those to count."""
            assert agent.running, agent.text()
            send(inside, (SOURCE, BEYOND), 50, PAYLOAD, PORT)
            send(inside, (SOURCE, BEYOND), 3000, 1000, FILLER_PORT)
            return bool(ours.flows(port_dst=PORT))

        try:
            eventually(heard, PATIENCE, "samples of flows")
            eventually(lambda: counters(home), PATIENCE, "samples of counters")
            yield ours
        finally:
            agent.kill()


def counters(home: Path) -> list[dict[str, object]]:
    return [row for row in read_rows(home / f"counters-{AGENT.replace('.', '_')}.json") if row["event_type"] == "log"]


def test_a_sampled_packet_is_a_flow_of_its_agent(daemon: SflowDaemon) -> None:
    row = daemon.flows(port_dst=PORT)[0]
    assert (row["ip_src"], row["ip_dst"], row["port_src"], row["ip_proto"]) == (SOURCE, BEYOND, 3000, "udp")
    assert (row["peer_ip_src"], row["etype"], row["export_proto_sysid"]) == (AGENT, "800", 3)
    assert row["bytes"] == row["packets"] * FRAME


def test_counters_of_the_interface_are_logged(daemon: SflowDaemon) -> None:
    row = counters(daemon.home)[0]
    assert (row["peer_ip_src"], row["sf_cnt_type"]) == (AGENT, "sflow_cnt_generic")
    assert {"ifIndex", "ifSpeed", "ifInOctets", "ifOutOctets", "ifPromiscuousMode"} <= row.keys()
    assert "ERROR" not in daemon.text
