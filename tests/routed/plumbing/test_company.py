"""Processes that are kept at work, each test in a process of its own: signals and children are not those of pytest."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from routed.plumbing.company import Company
from routed.plumbing.log import Log, LogSettings
from routed.plumbing.output_file import Owner
from routed.plumbing.service_manager import ServiceManager

if TYPE_CHECKING:
    import socket

ROOT = Path(__file__).parents[3]
PATIENCE = 120
COUNT = 3


def run(work: str, home: Path, environment: dict[str, str] | None = None) -> int:
    """Run a company, in a process that is nobody else's."""
    settings = LogSettings(
        process="x", debug=False, file=None, facility=None, ident="x", stderr_timestamps=False, utc=True
    )
    log = Log(settings, Owner())
    manager = ServiceManager(environment or {}, log.warning)
    works = {"fails": fails, "hangs": hangs}

    def begin(number: int, channel: socket.socket) -> int:
        return works[work](number, channel, home)

    return Company(COUNT, begin, log, manager, 30.0, between_starts=0.0).serve()


def fails(number: int, channel: socket.socket, _home: Path) -> int:
    """The second one ends before it is ready; the others stay until they are told."""
    if number == 2:
        return 3
    channel.send(b"READY=1")
    sys.stderr.write(f"{number} hears {channel.recv(64).decode()}\n")
    return 0


def hangs(number: int, channel: socket.socket, home: Path) -> int:
    """The first one says nothing any more once it is ready, until it is started again."""
    channel.send(b"READY=1")
    if number == 1 and not (home / "again").exists():
        (home / "again").touch()
        while True:
            time.sleep(PATIENCE)
    return 0


def outcome(work: str, home: Path, **environment: str) -> tuple[int, list[str]]:
    """Run a company to its end; return its status and what it said."""
    code = (
        f"import sys; from pathlib import Path; from {__name__} import run; "
        f"sys.exit(run({work!r}, Path({str(home)!r}), {environment!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.returncode, done.stderr.splitlines()


def test_one_that_cannot_be_started_ends_them_all(tmp_path: Path) -> None:
    status, said = outcome("fails", tmp_path)
    assert status == 1
    assert any("process 2 ended with status 3 before it was in service: all end" in line for line in said)
    assert sorted(line for line in said if "hears" in line) == ["1 hears not started", "3 hears not started"]


def test_one_that_falls_silent_is_killed_and_started_again(tmp_path: Path) -> None:
    status, said = outcome("hangs", tmp_path, WATCHDOG_USEC="1000000")
    assert status == 0
    ours = [line.partition("process 1 ")[2] for line in said if "process 1 " in line]
    assert any("said nothing for 1 s: killed" in line for line in ours)
    assert any("ended by signal 9: it is started again" in line for line in ours)
    assert any("is in service again" in line for line in ours)


def test_those_that_end_by_themselves_are_done(tmp_path: Path) -> None:
    (tmp_path / "again").touch()
    status, said = outcome("hangs", tmp_path)
    assert status == 0
    assert not any("started again" in line for line in said)
