from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from routed.plumbing.output_file import Owner
from routed.plumbing.process import (
    PidFile,
    group_id,
    raise_descriptor_limit,
    set_priority,
    user_id,
)

ROOT = Path(__file__).parents[3]


def test_a_pid_file_holds_the_process_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "run" / "pid"
    pid_file = PidFile(path, Owner())
    assert pid_file.write() == ""
    assert path.read_text() == f"{os.getpid()}\n"
    pid_file.remove()
    assert not path.exists()
    pid_file.remove()


def test_the_pid_file_of_another_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("1\n")
    PidFile(path, Owner()).remove()
    assert path.exists()


def test_a_pid_file_replaces_a_stale_one(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("1234567890\n")
    PidFile(path, Owner()).write()
    assert path.read_text() == f"{os.getpid()}\n"


def test_accounts_have_names_or_numbers_or_are_nobody() -> None:
    assert (user_id("root"), user_id(7), user_id(None)) == (0, 7, -1)
    assert (group_id("root"), group_id(7), group_id(None)) == (0, 7, -1)
    with pytest.raises(LookupError):
        user_id("no-such-user-here")
    with pytest.raises(LookupError):
        group_id("no-such-group-here")


def test_the_descriptor_limit_is_raised_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 4096)]

    def set_limit(_what: int, limit: tuple[int, int]) -> None:
        if limit[1] > 4096:
            raise ValueError("not allowed to raise maximum limit")
        limits.append(limit)

    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert raise_descriptor_limit(512) == 1024
    assert raise_descriptor_limit(2048) == 2048
    assert raise_descriptor_limit(100_000) == 4096


def test_without_a_limit_there_is_nothing_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _what: unlimited)
    assert raise_descriptor_limit(100_000) == 100_000


def test_a_lower_priority_can_always_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "setpriority", lambda *arguments: asked.append(arguments))
    set_priority(5)
    assert asked == [(os.PRIO_PROCESS, 0, 5)]


def in_background(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that has `detached` once it is in the background; return what its parent came to."""
    before = "import os, signal, sys; from routed.plumbing.process import daemonize; detached = daemonize();"
    return subprocess.run(
        [sys.executable, "-c", before + script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )


def test_in_the_background_a_process_has_a_session_of_its_own_and_no_terminal(tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    parent = in_background(
        "detached.ready();"
        f"open({str(told)!r}, 'w').write(f'{{os.getsid(0) == os.getpid()}} {{os.path.realpath(\"/proc/self/fd/1\")}} '"
        " f'{os.path.realpath(\"/proc/self/fd/2\")}')"
    )
    assert (parent.returncode, parent.stdout, parent.stderr) == (0, "", "")
    assert told.read_text() == "True /dev/null /dev/null"


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", 128 + 9)], ids=["exit", "signal"]
)
def test_who_starts_a_process_that_cannot_start_is_told(end: str, status: int) -> None:
    parent = in_background(f"print('no', file=sys.stderr, flush=True); {end}")
    assert (parent.returncode, parent.stderr) == (status, "no\n")


def test_a_pid_file_that_may_not_be_removed_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    pid_file = PidFile(tmp_path / "pid", Owner())
    pid_file.write()
    monkeypatch.setattr(Path, "unlink", refuse)
    assert pid_file.remove() == f"[{tmp_path / 'pid'}] not removed: Permission denied"
    assert (tmp_path / "pid").read_text() == ""
