"""The client and the looking glass of a collector, and between them only frames."""

import threading
from collections.abc import Iterator

import pytest

from lg.cli import OK, main
from lg.client import Client
from lg.errors import RefusedError
from lg.server import Server
from routed.service.visible import BgpTables
from tests.lg.fake import PATIENCE, Frames, looking_glass
from tests.routed.service.collector_rig import ADDRESS, Rig, announce
from tests.routed.service.glass_rig import Glass

OTHER = "192.0.2.2"


@pytest.fixture
def server() -> Iterator[Server]:
    """Two peers, of which the second has three routes of the first's five."""
    rig = Rig()
    rig.send(rig.connect(), announce(1, 2, 3, 4, 5))
    rig.send(rig.connect(1001, OTHER), announce(3, 4, 5))
    glass, one_at_a_time = Glass(rig.rib, BgpTables(rig.collector, peer_id=False)), threading.Lock()

    def answer(asked: Frames) -> Frames:
        with one_at_a_time:
            return glass.ask_octets(*asked)

    with looking_glass(answer) as at:
        yield at


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server, timeout=PATIENCE) as client:
        yield client


def test_peers_are_listed(client: Client) -> None:
    assert [peer["peer_ip_src"] for peer in client.peers().rows] == [ADDRESS, OTHER]


def test_a_route_is_looked_up(client: Client) -> None:
    assert [route["ip_prefix"] for route in client.lookup("10.3.2.1", OTHER).rows] == ["10.3.0.0/16"]
    assert client.lookup("10.1.2.1", OTHER).text == "prefix not found"
    assert client.lookup("10.1.2.1", "192.0.2.9").text == "peer not found"
    assert client.lookup("nonsense", OTHER).text == "lookup error"


@pytest.mark.parametrize("most", [None, 1, 7, 8, 9])
def test_all_tables_are_searched(client: Client, most: int | None) -> None:
    routes = [route for answer in client.pages({}, most) for route in answer.rows]
    expected = [(ADDRESS, number) for number in range(1, 6)] + [(OTHER, number) for number in range(3, 6)]
    assert [(route["peer_ip_src"], route["ip_prefix"]) for route in routes] == [
        (peer, f"10.{number}.0.0/16") for peer, number in expected[:most]
    ]


def test_pages_of_one_route_are_all_of_them(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lg.inquiry.MAX_LIMIT", 1)
    pages = list(client.pages({"fields": ["ip_prefix"]}))
    assert [len(answer.rows) for answer in pages] == [1] * 8
    assert [answer.is_partial for answer in pages] == [True] * 7 + [False]


def test_conditions_are_understood(client: Client) -> None:
    assert client.search({"select": "count"}).count == 8
    assert client.search({"select": "count", "where": {"not": {"as_path_length": {"ge": 0}}}}).count == 0
    with pytest.raises(RefusedError, match="as_path"):
        client.search({"where": {"as_path": "("}})
    with pytest.raises(RefusedError, match="cursor"):
        client.search({"cursor": "nonsense"})


def test_the_command_shows_them(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("-Z", str(server.port))
    assert main([*common, "--match", "exact", "-a", "10.3.0.0/16", "--json", "--fields", "peer_ip_src"]) == OK
    assert capsys.readouterr() == (f'{{"peer_ip_src":"{ADDRESS}"}}\n{{"peer_ip_src":"{OTHER}"}}\n', "")
    assert main([*common, "-a", "10.3.0.1", "-r", OTHER]) == OK
    assert capsys.readouterr().out.startswith('{"results": 1, "query_type": 1}\n{"peer_ip_src": "192.0.2.2"')
    assert main([*common, "--all", "--table", "--fields", "ip_prefix"]) == OK
    assert capsys.readouterr().out.split()[2:] == [f"10.{number}.0.0/16" for number in (1, 2, 3, 4, 5, 3, 4, 5)]
