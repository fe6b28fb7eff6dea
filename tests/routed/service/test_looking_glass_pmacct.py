"""pmacct's questions to a looking glass, octet by octet, over tables of BGP and of BMP."""

import json

import pytest

from routed.service import looking_glass as messages
from routed.service.visible import BmpTables
from routed.wire.family import IPV4_UNICAST
from tests.oracles.bmp_build import L, O, peer
from tests.oracles.build import MANDATORY, label_stack, prefix, update
from tests.routed.service import bmp_rig
from tests.routed.service.asked_rig import OTHER, RD_TEXT, VPN, Asked, answered, labeled, vpn_route
from tests.routed.service.collector_rig import ADDRESS, LOST, announce, announce_ipv6, withdraw
from tests.routed.service.glass_rig import Glass


def test_a_look_up_is_answered_octet_by_octet(rig: Asked) -> None:
    assert rig.glass.ask_octets(b'{"query_type": 1, "queries": 1}', answered("10.1.0.1")) == [
        b'{"results": 1, "query_type": 1}',
        (
            b'{"peer_ip_src": "192.0.2.1", "peer_tcp_port": 1000, "event_type": "lglass", "afi": 1, "safi": 1, '
            b'"ip_prefix": "10.1.0.0/16", "bgp_nexthop": "192.0.2.1", "as_path": "65001", "origin": "i"}'
        ),
    ]


def test_a_list_of_peers_is_answered_octet_by_octet(rig: Asked) -> None:
    assert rig.glass.ask_octets(b'{"query_type": 2, "queries": 1}') == [
        b'{"results": 1, "query_type": 2}',
        b'{"peer_ip_src": "192.0.2.1", "peer_id": "192.0.2.1", "peer_tcp_port": 1000, "peer_as": 65001}',
    ]


def test_nobody_connected_is_an_answer_without_text() -> None:
    assert Asked().glass.ask_octets({"query_type": 2}) == [b'{"results": 0, "query_type": 2}']


@pytest.mark.parametrize(
    ("frames", "answer"),
    [
        ([{"query_type": 1}, answered("11.0.0.1")], b'{"results": 0, "query_type": 1, "text": "prefix not found"}'),
        ([{"query_type": 1}, answered("2001::1")], b'{"results": 0, "query_type": 1, "text": "prefix not found"}'),
        (
            [{"query_type": 1}, answered("10.0.0.1", OTHER)],
            b'{"results": 0, "query_type": 1, "text": "peer not found"}',
        ),
        ([{"query_type": 1}, b"x"], b'{"results": 0, "query_type": 1, "text": "lookup error"}'),
        ([{"query_type": 1}], b'{"results": 0, "query_type": 1, "text": "lookup error"}'),
        (
            [{"query_type": 1}, answered("10.1.0.1", rd="red")],
            b'{"results": 0, "query_type": 1, "text": "lookup error"}',
        ),
        ([{"query_type": 7}], b'{"results": 0, "query_type": 0, "text": "unsupported query_type"}'),
        ([b"{"], b'{"results": 0, "query_type": 0, "text": "unsupported query_type"}'),
        ([], b'{"results": 0, "query_type": 0, "text": "unsupported query_type"}'),
        ([{"query_type": 3}], b'{"results": 0, "query_type": 3, "text": "0 questions are not 1 to 100"}'),
    ],
)
def test_errors(rig: Asked, frames: list[object], answer: bytes) -> None:
    assert rig.glass.ask_octets(*frames) == [answer]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("10.2.3.4", "10.2.3.0/24"),
        ("10.2.4.4", "10.2.0.0/16"),
        ("10.2.3.0/24", "10.2.3.0/24"),
        ("10.2.3.128/25", "10.2.3.0/24"),
        ("10.2.3.7/24", "10.2.3.0/24"),
        ("10.2.3.0/23", "10.2.0.0/16"),
        ("10.2.0.0/16", "10.2.0.0/16"),
        ("10.2.0.0/15", None),
        ("0.0.0.0/0", None),
    ],
)
def test_the_longest_prefix_that_covers_what_is_asked_for(rig: Asked, asked: str, found: str | None) -> None:
    header, routes = rig.glass.look_up(asked, ADDRESS)
    assert [route["ip_prefix"] for route in routes] == ([found] if found else [])
    assert header["results"] == len(routes)


def test_several_questions_have_an_answer_each_in_their_order(rig: Asked) -> None:
    frames = rig.glass.ask_octets({"query_type": 1}, answered("10.1.0.1"), answered("9.0.0.1"), answered("10.2.3.1"))
    texts = [json.loads(frame) for frame in frames]
    assert [text.get("ip_prefix") or text.get("text") or text["results"] for text in texts] == [
        *(1, "10.1.0.0/16"),
        "prefix not found",
        *(1, "10.2.3.0/24"),
    ]


@pytest.mark.parametrize("port", [1001, "1001"])
def test_a_port_tells_peers_of_one_address_apart(port: object) -> None:
    rig = Asked(compare_ports=True)
    one, two = rig.connect(1000), rig.connect(1001)
    rig.send(one, announce(1))
    rig.send(two, announce(2))
    assert rig.glass.look_up("10.2.0.1", ADDRESS, peer_tcp_port=port)[1][0]["peer_tcp_port"] == 1001
    assert rig.glass.look_up("10.1.0.1", ADDRESS, peer_tcp_port=port)[0]["text"] == "prefix not found"
    assert rig.glass.look_up("10.1.0.1", ADDRESS, peer_tcp_port=7)[0]["text"] == "peer not found"


def test_a_peer_is_found_by_its_router_id_too() -> None:
    rig = Asked()
    rig.send(rig.connect(address="198.51.100.7"), announce(1))
    [route] = rig.glass.look_up("10.1.0.1", "192.0.2.1")[1]
    assert route["peer_ip_src"] == "198.51.100.7"


def test_ipv6(rig: Asked) -> None:
    peer = rig.connect(1001, "2001:db8::9")
    rig.send(peer, announce_ipv6(5))
    header, [route] = rig.glass.look_up("2001:db8:5::1", "2001:db8::9")
    assert (header["results"], route["afi"], route["ip_prefix"]) == (1, 2, "2001:db8:5::/48")


def test_labelled_routes_are_looked_at_after_plain_ones(rig: Asked) -> None:
    peer = rig.connect(1001, OTHER)
    rig.send(peer, labeled(*(prefix(bytes([10, n, 0, 0]), 16, labels=label_stack(7)) for n in (1, 2))), announce(1))
    found = [rig.glass.look_up(f"10.{number}.0.1", OTHER)[1][0] for number in (1, 2)]
    assert [route["safi"] for route in found] == [1, 4]


def test_vpn_routes_are_those_of_their_route_distinguisher(rig: Asked) -> None:
    peer = rig.connect(1001, OTHER)
    rig.send(peer, labeled(vpn_route(1), vpn_route(1, 24), family=VPN))
    header, [route] = rig.glass.look_up("10.1.0.1", OTHER, rd=RD_TEXT)
    assert (header["results"], route["safi"], route["rd"], route["ip_prefix"]) == (1, 128, RD_TEXT, "10.1.0.0/24")
    assert rig.glass.look_up("10.1.0.0/20", OTHER, rd=RD_TEXT)[1][0]["ip_prefix"] == "10.1.0.0/16"
    for facts in ({}, {"rd": "0:65000:2"}):
        assert rig.glass.look_up("10.1.0.1", OTHER, **facts)[0]["text"] == "prefix not found"


@pytest.mark.parametrize("asked", ["10.1.0.1", "10.1.0.0/16", "10.1.0.0/17"])
def test_all_paths_of_a_prefix_are_returned(asked: str) -> None:
    rig = Asked()
    peer = rig.connect(add_path=frozenset({IPV4_UNICAST}))
    for path in (1, 2):
        rig.send(peer, update(MANDATORY, prefix(bytes([10, 1, 0, 0]), 16, path_id=path)))
    rig.send(peer, update(MANDATORY, prefix(bytes([10, 0, 0, 0]), 8, path_id=9)))
    header, routes = rig.glass.look_up(asked, ADDRESS)
    assert header == {"results": 2, "query_type": 1}
    assert sorted((route["ip_prefix"], route["as_path_id"]) for route in routes) == [
        ("10.1.0.0/16", 1),
        ("10.1.0.0/16", 2),
    ]


def test_answers_are_right_at_once_after_every_change(rig: Asked) -> None:
    peer = rig.connect(1001, OTHER)
    for _ in range(3):
        rig.send(peer, announce(7))
        assert rig.glass.look_up("10.7.0.1", OTHER)[0]["results"] == 1
        rig.send(peer, withdraw(7))
        assert rig.glass.look_up("10.7.0.1", OTHER)[0]["text"] == "prefix not found"
    rig.send(peer, announce(7))
    rig.collector.closed(peer, LOST)
    assert rig.glass.look_up("10.7.0.1", OTHER)[0]["results"] == 0
    rig.settle()
    assert rig.glass.look_up("10.7.0.1", OTHER)[0]["text"] == "peer not found"


def test_the_reactor_turns_while_pmaccts_list_is_written(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "RECORDS_AT_ONCE", 1)
    rig.connect(1001, OTHER)
    rig.glass.send({"query_type": 2})
    assert rig.glass.answers == []
    rig.glass.clock.advance(0)
    assert rig.glass.answers[0][0] == b'{"results": 2, "query_type": 2}'


LOC = peer(3, address="0.0.0.0")


def test_of_several_views_the_first_with_a_route_answers() -> None:
    rig = bmp_rig.Rig()
    glass = Glass(rig.rib, BmpTables(rig.collector))
    router = rig.connect(bmp_rig.INIT, bmp_rig.peer_up(), bmp_rig.peer_up(LOC))
    views = {1: [peer(0, O)], 2: [peer(0, O), peer(0, 0)], 3: [peer(0, 0), peer(0, L)], 4: [peer(0, L), LOC]}
    for number, headers in views.items():
        for header in headers:
            router.send(bmp_rig.announce(number, header=header))
    asked = [glass.look_up(f"10.0.{number}.1", bmp_rig.ADDRESS)[1][0] for number in views]
    assert [route["bmp_rib_type"] for route in asked] == [
        "Adj-Rib-Out Pre-Policy",
        "Adj-Rib-In Pre-Policy",
        "Adj-Rib-In Post-Policy",
        "Loc-Rib",
    ]
    assert {route["event_type"] for route in asked} == {"lglass"}
    assert glass.look_up("10.0.4.1", "192.0.2.1")[1][0]["bmp_rib_type"] == "Adj-Rib-In Post-Policy"
    loc = glass.prefixes(bmp_rib_type="Loc-Rib")
    assert loc == ["10.0.4.0/24"]
    assert glass.search(select="count", bmp_router=bmp_rig.ADDRESS)[0] == {"count": 7}
    assert glass.search(select="count", bmp_router="192.0.2.7")[0] == {"count": 0}
