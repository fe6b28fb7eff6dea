"""A flow daemon with real routers beside it: flows of a router are resolved against the table that it announces.

Two of them know little: what they have no route to they send to the next one, by a default route. Somebody else sends
BMP, and one looking glass shows the tables of both.
"""

import json
import re
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from tests.peers.bird import Bird
from tests.peers.bmp_octets import PEER as MONITORED
from tests.peers.bmp_octets import usual_session
from tests.peers.collector import AS, PATIENCE, Collector, at_work, read_rows
from tests.peers.exabgp import ExaBgp
from tests.peers.install import require
from tests.peers.network import COLLECTOR, Network, network
from tests.peers.program import Program
from tests.peers.route import Route, Row
from tests.peers.speaker import Link
from tests.peers.waiting import eventually

pytestmark = pytest.mark.peers

PORT = 2_100
ROUTER = Link(local="127.0.0.11", local_as=65011)
OTHER = "127.0.0.21"
WANTED = Route(
    prefix="10.11.1.0/24",
    next_hop="192.0.2.11",
    as_path="65111 65112",
    communities="65011:1 65011:2",
)
SOURCE = Route(prefix="10.11.2.0/24", next_hop="192.0.2.11", as_path="65211")

#: Two more routers, of the collector's own AS: routes reach it with the next hops that they were given.
TRANSIT, ACCESS = Link(local="127.0.0.12"), Link(local="127.0.0.13")
NOBODY = "127.0.0.77"
ROUTES_OF_TRANSIT = (
    Route(prefix="0.0.0.0/0", next_hop=ROUTER.local),
    Route(prefix="10.13.0.0/16", next_hop="198.51.100.9", as_path="65312"),
)
ROUTES_OF_ACCESS = (
    Route(prefix="0.0.0.0/0", next_hop=TRANSIT.local),
    Route(prefix="10.13.0.0/16", next_hop=TRANSIT.local, as_path="65313"),
    Route(prefix="10.14.0.0/16", next_hop=NOBODY, as_path="65314"),
)
#: Who sends flows, each to all of these destinations, and how many routes there are then: two are those of BMP.
EXPORTERS = (ROUTER.local, TRANSIT.local, ACCESS.local, OTHER)
DESTINATIONS = ("10.11.1.7", "203.0.113.7", "10.13.0.7", "10.14.0.7")
ROUTES = 2 + len(ROUTES_OF_TRANSIT) + len(ROUTES_OF_ACCESS) + 2


class FlowDaemon(Collector):
    """An nfacctd that resolves flows against BGP and prints them."""

    name: ClassVar[str] = "nfacctd"
    command = (sys.executable, "-m", "flowcorr.daemon.nfacctd")

    def defaults(self) -> dict[str, object]:
        return {
            **super().defaults(),
            "bgp_daemon": "true",
            "bgp_daemon_as": AS,
            "bgp_daemon_lg_http": "true",
            "bmp_daemon": "true",
            "bmp_daemon_lg": "true",
            "nfacctd_ip": COLLECTOR,
            "nfacctd_port": PORT,
            "nfacctd_as": "bgp",
            "nfacctd_net": "bgp",
            "bgp_src_as_path_type": "bgp",
            "bgp_follow_default": 2,
            "bgp_follow_nexthop": f"{TRANSIT.local}/32, {NOBODY}/32",
            "bgp_follow_nexthop_external": "true",
            "plugins": "print[rows]",
            "aggregate": "src_host, dst_host, src_as, dst_as, peer_dst_as, as_path, src_as_path, std_comm, "
            "dst_net, dst_mask, peer_src_ip, peer_dst_ip, lookup_reason_dst",
            "print_output": "json",
            "print_output_file": self.home / "flows.json",
            "print_output_file_append": "true",
            "print_refresh_time": 1,
        }

    def flows(self, count: int) -> list[Row]:
        """Wait until so many rows are printed."""
        path = self.home / "flows.json"
        return eventually(lambda: rows if len(rows := list(read_rows(path))) >= count else [], PATIENCE, "flows")


def netflow5(*flows: tuple[str, str]) -> bytes:
    """One NetFlow v5 datagram with a record for each source and destination."""
    records = b"".join(
        ip_address(source).packed
        + ip_address(destination).packed
        + struct.pack("!4sHHIIIIHHBBBBHHBBH", bytes(4), 1, 2, 3, 300, 0, 0, 1000, 80, 0, 2, 6, 0, 0, 0, 0, 0, 0)
        for source, destination in flows
    )
    return struct.pack("!HHIIIIBBH", 5, len(flows), 1000, 1_700_000_000, 0, 0, 0, 0, 0) + records


class Seen(NamedTuple):
    """What is printed of a router's flows, and of those of an exporter that nobody knows, and who saw their tables."""

    rows: list[Row]
    over_zeromq: list[dict[str, Any]]
    over_http: dict[str, Any]
    metrics: str


def send_bmp(inside: Network, home: Path) -> Program:
    """Begin a BMP session of a router that monitors one peer and then says nothing."""
    script = (
        "import socket, sys, time; s = socket.create_connection((sys.argv[1], 1790), source_address=(sys.argv[2], 0)); "
    )
    script += "s.sendall(bytes.fromhex(sys.argv[3])); time.sleep(3600)"
    octets = usual_session(WANTED.prefix, "10.12.0.0/16").hex()
    return Program(inside, [sys.executable, "-c", script, COLLECTOR, OTHER, octets], home / "bmp.out")


def fetch(inside: Network, page: str) -> str:
    script = "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1]).read().decode())"
    return inside.run(sys.executable, "-c", script, f"http://127.0.0.1:17980/{page}")


def ask(inside: Network, *switches: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in inside.run(sys.executable, "-m", "lg.cli", "--json", *switches).splitlines()]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    require("iproute2")
    require(Bird.package)
    home = tmp_path_factory.mktemp("flows")
    with network() as inside, at_work(FlowDaemon(inside, home, {})) as daemon, ExitStack() as stack:
        speakers = (
            (Bird(inside, home, ROUTER), (WANTED, SOURCE)),
            (ExaBgp(inside, home, TRANSIT), ROUTES_OF_TRANSIT),
            (ExaBgp(inside, home, ACCESS), ROUTES_OF_ACCESS),
        )
        for speaker, routes in speakers:
            stack.callback(speaker.kill)
            speaker.announce(*routes)
            speaker.start()
        for speaker, routes in speakers:
            for route in routes:
                daemon.wait_for(speaker.link.local, log_type="update", ip_prefix=route.prefix)
        stack.callback(send_bmp(inside, home).kill)
        datagram = netflow5(*(("10.11.2.9", destination) for destination in DESTINATIONS))
        send = "import socket, sys; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((sys.argv[1], 0)); "
        send += f"s.sendto(bytes.fromhex(sys.argv[2]), ({COLLECTOR!r}, {PORT}))"
        for exporter in EXPORTERS:
            inside.run(sys.executable, "-c", send, exporter, datagram.hex())
        flows = daemon.flows(len(EXPORTERS) * len(DESTINATIONS))
        eventually(lambda: len(ask(inside, "--search", "--all")) >= ROUTES, PATIENCE, "the routes of two planes")
        yield Seen(
            flows,
            ask(inside, "-a", "10.11.1.7", "--search"),
            json.loads(fetch(inside, "peers")),
            fetch(inside, "metrics"),
        )


@pytest.fixture(scope="module")
def rows(seen: Seen) -> list[Row]:
    return seen.rows


def row_of(rows: list[Row], exporter: str, destination: str) -> Row:
    [row] = [row for row in rows if (row["peer_ip_src"], row["ip_dst"]) == (exporter, destination)]
    return row


def test_a_flow_has_the_attributes_of_its_router_s_route(rows: list[Row]) -> None:
    row = row_of(rows, ROUTER.local, "10.11.1.7")
    assert (row["as_dst"], row["peer_as_dst"], row["as_path"]) == (65112, 65011, "65011_65111_65112")
    assert row["comms"] == "65011:1_65011:2"
    assert (row["net_dst"], row["mask_dst"], row["peer_ip_dst"]) == ("10.11.1.0", 24, ROUTER.local)
    assert (row["as_src"], row["as_path_src"]) == (65211, "65011_65211")
    assert row["lookup_reason_dst"] == f"bgp {ROUTER.local}"
    assert (row["packets"], row["bytes"]) == (3, 300)


def test_no_route_and_no_router_are_told_apart(rows: list[Row]) -> None:
    unrouted, unknown = row_of(rows, ROUTER.local, "203.0.113.7"), row_of(rows, OTHER, "10.11.1.7")
    for row in (unrouted, unknown):
        assert (row["as_dst"], row["as_path"], row["net_dst"], row["peer_ip_dst"]) == (0, "", "0.0.0.0", "")
    assert (unrouted["lookup_reason_dst"], unknown["lookup_reason_dst"]) == ("no route", "no peer")
    assert unrouted["as_src"] == 65211


@pytest.mark.parametrize("exporter", [TRANSIT.local, ACCESS.local])
def test_default_routes_are_followed_from_router_to_router(rows: list[Row], exporter: str) -> None:
    """Over one router and over two, in both directions; the last one has no default route."""
    row = row_of(rows, exporter, "10.11.1.7")
    assert (row["as_dst"], row["as_path"], row["net_dst"]) == (65112, "65011_65111_65112", "10.11.1.0")
    assert (row["as_src"], row["peer_ip_dst"]) == (65211, ROUTER.local)
    assert row["lookup_reason_dst"] == f"bgp {ROUTER.local} followed"
    unrouted = row_of(rows, exporter, "203.0.113.7")
    assert (unrouted["as_dst"], unrouted["lookup_reason_dst"], unrouted["as_src"]) == (0, "no route", 65211)


def test_next_hops_are_followed_to_where_a_flow_leaves(rows: list[Row]) -> None:
    """To the first one outside of the prefixes, or to one that has no session; the route stays the exporter's own."""
    outside, unknown = row_of(rows, ACCESS.local, "10.13.0.7"), row_of(rows, ACCESS.local, "10.14.0.7")
    assert (outside["peer_ip_dst"], outside["as_path"], outside["mask_dst"]) == ("198.51.100.9", "65313", 16)
    assert (unknown["peer_ip_dst"], unknown["as_path"], unknown["mask_dst"]) == (NOBODY, "65314", 16)
    assert outside["lookup_reason_dst"] == f"bgp {ACCESS.local}"


def test_one_looking_glass_shows_the_tables_of_both_planes(seen: Seen) -> None:
    of_bgp, of_bmp = (row for row in seen.over_zeromq if row["ip_prefix"] == WANTED.prefix)
    assert (of_bgp["peer_ip_src"], of_bgp["as_path"]) == (ROUTER.local, "65011 65111 65112")
    assert (of_bmp["peer_ip"], of_bmp["bmp_router"]) == (MONITORED, OTHER)
    assert {(row.get("peer_ip_src"), row.get("bmp_router")) for row in seen.over_http["rows"]} == {
        *((link.local, None) for link in (ROUTER, TRANSIT, ACCESS)),
        (MONITORED, OTHER),
    }


def test_metrics_are_of_all_planes_and_of_flows(seen: Seen) -> None:
    for line in (
        f'routed_bgp_peer_routes{{peer="{ROUTER.local}",afi="1",safi="1"}} 2',
        "routed_bmp_routers 1",
        f"routed_rib_routes {ROUTES}",
        'routed_daemon_connections_accepted_total{protocol="BMP"} 1',
        'daemon="nfacctd"',
        f"flowcorr_input_flows_total {len(EXPORTERS) * len(DESTINATIONS)}",
    ):
        assert line in seen.metrics
    accepted = re.search(
        r'^routed_daemon_connections_accepted_total{protocol="BGP"} (\d+)$', seen.metrics, re.MULTILINE
    )
    assert accepted is not None
    assert int(accepted[1]) >= len((ROUTER, TRANSIT, ACCESS))  # who is lost may come again
