"""Peers in rows for people."""

import io

import pytest

from lg.answer import Answer
from lg.broker import Outcome
from lg.peers import duration, is_peer, summary
from lg.render import table_to
from lg.server import Server

FAMILIES = [
    {"afi": 1, "safi": 1, "routes": 950000, "stale": 0, "add_path": False},
    {"afi": 2, "safi": 128, "routes": 7, "stale": 3, "add_path": True},
    {"afi": 25, "safi": 70, "routes": 1},
]
PEER = {
    "peer_ip_src": "192.0.2.1",
    "peer_as": 65001,
    "state": "established",
    "uptime": 273_930,
    "capabilities": ["Route Refresh [2]"],
    "counters": {"updates": 5, "announced": 0, "end_of_ribs": 1},
    "refused": {},
    "families": FAMILIES,
}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m 0s"), (3_661, "1h 1m"), (273_930, "3d 4h")]
)
def test_durations_have_two_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_a_row_says_what_matters() -> None:
    assert summary(PEER) == {
        "peer_ip_src": "192.0.2.1",
        "peer_as": 65001,
        "state": "established",
        "uptime": "3d 4h",
        "counters": "updates 5, end of ribs 1",
        "routes": "IPv4 950000, IPv6 VPN 7 (3 stale), 25 70 1",
    }


def test_a_row_of_a_monitored_peer_has_its_ribs() -> None:
    record = {"peer_ip_src": "192.0.2.1", "state": "established", "ribs": [{"bmp_rib_type": "Loc-Rib", "families": []}]}
    assert summary(record)["routes"] == "Loc-Rib: "
    assert summary({"state": "up", "ribs": 3, "uptime": "?"}) == {"state": "up", "ribs": 3, "uptime": "?"}


def test_routes_are_no_peers() -> None:
    assert is_peer(PEER)
    assert not is_peer({"ip_prefix": "10.0.0.0/8", "state": "x"})


def test_a_table_of_peers() -> None:
    out = io.StringIO()
    answer = Answer(frames=(), rows=(PEER,))
    table_to(out, with_source=False)([Outcome(Server(), answer=answer)])
    header, _, row = out.getvalue().strip().splitlines()[:3]
    assert header.split() == ["peer_ip_src", "peer_as", "state", "uptime", "counters", "routes"]
    assert row.split()[:5] == ["192.0.2.1", "65001", "established", "3d", "4h"]
