"""The looking glass of a daemon: its keys, what they come to, and that planes have one."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.defer import ensureDeferred, succeed

from routed.daemon.plane import RoutingPlanes, routing_settings
from routed.daemon.settings import pmbgpd_settings, pmbmpd_settings, problem_lines, read_configuration
from routed.plumbing import http_server, zeromq
from routed.plumbing.http_settings import HttpSettings
from routed.plumbing.log import Log
from routed.plumbing.statements import parse_statements
from routed.plumbing.zeromq_settings import ZmqSettings
from routed.plumbing.zeromq_warden import WardenCounters
from routed.service.clock import DaemonReactor
from routed.service.settings import Reloaded
from tests.routed.daemon import test_bgp_plane, test_bmp_plane
from tests.routed.daemon.plane_rig import Lines, Reactor

pytestmark = pytest.mark.usefixtures("no_sockets")
PROTOCOLS = ["bgp", "bmp"]


def settings(protocol: str, *lines: str) -> ZmqSettings | None:
    keys = "\n".join(f"{protocol}_daemon_{line}" for line in lines)
    read = {"bgp": pmbgpd_settings, "bmp": pmbmpd_settings}[protocol]
    return read(read_configuration(parse_statements(keys, "f"))).looking_glass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_there_is_none_unless_it_is_wanted(protocol: str) -> None:
    assert settings(protocol) is None
    assert settings(protocol, "lg: false", "lg_port: 1") is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_to_be_had_on_the_loopback_unless_told_otherwise(protocol: str) -> None:
    assert settings(protocol, "lg: true") == ZmqSettings(address=IPv4Address("127.0.0.1"), port=17_900)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_key(protocol: str) -> None:
    assert settings(
        protocol,
        "lg: true",
        "lg_ip: 2001:db8::1",
        "lg_port: 17901",
        "lg_threads: 4",
        "lg_user: u",
        "lg_passwd: p",
        "lg_curve_server_key_file: /k",
        "lg_curve_client_keys: /c",
    ) == ZmqSettings(
        address=IPv6Address("2001:db8::1"),
        port=17_901,
        user="u",
        password="p",
        server_key_file=Path("/k"),
        client_keys=Path("/c"),
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("lg_user: u", "lg_passwd"),
        ("lg_passwd: p", "lg_user"),
        ("lg_curve_client_keys: /c", "lg_curve_server_key_file"),
    ],
)
def test_half_a_lock_is_none(protocol: str, line: str, missing: str) -> None:
    prefix = f"{protocol}_daemon_"
    configuration = read_configuration(parse_statements(f"{prefix}lg: true\n{prefix}{line}", "f"))
    [problem] = problem_lines(configuration)
    key = line.partition(":")[0]
    assert problem.text.endswith(f"[f:2] {prefix}{key}: {prefix}{missing} is missing")


def http(protocol: str, *lines: str) -> HttpSettings | None:
    keys = "\n".join(f"{protocol}_daemon_{line}" for line in lines)
    read = {"bgp": pmbgpd_settings, "bmp": pmbmpd_settings}[protocol]
    return read(read_configuration(parse_statements(keys, "f"))).http


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_http_is_off_and_on_the_loopback_unless_told_otherwise(protocol: str) -> None:
    assert http(protocol, "lg: true", "lg_http_port: 1") is None
    assert http(protocol, "lg_http: true") == HttpSettings(address=IPv4Address("127.0.0.1"), port=17_980)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_key_of_http(protocol: str) -> None:
    assert http(
        protocol,
        "lg_http: true",
        "lg_http_ip: 2001:db8::1",
        "lg_http_port: 17981",
        "lg_http_token_file: /t",
        "lg_http_rate: 0",
        "lg_http_max_connections: 1",
        "lg_http_ready_time: 0",
    ) == HttpSettings(
        address=IPv6Address("2001:db8::1"),
        port=17_981,
        token_file=Path("/t"),
        rate=0,
        max_connections=1,
        ready_time=0,
    )


@pytest.mark.parametrize(("keys", "more"), [((), 0), (("lg: true",), 1024), (("lg: true", "lg_http: true"), 1280)])
def test_descriptors_for_those_who_ask(keys: tuple[str, ...], more: int) -> None:
    text = "\n".join(f"bgp_daemon_{key}" for key in ("max_peers: 7", *keys))
    assert pmbgpd_settings(read_configuration(parse_statements(text, "f"))).connections == 7 + more


class HttpServer:
    """In place of an HTTP server."""

    made: list[HttpServer]
    tokens = None

    def __init__(self, _reactor: object, settings: HttpSettings, pages: Any, _hurry: object) -> None:
        self.settings, self.pages, self.state = settings, pages, "started"
        self.counters = http_server.HttpCounters()
        if settings.token_file is not None:
            self.tokens = http_server.Tokens(settings.token_file)
        self.made.append(self)

    def stop(self) -> None:
        self.state = "stopped"


@pytest.fixture
def http_servers(monkeypatch: pytest.MonkeyPatch) -> list[HttpServer]:
    HttpServer.made = []
    monkeypatch.setattr(http_server, "HttpServer", HttpServer)
    return HttpServer.made


PLANES = [("bgp", test_bgp_plane), ("bmp", test_bmp_plane)]


@pytest.mark.parametrize(("protocol", "module"), PLANES)
def test_a_plane_serves_http_from_its_start_to_its_stop(
    protocol: str, module: Any, http_servers: list[HttpServer]
) -> None:
    rig = module.Rig(f"{protocol}_daemon_lg_http: true")
    [server] = http_servers
    assert set(server.pages) == {"/query", "/lookup", "/peers", "/routers", "/metrics", "/health", "/ready"}
    assert "INFO looking glass on http://127.0.0.1:17980" in rig.log.lines
    for name in ("longest_turn", "busiest_turn", "long_turns"):
        setattr(rig.plane._reactor, name, 0)
    names = {family.metric.name for family in rig.plane.metrics.families()}
    assert {"routed_http_requests_total", "routed_rib_memory_bytes", "routed_build_info"} <= names
    assert f"routed_{'bgp_peer_up' if protocol == 'bgp' else 'bmp_rib_routes'}" in names
    rig.plane.start()
    ensureDeferred(rig.plane.stop())
    assert server.state == "stopped"


def test_who_listens_for_everybody_without_tokens_is_told(http_servers: list[HttpServer]) -> None:
    rig = test_bgp_plane.Rig("bgp_daemon_lg_http: true\nbgp_daemon_lg_http_ip: 2001:db8::1")
    assert "WARN whoever reaches http://[2001:db8::1]:17980 may ask: there is no file of tokens" in rig.log.lines
    assert len(http_servers) == 1


def test_tokens_are_read_again_with_the_maps(http_servers: list[HttpServer], tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("0123456789abcdef")
    rig = test_bgp_plane.Rig(f"bgp_daemon_lg_http: true\nbgp_daemon_lg_http_token_file: {file}")
    [server] = http_servers
    assert server.tokens is not None
    file.write_text("fedcba9876543210")
    rig.reload()
    assert server.tokens.admit("Bearer fedcba9876543210")
    file.write_text("")
    rig.reload()
    assert server.tokens.admit("Bearer fedcba9876543210")
    assert any(line.startswith(f"ERROR [{file}] ") for line in rig.log.lines)


class Server:
    """In place of a ZeroMQ server."""

    made: list[Server]

    def __init__(self, _reactor: object, settings: ZmqSettings, answer: Any, _hurry: object) -> None:
        self.settings, self.answer, self.state = settings, answer, "made"
        self.counters = zeromq.ZmqCounters()
        self.warden = SimpleNamespace(counters=WardenCounters())
        self.made.append(self)

    def start(self) -> None:
        self.state = "started"

    def stop(self) -> None:
        self.state = "stopped"


class Reply:
    """Remembers what was answered."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, frames: list[bytes]) -> None:
        self.frames = frames


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    Server.made = []
    monkeypatch.setattr(zeromq, "ZmqServer", Server)
    return Server.made


@pytest.mark.parametrize(("protocol", "module"), [("bgp", test_bgp_plane), ("bmp", test_bmp_plane)])
def test_a_plane_has_one_from_its_start_to_its_stop(protocol: str, module: Any, servers: list[Server]) -> None:
    rig = module.Rig(f"{protocol}_daemon_lg: true")
    [server] = servers
    assert (server.state, server.settings.port) == ("made", 17_900)
    assert "INFO looking glass on 127.0.0.1 port 17900/tcp" in rig.log.lines
    rig.plane.start()
    assert server.state == "started"
    reply = Reply()
    server.answer([b'{"query_type": 2}'], reply)
    assert reply.frames == [b'{"results": 0, "query_type": 2}']
    ensureDeferred(rig.plane.stop())
    assert server.state == "stopped"


@pytest.mark.parametrize(("protocol", "module"), [("bgp", test_bgp_plane), ("bmp", test_bmp_plane)])
def test_a_plane_can_be_reloaded_through_one(protocol: str, module: Any, servers: list[Server]) -> None:
    rig = module.Rig(f"{protocol}_daemon_lg: true")
    rig.plane.serve_reload(lambda: succeed(Reloaded()))
    reply = Reply()
    servers[0].answer([b'{"query_type": 3}', b'{"select": "reload"}'], reply)
    assert json.loads(reply.frames[1]) == {
        "query": 0,
        "results": 0,
        "outcome": "maps and configuration reloaded: 0 keys changed",
    }


def test_a_plane_without_one_cannot_be_reloaded_through_it() -> None:
    test_bgp_plane.Rig().plane.serve_reload(lambda: succeed(Reloaded()))


@pytest.mark.parametrize(("protocol", "module"), [("bgp", test_bgp_plane), ("bmp", test_bmp_plane)])
def test_a_plane_has_none_unless_it_is_wanted(protocol: str, module: Any, servers: list[Server]) -> None:
    rig = module.Rig(f"{protocol}_daemon_lg: false")
    rig.plane.start()
    assert servers == []


class Planes:
    """The planes of a flow daemon."""

    def __init__(self, *lines: str) -> None:
        self.log, self.reactor = Lines(), Reactor()
        configuration = read_configuration(parse_statements("\n".join(lines), "f"))
        self.settings = routing_settings(configuration, "nfacctd")
        reactor, log = cast("DaemonReactor", self.reactor), cast("Log", self.log)
        self.planes = RoutingPlanes(reactor, self.settings, log, seed=1)


BOTH = ("bgp_daemon: true", "bmp_daemon: true")


@pytest.mark.parametrize("key", ["bgp_daemon_lg", "bmp_daemon_lg"])
@pytest.mark.parametrize("daemons", [BOTH, BOTH[:1], BOTH[1:]])
def test_planes_of_a_flow_daemon_share_one_whichever_key_wants_it(
    key: str, daemons: tuple[str, ...], servers: list[Server], http_servers: list[HttpServer]
) -> None:
    rig = Planes(*daemons, f"{key}: true", f"{key}_http: true")
    assert (len(servers), len(http_servers)) == (1, 1)
    assert {"/query", "/metrics"} <= set(http_servers[0].pages)
    assert len({id(plane.rib) for plane in rig.planes}) == 1
    rig.planes.start()
    assert servers[0].state == "started"
    reply = Reply()
    rig.planes.serve_reload(lambda: succeed(Reloaded()))
    servers[0].answer([b'{"query_type": 3}', b'{"select": "reload"}'], reply)
    assert "outcome" in json.loads(reply.frames[1])
    ensureDeferred(rig.planes.stop())
    assert (servers[0].state, http_servers[0].state) == ("stopped", "stopped")
    assert not [line for line in rig.log.lines if line.startswith("WARN bmp_daemon_lg")]


def test_a_second_place_for_the_same_questions_is_said_to_be_unused(servers: list[Server]) -> None:
    rig = Planes(*BOTH, "bgp_daemon_lg: true", "bmp_daemon_lg: true", "bmp_daemon_lg_port: 17901")
    assert [server.settings.port for server in servers] == [17_900]
    assert "WARN bmp_daemon_lg*: not used, bgp_daemon_lg* says where questions about both are asked" in rig.log.lines


def test_a_flow_daemon_without_planes_still_says_how_it_is(
    servers: list[Server], http_servers: list[HttpServer]
) -> None:
    Planes("bgp_daemon_lg: true", "bgp_daemon_lg_http: true")
    assert servers == []
    assert set(http_servers[0].pages) == {"/metrics", "/health", "/ready"}


def test_descriptors_of_planes_are_counted_once() -> None:
    rig = Planes(*BOTH, "bgp_daemon_max_peers: 7", "bmp_daemon_max_peers: 3", "bgp_daemon_lg_http: true")
    assert rig.settings.connections == 7 + 3 + 256


def test_counters_of_planes_are_told_apart() -> None:
    rig = Planes(*BOTH)
    found = [sample.labels for sample in rig.planes.metrics.walk() if sample.name == "daemon_connections_accepted"]
    assert found == [(("protocol", "BGP"),), (("protocol", "BMP"),)]
