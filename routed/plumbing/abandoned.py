"""Spools that nobody delivers: of daemons that do not run, or that are called otherwise now."""

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from routed.plumbing.sink import InThread, log_bug
from routed.plumbing.spool import LOCK_FILE
from routed.plumbing.spool_segment import segment_number

#: When directories are looked through: daemons that start together have their spools by then. Units: seconds.
LOOK_AROUND: Final = 60.0


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A spool with records in it that no process has open: how many octets, and when it was last written to."""

    path: Path
    octets: int
    since: float


def abandoned_spools(directory: Path) -> list[Abandoned]:
    """Look through the spools of a directory, as far as we may; blocks."""
    try:
        folders = sorted(path for path in directory.iterdir() if path.is_dir())
    except OSError:
        return []
    found = []
    for folder in folders:
        try:
            segments = [path.stat() for path in folder.iterdir() if segment_number(path) is not None]
            if segments and not _is_open(folder):
                octets = sum(one.st_size for one in segments)
                found.append(Abandoned(folder, octets, max(one.st_mtime for one in segments)))
        except OSError:  # it is another user's, or has just gone
            continue
    return found


def _is_open(folder: Path) -> bool:
    """Tell whether a process has a spool; whoever opens it at this moment tries again.

    Raises: OSError.
    """
    try:
        lock = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


class SpoolWatch:
    """Warns, once, of what waits in the directories of our spools for somebody else."""

    def __init__(self, clock: IReactorTime, in_thread: InThread, warn: Callable[[str], None]) -> None:
        self._clock, self._in_thread, self._warn = clock, in_thread, warn
        self._directories: set[Path] = set()
        self._alarm: IDelayedCall | None = None

    def add(self, directory: Path) -> None:
        """Look through a directory, too."""
        self._directories.add(directory)
        if self._alarm is None:
            self._alarm = self._clock.callLater(LOOK_AROUND, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()

    def _look(self) -> None:
        for directory in sorted(self._directories):
            looking = self._in_thread(partial(abandoned_spools, directory))
            looking.addCallback(self._tell).addErrback(log_bug, f"a look at {directory}")

    def _tell(self, found: list[Abandoned]) -> None:
        for one in found:
            since = f"{datetime.fromtimestamp(one.since, UTC):%Y-%m-%d %H:%M} UTC"
            text = f"{one.octets} octets of records wait since {since} for a daemon that does not run"
            self._warn(f"[{one.path}] {text}")
