"""Questions to the tables of peers and routers: pmacct's, octet by octet, and ours."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred

from routed.query.codec import QueryError
from routed.query.request import MAX_LIMIT
from routed.rib._vrps import Payloads
from routed.service import answering as module
from routed.service import looking_glass as messages
from routed.service.answering import SEARCHES, WAITING, Answerer
from routed.service.questions import Cursors
from routed.service.validation import PayloadSet, Validation, origins_of
from routed.service.visible import BgpTables, BmpTables
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol, UnknownCapability
from routed.wire.bgp.codepoints import MessageType
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, Afi, Family, Safi
from tests.oracles.bmp_build import L, O, peer
from tests.oracles.build import MANDATORY, attribute, label_stack, mp_reach, prefix, update
from tests.routed.service import bmp_rig
from tests.routed.service.bmp_rig import bugs_logged
from tests.routed.service.collector_rig import ADDRESS, KEPT, LOST, Rig, announce, announce_ipv6, grace, net, withdraw
from tests.routed.service.glass_rig import Glass

OTHER = "192.0.2.2"
VPN = Family(Afi.IPV4, Safi.MPLS_VPN)
LABELED = Family(Afi.IPV4, Safi.LABELED_UNICAST)
RD, RD_TEXT = bytes.fromhex("0000fde800000001"), "0:65000:1"
HOP = bytes([192, 0, 2, 1])
ORIGIN_AS = 65001  # of the routes that `announce` makes


class Asked(Rig):
    """A collector with a looking glass."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.glass = Glass(self.rib, BgpTables(self.collector, peer_id=False, clock=self.clock.seconds))


@pytest.fixture
def rig() -> Asked:
    """A peer with 10.1.0.0/16, 10.2.0.0/16 and 10.2.3.0/24."""
    rig = Asked()
    peer = rig.connect()
    rig.send(peer, announce(1, 2), update(MANDATORY, prefix(bytes([10, 2, 3, 0]), 24)))
    return rig


def text(number: int) -> str:
    """Write the prefix that `net` encodes."""
    return f"10.{number}.0.0/16"


def counters(**some: int) -> dict[str, int]:
    return {"announced": 0, "unchanged": 0, "withdrawn": 0, "unknown": 0, "dropped": 0, **some}


def labeled(*nlri: bytes, family: Family = LABELED) -> bytes:
    return update([*MANDATORY[:2], mp_reach(family, HOP, b"".join(nlri))])


def vpn_route(number: int, length: int = 16, rd: bytes = RD) -> bytes:
    return prefix(bytes([10, number, 0, 0]), length, labels=label_stack(100), rd=rd)


def answered(prefix: str, peer: str = ADDRESS, **facts: object) -> dict[str, object]:
    return {"ip_prefix": prefix, "peer_ip_src": peer, **facts}


# -- pmacct's questions -----------------------------------------------------------------------------------------------


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


# -- BMP --------------------------------------------------------------------------------------------------------------

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


# -- questions of ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "asked", "found"),
    [
        ("exact", "10.2.0.0/16", ["10.2.0.0/16"]),
        ("exact", "10.2.0.0/17", []),
        ("longest", "10.2.3.9", ["10.2.3.0/24"]),
        ("longest", "10.2.0.0/20", ["10.2.0.0/16"]),
        ("less-specific", "10.2.3.9", ["10.2.0.0/16", "10.2.3.0/24"]),
        ("less-specific", "10.2.3.0/24", ["10.2.0.0/16", "10.2.3.0/24"]),
        ("more-specific", "10.2.0.0/16", ["10.2.0.0/16", "10.2.3.0/24"]),
        ("more-specific", "0.0.0.0/0", ["10.1.0.0/16", "10.2.0.0/16", "10.2.3.0/24"]),
        ("more-specific", "11.0.0.0/8", []),
    ],
)
def test_how_prefixes_match(rig: Asked, match: str, asked: str, found: list[str]) -> None:
    assert rig.glass.prefixes(match=match, ip_prefix=asked) == found
    assert rig.glass.search(select="count", match=match, ip_prefix=asked) == ({"count": len(found)}, [])


def test_the_longest_match_is_one_of_each_peer(rig: Asked) -> None:
    other = rig.connect(1001, OTHER)
    rig.send(other, announce(2))
    for asked in ("10.2.3.9", "10.2.3.0/24"):
        found = [(route["peer_ip_src"], route["ip_prefix"]) for route in rig.glass.search(ip_prefix=asked)[1]]
        assert found == [(ADDRESS, "10.2.3.0/24"), (OTHER, "10.2.0.0/16")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, 4),
        ({"peer_ip_src": OTHER}, 1),
        ({"peer_ip": ADDRESS}, 3),
        ({"peer_tcp_port": 1001}, 1),
        ({"peer_id": "192.0.2.1"}, 4),
        ({"peer_id": "192.0.2.9"}, 0),
        ({"bmp_router": ADDRESS}, 0),
        ({"afi": 2}, 0),
        ({"afi": 1, "safi": 1}, 4),
        ({"safi": 128}, 0),
        ({"rd": RD_TEXT}, 0),
    ],
)
def test_whose_routes_and_of_which_family(rig: Asked, wanted: dict[str, object], found: int) -> None:
    rig.send(rig.connect(1001, OTHER), announce(9))
    assert rig.glass.search(select="count", **wanted) == ({"count": found}, [])
    assert len(rig.glass.prefixes(**wanted)) == found


def test_more_specific_routes_are_of_all_families_of_the_prefix(rig: Asked) -> None:
    peer = rig.connect(1001, OTHER)
    rig.send(peer, labeled(prefix(bytes([10, 1, 0, 0]), 24, labels=label_stack(7))), labeled(vpn_route(1), family=VPN))
    question: dict[str, Any] = {"match": "more-specific", "ip_prefix": "10.1.0.0/16"}
    assert [route["safi"] for route in rig.glass.search(**question)[1]] == [1, 4]
    assert [route["safi"] for route in rig.glass.search(**question, safi=4)[1]] == [4]
    assert [route["safi"] for route in rig.glass.search(**question, rd=RD_TEXT)[1]] == [128]
    assert rig.glass.search(**question, select="count")[0] == {"count": 2}
    assert rig.glass.search(match="exact", ip_prefix="10.1.0.0/16", rd=RD_TEXT, safi=128)[1][0]["rd"] == RD_TEXT
    assert rig.glass.prefixes(rd=RD_TEXT) == ["10.1.0.0/16"]


def test_conditions_hold_for_look_ups_and_searches(rig: Asked) -> None:
    peer = rig.connect(1001, OTHER)
    rig.send(peer, announce(1, extra=(attribute(8, bytes.fromhex("fde80064")),)))
    where = {"community": "65000:100"}
    for facts in ({}, {"ip_prefix": "10.1.0.1"}, {"match": "more-specific", "ip_prefix": "10.0.0.0/8"}):
        [route] = rig.glass.search(where=where, **facts)[1]
        assert (route["peer_ip_src"], route["comms"]) == (OTHER, "65000:100")
        assert rig.glass.search(where=where, select="count", **facts)[0] == {"count": 1}
    assert len(rig.glass.prefixes(where={"not": where})) == 3


def test_fields_are_those_asked_for_in_the_order_of_records(rig: Asked) -> None:
    fields = ["as_path", "ip_prefix", "nothing"]
    frames = rig.glass.ask_octets({"query_type": 3}, {"ip_prefix": "10.1.0.1", "fields": fields})
    assert frames[2] == b'{"ip_prefix":"10.1.0.0/16","as_path":"65001"}'


ROUTER_RECORD = {
    "bmp_router": bmp_rig.ADDRESS,
    "bmp_router_port": 1000,
    "state": "up",
    "uptime": 0,
    "peers": 2,
    "ribs": 1,
    "routes": 2,
}


def test_the_reactor_turns_while_pmaccts_list_is_written(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "RECORDS_AT_ONCE", 1)
    rig.connect(1001, OTHER)
    rig.glass.send({"query_type": 2})
    assert rig.glass.answers == []
    rig.glass.clock.advance(0)
    assert rig.glass.answers[0][0] == b'{"results": 2, "query_type": 2}'


def test_what_is_beyond_the_limit_is_counted() -> None:
    rig = Asked()
    rig.send(rig.connect(add_path=frozenset({IPV4_UNICAST})), *(update(MANDATORY, path_of(n)) for n in range(200)))
    facts, routes = rig.glass.search(ip_prefix="10.0.0.1", limit=3)
    assert (facts, len(routes)) == ({"truncated": True}, 3)
    assert rig.glass.search(ip_prefix="10.0.0.1", select="count") == ({"count": 200}, [])


def path_of(number: int) -> bytes:
    """One path of a prefix, with its path identifier."""
    return number.to_bytes(4, "big") + prefix(bytes([10, 0, 0, 0]), 16)


def test_a_bgp_peer_is_described() -> None:
    rig = Asked()
    theirs = (Multiprotocol(IPV4_UNICAST), Multiprotocol(IPV6_UNICAST), FourOctetAs(65001), UnknownCapability(130, b""))
    peer = rig.connect(capabilities=theirs, answered=(Multiprotocol(IPV4_UNICAST), FourOctetAs(65009)))
    peer.session.received[MessageType.UPDATE] = 2
    peer.session.sent[MessageType.KEEPALIVE] = 1
    rig.send(peer, announce(1, 2), announce_ipv6())
    rig.clock.advance(70)
    facts, [record] = rig.glass.search(select="peers")
    assert facts == {}
    assert record == {
        "peer_ip_src": ADDRESS,
        "peer_id": "192.0.2.1",
        "peer_tcp_port": 1000,
        "peer_as": 65001,
        "state": "established",
        "uptime": 70,
        "local_as": 65009,
        "hold_time": 180,
        "capabilities": ["MultiProtocol [1] AFI [1] SAFI [1]", "4-bytes AS [65] ASN [65001]"],
        "capabilities_received": [
            "MultiProtocol [1] AFI [1] SAFI [1]",
            "MultiProtocol [1] AFI [2] SAFI [1]",
            "4-bytes AS [65] ASN [65001]",
            "Unknown [130]",
        ],
        "messages_received": {"update": 2},
        "messages_sent": {"keepalive": 1},
        "counters": {"updates": 2, "announced": 3, "unchanged": 0, "withdrawn": 0, "unknown": 0, "dropped": 0},
        "refused": {},
        "families": [
            {"afi": 1, "safi": 1, "routes": 2, "stale": 0, "add_path": False, "counters": counters(announced=2)},
            {"afi": 2, "safi": 1, "routes": 1, "stale": 0, "add_path": False, "counters": counters(announced=1)},
        ],
    }


def test_counters_of_a_family_are_those_of_the_session() -> None:
    rig = Asked()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2), announce(2), withdraw(1, 2), withdraw(1))
    [family] = rig.glass.search(select="peers")[1][0]["families"]  # which has no route any more
    assert (family["routes"], family["counters"]) == (0, counters(announced=2, unchanged=1, withdrawn=2, unknown=1))
    rig.send(peer, announce(3))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    [family] = rig.glass.search(select="peers")[1][0]["families"]
    assert (family["stale"], family["counters"]) == (1, counters())


def test_a_peer_that_is_away_shows_what_is_kept_of_it() -> None:
    rig = Asked()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2))
    rig.collector.closed(peer, KEPT)
    rig.settle()
    [record] = rig.glass.search(select="peers", peer_ip_src=ADDRESS)[1]
    assert (record["state"], record["families"][0]["routes"], record["families"][0]["stale"]) == ("restarting", 2, 2)


def test_a_peer_whose_session_is_not_up_yet_is_listed_when_connections_are_known() -> None:
    rig = Asked()
    peer = rig.accept()
    assert rig.glass.search(select="peers")[1] == []
    glass = Glass(rig.rib, BgpTables(rig.collector, peer_id=False, connected=lambda: [peer], clock=lambda: 5.0))
    [record] = glass.search(select="peers")[1]
    assert (record["state"], record["uptime"], record["peer_id"], record["peer_as"]) == ("open_sent", 5, "0.0.0.0", 0)
    assert "families" not in record


def test_routes_are_found_by_how_their_origins_are_validated() -> None:
    """Of four routes one is valid, the payloads of two are of another AS, and nobody says anything of the fourth."""
    rig = Rig()
    rig.send(rig.connect(), announce(1, 2, 3, 4), update(MANDATORY, prefix(b"\x0a", 8)))
    payloads = Payloads()
    for number, asn in ((1, ORIGIN_AS), (2, 9), (3, 9)):
        payloads.add(bytes([10, number, 0, 0]), 16, 16, asn)
    validation = Validation(maybeDeferred)  # type: ignore[arg-type]  # what a thread does, at once
    glass = Glass(rig.rib, BgpTables(rig.collector, peer_id=False), validation=validation)
    validation.load(PayloadSet(origins_of(payloads)))
    of = {status: glass.prefixes(roa=status) for status in "viu"}
    assert of == {"v": [text(1)], "i": [text(2), text(3)], "u": ["10.0.0.0/8", text(4)]}
    assert [row["roa"] for row in glass.search(roa="i")[1]] == ["U", "U"]  # where traffic goes when they are dropped
    assert glass.prefixes(roa=["v", "i"], ip_prefix=text(2), match="exact") == [text(2)]
    assert glass.prefixes(roa=["v", "u"], ip_prefix=text(2), match="exact") == []
    assert glass.prefixes(roa="u", ip_prefix=text(2), match="less-specific") == ["10.0.0.0/8"]
    assert glass.prefixes(roa="u", ip_prefix="10.0.0.0/12", match="more-specific") == [text(4)]
    facts, rows = glass.search(roa="i", limit=1)
    assert [row["ip_prefix"] for row in rows] == [text(2)]
    assert glass.prefixes(roa="i", limit=1, cursor=facts["cursor"]) == [text(3)]
    assert glass.search(roa="i", select="count")[0] == {"count": 2}
    assert glass.search(roa="i", where={"origin_as": 9}, select="count")[0] == {"count": 0}
    assert glass.refusal(roa="i", ip_prefix=text(2)).startswith("roa: of one prefix with match exact, ")
    assert Asked().glass.refusal(roa="i") == "roa: origins are not validated here"


def test_routers_and_monitored_peers_are_described() -> None:
    rig = bmp_rig.Rig()
    vrf = peer(1, rd=bytes.fromhex("0000fde800000007"))
    rig.up(bmp_rig.peer_up(), bmp_rig.peer_up(vrf), bmp_rig.announce(1, 2))
    glass = Glass(rig.rib, BmpTables(rig.collector, wall_clock=lambda: rig.now))
    [router] = glass.search(select="routers")[1]
    assert router.pop("counters")["monitoring"] == 1
    assert router == ROUTER_RECORD
    assert glass.search(select="routers", bmp_router="192.0.2.99")[1] == []
    records = glass.search(select="peers")[1]
    assert [(one["peer_type"], one.get("rd")) for one in records] == [(0, None), (1, "0:65000:7")]
    first = records[0]
    assert first["bmp_router"] == bmp_rig.ADDRESS
    assert (first["state"], first["uptime"]) == ("established", 0)
    assert first["capabilities"] == first["capabilities_received"] == ["4-bytes AS [65] ASN [65001]"]
    family = {"afi": 1, "safi": 1, "routes": 2, "stale": 0, "add_path": False, "counters": counters(announced=2)}
    assert first["ribs"] == [{"bmp_rib_type": "Adj-Rib-In Pre-Policy", "families": [family]}]
    assert [one["peer_type"] for one in glass.search(select="peers", bmp_rib_type="Adj-Rib-In Pre-Policy")[1]] == [0]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_have_every_peer_once(limit: int) -> None:
    rig = Asked()
    for number in range(7):
        rig.connect(1000 + number, f"192.0.2.{9 - number}")
    found, cursor = [], None
    while True:
        facts, records = rig.glass.search(select="peers", limit=limit, cursor=cursor, fields=["peer_ip_src"])
        assert len(records) <= limit
        found += [record["peer_ip_src"] for record in records]
        cursor = facts.get("cursor")
        if cursor is None:
            break
    assert found == [f"192.0.2.{number}" for number in range(3, 10)]


def test_the_reactor_turns_while_many_peers_are_described(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PEERS_AT_ONCE", 1)
    rig.connect(1001, OTHER)
    rig.glass.send({"query_type": 3}, {"select": "peers"})
    assert rig.glass.answers == []
    rig.glass.clock.advance(0)
    assert json.loads(rig.glass.answers[0][0])["results"] == 2


def test_who_is_connected_is_a_question_among_others(rig: Asked) -> None:
    frames = rig.glass.ask_octets({"query_type": 3}, {"select": "peers"}, {"ip_prefix": "10.1.0.1"}, {"match": "exact"})
    assert frames[:2] == [b'{"results": 5, "query_type": 3, "queries": 3}', b'{"query": 0, "results": 1}']
    assert json.loads(frames[2])["peer_as"] == 65001
    assert (frames[3], frames[5]) == (b'{"query": 1, "results": 1}', b'{"query": 2, "results": 3}')


def test_every_attribute_is_shown_when_that_is_asked_for(rig: Asked) -> None:
    extra = (
        attribute(7, bytes.fromhex("0000fde8c0000209")),
        attribute(9, bytes([192, 0, 2, 7])),
        attribute(10, bytes([192, 0, 2, 8, 192, 0, 2, 9])),
        attribute(99, b"\xca\xfe", flags=0xC0),
    )
    rig.send(rig.connect(1001, OTHER), announce(7, extra=extra))
    question: dict[str, Any] = {"ip_prefix": "10.7.0.1"}
    searched: dict[str, Any] = {"peer_ip_src": OTHER}
    for asked in (question, searched):
        [plain] = rig.glass.search(**asked)[1]
        [whole] = rig.glass.search(**asked, all_attributes=True)[1]
        assert {key: whole[key] for key in whole.keys() - plain.keys()} == {
            "aggregator": "65000 192.0.2.9",
            "originator_id": "192.0.2.7",
            "cluster_list": ["192.0.2.8", "192.0.2.9"],
            "attribute_99": "cafe",
        }
        assert plain.items() <= whole.items()
    assert set(rig.glass.search(**question)[1][0]) == set(plain)


def test_an_answer_that_is_cut_says_so(rig: Asked) -> None:
    question = {"match": "less-specific", "ip_prefix": "10.2.3.1"}
    assert rig.glass.search(**question, limit=1)[0] == {"truncated": True}
    assert rig.glass.search(**question, limit=2)[0] == {}


def pages(glass: Glass, **question: object) -> list[list[tuple[str, int, str]]]:
    found, cursor = [], None
    while True:
        facts, routes = glass.search(**question, cursor=cursor)
        found.append([(route["peer_ip_src"], route["safi"], route["ip_prefix"]) for route in routes])
        cursor = facts.get("cursor")
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50, MAX_LIMIT])
@pytest.mark.parametrize("facts", [{}, {"match": "more-specific", "ip_prefix": "10.0.0.0/8"}, {"where": {"as": 65001}}])
def test_pages_have_every_route_once(limit: int, facts: dict[str, object]) -> None:
    rig = Asked()
    for number in range(3):
        peer = rig.connect(1000 + number, f"192.0.2.{number + 1}")
        rig.send(peer, announce(*range(number + 4)))
        rig.send(peer, labeled(*(prefix(bytes([10, n, 0, 0]), 16, labels=label_stack(7)) for n in range(2))))
    found = pages(rig.glass, limit=limit, **facts)
    routes = [route for page in found for route in page]
    assert len(routes) == len(set(routes)) == 4 + 5 + 6 + 3 * 2
    assert max(map(len, found)) <= limit


def test_pages_have_all_paths_of_every_prefix() -> None:
    rig = Asked()
    peer = rig.connect(add_path=frozenset({IPV4_UNICAST}))
    for number in range(3):
        for path in range(5):
            rig.send(peer, update(MANDATORY, prefix(bytes([10, number, 0, 0]), 16, path_id=path)))
    for limit in (1, 4, 6, 100):
        assert sum(map(len, pages(rig.glass, limit=limit))) == 15


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ({"cursor": "x"}, "cursor: not one of ours"),
        ({"cursor": "1.0.0.0"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0.99999999999"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0.-1"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0.0"}, "cursor: peers have come or gone, begin again"),
        ({"select": "peers", "cursor": "x"}, "cursor: not one of ours"),
        ({"rd": "red"}, "rd: red is not written like 0:65000:100"),
        ({"ip_prefix": "10.0.0.0/8", "afi": 2}, "afi: the prefix is of another"),
        ({"safi": 5}, "safi: such routes are not stored"),
        ({"safi": 1, "rd": RD_TEXT}, "rd: such routes have none"),
        ({"safi": 128, "ip_prefix": "10.0.0.0/8"}, "rd: a prefix of a VPN has one"),
        ({"where": {"as_path": "("}}, "as_path: "),
        ({"where": {"attribute": 3}}, "where: attribute 3 is not kept"),
        ({"where": {"ext_community": "x"}}, "ext_community: x is not written like"),
    ],
)
def test_questions_that_make_no_sense(rig: Asked, question: dict[str, object], text: str) -> None:
    assert rig.glass.refusal(**question).startswith(text)
    assert rig.glass.glass.counters.not_understood == 1


def cursor(rig: Asked, *place: int) -> str:
    """Write a cursor among the tables that there are."""
    tables = rig.glass.answerer.tables.all_tables()
    return rig.glass.answerer._cursors.write(place, [table.owner.serial for table in tables])  # type: ignore[arg-type]  # three


@pytest.mark.parametrize(
    ("place", "text"), [((1, 0, 0), "come or gone"), ((0, 8, 0), "come"), ((0, 0, 1 << 32), "come")]
)
def test_a_cursor_of_a_place_that_there_is_not(rig: Asked, place: tuple[int, ...], text: str) -> None:
    assert text in rig.glass.refusal(cursor=cursor(rig, *place))


def test_a_cursor_of_another_question(rig: Asked) -> None:
    assert rig.glass.refusal(cursor=cursor(rig, 0, 4, 0), afi=1) == "cursor: of another question"


@pytest.mark.parametrize("place", [(0, 0, 4294967295), (0, 2, 0), (0, 2, 4294967295), (0, 0, 268435456)])
@pytest.mark.parametrize("facts", [{}, {"where": {"as": 65001}}, {"match": "more-specific", "ip_prefix": "10.0.0.0/8"}])
def test_a_cursor_behind_the_last_route_finds_nothing(
    rig: Asked, place: tuple[int, ...], facts: dict[str, object]
) -> None:
    assert rig.glass.search(cursor=cursor(rig, *place), **facts) == ({}, [])


def test_a_cursor_is_refused_when_a_table_was_replaced_by_another(rig: Asked) -> None:
    facts, _ = rig.glass.search(limit=1)
    assert len(rig.glass.prefixes(**facts)) == 2
    [peer] = [neighbor.peer for neighbor in rig.collector.neighbors()]
    assert peer is not None
    rig.collector.closed(peer, LOST)
    rig.settle()
    rig.send(rig.connect(), announce(1, 2))
    assert rig.glass.refusal(**facts) == "cursor: peers have come or gone, begin again"


def test_a_cursor_is_refused_when_a_peer_came_back_with_other_tables() -> None:
    rig = Asked()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2))
    facts, _ = rig.glass.search(limit=1)
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert len(rig.glass.prefixes(**facts)) == 1  # the same routes, stale
    rig.connect(add_path=frozenset({IPV4_UNICAST}), graceful=grace(IPV4_UNICAST))
    rig.settle()
    assert rig.glass.refusal(**facts) == "cursor: peers have come or gone, begin again"


def test_a_cursor_is_of_use_for_its_own_peer_whatever_others_do(rig: Asked) -> None:
    facts, _ = rig.glass.search(limit=1, peer_ip_src=ADDRESS)
    rig.send(rig.connect(1001, OTHER), announce(1))
    assert len(rig.glass.prefixes(peer_ip_src=ADDRESS, **facts)) == 2


def test_a_cursor_of_one_daemon_is_of_no_use_to_another() -> None:
    one, other = Cursors(), Cursors()
    assert one.read(one.write((0, 0, 7), [1]), [1]) == (0, 0, 7)
    with pytest.raises(QueryError, match="begin again"):
        other.read(one.write((0, 0, 7), [1]), [1])


def test_one_bad_question_does_not_spoil_the_others(rig: Asked) -> None:
    frames = rig.glass.ask_octets({"query_type": 3}, {"rd": "red"}, {"ip_prefix": "10.1.0.1"})
    assert [json.loads(frame).get("results") for frame in frames] == [1, 0, 1, None]


@pytest.mark.parametrize(("kind", "question"), [(1, answered("10.1.0.1")), (3, {"ip_prefix": "10.1.0.1"})])
def test_the_reactor_turns_between_questions(rig: Asked, kind: int, question: object) -> None:
    glass = rig.glass
    glass.send({"query_type": kind}, question, question)
    assert glass.answers == []
    counters = glass.glass.counters
    assert counters.lookups + counters.searches == 1
    glass.clock.advance(0)
    assert len(glass.answers) == 1


# -- threads, ceilings, bugs ------------------------------------------------------------------------------------------


def test_few_searches_at_a_time_and_those_for_which_there_is_no_patience_are_refused(rig: Asked) -> None:
    glass = rig.glass
    glass.thread.held = True
    for _ in range(SEARCHES + WAITING):
        glass.send({"query_type": 3}, {})
    assert (len(glass.thread.waiting), glass.answers) == (SEARCHES, [])
    assert glass.refusal() == "too many searches wait, ask again later"
    assert glass.glass.counters.refused == 1
    assert glass.look_up("10.1.0.1", ADDRESS)[0]["results"] == 1  # which takes no turn
    assert glass.prefixes(ip_prefix="10.1.0.1") == ["10.1.0.0/16"]
    del glass.answers[:]
    while glass.thread.waiting:
        glass.thread.go_on()
    assert len(glass.answers) == SEARCHES + WAITING
    assert {len(answer) for answer in glass.answers} == {2 + 3}


def test_searches_side_by_side_write_to_buffers_of_their_own(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    render = Answerer._render_found

    def watch(glass: Answerer, found: Any, tables: Any, rows: Any, most: int | None = None) -> list[bytes]:
        written.append(rows)
        return render(glass, found, tables, rows, most)

    monkeypatch.setattr(Answerer, "_render_found", watch)
    rig.glass.prefixes()
    rig.glass.prefixes()
    rig.glass.look_up("10.1.0.1", ADDRESS)
    assert len({id(rows) for rows in written}) == len(written) == 3


def test_a_search_is_about_the_tables_at_its_turn(rig: Asked) -> None:
    rig.glass.thread.held = True
    rig.glass.send({"query_type": 3}, {"select": "count"})
    [peer] = [neighbor.peer for neighbor in rig.collector.neighbors()]
    assert peer is not None
    rig.send(peer, announce(77), withdraw(1, 2))
    rig.collector.closed(peer, LOST)
    rig.settle()
    rig.glass.thread.go_on()
    assert json.loads(rig.glass.answers[0][1])["count"] == 3


@pytest.mark.parametrize(
    "question",
    [{}, {"select": "count"}, {"ip_prefix": "10.1.0.1"}, {"where": {"as": 1}}, {"match": "exact", "ip_prefix": "::"}],
)
def test_a_bug_is_logged_and_answered(rig: Asked, question: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("bug")

    for name in ("project", "compile_condition"):
        monkeypatch.setattr(module, name, fail)
    monkeypatch.setattr(module.Answer, "__new__", fail)
    with bugs_logged() as bugs:
        [answer] = rig.glass.ask_octets({"query_type": 3}, question)
    assert json.loads(answer) == {
        "results": 0,
        "query_type": 0,
        "text": "no answer because of a bug, which is in the log",
    }
    assert bugs == [("a looking-glass request", KeyError)]
    monkeypatch.undo()
    assert len(rig.glass.prefixes()) == 3
    everything_can_go(rig)


def test_a_bug_in_a_look_up_is_answered(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "afi_of", None)
    with bugs_logged() as bugs:
        header, _ = rig.glass.look_up("10.1.0.1", ADDRESS)
    assert (header["results"], bugs) == (0, [("a looking-glass request", TypeError)])


def everything_can_go(rig: Asked) -> None:
    """Demand that no search has kept the stores as they were."""
    [peer] = [neighbor.peer for neighbor in rig.collector.neighbors()]
    assert peer is not None
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.is_empty


# -- properties -------------------------------------------------------------------------------------------------------

VALUES = st.sampled_from([1, 2, 4, 128, 0, "10.0.0.0/8", "10.2.3.1", "::/0", RD_TEXT, ADDRESS, "1.0.0.2", "count"])
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "select": st.sampled_from(["routes", "count", "peers", "routers"]),
        "all_attributes": st.booleans(),
        "match": st.sampled_from(["exact", "longest", "less-specific", "more-specific"]),
        "ip_prefix": st.sampled_from(["10.0.0.0/8", "10.2.3.1", "10.2.0.0/16", "::/0", "2001:db8::1", "0.0.0.0/0"]),
        "peer_ip_src": st.sampled_from([ADDRESS, OTHER]),
        "afi": st.sampled_from([1, 2]),
        "safi": st.sampled_from([1, 2, 4, 5, 128]),
        "rd": st.sampled_from([RD_TEXT, "2:1:1", "red"]),
        "where": st.sampled_from([{"as": 65001}, {"not": {"attribute": 3}}, {"as_path": "^65001$"}, {"as_path": "("}]),
        "limit": st.integers(1, 3),
        "cursor": st.sampled_from([f"{'0' * 16}.0.0.2", f"{'f' * 16}.1.0.0", "0400", "x"]) | st.text(max_size=5),
        "fields": st.just(["ip_prefix"]),
        "peer_tcp_port": VALUES,
    },
)


@pytest.fixture(scope="module")
def shared() -> Asked:
    """Two peers with routes of several families."""
    rig = Asked()
    rig.send(rig.connect(), announce(1, 2), update(MANDATORY, prefix(bytes([10, 2, 3, 0]), 24)), announce_ipv6())
    rig.send(rig.connect(1001, OTHER), labeled(vpn_route(1), family=VPN), update(MANDATORY, net(2)))
    return rig


@given(kind=st.sampled_from([1, 2, 3]), questions=st.lists(MEMBERS | st.binary(max_size=9), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_has_one_answer_and_no_bug(shared: Asked, kind: int, questions: list[object]) -> None:
    frames = shared.glass.ask_octets({"query_type": kind}, *questions)
    header = json.loads(frames[0])
    assert shared.glass.glass.counters.bugs == 0
    if kind == 3:
        assert header["results"] == len(frames) - 1 - header.get("queries", 0)


@given(frames=st.lists(st.binary(max_size=40), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_have_one_answer(shared: Asked, frames: list[bytes]) -> None:
    [answer] = shared.glass.ask_octets(*frames)
    assert json.loads(answer)["results"] == 0


def test_a_command_is_no_question_where_there_are_no_commands(rig: Asked) -> None:
    assert rig.glass.search(select="reload") == ({"text": "select: reload is no question"}, [])
