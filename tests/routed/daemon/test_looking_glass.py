"""The looking glass of a daemon: its keys, what they come to, and that planes have one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from routed.daemon.settings import pmbgpd_settings, pmbmpd_settings, problem_lines, read_configuration
from routed.plumbing import zeromq
from routed.plumbing.statements import parse_statements
from routed.plumbing.zeromq_settings import ZmqSettings
from tests.routed.daemon import test_bgp_plane, test_bmp_plane

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


class Server:
    """In place of a ZeroMQ server."""

    made: list[Server]

    def __init__(self, _reactor: object, settings: ZmqSettings, answer: Any) -> None:
        self.settings, self.answer, self.state = settings, answer, "made"
        self.counters = zeromq.ZmqCounters()
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
def test_a_plane_has_none_unless_it_is_wanted(protocol: str, module: Any, servers: list[Server]) -> None:
    rig = module.Rig(f"{protocol}_daemon_lg: false")
    rig.plane.start()
    assert servers == []
