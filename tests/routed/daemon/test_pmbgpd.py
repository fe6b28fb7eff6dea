import gc
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

import routed.daemon.bgp_plane
import routed.service.clock
from routed.daemon import command
from routed.daemon.command import FAILED, OK, USAGE
from routed.daemon.pmbgpd import main
from routed.plumbing.lifecycle import Lifecycle
from routed.plumbing.log import Log


class Reactor(MemoryReactorClock):
    """A reactor that is turned for as long as the test's script lasts."""

    longest_turn, busiest_turn = 0.0123, 0.001

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self.started: list[Any] = []
        self.stopped = False

    def callWhenRunning(self, function: Any) -> None:  # type: ignore[override]  # noqa: N802 (all that is used)
        self.started.append(function)

    def run(self, installSignalHandlers: bool = True) -> None:  # noqa: N803
        assert not installSignalHandlers
        for function in self.started:
            function()
        Daemon.current.script()

    def stop(self) -> None:
        assert not self.stopped
        self.stopped = True


class Plane:
    """Remembers what it was told."""

    def __init__(self, _reactor: Reactor, _settings: object, _log: Log, *, seed: int) -> None:
        assert 0 <= seed < 1 << 64
        self.calls: list[str] = []
        self.stopping: Deferred[None] = Deferred()
        Daemon.current.plane = self

    def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")
        await self.stopping

    def reopen(self) -> None:
        self.calls.append("reopen")

    def reload(self) -> None:
        self.calls.append("reload")


class Daemon:
    """What a daemon that is run inside the test has."""

    current: "Daemon"

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.plane: Plane | None = None
        self.lifecycle: Lifecycle | None = None

    def script(self) -> None:
        """Reload, reopen, stop twice."""
        assert self.lifecycle is not None
        assert self.plane is not None
        actions = self.lifecycle.actions()
        for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            actions[number]()
        assert not self.reactor.stopped
        self.plane.stopping.callback(None)
        assert self.reactor.stopped


@pytest.fixture(autouse=True)
def _mask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Whatever touches the process stands still."""
    Daemon.current = daemon = Daemon()
    monkeypatch.setattr(routed.service.clock, "install", lambda: daemon.reactor)
    monkeypatch.setattr("twisted.logger.globalLogBeginner.beginLoggingTo", lambda *_, **__: None)
    monkeypatch.setattr(command, "raise_descriptor_limit", lambda wanted: wanted)

    def install_signals(_reactor: object, lifecycle: Lifecycle) -> None:
        daemon.lifecycle = lifecycle

    monkeypatch.setattr(command, "install_signals", install_signals)
    yield daemon
    gc.unfreeze()


@pytest.fixture
def _no_plane(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routed.daemon.bgp_plane, "BgpPlane", Plane)
    assert daemon.plane is None


def configured(folder: Path, *lines: str) -> Sequence[str]:
    path = folder / "pmbgpd.conf"
    path.write_text("\n".join(lines) + "\n")
    return ["-f", str(path)]


# -- answers ----------------------------------------------------------------------------------------------------------


def test_help_shows_the_switches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == OK
    out, err = capsys.readouterr()
    assert out.startswith("pmbgpd: ")
    assert "usage: pmbgpd [-f FILE] [switches]" in out
    assert err == ""


@pytest.mark.parametrize("installed", [True, False])
def test_version_is_that_of_the_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    def version(name: str) -> str:
        if not installed:
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(command, "version", version)
    assert main(["-V"]) == OK
    assert capsys.readouterr().out.startswith("pmbgpd 1.2.3, Python 3." if installed else "pmbgpd (not installed), ")


@pytest.mark.parametrize(("arguments", "why"), [(["-?"], "-?"), (["-f"], "-f"), (["bgp"], "unexpected argument bgp")])
def test_a_command_line_that_is_not_understood_is_answered_with_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    assert main(arguments) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err.splitlines()[0]
    assert "usage: pmbgpd" in err


def test_arguments_are_those_of_the_process_unless_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pmbgpd", "-h"])
    assert main() == OK
    assert "usage" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["-f", str(tmp_path / "none")]) == FAILED
    assert capsys.readouterr().err == f"ERROR: [{tmp_path / 'none'}] No such file or directory\n"


# -- checks -----------------------------------------------------------------------------------------------------------


def test_a_configuration_can_be_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*configured(tmp_path, "bgp_daemon_port: 1790"), "-T", "config"]) == OK
    assert "ERROR" not in capsys.readouterr().err


@pytest.mark.parametrize("line", ["bgp_daemon_port: many", "bgp_daemon_prot: 179"], ids=["value", "key"])
def test_a_check_finds_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str) -> None:
    assert main([*configured(tmp_path, line), "-T", "config"]) == FAILED
    out, err = capsys.readouterr()
    assert line.partition(":")[0] in out + err


def test_an_unusable_configuration_starts_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.Command, "run", None)
    assert main(configured(tmp_path, "bgp_daemon_port: many")) == FAILED
    out, err = capsys.readouterr()
    assert "bgp_daemon_port" in out + err


# -- the daemon -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_no_plane")
def test_signals_reach_the_plane_and_the_first_stop_counts(
    capsys: pytest.CaptureFixture[str], daemon: Daemon, tmp_path: Path
) -> None:
    log, pid = tmp_path / "log", tmp_path / "pid"
    assert main(configured(tmp_path, f"logfile: {log}", f"pidfile: {pid}")) == OK
    assert daemon.plane is not None
    assert daemon.plane.calls == ["start", "reload", "reopen", "stop"]
    assert daemon.reactor.stopped
    text = log.read_text()
    assert "SIGTERM received. Exiting ..." in text
    assert "SIGINT" not in text
    assert "12.3" in text
    assert not pid.exists()
    assert "ERROR" not in capsys.readouterr().err


@pytest.mark.usefixtures("_no_plane")
def test_a_stop_that_fails_is_said_and_ends_the_daemon_all_the_same(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script() -> None:
        assert daemon.lifecycle is not None
        assert daemon.plane is not None
        daemon.lifecycle.stop("SIGTERM")
        daemon.plane.stopping.errback(RuntimeError("a bug"))

    monkeypatch.setattr(daemon, "script", script)
    assert main(configured(tmp_path, f"logfile: {tmp_path / 'log'}")) == OK
    assert daemon.reactor.stopped
    assert "a bug" in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("_no_plane")
def test_a_process_is_what_the_configuration_says(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(command, "daemonize", lambda: done.append("daemonize"))
    monkeypatch.setattr(command, "set_priority", done.append)
    monkeypatch.setattr(command, "raise_descriptor_limit", lambda _wanted: 100)
    lines = (f"logfile: {tmp_path / 'log'}", "daemonize: true", "proc_priority: 5", "bgp_daemon_max_peers: 1000")
    assert main(configured(tmp_path, *lines)) == OK
    assert done == ["daemonize", 5]
    assert "the system allows 100 open descriptors" in (tmp_path / "log").read_text()
    assert daemon.reactor.stopped


@pytest.mark.usefixtures("_no_plane")
def test_a_setup_can_be_tried_without_serving(daemon: Daemon, tmp_path: Path) -> None:
    assert main([*configured(tmp_path), "-T", "setup"]) == OK
    assert daemon.plane is not None
    assert daemon.plane.calls == []


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
def test_a_priority_that_is_not_allowed_stops_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_priority(_priority: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(command, "set_priority", set_priority)
    assert main(configured(tmp_path, "proc_priority: -5")) == FAILED
    out, err = capsys.readouterr()
    assert "Permission denied" in out + err


@pytest.mark.usefixtures("_no_plane")
def test_a_pid_file_whose_owner_cannot_be_set_is_written_all_the_same(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routed.plumbing.output_file.Owner.take", lambda *_: "not allowed")
    pid = tmp_path / "pid"
    assert main(configured(tmp_path, f"logfile: {tmp_path / 'log'}", f"pidfile: {pid}")) == OK
    assert f"[{pid}] not allowed" in (tmp_path / "log").read_text()
    assert daemon.reactor.stopped
