"""A flow daemon beside FRR's isisd: prefixes of flows, and the routers that they belong to."""

import sys
from pathlib import Path

from tests.peers.collector import PATIENCE, at_work
from tests.peers.flow_daemon import PORT, FlowDaemon
from tests.peers.frr_isis import FrrIsis
from tests.peers.network import COLLECTOR, Network, network
from tests.peers.route import Row
from tests.peers.test_flow_daemon import netflow5
from tests.peers.test_isis_routes import lay
from tests.peers.waiting import eventually

LOOPBACK, ELSEWHERE = "10.9.100.1", "203.0.113.7"
SEND = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(bytes.fromhex(sys.argv[1]), "


def test_prefixes_of_flows_are_those_of_the_igp(net: Network, tmp_path: Path) -> None:
    settings = {
        "isis_daemon": "true",
        "isis_daemon_ip": "10.9.9.1",
        "isis_daemon_net": "49.0001.0000.0000.00aa.00",
        "isis_daemon_iface": "isis0",
        "isis_daemon_hello_interval": 1,
        "nfacctd_net": "igp",
        "aggregate": "dst_host, dst_net, dst_mask, peer_dst_ip",
    }
    with network() as host:
        lay(net, host, ("isis0", "isis0"), "10.9.9")
        host.run("ip", *f"address add {LOOPBACK}/32 dev lo".split())
        router = FrrIsis(
            host, tmp_path, "r1", net="49.0001.0000.0000.0001.00", interfaces={"isis0": ["isis metric 10"]}
        )
        home = tmp_path / "collector"
        home.mkdir()
        try:
            router.start()
            with at_work(FlowDaemon(net, home, settings)) as daemon:
                eventually(lambda: "Up" in router.neighbors().values(), PATIENCE, "an adjacency")

                def resolved() -> list[Row]:
                    octets = netflow5(("192.0.2.1", LOOPBACK), ("192.0.2.1", ELSEWHERE)).hex()
                    net.run(sys.executable, "-c", f"{SEND}({COLLECTOR!r}, {PORT}))", octets)
                    return daemon.flows(ip_dst=LOOPBACK, mask_dst=32)

                row = eventually(resolved, PATIENCE, "a flow with a route of IS-IS")[0]
                assert (row["net_dst"], row["peer_ip_dst"]) == (LOOPBACK, LOOPBACK)
                assert {row["mask_dst"] for row in daemon.wait_for_flows(1, ip_dst=ELSEWHERE)} == {0}
        finally:
            router.kill()
