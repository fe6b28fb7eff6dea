import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred

from routed.daemon import outputs
from routed.daemon.bgp_plane import BgpPlane
from routed.daemon.map_files import Maps
from routed.daemon.settings import BgpSettings, pmbgpd_settings, read_configuration
from routed.octets import Writer
from routed.plumbing.log import Log
from routed.plumbing.maps import MapError
from routed.plumbing.sink import SinkState
from routed.plumbing.statements import parse_statements
from routed.service.clock import DaemonReactor
from routed.service.dump import Dumper
from routed.service.pump import SessionProtocol
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol
from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bgp.open import Capabilities, OpenMessage, encode_open
from routed.wire.family import IPV4_UNICAST
from tests.oracles.build import MANDATORY, NET_10, prefix, update
from tests.routed.daemon.plane_rig import Lines, Reactor, Wire, reload

pytestmark = pytest.mark.usefixtures("no_sockets")


class Rig:
    def __init__(self, *lines: str) -> None:
        self.log = Lines()
        self.reactor = Reactor()
        self.settings: BgpSettings = pmbgpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))
        self.plane = BgpPlane(cast("DaemonReactor", self.reactor), self.settings, cast("Log", self.log), seed=1)

    def connect(self, address: str = "192.0.2.1", port: int = 1000) -> Wire | None:
        [(_, _, factory)] = self.reactor.adoptedPorts
        protocol = factory.buildProtocol(IPv4Address("TCP", address, port))
        if protocol is None:
            return None
        assert isinstance(protocol, SessionProtocol)
        return Wire(protocol)

    def reload(self, *lines: str) -> None:
        changed = pmbgpd_settings(read_configuration(parse_statements("\n".join(lines), "f")))
        reload(self.plane, changed if lines else self.settings, self.log)

    def establish(self, wire: Wire | None) -> Wire:
        assert wire is not None
        w = Writer()
        capabilities = Capabilities((Multiprotocol(IPV4_UNICAST), FourOctetAs(65001)))
        message = OpenMessage(
            my_as=65001, hold_time=180, bgp_identifier=bytes([192, 0, 2, 9]), parameters=(capabilities,)
        )
        encode_open(w, message)
        wire.protocol.dataReceived(encode_message(MessageType.OPEN, bytes(w)))
        wire.protocol.dataReceived(encode_message(MessageType.KEEPALIVE))
        return wire

    def stop(self) -> bool:
        ended: list[object] = []
        ensureDeferred(self.plane.stop()).addBoth(ended.append)
        for _ in range(10):
            self.reactor.advance(1)
        return ended == [None]


def test_a_bare_plane_only_listens() -> None:
    rig = Rig()
    assert "WARN an option could not be set" in rig.log.lines
    assert any("179" in line for line in rig.log.lines)
    assert rig.reactor.adoptedPorts == []
    rig.plane.start()
    rig.plane.reopen()
    rig.reload()
    wire = rig.establish(rig.connect())
    assert wire.sent[18] == MessageType.OPEN
    assert not rig.stop()  # the transport of the peer is still there
    wire.protocol.connectionLost()


def test_what_peers_say_is_in_the_message_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    rig = Rig(f"bgp_daemon_msglog_file: {log}")
    rig.plane.start()
    wire = rig.establish(rig.connect())
    wire.protocol.dataReceived(update(MANDATORY, NET_10))
    log.rename(tmp_path / "old")
    rig.plane.reopen()
    wire.protocol.connectionLost()
    rig.reactor.advance(0)
    rig.reactor.advance(0)
    assert rig.stop()
    old, new = ([json.loads(line) for line in path.read_bytes().splitlines()] for path in (tmp_path / "old", log))
    assert [record.get("log_type", record["event_type"]) for record in old + new] == [
        "log_init",
        "update",
        "delete",
        "log_close",
    ]
    assert len(old) == 2
    assert [record["seq"] for record in old + new] == [0, 1, 2, 3]
    assert rig.plane.metrics is not None


def test_a_daemon_that_ends_says_so_to_its_peers_and_closes_their_streams(tmp_path: Path) -> None:
    log = tmp_path / "log"
    rig = Rig(f"bgp_daemon_msglog_file: {log}", f"bgp_table_dump_file: {tmp_path / 'dump'}")
    rig.plane.start()
    wire = rig.establish(rig.connect())
    wire.protocol.dataReceived(update(MANDATORY, NET_10))
    before = len(wire.sent)
    ended: list[object] = []
    ensureDeferred(rig.plane.stop()).addBoth(ended.append)
    rig.reactor.advance(0)
    assert wire.sent[before + 18 : before + 21] == bytes([MessageType.NOTIFICATION, 6, 2])
    wire.protocol.connectionLost()
    rig.reactor.advance(0)
    assert ended == [None]
    types = [json.loads(line)["event_type"] for line in log.read_bytes().splitlines()]
    assert types == ["log_init", "log", "log_close"]


def test_tables_are_dumped_when_it_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_795_186_800.0 + 59]
    monkeypatch.setitem(cast("dict[str, Any]", Dumper.__init__.__kwdefaults__), "wall_clock", lambda: now[0])
    rig = Rig(
        f"bgp_table_dump_file: {tmp_path / 'dump-%H%M'}", "bgp_table_dump_refresh_time: 60", "timestamps_utc: true"
    )
    rig.plane.start()
    wire = rig.establish(rig.connect())
    wire.protocol.dataReceived(update(MANDATORY, NET_10))
    now[0] += 2
    rig.reactor.advance(1)
    records = [json.loads(line) for line in (tmp_path / "dump-1501").read_bytes().splitlines()]
    assert [record["event_type"] for record in records] == ["dump_init", "dump", "dump_close"]
    wire.protocol.connectionLost()
    assert rig.stop()


def test_the_neighbors_file_names_who_is_connected(tmp_path: Path) -> None:
    file = tmp_path / "neighbors"
    rig = Rig(f"bgp_neighbors_file: {file}")
    rig.plane.start()
    rig.connect("192.0.2.1")
    rig.connect("192.0.2.2", 2000)
    rig.reactor.advance(0)
    assert file.read_text().split() == ["192.0.2.1", "192.0.2.2"]


def test_a_neighbors_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rig = Rig(f"bgp_neighbors_file: {tmp_path / 'file' / 'neighbors'}")
    rig.plane.start()
    rig.connect()
    rig.reactor.advance(0)
    assert any(str(tmp_path / "file") in line for line in rig.log.lines)


def test_who_may_connect_is_what_the_map_says_now(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text("192.0.2.1\n")
    rig = Rig(f"bgp_daemon_allow_file: {allow}")
    rig.plane.start()
    assert rig.connect("192.0.2.1") is not None
    assert rig.connect("192.0.2.2") is None
    allow.write_text("192.0.2.2\n")
    rig.reload()
    assert rig.connect("192.0.2.2") is not None


def test_tags_follow_the_map(tmp_path: Path) -> None:
    tags, log = tmp_path / "tags", tmp_path / "log"
    tags.write_text("set_tag=1 ip=192.0.2.1/32\n")
    rig = Rig(f"bgp_daemon_tag_map: {tags}", f"bgp_daemon_msglog_file: {log}")
    rig.plane.start()
    wire = rig.establish(rig.connect())
    tags.write_text("set_tag=2 ip=192.0.2.1/32\n")
    rig.reload()
    wire.protocol.dataReceived(update(MANDATORY, NET_10))
    assert [json.loads(line)["tag"] for line in log.read_bytes().splitlines()] == [1, 2]


@pytest.mark.parametrize("key", ["bgp_daemon_allow_file", "bgp_daemon_md5_file", "bgp_daemon_tag_map"])
def test_a_map_that_is_not_there_stops_the_start(tmp_path: Path, key: str) -> None:
    with pytest.raises(MapError, match="none"):
        Rig(f"{key}: {tmp_path / 'none'}")


def test_maps_that_are_not_configured_allow_everybody_and_say_nothing() -> None:
    settings = Rig().settings
    maps = Maps(settings.listener, settings.maps)
    assert maps.allows(ip_address("192.0.2.1"))
    assert maps.md5_keys() == {}
    assert maps.tags is None
    assert maps.lines == []


def test_md5_keys_are_read_and_read_again(tmp_path: Path) -> None:
    keys = tmp_path / "md5"
    keys.write_text("192.0.2.1, secret\n")
    settings = pmbgpd_settings(read_configuration(parse_statements(f"bgp_daemon_md5_file: {keys}", "f")))
    maps = Maps(settings.listener, settings.maps)
    assert maps.md5_keys() == {ip_address("192.0.2.1"): b"secret"}
    keys.write_text("192.0.2.1, other\n")
    maps.take(Maps(settings.listener, settings.maps, strict=True))
    assert maps.md5_keys() == {ip_address("192.0.2.1"): b"other"}


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (
            SinkState(name="f", failing=True, reason="disk full", rows_queued=3, rows_lost=2),
            "ERROR [f] disk full: retrying, 3 rows wait, 2 lost",
        ),
        (
            SinkState(name="f", failing=False, reason="owner not set", rows_lost=2),
            "WARN [f] owner not set, 2 rows lost",
        ),
        (SinkState(name="f", failing=False, rows_lost=2), "INFO [f] written again, 2 rows lost"),
    ],
)
def test_the_condition_of_a_file_is_logged(state: SinkState, line: str) -> None:
    rig = Rig()
    outputs.report_sink(cast("Log", rig.log), state)
    assert rig.log.lines[-1] == line


def test_a_message_log_that_cannot_be_opened_is_said_and_retried(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rig = Rig(f"bgp_daemon_msglog_file: {tmp_path / 'file' / 'log'}")
    rig.plane.start()
    rig.connect()
    assert any(line.startswith("ERROR [") and "retrying" in line for line in rig.log.lines)


# -- reloads of keys --------------------------------------------------------------------------------------------------


def test_slots_and_batches_change_for_the_next_connection() -> None:
    rig = Rig("bgp_daemon_max_peers: 1")
    rig.plane.start()
    rig.connect("192.0.2.1")
    refused = rig.connect("192.0.2.2")
    assert refused is not None
    assert refused.sent[18] == MessageType.NOTIFICATION
    rig.reload("bgp_daemon_max_peers: 3")
    assert rig.establish(rig.connect("192.0.2.3")).sent[18] == MessageType.OPEN
    rig.reload("bgp_daemon_max_peers: 9", "bgp_daemon_batch: 1", "bgp_daemon_batch_interval: 60")
    assert rig.connect("192.0.2.4") is not None
    assert rig.connect("192.0.2.5") is None
    rig.reload("bgp_daemon_max_peers: 9")
    assert rig.connect("192.0.2.5") is not None


def test_what_we_say_of_ourselves_changes_for_sessions_that_begin_later() -> None:
    shared = "bgp_disable_router_id_check: true"
    rig = Rig(shared)
    rig.plane.start()
    first = rig.establish(rig.connect("192.0.2.1"))
    rig.reload(shared, "bgp_daemon_hold_time: 30", "bgp_daemon_id: 192.0.2.99")
    second = rig.establish(rig.connect("192.0.2.2"))
    assert [int.from_bytes(wire.sent[22:24], "big") for wire in (first, second)] == [180, 30]
    assert [wire.sent[24:28] for wire in (first, second)] == [bytes([1, 2, 3, 4]), bytes([192, 0, 2, 99])]


def test_limits_of_routes_change_for_sessions_that_last() -> None:
    rig = Rig()
    rig.plane.start()
    wire = rig.establish(rig.connect())
    wire.protocol.dataReceived(update(MANDATORY, NET_10))
    assert not wire.disconnecting
    rig.reload("bgp_daemon_max_routes: 1")
    wire.protocol.dataReceived(update(MANDATORY, prefix(bytes([20]), 8)))
    assert wire.sent[-2:] == bytes([6, 1])  # Cease/Maximum Number of Prefixes Reached


def test_dumps_are_switched_on_and_off_and_follow_another_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_795_186_800.0 + 59]
    monkeypatch.setitem(cast("dict[str, Any]", Dumper.__init__.__kwdefaults__), "wall_clock", lambda: now[0])
    names = (f"bgp_table_dump_file: {tmp_path / 'dump-%H%M%S'}", "timestamps_utc: true")

    def pass_time(seconds: int) -> set[str]:
        for _ in range(seconds):
            now[0] += 1
            rig.reactor.advance(1)
        return {path.name for path in tmp_path.iterdir()}

    rig = Rig(*names)
    rig.plane.start()
    rig.establish(rig.connect())
    assert pass_time(120) == set()
    rig.reload(*names, "bgp_table_dump_refresh_time: 60")
    assert pass_time(2) == {"dump-150300"}
    rig.reload(*names, "bgp_table_dump_refresh_time: 300")
    assert pass_time(118) == {"dump-150300"}
    assert pass_time(2) == {"dump-150300", "dump-150500"}
    rig.reload(*names)
    assert pass_time(600) == {"dump-150300", "dump-150500"}


def test_the_label_filter_changes(tmp_path: Path) -> None:
    tags, log = tmp_path / "tags", tmp_path / "log"
    tags.write_text("set_label=east ip=192.0.2.1/32\n")
    lines = (f"bgp_daemon_tag_map: {tags}", f"bgp_daemon_msglog_file: {log}")
    rig = Rig(*lines, "bgp_daemon_msglog_label_filter: west")
    rig.plane.start()
    wire = rig.establish(rig.connect())
    wire.protocol.dataReceived(update(MANDATORY, NET_10))
    rig.reload(*lines, "bgp_daemon_msglog_label_filter: east")
    wire.protocol.dataReceived(update(MANDATORY, prefix(bytes([20]), 8)))
    rows = [json.loads(line) for line in log.read_bytes().splitlines()]
    assert [row.get("ip_prefix") for row in rows] == [None, "20.0.0.0/8"]
