"""What a looking glass sees of peers and routers, and in which order."""

from ipaddress import IPv4Address, ip_address

import pytest

from routed.query.request import PeerFilter
from routed.service.joint_tables import JointTables
from routed.service.visible import BgpTables, BmpTables
from routed.wire.family import IPV4_UNICAST
from tests.oracles.bmp_build import L, O, peer
from tests.routed.service import bmp_rig
from tests.routed.service.bmp_rig import INIT, peer_up
from tests.routed.service.collector_rig import ADDRESS, KEPT, LOST, Rig, announce, grace

LOC = peer(3, address="0.0.0.0")
ROUTER = ip_address(bmp_rig.ADDRESS)


def test_peers_are_those_whose_session_is_up() -> None:
    rig = Rig()
    tables = BgpTables(rig.collector, peer_id=False)
    assert list(tables.peers()) == []
    rig.accept(999)
    one, two = rig.connect(), rig.connect(1001, "2001:db8::1")
    record = {"peer_ip_src": ADDRESS, "peer_id": "192.0.2.1", "peer_tcp_port": 1000, "peer_as": 65001}
    assert list(tables.peers()) == [record, {**record, "peer_ip_src": "2001:db8::1", "peer_tcp_port": 1001}]
    rig.collector.closed(one, LOST)
    rig.settle()
    assert [peer["peer_tcp_port"] for peer in tables.peers()] == [1001]
    assert two.router_id == IPv4Address("192.0.2.1")


def test_a_peer_that_has_not_said_its_router_id_has_none() -> None:
    rig = Rig()
    peer = rig.accept()
    rig.establish(peer)
    [neighbor] = rig.collector.neighbors()
    peer.router_id = None
    neighbor.text = rig.collector._text(peer)
    assert next(BgpTables(rig.collector, peer_id=True).peers())["peer_id"] == "0.0.0.0"


def test_the_tables_of_a_peer_are_found_by_address_router_id_and_port() -> None:
    rig = Rig(compare_ports=True)
    rig.connect(1000)
    rig.connect(1001)
    tables = BgpTables(rig.collector, peer_id=False)
    by_port = {port: [table.port for table in tables.tables_of(ip_address(ADDRESS), port)] for port in (None, 1001, 9)}
    assert by_port == {None: [1000, 1001], 1001: [1001], 9: []}
    assert tables.tables_of(ip_address("192.0.2.9"), None) == []
    rig.connect(1002, "198.51.100.1")
    assert len(tables.tables_of(ip_address("192.0.2.1"), None)) == 3  # the Router-ID of all of them
    assert len(tables.all_tables()) == 3


def test_a_peer_that_restarts_has_tables_but_is_not_connected() -> None:
    rig = Rig()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    tables = BgpTables(rig.collector, peer_id=False)
    assert (len(tables.tables_of(ip_address(ADDRESS), None)), list(tables.peers())) == (1, [])


@pytest.mark.parametrize(("peer_id", "expected"), [(False, b""), (True, b'"peer_id": "192.0.2.1", ')])
def test_routes_show_the_router_id_if_that_is_wanted(peer_id: bool, expected: bytes) -> None:
    rig = Rig()
    rig.connect()
    [table] = BgpTables(rig.collector, peer_id=peer_id).all_tables()
    assert table.keys == b'"peer_ip_src": "192.0.2.1", "peer_tcp_port": 1000, ' + expected


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ({}, True),
        ({"address": ip_address(ADDRESS)}, True),
        ({"address": ip_address("192.0.2.2")}, False),
        ({"port": 1000, "router_id": IPv4Address("192.0.2.1")}, True),
        ({"port": 1000, "router_id": IPv4Address("192.0.2.2")}, False),
        ({"port": 1}, False),
        ({"router": ip_address(ADDRESS)}, False),
        ({"rib_type": "Loc-Rib"}, False),
    ],
)
def test_what_passes_a_filter_has_all_that_it_names(wanted: dict[str, object], passes: bool) -> None:
    rig = Rig()
    rig.connect()
    [table] = BgpTables(rig.collector, peer_id=False).all_tables()
    assert table.passes(PeerFilter(**wanted)) is passes  # type: ignore[arg-type]  # members by name


# -- BMP --------------------------------------------------------------------------------------------------------------


def shown(*headers: bytes) -> bmp_rig.Rig:
    """A router with routes in these RIBs."""
    rig = bmp_rig.Rig()
    opens = [peer_up(header) for header in (bmp_rig.P1, LOC)]
    rig.connect(INIT, *opens, *(bmp_rig.announce(number, header=header) for number, header in enumerate(headers)))
    return rig


def test_of_several_views_the_one_nearest_to_use_comes_first() -> None:
    out, out_post, pre, post = peer(0, O), peer(0, O | L), peer(0, 0), peer(0, L)
    rig = shown(out, out_post, pre, post, LOC)
    tables = BmpTables(rig.collector)
    by_router = [table.rib_type for table in tables.tables_of(ROUTER, None)]
    assert by_router == [
        "Loc-Rib",
        "Adj-Rib-In Post-Policy",
        "Adj-Rib-In Pre-Policy",
        "Adj-Rib-Out Post-Policy",
        "Adj-Rib-Out Pre-Policy",
    ]
    assert [table.rib_type for table in tables.tables_of(ip_address("192.0.2.1"), None)] == by_router[1:]
    assert sorted(str(table.rib_type) for table in tables.all_tables()) == sorted(by_router)


@pytest.mark.parametrize(("port", "found"), [(None, 1), (0, 1), (1000, 1), (1001, 0)])
def test_a_port_is_that_of_a_routers_session(port: int | None, found: int) -> None:
    tables = BmpTables(shown(bmp_rig.P1).collector)
    assert len(tables.tables_of(ip_address("192.0.2.1"), port)) == found


def test_a_view_says_whose_it_is() -> None:
    [view] = BmpTables(shown(bmp_rig.P1).collector).all_tables()
    assert (view.address, view.port, view.router, view.router_id) == (
        ip_address("192.0.2.1"),
        0,
        ROUTER,
        IPv4Address("10.0.0.1"),
    )
    assert view.passes(PeerFilter(router=ROUTER, rib_type="Adj-Rib-In Pre-Policy"))
    assert not view.passes(PeerFilter(router=ip_address("192.0.2.1")))


def test_the_peers_that_routers_say_to_be_up() -> None:
    rig = bmp_rig.Rig()
    rig.up(bmp_rig.announce(1))
    record = {
        "peer_ip_src": "192.0.2.1",
        "peer_id": "10.0.0.1",
        "peer_tcp_port": 0,
        "peer_as": 65001,
        "bmp_router": bmp_rig.ADDRESS,
        "bmp_router_port": 1000,
    }
    tables = BmpTables(rig.collector)
    assert list(tables.peers()) == [record]
    rig.up(port=1001, address="192.0.2.102")
    assert list(tables.peers()) == [record, {**record, "bmp_router": "192.0.2.102", "bmp_router_port": 1001}]


# -- both -------------------------------------------------------------------------------------------------------------


def test_tables_of_several_planes_are_seen_together() -> None:
    bgp, bmp = Rig(), shown(peer(0, L), LOC)
    bgp.connect()
    bgp.connect(1001, "2001:db8::1")
    planes = [BgpTables(bgp.collector, peer_id=False), BmpTables(bmp.collector)]
    joint = JointTables(planes)
    assert joint.all_tables() == [*planes[0].all_tables(), *planes[1].all_tables()]
    assert [table.router for table in joint.tables_of(ip_address(ADDRESS), None)] == [
        None,
        None,
        ROUTER,
    ]  # as an id too
    assert [record["peer_ip_src"] for record in joint.peers()] == [ADDRESS, "2001:db8::1", "192.0.2.1", "0.0.0.0"]
    keys = [listed.key for listed in joint.listing(PeerFilter())]
    assert len(keys) == len(set(keys)) == 4  # pages end behind a key
    assert len(list(joint.listing(PeerFilter(router=ROUTER)))) == 2
    assert [listed.describe()["bmp_router"] for listed in joint.routers(PeerFilter())] == [bmp_rig.ADDRESS]
    bgp.collector.end_of_ribs, bmp.collector.end_of_ribs = 2, 3
    assert joint.end_of_ribs == 5
