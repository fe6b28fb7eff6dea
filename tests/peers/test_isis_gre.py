"""Adjacencies through GRE: of our own making at both ends, and with a tunnel device at one."""

import os
import sys
from pathlib import Path

import pytest

from tests.peers.frr_isis import PATIENCE
from tests.peers.isis import FAR, FAR_6, NEAR, NEAR_6, ROUTER_NET, Listener, connected
from tests.peers.network import Network
from tests.peers.program import Program
from tests.peers.waiting import eventually


def check_both(near: Listener, far: Listener) -> None:
    """Wait until both are adjacent and hold each other's LSP."""
    near.wait("AdjacencyUp", system_id="000000000001")
    far.wait("AdjacencyUp", system_id="0000000000aa")
    near.wait("lsp", name="far", taken="NEW")
    far.wait("lsp", name="near", taken="NEW")


@pytest.mark.parametrize(
    ("local", "remote", "key"), [(NEAR, FAR, [7]), (NEAR_6, FAR_6, [])], ids=["IPv4 with a key", "IPv6"]
)
def test_two_listeners_are_adjacent_without_a_tunnel_device(
    net: Network, tmp_path: Path, local: str, remote: str, key: list[int]
) -> None:
    """On a path with a smaller MTU than our hellos have: they come in fragments."""
    with connected(net, mtu=1280) as other:
        near = Listener(net, tmp_path, "near", circuits=[{"gre": [local, remote, *key]}])
        far = Listener(other, tmp_path, "far", net=ROUTER_NET, circuits=[{"gre": [remote, local, *key]}])
        try:
            check_both(near, far)
            assert near.said("AdjacencyUp")[0]["mtu"] == 1476
            far.program.stop()
            assert near.wait("AdjacencyDown")["reason"] == "the neighbor restarted"
        finally:
            near.program.kill()
            far.program.kill()


#: Opens a tunnel with privileges, gives them up, and attaches, twice: after a loss it is done again.
UNPRIVILEGED = """
import os, sys
from ipaddress import ip_address
from routed.service.isis_carrier import InGre, OnInterface
carriers = [InGre(*map(ip_address, sys.argv[1:3])), OnInterface("isis0")]
for carrier in carriers:
    carrier.open()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for carrier in carriers * 2:
    carrier.attach()
    carrier.send(b"\\x83")
"""


def test_privileges_are_needed_to_open_alone(net: Network) -> None:
    with connected(net):
        for local, remote in ((NEAR, FAR), (NEAR_6, FAR_6)):
            net.run(sys.executable, "-c", UNPRIVILEGED, local, remote)


def test_a_tunnel_device_at_one_end(net: Network, tmp_path: Path) -> None:
    """PDUs without LLC, by the protocol number that GRE has for OSI."""
    if not Path("/dev/net/tun").exists():
        pytest.skip("SKIPPED: there is no /dev/net/tun to make a tunnel device of")
    with connected(net) as other:
        tunnel = Program(
            net, [sys.executable, "-m", "tests.peers.isis_tunnel", "gre1", NEAR, FAR], tmp_path / "tunnel.out"
        )
        near = Listener(net, tmp_path, "near", circuits=[{"interface": "gre1"}])
        far = Listener(other, tmp_path, "far", net=ROUTER_NET, circuits=[{"gre": [FAR, NEAR]}])
        try:
            check_both(near, far)
            assert tunnel.running
        finally:
            for program in (near.program, far.program, tunnel):
                program.kill()


def test_what_a_router_said_is_heard_through_gre(net: Network, tmp_path: Path) -> None:
    """Two routers of Cisco on a serial line: one of them is played, with all that GRE may have in front; we the other.

    Packets with a wrong checksum or another key come between.
    """
    beside = Path(__file__).parents[3] / "shared" / "data"
    capture = Path(os.environ.get("ROUTED_TEST_DATA", beside)) / "isis" / "tcpdump" / "ISIS_p2p_adjacency.pcap"
    if not capture.exists():
        pytest.skip(f"SKIPPED: {capture} is missing, see ROUTED_TEST_DATA")
    with connected(net) as other:
        near = Listener(net, tmp_path, "near", net="49.0001.2222.2222.2222.00", circuits=[{"gre": [NEAR, FAR, 7]}])
        try:
            near.wait("attached")
            other.run(sys.executable, "-m", "tests.peers.isis_player", str(capture), "111111111111", FAR, NEAR, "7")
            assert near.wait("AdjacencyUp")["system_id"] == "111111111111"
            assert near.wait("lsp", name="R1")["taken"] == "NEW"
            assert not near.said("lsp", name="R2")
            eventually(lambda: near.said("originated")[-1]["sequence"] > 6, PATIENCE, "more than the other had said")
        finally:
            near.program.kill()


def test_one_listener_has_several_neighbours(net: Network, tmp_path: Path) -> None:
    """Over GRE and over the cable itself: our one LSP tells both, and each of them holds it."""
    with connected(net) as other:
        both = [{"interface": "isis0"}, {"gre": [NEAR_6, FAR_6]}]
        near = Listener(net, tmp_path, "near", circuits=both)
        first = Listener(other, tmp_path, "far", net=ROUTER_NET)
        second = Listener(
            other, tmp_path, "second", net="49.0001.0000.0000.0002.00", circuits=[{"gre": [FAR_6, NEAR_6]}]
        )
        try:
            check_both(near, first)
            second.wait("lsp", name="near")
            near.wait("lsp", name="second")
            neighbors = {"00000000000100", "00000000000200"}
            eventually(lambda: set(near.said("originated")[-1]["neighbors"]) == neighbors, PATIENCE, "both neighbours")
        finally:
            for listener in (near, first, second):
                listener.program.kill()
