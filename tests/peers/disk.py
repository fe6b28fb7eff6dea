"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Disk:
    """A small file system of the test's own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("wb", buffering=0) as ballast, suppress(OSError):
            while ballast.write(bytes(4096)):
                """One page after the other."""

    def empty(self) -> None:
        """Make room."""
        self._ballast.unlink()


@contextmanager
def small_disk(place: Path) -> Iterator[Disk]:
    """Mount one, or skip the test."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: this user is not root, and a file system is to be mounted")
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"SKIPPED: no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield Disk(place)
    subprocess.run(["umount", place], check=True)
