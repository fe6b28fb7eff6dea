"""Questions of ours about routes: which of them, and what is shown of each."""

from typing import Any

import pytest
from twisted.internet.defer import maybeDeferred

from routed.query.codec import VERDICTS
from routed.rib._payloads import Payloads
from routed.rib.payload_set import PayloadSet, origins_of
from routed.service.validation import Validation
from routed.service.visible import BgpTables
from routed.wire.family import IPV4_UNICAST
from tests.oracles.build import MANDATORY, attribute, label_stack, prefix, segments, update
from tests.routed.service.asked_rig import ORIGIN_AS, OTHER, RD_TEXT, VPN, Asked, labeled, text, vpn_route
from tests.routed.service.collector_rig import ADDRESS, Rig, announce, net
from tests.routed.service.glass_rig import Glass


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


def test_routes_are_found_by_what_the_providers_of_their_ases_make_of_the_path() -> None:
    """AS 65001 says that 65002 is its provider, and 65003 is not; nobody else says anything."""
    rig = Rig()
    paths = {1: [65002, 65001], 2: [65003, 65001], 3: [65001, 65004], 4: [65001]}
    peer = rig.connect()
    for number, path in paths.items():
        rig.send(peer, update([MANDATORY[0], attribute(2, segments((2, path))), MANDATORY[2]], net(number)))
    validation = Validation(maybeDeferred)  # type: ignore[arg-type]  # what a thread does, at once
    glass = Glass(rig.rib, BgpTables(rig.collector, peer_id=False), validation=validation)
    validation.load(PayloadSet(aspas={ORIGIN_AS: frozenset({65002})}))
    upstream = {verdict: glass.prefixes(where={"aspa_upstream": verdict}) for verdict in VERDICTS}
    assert upstream == {"valid": [text(1), text(4)], "invalid": [text(2)], "unknown": [text(3)]}
    for verdict, found in upstream.items():
        rows = glass.search(where={"aspa_upstream": verdict})[1]
        assert [row["aspa_upstream"] for row in rows] == [verdict] * len(found)
    assert glass.prefixes(where={"aspa_downstream": "invalid"}) == []
    assert glass.prefixes(where={"not": {"aspa_upstream": "valid"}, "origin_as": ORIGIN_AS}) == [text(2)]
    assert glass.prefixes(where={"aspa_upstream": "valid"}, ip_prefix="10.2.0.1") == []
    assert Asked().glass.refusal(where={"aspa_upstream": "valid"}) == "where: paths are not verified here"


def test_fields_are_those_asked_for_in_the_order_of_records(rig: Asked) -> None:
    fields = ["as_path", "ip_prefix", "nothing"]
    frames = rig.glass.ask_octets({"query_type": 3}, {"ip_prefix": "10.1.0.1", "fields": fields})
    assert frames[2] == b'{"ip_prefix":"10.1.0.0/16","as_path":"65001"}'


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


def test_what_is_beyond_the_limit_is_counted() -> None:
    rig = Asked()
    rig.send(rig.connect(add_path=frozenset({IPV4_UNICAST})), *(update(MANDATORY, path_of(n)) for n in range(200)))
    facts, routes = rig.glass.search(ip_prefix="10.0.0.1", limit=3)
    assert (facts, len(routes)) == ({"truncated": True}, 3)
    assert rig.glass.search(ip_prefix="10.0.0.1", select="count") == ({"count": 200}, [])


def path_of(number: int) -> bytes:
    """One path of a prefix, with its path identifier."""
    return number.to_bytes(4, "big") + prefix(bytes([10, 0, 0, 0]), 16)
