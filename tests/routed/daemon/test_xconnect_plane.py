import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred

from routed.daemon import door
from routed.daemon import xconnect_plane as module
from routed.daemon.map_files import Maps
from routed.daemon.pmbgpd import make_plane
from routed.daemon.settings import BgpSettings, pmbgpd_settings, read_configuration
from routed.daemon.xconnect_plane import XconnectPlane
from routed.plumbing.log import Log
from routed.plumbing.maps import MapError
from routed.plumbing.statements import parse_statements
from routed.service.clock import DaemonReactor
from routed.service.settings import ListenerSettings
from routed.service.socket_options import Listening
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from tests.routed.daemon import plane_rig
from tests.routed.daemon.plane_rig import Lines, reload

KEEPALIVE = encode_message(MessageType.KEEPALIVE)


class Wire(plane_rig.Wire):
    """The transport of a peer or a collector."""

    @property
    def cease(self) -> int | None:
        """The subcode of the Cease it was told last."""
        last = self.value().split(b"\xff" * 16)[-1]
        return last[4] if last[2:4] == bytes([MessageType.NOTIFICATION, 6]) else None


class Sock:
    """A socket that is never connected."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.target: Any = None

    def connect_ex(self, target: Any) -> int:
        self.target = target
        return 0

    def getsockopt(self, _level: int, _option: int) -> int:
        return 0

    def fileno(self) -> int:
        return 77

    def close(self) -> None:
        """Nothing is open."""


class Reactor(plane_rig.Reactor):
    """A reactor whose connections succeed when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[Wire] = []

    def adoptStreamConnection(self, _descriptor: int, _family: int, factory: Any) -> None:  # noqa: N802
        self.collectors.append(Wire(factory.buildProtocol(None)))


class Rig:
    def __init__(self, map_file: Path, *lines: str) -> None:
        self.log, self.reactor = Lines(), Reactor()
        statements = parse_statements("\n".join([f"bgp_daemon_xconnect_map: {map_file}", *lines]), "f")
        self.settings: BgpSettings = pmbgpd_settings(read_configuration(statements))
        plane = make_plane(cast("DaemonReactor", self.reactor), self.settings, cast("Log", self.log), 1, lambda: None)
        assert isinstance(plane, XconnectPlane)
        self.plane = plane
        self.plane.start()

    def reload(self, *lines: str) -> None:
        changed = pmbgpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))
        reload(self.plane, changed if lines else self.settings, self.log)

    def connect(self, address: str = "192.0.2.1", port: int = 1000) -> Wire | None:
        [(_, _, factory)] = self.reactor.adoptedPorts
        protocol = factory.buildProtocol(IPv4Address("TCP", address, port))
        if protocol is None:
            return None
        wire = Wire(protocol)
        for waiting in list(self.reactor.getWriters()):
            waiting.doWrite()
        return wire


@pytest.fixture(autouse=True)
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, Sock]]:
    """Use no sockets; return with what they were asked for and by whom."""
    socks: list[socket.socket] = []
    dialled: list[tuple[Any, Any, Sock]] = []

    def open_listener(_settings: ListenerSettings) -> Listening:
        socks.append(socket.socket())
        return Listening(socks[-1], ("bgp_daemon_ipprec could not be set",))

    def open_outgoing(address: Any, _settings: ListenerSettings, key: Any) -> Sock:
        dialled.append((str(address), key, Sock()))
        return dialled[-1][2]

    monkeypatch.setattr(door, "open_listener", open_listener)
    monkeypatch.setattr(module, "open_outgoing", open_outgoing)
    return dialled


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "map"
    path.write_text("bgp_dst=10.0.0.1:17901 bgp_src=192.0.2.1\n")
    return path


def test_without_a_map_sessions_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routed.daemon.bgp_plane.BgpPlane", lambda *_, seed: f"a BGP plane with seed {seed}")
    settings = pmbgpd_settings(read_configuration(parse_statements("", "f")))
    reactor = cast("DaemonReactor", Reactor())
    assert make_plane(reactor, settings, cast("Log", Lines()), 1, lambda: None) == "a BGP plane with seed 1"
    assert settings.connections == settings.listener.max_peers


def test_a_session_is_passed_on(map_file: Path, dialled: list[Any]) -> None:
    rig = Rig(map_file)
    wire = rig.connect()
    assert wire is not None
    [(address, key, sock)] = dialled
    assert (address, key, sock.target) == ("10.0.0.1", None, ("10.0.0.1", 17901))
    wire.protocol.dataReceived(KEEPALIVE)
    assert rig.reactor.collectors[0].value() == KEEPALIVE
    assert "WARN bgp_daemon_ipprec could not be set" in rig.log.lines
    assert "INFO waiting for BGP data on interface=all ip=:: port=179/tcp" in rig.log.lines
    assert f"INFO [{map_file}] map successfully (re)loaded with 1 entries." in rig.log.lines
    rig.plane.reopen()


def test_two_connections_a_session_need_descriptors(map_file: Path) -> None:
    settings = Rig(map_file, "bgp_daemon_max_peers: 1000").settings
    assert settings.connections == 2000
    assert settings.listener.probes_silent


def test_a_reload_changes_where_new_sessions_go_and_leaves_the_others(map_file: Path, dialled: list[Any]) -> None:
    rig = Rig(map_file)
    first = rig.connect()
    map_file.write_text("bgp_dst=10.0.0.2:17902 bgp_src=192.0.2.0/24\n")
    rig.reload()
    rig.connect("192.0.2.2")
    assert [address for address, _, _ in dialled] == ["10.0.0.1", "10.0.0.2"]
    assert first is not None
    first.protocol.dataReceived(KEEPALIVE)
    assert rig.reactor.collectors[0].value() == KEEPALIVE


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "ERROR [{}] file not found."),
        (lambda path: path.write_text("bgp_src=192.0.2.1\n"), "ERROR [{}:1] required key missing: 'bgp_dst'"),
        (
            lambda path: path.write_text("bgp_dst=10.0.0.3:17903 bgp_src=192.0.2.1\nbgp_dst=10.0.0.2:17902\n"),
            "ERROR [{}:2] required key missing: 'bgp_src'",
        ),
        (
            lambda path: path.write_text("no map at all\n"),
            "ERROR [{}:1] malformed line. Ignored. 'no' is no key=value.",
        ),
    ],
)
def test_a_map_with_a_mistake_leaves_the_old_one_in_place(
    map_file: Path, dialled: list[Any], spoil: Any, words: str
) -> None:
    rig = Rig(map_file)
    spoil(map_file)
    rig.reload()
    assert any(line.startswith(words.format(map_file)) for line in rig.log.lines)
    assert rig.log.lines[-1] == f"ERROR [{map_file}] Rolling back old map."
    rig.connect()
    assert [address for address, _, _ in dialled] == ["10.0.0.1"]


def test_a_map_may_be_emptied_on_purpose(map_file: Path) -> None:
    rig = Rig(map_file)
    map_file.write_text("! nobody for now\n")
    rig.reload()
    wire = rig.connect()
    assert wire is not None
    assert wire.cease == 5


def test_a_row_that_is_wrong_at_the_start_costs_itself_alone(map_file: Path, dialled: list[Any]) -> None:
    map_file.write_text("bgp_dst=10.0.0.2:17902\nbgp_dst=10.0.0.3:17903 bgp_src=192.0.2.1\n")
    rig = Rig(map_file)
    rig.connect()
    assert [address for address, _, _ in dialled] == ["10.0.0.3"]


def test_a_map_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="file not found"):
        Rig(tmp_path / "none")


def test_the_collector_side_has_keys_too(map_file: Path, tmp_path: Path, dialled: list[Any]) -> None:
    keys = tmp_path / "md5"
    keys.write_text("192.0.2.1, of-the-router\n10.0.0.1, of-the-collector\n")
    rig = Rig(map_file, f"bgp_daemon_md5_file: {keys}")
    rig.connect()
    keys.write_text("10.0.0.1, another\n")
    rig.reload()
    map_file.write_text("bgp_dst=10.0.0.1:17901 bgp_src=192.0.2.0/24\n")
    rig.reload()
    rig.connect("192.0.2.2")
    assert [key for _, key, _ in dialled] == [b"of-the-collector", b"another"]


def test_who_may_connect_is_asked_first(map_file: Path, tmp_path: Path, dialled: list[Any]) -> None:
    allow = tmp_path / "allow"
    allow.write_text("192.0.2.9\n")
    rig = Rig(map_file, f"bgp_daemon_allow_file: {allow}")
    assert rig.connect() is None
    assert dialled == []


def test_the_neighbors_file_names_who_is_passed_on(map_file: Path, tmp_path: Path) -> None:
    rig = Rig(map_file, f"bgp_neighbors_file: {tmp_path / 'neighbors'}")
    rig.connect()
    rig.reactor.advance(0)
    assert (tmp_path / "neighbors").read_text() == "192.0.2.1\n"


def test_a_neighbors_file_that_cannot_be_written_is_said(map_file: Path) -> None:
    rig = Rig(map_file, f"bgp_neighbors_file: {map_file / 'neighbors'}")
    rig.connect()
    rig.reactor.advance(0)
    assert any(line.startswith("WARN bgp_neighbors_file") for line in rig.log.lines)


def test_keys_that_the_kernel_does_not_take_are_said(
    map_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Picky(door.Md5Keys):
        def _set(self, *_: Any) -> None:
            raise OSError(12, "Cannot allocate memory")

    keys = tmp_path / "md5"
    keys.write_text("192.0.2.1, secret\n")
    monkeypatch.setattr(door, "Md5Keys", Picky)
    rig = Rig(map_file, f"bgp_daemon_md5_file: {keys}")
    assert any("TCP_MD5SIG of 192.0.2.1: Cannot allocate memory" in line for line in rig.log.lines)


def test_a_daemon_that_ends_says_so_at_both_ends(map_file: Path) -> None:
    rig = Rig(map_file)
    wire = rig.connect()
    assert wire is not None
    ended: list[object] = []
    ensureDeferred(rig.plane.stop()).addBoth(ended.append)
    rig.reactor.advance(0)
    [collector] = rig.reactor.collectors
    assert (wire.cease, collector.cease) == (2, 2)
    assert ended == []
    wire.protocol.connectionLost()
    collector.protocol.connectionLost()
    assert ended == [None]


def test_maps_without_one_for_sessions_know_no_destination() -> None:
    settings = pmbgpd_settings(read_configuration(parse_statements("", "f")))
    maps = Maps(settings.listener, settings.maps)
    assert maps.destination(ip_address("192.0.2.1")) is None
