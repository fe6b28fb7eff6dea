"""FRRouting reports to a station: pre-policy and post-policy RIBs, statistics, mirrored messages, peers down and up."""

from __future__ import annotations

import re

import pytest

from tests.peers.bird import Bird
from tests.peers.bmp_play import (
    EXTERNAL,
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
    present,
    routes_in,
    without,
)
from tests.peers.frr_bmp import FrrRouter
from tests.peers.install import require
from tests.peers.network import Network
from tests.peers.route import Row
from tests.peers.speaker import Link

each_neighbor = pytest.mark.parametrize("link", NEIGHBORS, ids=lambda link: link.local)
each_rib = pytest.mark.parametrize("rib", [PRE, POST])
#: FRR reports VPN routes without their label.
LABEL = ("mpls_label",)
#: FRR puts its own AS in front of the paths of external neighbours.
OWN_AS = f"{INTERNAL.remote_as} "


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Run the play once; the session goes down and up on the router's own accord."""
    require("iproute2")
    home = tmp_path_factory.mktemp("frr")

    def recruit(inside: Network) -> FrrRouter:
        return FrrRouter(inside, home, NEIGHBORS)

    def turn(router: Router, *, down: bool) -> None:
        assert isinstance(router, FrrRouter)
        router.reset(INTERNAL.local, down=down)

    def take_down(router: Router, _: Bird) -> None:
        turn(router, down=True)

    def bring_up(router: Router, _: Bird) -> None:
        turn(router, down=False)

    return play(home, recruit, views=2, take_down=take_down, bring_up=bring_up)


def as_sent(row: Row) -> Row:
    """Undo what FRR does to a route when it reports it."""
    return without(row, LABEL) | {"as_path": row["as_path"].removeprefix(OWN_AS)}


@each_rib
@each_neighbor
def test_log_holds_every_route_in_every_rib(evidence: Evidence, link: Link, rib: str) -> None:
    """RFC 7854 4.2: the L flag tells routes after policy from those before."""
    updates = [as_sent(row) for row in routes_in(evidence.of(log_type="update"), link.local, rib)]
    assert sorted(updates, key=repr) == expected(ROUTES[link.local], rib, loses=LABEL)


@each_rib
def test_withdrawn_route_is_logged_as_it_was(evidence: Evidence, rib: str) -> None:
    """Others may be withdrawn as well: FRR clears tables when it has time to, before or after it says who is down."""
    withdrawn = [as_sent(row) for row in routes_in(evidence.of(log_type="withdraw"), INTERNAL.local, rib)]
    assert expected([FLEETING], rib, loses=LABEL)[0] in withdrawn
    assert [row for row in withdrawn if row not in expected([FLEETING, *STAYING], rib, loses=LABEL)] == []


def test_peer_down_leaves_no_route_of_the_peer(evidence: Evidence) -> None:
    """RFC 7854 4.9: at the next Peer Up all of them are gone, withdrawn or deleted, and none of another peer is."""
    (down,) = evidence.of(bmp_msg_type="peer_down")
    up_again = evidence.of(bmp_msg_type="peer_up", peer_ip=INTERNAL.local)[-1]
    between = [row for row in evidence.of(log_type="delete") if down["seq"] < row["seq"] < up_again["seq"]]
    assert {row["peer_ip"] for row in between} == {INTERNAL.local}
    assert present(row for row in evidence.of(peer_ip=INTERNAL.local) if row["seq"] < up_again["seq"]) == set()
    for rib in (PRE, POST):
        deleted = [as_sent(row) for row in routes_in(between, INTERNAL.local, rib)]
        assert [row for row in deleted if row not in expected(STAYING, rib, loses=LABEL)] == []


@each_rib
@each_neighbor
def test_loss_of_the_router_deletes_everything(evidence: Evidence, link: Link, rib: str) -> None:
    last_up = evidence.of(bmp_msg_type="peer_up")[-1]["seq"]
    deleted = [row for row in evidence.of(log_type="delete") if row["seq"] > last_up]
    left = [route for route in ROUTES[link.local] if route is not FLEETING]
    assert [as_sent(row) for row in routes_in(deleted, link.local, rib)] == expected(left, rib, loses=LABEL)


@each_rib
@each_neighbor
def test_dump_holds_what_is_there(evidence: Evidence, link: Link, rib: str) -> None:
    left = [route for route in ROUTES[link.local] if route is not FLEETING]
    assert [as_sent(row) for row in routes_in(evidence.dump, link.local, rib)] == expected(left, rib, loses=LABEL)


def test_dump_holds_the_events_of_the_router(evidence: Evidence) -> None:
    first, *rows, last = evidence.dump
    assert (first["event_type"], first["dump_period"], last["event_type"]) == ("dump_init", 60, "dump_close")
    assert len({row["seq"] for row in evidence.dump}) == 1
    assert {row["event_type"] for row in rows} == {"dump"}
    kinds = {row["bmp_msg_type"] for row in rows}
    assert {"route_monitor", "init", "peer_up", "stats"} <= kinds
    assert {row["peer_ip"] for row in rows if row["bmp_msg_type"] == "peer_up"} == {link.local for link in NEIGHBORS}


def test_rib_types_and_flags_agree(evidence: Evidence) -> None:
    ribs = {row["bmp_rib_type"] for row in evidence.rows if "bmp_rib_type" in row}
    assert ribs == {PRE, POST}
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
        assert (row["peer_type"], row["peer_type_str"]) == (0, "Global Instance Peer")
        assert (row["local_ip"], row["local_port"]) == (link.remote, 179)


def test_peer_down_says_why(evidence: Evidence) -> None:
    (down,) = evidence.of(bmp_msg_type="peer_down")
    assert (down["peer_ip"], down["peer_asn"]) == (INTERNAL.local, INTERNAL.local_as)
    assert (down["reason_type"], down["reason_str"][:16]) in {(1, "The local system"), (2, "The local system")}


@each_neighbor
def test_statistics_have_a_row_for_each_counter(evidence: Evidence, link: Link) -> None:
    """RFC 7854 4.8; no route of the play was refused."""
    rows = evidence.of(bmp_msg_type="stats", peer_ip=link.local)
    counters = {row["counter_type"]: row["counter_type_str"] for row in rows}
    assert counters[0] == "Number of prefixes rejected by inbound policy"
    assert {row["counter_value"] for row in rows if row["counter_type"] in {0, 3, 4, 5, 11}} == {0}


def test_mirrored_messages_are_logged_as_they_came(evidence: Evidence) -> None:
    """RFC 7854 4.7: each is a whole BGP message.

    What came before the router connected to us is not mirrored; the neighbour that comes back announces all again.
    """
    rows = evidence.of(bmp_msg_type="route_mirror")
    for octets in (bytes.fromhex(row["mirror_message"]) for row in rows):
        assert octets[:16] == b"\xff" * 16
        assert int.from_bytes(octets[16:18], "big") == len(octets)
    network = "180a0b01"  # 10.11.1.0/24
    assert any(network in row["mirror_message"] for row in rows if row["peer_ip"] == INTERNAL.local)


def test_log_has_no_gaps(evidence: Evidence) -> None:
    """One sequence of numbers, of which each dump takes one."""
    numbers = [row["seq"] for row in evidence.rows]
    assert numbers == sorted(set(numbers))
    missing = set(range(numbers[-1] + 1)) - set(numbers)
    assert {row["seq"] for row in evidence.dump} <= missing
    assert len(missing) <= 3, f"{missing} are more than the dumps of the play"


def test_session_is_framed_by_log_init_and_log_close(evidence: Evidence) -> None:
    kinds = [row["event_type"] for row in evidence.rows]
    assert (kinds[0], kinds[-1]) == ("log_init", "log_close")
    assert set(kinds[1:-1]) == {"log"}
    (init,) = evidence.of(bmp_msg_type="init")
    assert init["bmp_init_info_sysdescr"].startswith("FRRouting")
    assert len({row["bmp_router_port"] for row in evidence.rows}) == 1


def test_nothing_was_refused(evidence: Evidence) -> None:
    """No message was malformed; a route may come late, for FRR clears a table after the peer is down."""
    assert re.search(r"\(\d+ of unknown peers, 0 malformed\)", evidence.said)
    assert EXTERNAL.local in {row.get("peer_ip") for row in evidence.rows}
