"""What every daemon does as a command, with a plane that does nothing."""

import pwd
import signal
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, cast

import pytest

from routed.daemon import command
from routed.daemon.ending import FAILED, OK, USAGE, Ending
from routed.daemon.settings import pmbgpd_settings, pmbmpd_settings
from routed.daemon.switches import PMBGPD, PMBMPD
from routed.plumbing import build
from routed.plumbing.privileges import Identity
from tests.routed.daemon.command_rig import Daemon, Plane, configured


@pytest.fixture(params=[(PMBGPD, pmbgpd_settings, "bgp_daemon"), (PMBMPD, pmbmpd_settings, "bmp_daemon")])
def daemon(request: pytest.FixtureRequest, daemon: Daemon) -> Daemon:
    daemon.program, daemon.settings, daemon.prefix = request.param
    return daemon


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("installed", [True, False])
def test_version_is_that_of_the_package(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    def version(name: str) -> str:
        if not installed:
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(build, "version", version)
    assert daemon.main(["-V"]) == OK
    number = "1.2.3, Python 3." if installed else "(not installed), "
    assert capsys.readouterr().out.startswith(f"{daemon.program.name} {number}")


@pytest.mark.parametrize(("arguments", "why"), [(["-?"], "-?"), (["-f"], "-f"), (["bgp"], "unexpected argument bgp")])
def test_a_command_line_that_is_not_understood_is_answered_with_the_usage(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    assert daemon.main(arguments) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err.splitlines()[0]
    assert err.endswith(f"\n{daemon.program.name} -h shows the switches\n")


def test_arguments_are_those_of_the_process_unless_given(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["daemon", "-h"])
    assert daemon.main() == OK
    assert "usage" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_an_error(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert daemon.main(["-f", str(tmp_path / "none")]) == FAILED
    assert capsys.readouterr().err == f"ERROR: [{tmp_path / 'none'}] No such file or directory\n"


# -- checks -----------------------------------------------------------------------------------------------------------


def test_a_configuration_can_be_checked(daemon: Daemon, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert daemon.main([*configured(tmp_path, f"{daemon.prefix}_port: 1790"), "-T", "config"]) == OK
    assert "ERROR" not in capsys.readouterr().err


@pytest.mark.parametrize("line", ["port: many", "prot: 179"], ids=["value", "key"])
def test_a_check_finds_what_is_wrong(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str
) -> None:
    assert daemon.main([*configured(tmp_path, f"{daemon.prefix}_{line}"), "-T", "config"]) == FAILED
    out, err = capsys.readouterr()
    assert f"{daemon.prefix}_{line.partition(':')[0]}" in out + err


def test_an_unusable_configuration_starts_nothing(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.Command, "run", None)
    assert daemon.main(configured(tmp_path, f"{daemon.prefix}_port: many")) == FAILED
    out, err = capsys.readouterr()
    assert f"{daemon.prefix}_port" in out + err


# -- the daemon -------------------------------------------------------------------------------------------------------


def test_signals_reach_the_plane_and_the_first_stop_counts(
    capsys: pytest.CaptureFixture[str], daemon: Daemon, tmp_path: Path
) -> None:
    log, pid = tmp_path / "log", tmp_path / "pid"
    assert daemon.main(configured(tmp_path, f"logfile: {log}", f"pidfile: {pid}")) == OK
    assert daemon.plane is not None
    assert daemon.plane.calls == ["start", "prepare", "take over", "reopen", "stop"]
    assert daemon.reactor.stopped
    text = log.read_text()
    assert "SIGTERM received. Exiting ..." in text
    assert "SIGINT" not in text
    assert "12.3" in text
    assert not pid.exists()
    assert "ERROR" not in capsys.readouterr().err


def test_a_stop_that_fails_is_said_and_ends_the_daemon_all_the_same(daemon: Daemon, tmp_path: Path) -> None:
    def script() -> None:
        assert daemon.lifecycle is not None
        assert daemon.plane is not None
        daemon.lifecycle.stop("SIGTERM")
        daemon.plane.stopping.errback(RuntimeError("a bug"))

    daemon.script = script  # type: ignore[method-assign]
    assert daemon.main(configured(tmp_path, f"logfile: {tmp_path / 'log'}")) == OK
    assert daemon.reactor.stopped
    assert "a bug" in (tmp_path / "log").read_text()


def test_a_process_is_what_the_configuration_says(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(command, "daemonize", lambda: done.append("daemonize"))
    monkeypatch.setattr(command, "set_priority", done.append)
    monkeypatch.setattr(command, "raise_descriptor_limit", lambda _wanted: 100)
    lines = (f"logfile: {tmp_path / 'log'}", "daemonize: true", "proc_priority: 5", f"{daemon.prefix}_max_peers: 1000")
    assert daemon.main(configured(tmp_path, *lines)) == OK
    assert done == ["daemonize", 5]
    assert "the system allows 100 open descriptors" in (tmp_path / "log").read_text()
    assert daemon.reactor.stopped


def test_a_setup_can_be_tried_without_serving(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.main([*configured(tmp_path), "-T", "setup"]) == OK
    assert daemon.plane is not None
    assert daemon.plane.calls == []


def test_a_priority_that_is_not_allowed_stops_the_start(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_priority(_priority: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(command, "set_priority", set_priority)
    assert daemon.main(configured(tmp_path, "proc_priority: -5")) == FAILED
    out, err = capsys.readouterr()
    assert "Permission denied" in out + err


def test_a_pid_file_whose_owner_cannot_be_set_is_written_all_the_same(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routed.plumbing.output_file.Owner.take", lambda *_: "not allowed")
    pid = tmp_path / "pid"
    assert daemon.main(configured(tmp_path, f"logfile: {tmp_path / 'log'}", f"pidfile: {pid}")) == OK
    assert f"[{pid}] not allowed" in (tmp_path / "log").read_text()
    assert daemon.reactor.stopped


# -- the end ----------------------------------------------------------------------------------------------------------


def test_a_plane_may_end_the_daemon_when_nothing_is_left_to_do(daemon: Daemon, tmp_path: Path) -> None:
    def script() -> None:
        assert daemon.plane is not None
        daemon.plane.on_end()
        assert daemon.plane.calls == ["start", "stop"]
        assert not daemon.reactor.stopped
        daemon.plane.stopping.callback(None)

    daemon.script = script  # type: ignore[method-assign]
    assert daemon.main(configured(tmp_path, f"logfile: {tmp_path / 'log'}")) == OK
    assert daemon.reactor.stopped
    lines = (tmp_path / "log").read_text().splitlines()
    assert "longest reactor pause: 12.3 ms (busiest turn: 1.0 ms of processor time)" in lines[-2]
    assert lines[-1].endswith("all done. Exiting ...")


@pytest.mark.parametrize("first", ["signal", "plane"])
def test_the_first_cause_of_an_end_counts(daemon: Daemon, tmp_path: Path, first: str) -> None:
    def script() -> None:
        assert daemon.lifecycle is not None
        assert daemon.plane is not None
        stop = daemon.lifecycle.actions()[signal.SIGTERM]
        causes = [stop, daemon.plane.on_end] if first == "signal" else [daemon.plane.on_end, stop]
        for cause in causes:
            cause()
        assert daemon.plane.calls == ["start", "stop"]
        daemon.plane.stopping.callback(None)

    daemon.script = script  # type: ignore[method-assign]
    assert daemon.main(configured(tmp_path, f"logfile: {tmp_path / 'log'}")) == OK
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert last.endswith(f"{'SIGTERM received' if first == 'signal' else 'all done'}. Exiting ...")


def test_an_end_before_there_is_a_plane_is_none(daemon: Daemon, tmp_path: Path) -> None:
    daemon.ends_early = True
    assert daemon.main([*configured(tmp_path), "-T", "setup"]) == OK
    assert not daemon.reactor.stopped


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Statuses with which the process would have been left at once."""
    statuses: list[int] = []
    monkeypatch.setitem(cast("dict[str, Any]", Ending.__init__.__kwdefaults__), "leave", statuses.append)
    return statuses


def test_what_does_not_end_in_time_is_left_behind(daemon: Daemon, tmp_path: Path, left: list[int]) -> None:
    def script() -> None:
        assert daemon.lifecycle is not None
        daemon.lifecycle.stop("SIGTERM")
        daemon.reactor.advance(6.999)
        assert left == []
        daemon.reactor.advance(0.001)

    daemon.script = script  # type: ignore[method-assign]
    pid = tmp_path / "pid"
    lines = (f"logfile: {tmp_path / 'log'}", f"pidfile: {pid}", "proc_stop_patience: 7")
    daemon.main(configured(tmp_path, *lines))
    assert left == [FAILED]
    assert not pid.exists()
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert last.endswith("not everything could be stopped or written out within 7 s: leaving at once")


def test_an_operator_who_insists_ends_the_daemon_at_once(daemon: Daemon, tmp_path: Path, left: list[int]) -> None:
    def script() -> None:
        assert daemon.lifecycle is not None
        daemon.lifecycle.stop("SIGTERM")
        daemon.lifecycle.abort("SIGTERM")

    daemon.script = script  # type: ignore[method-assign]
    pid = tmp_path / "pid"
    daemon.main(configured(tmp_path, f"logfile: {tmp_path / 'log'}", f"pidfile: {pid}"))
    assert left == [FAILED]
    assert not pid.exists()
    assert (tmp_path / "log").read_text().endswith("SIGTERM received again: leaving at once\n")


def test_a_plane_that_cannot_start_ends_the_daemon(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(plane: Plane) -> None:
        plane.stopping.callback(None)
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(Plane, "start", start)
    daemon.script = lambda: None  # type: ignore[method-assign]
    assert daemon.main(configured(tmp_path, f"logfile: {tmp_path / 'log'}")) == FAILED
    assert daemon.reactor.stopped
    assert "ERROR ( default/core ): [Errno 98] Address already in use" in (tmp_path / "log").read_text()


def test_privileges_are_given_up_between_the_pid_file_and_the_first_session(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    pid = tmp_path / "pid"

    def become(identity: Identity) -> None:
        assert daemon.plane is not None
        done.append((identity.uid, pid.exists(), list(daemon.plane.calls)))

    monkeypatch.setattr(command, "give_up_future", lambda: done.append(daemon.plane))
    monkeypatch.setattr(command, "become", become)
    monkeypatch.setattr("os.fchown", lambda _fd, *owner: done.append(owner))
    user = pwd.getpwnam("nobody")
    assert daemon.main(configured(tmp_path, f"pidfile: {pid}", "proc_user: nobody")) == OK
    assert done == [None, (user.pw_uid, user.pw_gid), (user.pw_uid, True, [])]
