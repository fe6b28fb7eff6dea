"""GoBGP reports to a station: each of its policies, statistics, and neighbours that are lost and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.bird import Bird
from tests.peers.bmp_play import (
    FLAGS,
    FLEETING,
    INTERNAL,
    NEIGHBORS,
    POST,
    PRE,
    ROUTES,
    STAYING,
    Evidence,
    Router,
    expected,
    play,
    routes_in,
)
from tests.peers.bmp_station import station
from tests.peers.collector import PATIENCE
from tests.peers.gobgp_bmp import GoBgpRouter
from tests.peers.install import require
from tests.peers.network import COLLECTOR, Network
from tests.peers.speaker import Link

each_neighbor = pytest.mark.parametrize("link", NEIGHBORS, ids=lambda link: link.local)
each_rib = pytest.mark.parametrize("rib", [PRE, POST])


class Various(GoBgpRouter):
    """One that has routes of families that nobody stores, too."""

    def start(self) -> None:
        super().start()
        for words in ("evpn multicast 192.0.2.1 etag 7 rd 65000:1", "ipv4-flowspec match protocol tcp then discard"):
            self.control("global", "rib", "add", "-a", *words.split())


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Run the play once; the session ends because the neighbour is killed."""
    require("iproute2")
    home = tmp_path_factory.mktemp("gobgp")

    def recruit(inside: Network) -> GoBgpRouter:
        return Various(inside, home, NEIGHBORS, "all")

    def take_down(_: Router, bird: Bird) -> None:
        bird.kill()

    def bring_up(_: Router, bird: Bird) -> None:
        bird.start()

    return play(home, recruit, views=2, take_down=take_down, bring_up=bring_up)


@each_rib
@each_neighbor
def test_log_holds_every_route_in_every_rib(evidence: Evidence, link: Link, rib: str) -> None:
    """RFC 7854 4.2: the L flag tells routes after policy from those before."""
    assert routes_in(evidence.of(log_type="update"), link.local, rib) == expected(ROUTES[link.local], rib)


@each_rib
def test_withdrawn_route_is_logged_as_it_was(evidence: Evidence, rib: str) -> None:
    withdrawn = routes_in(evidence.of(log_type="withdraw"), INTERNAL.local, rib)
    assert expected([FLEETING], rib)[0] in withdrawn


def test_peer_down_leaves_no_route_of_the_peer(evidence: Evidence) -> None:
    """GoBGP withdraws some of them itself before it says that the peer is down; what it leaves is deleted."""
    (down,) = evidence.of(bmp_msg_type="peer_down")
    up_again = evidence.of(bmp_msg_type="peer_up", peer_ip=INTERNAL.local)[-1]
    present: set[tuple[str, str]] = set()
    for row in evidence.of(peer_ip=INTERNAL.local):
        if row["seq"] > up_again["seq"]:
            break
        route = (row.get("bmp_rib_type", ""), row.get("ip_prefix", ""))
        if row.get("log_type") == "update":
            assert row["seq"] < down["seq"]
            present.add(route)
        elif row.get("log_type") in {"withdraw", "delete"}:
            present.remove(route)  # which must be there
    assert not present
    assert {(row["reason_type"], row["peer_ip"]) for row in evidence.of(bmp_msg_type="peer_down")} == {
        (4, INTERNAL.local)
    }


@each_rib
@each_neighbor
def test_dump_holds_what_is_there(evidence: Evidence, link: Link, rib: str) -> None:
    left = STAYING if link is INTERNAL else ROUTES[link.local]
    assert routes_in(evidence.dump, link.local, rib) == expected(left, rib)


def test_rib_types_and_flags_agree(evidence: Evidence) -> None:
    for row in (*evidence.of(event_type="log"), *evidence.dump):
        if "bmp_rib_type" in row:
            assert FLAGS[row["bmp_rib_type"]].items() <= row.items()


@each_neighbor
def test_peer_up_says_who_the_peer_is(evidence: Evidence, link: Link) -> None:
    """RFC 7854 4.10; the AS of the router is that of its OPEN."""
    ups = evidence.of(bmp_msg_type="peer_up", peer_ip=link.local)
    assert len(ups) == (2 if link is INTERNAL else 1)
    for row in ups:
        assert (row["peer_asn"], row["local_as"], row["bgp_id"]) == (link.local_as, link.remote_as, link.router_id)
        assert (row["local_ip"], row["local_port"]) == (link.remote, 179)


@each_neighbor
def test_statistics_count_the_routes(evidence: Evidence, link: Link) -> None:
    """RFC 7854 4.8: type 7 is the size of the Adj-RIBs-In; there was a report before anything was withdrawn."""
    rows = evidence.of(bmp_msg_type="stats", peer_ip=link.local, counter_type=7)
    assert {row["counter_type_str"] for row in rows} == {"Number of routes in Adj-RIBs-In"}
    assert len(ROUTES[link.local]) in {row["counter_value"] for row in rows}


@pytest.mark.parametrize("family", ["l2vpn/evpn (25/70)", "ipv4/flowspec (1/133)"])
def test_a_family_that_is_not_stored_is_named_once(evidence: Evidence, family: str) -> None:
    """Routers show routes of all families, asked or not."""
    assert evidence.said.count(f"routes of {family} are not stored") == len(evidence.of(bmp_msg_type="init"))


def test_log_has_no_gaps(evidence: Evidence) -> None:
    """One sequence of numbers, of which each dump takes one."""
    numbers = [row["seq"] for row in evidence.rows]
    assert numbers == sorted(set(numbers))
    missing = set(range(numbers[-1] + 1)) - set(numbers)
    assert {row["seq"] for row in evidence.dump} <= missing
    assert len(missing) <= 3, f"{missing} are more than the dumps of the play"


def test_router_names_itself(evidence: Evidence) -> None:
    (init,) = evidence.of(bmp_msg_type="init")
    assert (init["bmp_init_info_sysname"], init["bmp_init_info_sysdescr"]) == ("router under test", "GoBGP")


def test_loc_rib_that_never_came_up_is_shown(evidence: Evidence) -> None:
    """RFC 9069 5.1 demands a Peer Up for a Loc-RIB, which GoBGP leaves out."""
    shown = {row["ip_prefix"] for row in evidence.of(log_type="update") if row["bmp_rib_type"] == "Loc-Rib"}
    assert {route.prefix for route in STAYING} <= shown


@pytest.mark.parametrize(("policy", "rib"), [("pre-policy", PRE), ("post-policy", POST)])
def test_policy_shows_one_rib(net: Network, tmp_path: Path, policy: str, rib: str) -> None:
    router = GoBgpRouter(net, tmp_path, NEIGHBORS, policy)
    bird = Bird(net, tmp_path, INTERNAL)
    bird.announce(*ROUTES[INTERNAL.local])
    try:
        with station(net, tmp_path) as daemon:
            router.start()
            bird.start()
            daemon.wait_for(COLLECTOR, count=len(ROUTES[INTERNAL.local]), log_type="update", within=2 * PATIENCE)
            rows = daemon.rows(COLLECTOR, log_type="update")
    finally:
        bird.kill()
        router.kill()
    assert {row["bmp_rib_type"] for row in rows} == {rib}
    assert routes_in(rows, INTERNAL.local, rib) == expected(ROUTES[INTERNAL.local], rib)
