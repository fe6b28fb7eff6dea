"""`pmbgpd`: what is its own in the command."""

import socket
from pathlib import Path
from typing import Any

import pytest

from routed.daemon.bgp_plane import BgpPlane
from routed.daemon.command import FAILED, OK
from routed.daemon.pmbgpd import main
from tests.routed.daemon.command_rig import Daemon, configured
from tests.routed.daemon.plane_rig import Sockets


def test_help_shows_the_switches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == OK
    out, err = capsys.readouterr()
    assert out.startswith("pmbgpd: ")
    assert "usage: pmbgpd [-f FILE] [switches]" in out
    assert err == ""


@pytest.mark.usefixtures("daemon")
def test_a_map_that_is_not_there_stops_the_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "none.map"
    assert main(configured(tmp_path, f"bgp_daemon_allow_file: {missing}", "bgp_daemon_port: 17911")) == FAILED
    out, err = capsys.readouterr()
    assert str(missing) in out + err


@pytest.mark.usefixtures("daemon")
def test_a_port_in_use_stops_the_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        lines = ("bgp_daemon_ip: 127.0.0.1", f"bgp_daemon_port: {port}")
        assert main(configured(tmp_path, *lines)) == FAILED
    out, err = capsys.readouterr()
    assert str(port) in out + err


@pytest.mark.usefixtures("daemon")
def test_a_setup_makes_the_plane(tmp_path: Path, no_sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(BgpPlane, "complete", lambda *_: made.append("complete"))
    assert main([*configured(tmp_path), "-l", "1179", "-T", "setup"]) == OK
    assert made == ["complete"]
    assert [settings.port for _, settings in no_sockets.opened] == [1179]


def test_the_daemon_serves_until_a_signal_ends_it(daemon: Daemon, no_sockets: Sockets, tmp_path: Path) -> None:
    def script() -> None:
        assert daemon.lifecycle is not None
        assert len(daemon.reactor.adoptedPorts) == 1
        daemon.lifecycle.stop("SIGTERM")
        daemon.reactor.advance(0)

    daemon.script = script  # type: ignore[method-assign]
    assert main(configured(tmp_path, f"logfile: {tmp_path / 'log'}")) == OK
    assert daemon.reactor.stopped
    assert no_sockets.opened[0][0].fileno() == -1
    assert "SIGTERM received. Exiting ..." in (tmp_path / "log").read_text()
