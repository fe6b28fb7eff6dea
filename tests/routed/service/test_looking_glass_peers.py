"""Questions of ours about who is connected: BGP peers, BMP routers and the peers that these monitor."""

import json

import pytest

from routed.service import answering as module
from routed.service.visible import BgpTables, BmpTables
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol, UnknownCapability
from routed.wire.bgp.codepoints import MessageType
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.oracles.bmp_build import peer
from tests.routed.service import bmp_rig
from tests.routed.service.asked_rig import OTHER, Asked
from tests.routed.service.collector_rig import ADDRESS, KEPT, announce, announce_ipv6, grace, withdraw
from tests.routed.service.glass_rig import Glass

ROUTER_RECORD = {
    "bmp_router": bmp_rig.ADDRESS,
    "bmp_router_port": 1000,
    "state": "up",
    "uptime": 0,
    "peers": 2,
    "ribs": 1,
    "routes": 2,
}


def counters(**some: int) -> dict[str, int]:
    return {"announced": 0, "unchanged": 0, "withdrawn": 0, "unknown": 0, "dropped": 0, **some}


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
        "counters": {"updates": 2, **counters(announced=3), "passed_over": 0},
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
