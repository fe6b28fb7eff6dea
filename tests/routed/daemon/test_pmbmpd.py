"""`pmbmpd`: what is its own in the command."""

import ctypes.util
import socket
from pathlib import Path
from typing import Any

import pytest

from routed.daemon.command import FAILED, OK, USAGE
from routed.daemon.pmbmpd import main
from routed.daemon.settings import BmpSettings, pmbmpd_settings, read_configuration
from routed.daemon.switches import PMBMPD
from routed.plumbing.cli import parse_command_line
from tests.routed.daemon.command_rig import Daemon, configured
from tests.routed.daemon.plane_rig import Sockets
from tests.routed.plumbing.captures import pcap, session
from tests.routed.service.bmp_rig import INIT, TERM


def settings(*arguments: str) -> BmpSettings:
    return pmbmpd_settings(read_configuration(parse_command_line(PMBMPD, list(arguments)).all_statements()))


def test_help_shows_the_switches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == OK
    out, err = capsys.readouterr()
    assert out.startswith("pmbmpd: ")
    assert "usage: pmbmpd [-f FILE] [switches]" in out
    assert err == ""


def test_switches_are_keys_of_bmp() -> None:
    told = settings("-L", "192.0.2.9", "-l", "11790", "-o", "/log", "-O", "/dump", "-i", "60")
    assert (str(told.listener.address), told.listener.port) == ("192.0.2.9", 11790)
    assert told.message_log is not None
    assert told.message_log.file.expand_for_peer("192.0.2.1", 1) == "/log"
    assert told.dump is not None
    assert told.dump.refresh_time == 60


def test_switches_are_keys_of_the_capture() -> None:
    told = settings("-I", "/capture", "-Z", "5", "-Y", "0", "-R", "port 1790")
    assert told.replay is not None
    assert (str(told.replay.file), told.replay.delay, told.replay.times, told.replay.filter) == (
        "/capture", 5, 0, "port 1790",
    )  # fmt: skip


@pytest.mark.parametrize("switch", ["-g", "-m", "-p"])
def test_switches_of_other_daemons_are_none_of_this_one(capsys: pytest.CaptureFixture[str], switch: str) -> None:
    assert main([switch, "x"]) == USAGE
    assert switch in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize(
    ("lines", "status", "why"),
    [
        (["bmp_daemon_port: 1790", "bmp_daemon_max_peers: 100", "bmp_dump_exclude_stats: true"], OK, ""),
        (["bmp_daemon_port: many"], FAILED, "bmp_daemon_port"),
        (["bmp_daemon_prot: 1790"], FAILED, "Did you mean bmp_daemon_port?"),
        (["bmp_daemon_tls_key_file: /k"], FAILED, "bmp_daemon_tls_certificate_file is missing"),
        (["pcap_savefile: /c", "bmp_daemon_ip: 192.0.2.1"], FAILED, "exclude each other"),
        (["bmp_dump_output: mrt", "bmp_dump_file: /d", "bmp_dump_refresh_time: 60"], FAILED, "bmp_dump_output"),
        (["bmp_daemon_backlog: 0"], FAILED, "bmp_daemon_backlog"),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_a_configuration_can_be_checked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lines: list[str], status: int, why: str
) -> None:
    assert main([*configured(tmp_path, *lines), "-T", "config"]) == status
    out, err = capsys.readouterr()
    assert why in out + err


@pytest.mark.usefixtures("daemon")
def test_a_setup_opens_what_the_configuration_names(tmp_path: Path, no_sockets: Sockets) -> None:
    assert main([*configured(tmp_path), "-T", "setup"]) == OK
    assert [settings.port for _, settings in no_sockets.opened] == [1790]


@pytest.mark.parametrize(
    "line",
    [
        "bmp_daemon_allow_file: {}",
        "bmp_daemon_tag_map: {}",
        "bmp_daemon_md5_file: {}",
        "pcap_savefile: {}",
        "bmp_daemon_tls_certificate_file: {}\nbmp_daemon_tls_key_file: {}",
    ],
)
@pytest.mark.usefixtures("daemon", "no_sockets")
def test_a_file_that_is_not_there_stops_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str
) -> None:
    missing = str(tmp_path / "none")
    assert main([*configured(tmp_path, line.replace("{}", missing)), "-T", "setup"]) == FAILED
    out, err = capsys.readouterr()
    assert missing in out + err


@pytest.mark.skipif(ctypes.util.find_library("pcap") is None, reason="libpcap is not there")
@pytest.mark.usefixtures("daemon")
def test_a_filter_that_is_none_stops_the_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(pcap(session(INIT)))
    lines = (f"pcap_savefile: {tmp_path / 'capture'}", "pcap_filter: no such expression")
    assert main(configured(tmp_path, *lines)) == FAILED
    out, err = capsys.readouterr()
    assert "no such expression" in out + err


@pytest.mark.usefixtures("daemon")
def test_a_port_in_use_stops_the_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        lines = ("bmp_daemon_ip: 127.0.0.1", f"bmp_daemon_port: {port}")
        assert main(configured(tmp_path, *lines)) == FAILED
    out, err = capsys.readouterr()
    assert f"port={port}/tcp" in out + err


def play(daemon: Daemon) -> None:
    for _ in range(20):
        daemon.reactor.advance(0)


@pytest.mark.usefixtures("no_sockets")
def test_a_capture_that_has_been_played_ends_the_daemon(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(pcap(session(INIT, TERM)))
    daemon.script = lambda: play(daemon)  # type: ignore[method-assign]
    lines = (f"logfile: {tmp_path / 'log'}", f"pcap_savefile: {tmp_path / 'capture'}")
    assert main([*configured(tmp_path, *lines), "-o", str(tmp_path / "messages")]) == OK
    assert daemon.reactor.stopped
    assert (tmp_path / "log").read_text().splitlines()[-1].endswith("all done. Exiting ...")
    assert len((tmp_path / "messages").read_bytes().splitlines()) == 4


def test_the_daemon_may_stay(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(pcap(session(INIT, TERM)))

    def script() -> None:
        play(daemon)
        assert not daemon.reactor.stopped
        lifecycle: Any = daemon.lifecycle
        lifecycle.stop("SIGINT")
        play(daemon)

    daemon.script = script  # type: ignore[method-assign]
    lines = (f"logfile: {tmp_path / 'log'}", f"pcap_savefile: {tmp_path / 'capture'}", "pcap_savefile_wait: true")
    assert main(configured(tmp_path, *lines)) == OK
    assert "SIGINT received. Exiting ..." in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("daemon")
def test_sessions_cannot_be_passed_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`bgp_daemon_xconnect_map` in a file that another daemon reads would be forgotten in silence."""
    assert main(configured(tmp_path, "bgp_daemon_xconnect_map: /etc/map")) == FAILED
    out, err = capsys.readouterr()
    assert "daemon.conf:1] bgp_daemon_xconnect_map: only pmbgpd passes sessions on" in out + err
