import json
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from routed.daemon import door
from routed.daemon.bmp_plane import BmpPlane
from routed.daemon.settings import BmpSettings, pmbmpd_settings, read_configuration
from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Log
from routed.plumbing.maps import MapError
from routed.plumbing.pcap import CaptureError
from routed.plumbing.statements import parse_statements
from routed.service.clock import DaemonReactor
from routed.service.dump import Dumper
from routed.service.pump import SessionProtocol
from routed.service.tls import TlsError, TlsStream
from tests.routed.daemon import plane_rig
from tests.routed.daemon.plane_rig import Lines, Sockets, Wire, reload
from tests.routed.plumbing.captures import RST, Timed, pcap, session
from tests.routed.service.bmp_rig import INIT, P1, TERM, announce, peer_up, stats
from tests.routed.service.tls_rig import Authority, Router

pytestmark = pytest.mark.usefixtures("no_sockets")

ROUTER = "192.0.2.1"


class Reactor(plane_rig.Reactor):
    """A reactor whose turns take a millisecond, so that what is due at once is due in the next one."""

    def callLater(self, delay: float, *call: Any, **options: Any) -> Any:  # noqa: N802
        return super().callLater(max(delay, 0.001), *call, **options)

    def turn(self, times: int = 200) -> None:
        for _ in range(times):
            self.advance(0.001)


class Rig:
    def __init__(self, *lines: str) -> None:
        self.log, self.reactor = Lines(), Reactor()
        self.ends: list[str] = []
        self.settings: BmpSettings = pmbmpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))
        self.plane = BmpPlane(
            cast("DaemonReactor", self.reactor),
            self.settings,
            cast("Log", self.log),
            seed=1,
            on_end=lambda: self.ends.append("end"),
        )

    def accept(self, address: str = ROUTER, port: int = 1000) -> Any:
        [(_, _, factory)] = self.reactor.adoptedPorts
        return factory.buildProtocol(IPv4Address("TCP", address, port))

    def connect(self, *messages: bytes, address: str = ROUTER, port: int = 1000) -> Wire:
        protocol = self.accept(address, port)
        assert isinstance(protocol, SessionProtocol)
        wire = Wire(protocol)
        protocol.dataReceived(b"".join(messages))
        return wire

    def reload(self, *lines: str) -> None:
        changed = pmbmpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))
        reload(self.plane, changed if lines else self.settings, self.log)

    def lose(self, wire: Wire) -> None:
        wire.protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.turn()

    def stop(self) -> list[object]:
        ended: list[object] = []
        ensureDeferred(self.plane.stop()).addBoth(ended.append)
        self.reactor.turn()
        return ended


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def kinds(path: Path) -> list[str]:
    return [record.get("log_type") or record.get("bmp_msg_type") or record["event_type"] for record in records(path)]


# -- listening --------------------------------------------------------------------------------------------------------


def test_a_bare_plane_only_listens(no_sockets: Sockets) -> None:
    rig = Rig()
    [(sock, settings)] = no_sockets.opened
    assert (settings.port, settings.probes_silent) == (1790, True)
    assert rig.log.lines == [
        "WARN an option could not be set",
        "INFO maximum BMP peers allowed: 10",
        "INFO waiting for BMP data on interface=all ip=:: port=1790/tcp",
    ]
    assert rig.reactor.adoptedPorts == []
    rig.plane.start()
    rig.plane.reopen()
    rig.reload()
    wire = rig.connect(INIT, peer_up(), announce(1))
    assert wire.sent == b""
    assert rig.stop() == []  # the transport of the router is still there
    assert sock.fileno() == -1
    assert wire.disconnecting
    rig.lose(wire)


def test_what_routers_say_is_in_the_message_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    rig = Rig(f"bmp_daemon_msglog_file: {log}")
    rig.plane.start()
    wire = rig.connect(INIT, peer_up(), announce(1))
    log.rename(tmp_path / "old")
    rig.plane.reopen()
    wire.protocol.dataReceived(stats(P1, 1))
    rig.lose(wire)
    assert rig.stop() == [None]
    assert kinds(tmp_path / "old") == ["log_init", "init", "peer_up", "update"]
    assert kinds(log) == ["stats", "delete", "log_close"]
    assert [record["seq"] for record in records(tmp_path / "old") + records(log)] == list(range(7))


@pytest.mark.parametrize(("line", "rows"), [("", 2), ("bmp_daemon_msglog_unchanged: false", 1)])
def test_unchanged_routes_are_logged_unless_they_are_not_wanted(tmp_path: Path, line: str, rows: int) -> None:
    rig = Rig(f"bmp_daemon_msglog_file: {tmp_path / 'log'}", line)
    rig.plane.start()
    rig.connect(peer_up(), announce(1), announce(1))
    assert kinds(tmp_path / "log").count("update") == rows


def test_a_daemon_that_ends_closes_the_streams_of_its_routers_and_sweeps_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    rig = Rig(f"bmp_daemon_msglog_file: {log}", f"bmp_dump_file: {tmp_path / 'dump'}", "bmp_dump_refresh_time: 60")
    rig.plane.start()
    wire = rig.connect(INIT, peer_up(), announce(1))
    ended = rig.stop()
    assert ended == []
    rig.lose(wire)
    assert ended == [None]
    assert kinds(log) == ["log_init", "init", "peer_up", "update", "log_close"]
    assert not (tmp_path / "dump").exists()


def test_tables_and_events_are_dumped_when_it_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_795_186_800.0 + 59]
    monkeypatch.setitem(cast("dict[str, Any]", Dumper.__init__.__kwdefaults__), "wall_clock", lambda: now[0])
    rig = Rig(f"bmp_dump_file: {tmp_path / 'dump-%H%M'}", "bmp_dump_refresh_time: 60", "timestamps_utc: true")
    rig.plane.start()
    rig.connect(INIT, peer_up(), announce(1), stats(P1, 1))
    now[0] += 2
    rig.reactor.advance(1)
    assert kinds(tmp_path / "dump-1501") == ["dump_init", "route_monitor", "init", "peer_up", "stats", "dump_close"]
    assert any(line.startswith("INFO *** Dumping BMP tables - END") for line in rig.log.lines)
    samples = {(sample.name, sample.labels): sample.value for sample in rig.plane.metrics.walk()}
    assert samples["dump_rows", (("protocol", "BMP"),)] == 1
    assert samples["daemon_connections_accepted", ()] == 1


def test_distinguishers_are_shown_as_is_wanted(tmp_path: Path) -> None:
    from tests.routed.service.bmp_rig import RED  # noqa: PLC0415

    rig = Rig(f"bmp_daemon_msglog_file: {tmp_path / 'log'}", "bmp_daemon_set_pd: true")
    rig.plane.start()
    rig.connect(peer_up(RED), announce(1, header=RED))
    assert [record.get("pd") for record in records(tmp_path / "log")] == [None, "0:1:1", "0:1:1"]


# -- maps and certificates --------------------------------------------------------------------------------------------


def test_who_may_connect_is_what_the_map_says_now(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text(f"{ROUTER}\n")
    rig = Rig(f"bmp_daemon_allow_file: {allow}")
    rig.plane.start()
    assert rig.accept() is not None
    assert rig.accept("192.0.2.2") is None
    allow.write_text("192.0.2.2\n")
    rig.reload()
    assert rig.accept("192.0.2.2") is not None
    assert rig.accept() is None


def test_tags_follow_the_map(tmp_path: Path) -> None:
    tags, log = tmp_path / "tags", tmp_path / "log"
    tags.write_text(f"set_tag=1 ip={ROUTER}/32\n")
    rig = Rig(f"bmp_daemon_tag_map: {tags}", f"bmp_daemon_msglog_file: {log}")
    rig.plane.start()
    wire = rig.connect(INIT, peer_up(), announce(1))
    tags.write_text(f"set_tag=2 ip={ROUTER}/32\n")
    rig.reload()
    wire.protocol.dataReceived(announce(2) + stats(P1, 1))
    assert [record["tag"] for record in records(log)] == [1, 1, 1, 1, 2, 2]


def test_labels_are_filtered_by_the_keys_of_bmp(tmp_path: Path) -> None:
    tags, log = tmp_path / "tags", tmp_path / "log"
    tags.write_text(f"set_label=east ip={ROUTER}/32\n")
    rig = Rig(f"bmp_daemon_tag_map: {tags}", f"bmp_daemon_msglog_file: {log}", "bmp_daemon_msglog_label_filter: west")
    rig.plane.start()
    rig.connect(INIT, peer_up(), announce(1))
    assert kinds(log) == ["log_init"]


def test_md5_keys_are_set_and_set_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []

    class Keys:
        def __init__(self, _socket: object, on_error: Callable[[str], None]) -> None:
            on_error("no")

        def load(self, keys: Any) -> None:
            loaded.append(dict(keys))

    monkeypatch.setattr(door, "Md5Keys", Keys)
    keys = tmp_path / "md5"
    keys.write_text(f"{ROUTER}, secret\n")
    rig = Rig(f"bmp_daemon_md5_file: {keys}")
    keys.write_text(f"{ROUTER}, other\n")
    rig.plane.start()
    rig.reload()
    assert loaded == [{ip_address(ROUTER): b"secret"}, {ip_address(ROUTER): b"other"}]
    assert "WARN bmp_daemon_md5_file: no" in rig.log.lines


@pytest.mark.parametrize("key", ["bmp_daemon_allow_file", "bmp_daemon_md5_file", "bmp_daemon_tag_map"])
def test_a_map_that_is_not_there_stops_the_start(tmp_path: Path, key: str) -> None:
    with pytest.raises(MapError, match="none"):
        Rig(f"{key}: {tmp_path / 'none'}")


def tls_keys(certificate: Path, key: Path) -> tuple[str, str]:
    return f"bmp_daemon_tls_certificate_file: {certificate}", f"bmp_daemon_tls_key_file: {key}"


def test_certificates_are_read_again_and_what_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("collector")
    rig = Rig(*tls_keys(certificate, key))
    rig.plane.start()

    def serial() -> Any:
        protocol = rig.accept()
        assert isinstance(protocol, TlsStream)
        router = Router(protocol, ssl.create_default_context(cafile=authority.path)).connect()
        return router.tls.getpeercert()["serialNumber"]

    first = serial()
    authority.issue("collector")
    assert serial() == first
    rig.reload()
    second = serial()
    assert second != first
    certificate.write_text("nonsense")
    rig.reload()
    assert serial() == second
    assert any(line.startswith(f"ERROR [{certificate}] no certificate chain: ") for line in rig.log.lines)


def test_a_certificate_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="cannot be read"):
        Rig(*tls_keys(tmp_path / "none.crt", tmp_path / "none.key"))


# -- captures ---------------------------------------------------------------------------------------------------------


def capture(folder: Path, packets: list[Timed]) -> Path:
    path = folder / "capture.pcap"
    path.write_bytes(pcap(packets))
    return path


def replay(folder: Path, packets: list[Timed], *lines: str) -> Rig:
    rig = Rig(
        f"pcap_savefile: {capture(folder, packets)}",
        f"bmp_daemon_msglog_file: {folder / 'log'}",
        "timestamps_utc: true",
        *lines,
    )
    rig.plane.start()
    return rig


def test_a_capture_is_played_with_its_times_and_ends_the_daemon(tmp_path: Path, no_sockets: Sockets) -> None:
    rig = replay(tmp_path, session(INIT, peer_up() + announce(1), stats(P1, 1), TERM, start=1_600_000_000.0))
    path = tmp_path / "capture.pcap"
    assert no_sockets.opened == rig.reactor.adoptedPorts == []
    assert rig.log.lines[0] == f"INFO [{path}] is played instead of listening"
    rig.reactor.turn()
    assert rig.ends == ["end"]
    assert f"INFO [{path}] has been played" in rig.log.lines
    log = tmp_path / "log"
    assert kinds(log) == ["log_init", "init", "peer_up", "update", "stats", "term", "delete", "log_close"]
    assert [record.get("timestamp_arrival", "")[-9:-7] for record in records(log)] == [
        "", "43", "45", "45", "47", "49", "49", "",
    ]  # fmt: skip
    assert records(log)[0]["timestamp"] == "2020-09-13 12:26:42.000000"
    assert (records(log)[0]["bmp_router"], records(log)[0]["bmp_router_port"]) == (ROUTER, 40000)
    assert rig.stop() == [None]


@pytest.mark.parametrize("end", [0, RST])
def test_a_session_that_the_capture_does_not_end_is_swept_before_the_daemon_ends(tmp_path: Path, end: int) -> None:
    routes = b"".join(announce(*range(n, n + 200)) for n in range(0, 20_000, 200))
    rig = replay(
        tmp_path, session(INIT, peer_up(), *[routes[at : at + 1400] for at in range(0, len(routes), 1400)], end=end)
    )
    seen: list[str] = []
    rig.plane._on_end = lambda: seen.extend(kinds(tmp_path / "log"))
    rig.reactor.turn(3000)
    assert seen[-1] == "log_close"
    assert seen.count("update") == seen.count("delete") == 20_000


def test_a_daemon_may_stay_behind_the_end_of_its_capture(tmp_path: Path) -> None:
    rig = replay(tmp_path, session(INIT, TERM), "pcap_savefile_wait: true")
    rig.reactor.turn()
    assert any("has been played" in line for line in rig.log.lines)
    assert rig.ends == []
    assert rig.stop() == [None]


def test_a_capture_is_played_as_often_and_as_late_as_is_wanted(tmp_path: Path) -> None:
    rig = replay(tmp_path, session(INIT, TERM), "pcap_savefile_replay: 3", "pcap_savefile_delay: 1")
    rig.reactor.turn(900)
    assert not (tmp_path / "log").exists()
    rig.reactor.turn(3_000)
    assert kinds(tmp_path / "log") == ["log_init", "init", "term", "log_close"] * 3
    assert rig.ends == ["end"]


def test_a_daemon_may_be_stopped_while_it_plays(tmp_path: Path) -> None:
    rig = replay(tmp_path, session(INIT, peer_up(), announce(1), end=0), "pcap_savefile_replay: 0")
    rig.reactor.turn(20)
    assert rig.stop() == [None]
    assert kinds(tmp_path / "log")[-1] == "log_close"
    written = len(kinds(tmp_path / "log"))
    rig.reactor.turn()
    assert len(kinds(tmp_path / "log")) == written
    assert rig.ends == []


def test_the_allow_file_counts_for_captures_too_and_keys_and_certificates_do_not(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text("192.0.2.2\n")
    other = session(INIT, TERM, source=("192.0.2.2", 40001), start=1100.0)
    none = tmp_path / "none"
    rig = replay(tmp_path, session(INIT) + other, f"bmp_daemon_allow_file: {allow}", *tls_keys(none, none))
    rig.reload()
    rig.reactor.turn()
    assert {record["bmp_router"] for record in records(tmp_path / "log")} == {"192.0.2.2"}
    assert f"INFO peer '{ROUTER}' not allowed. close()" in rig.log.lines
    assert rig.ends == ["end"]


def test_ipv6_routers_of_a_capture_have_their_addresses(tmp_path: Path) -> None:
    from tests.routed.plumbing.captures import ethernet, ipv6, tcp  # noqa: PLC0415

    ends = {"source": ("2001:db8::1", 40000), "destination": ("2001:db8::9", 1790)}
    rig = replay(tmp_path, [(1, ethernet(ipv6(tcp(INIT, seq=1, **ends), **ends)))])
    rig.reactor.turn()
    assert records(tmp_path / "log")[0]["bmp_router"] == "2001:db8::1"


def test_a_capture_that_breaks_off_is_said_and_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = capture(tmp_path, session(INIT, TERM))
    path.write_bytes(path.read_bytes() + bytes(9))
    rig = Rig(f"pcap_savefile: {path}", f"bmp_daemon_msglog_file: {tmp_path / 'log'}")
    rig.plane.start()
    rig.reactor.turn()
    assert [line for line in rig.log.lines if line.startswith(f"ERROR [{path}] ")] != []
    assert kinds(tmp_path / "log") == ["log_init", "init", "term", "log_close"]
    assert rig.ends == ["end"]


def test_a_capture_that_is_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(b"no capture at all, but long enough")
    for name in ("capture", "none"):
        with pytest.raises(CaptureError) as error:
            Rig(f"pcap_savefile: {tmp_path / name}")
        assert isinstance(error.value, StartError)
