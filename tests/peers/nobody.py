"""Daemons that root starts and that run as an ordinary user."""

import os
import pwd
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.peers.program import ROOT

NOBODY: Final = pwd.getpwnam("nobody")
CAPABILITIES: Final = ("CapPrm", "CapEff", "CapBnd", "CapAmb")


def command_for_others(command: Sequence[str]) -> Sequence[str]:
    """Return how other users can run a module: with Python of the system where ours is at home in a folder of root."""
    if all(path.stat().st_mode & stat.S_IXOTH for path in Path(os.__file__).resolve().parents):
        return command
    system = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if system is None:
        pytest.skip("SKIPPED: this interpreter is in a folder that root alone can read, and the system has no other")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    return ["env", f"PYTHONPATH={packages}:{ROOT}", system, *command[1:]]


def status(pid: int, field: str) -> list[str]:
    """Return a field of what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1:] for line in lines if line.startswith(f"{field}:"))


def is_nobody(pid: int) -> bool:
    """Tell whether a process runs as that user and group, in all respects."""
    return status(pid, "Uid") == [str(NOBODY.pw_uid)] * 4 and status(pid, "Gid") == [str(NOBODY.pw_gid)] * 4


def privileges(pid: int) -> int:
    """Return all capabilities that a process has or may come by, as one mask."""
    found = 0
    for name in CAPABILITIES:
        found |= int(status(pid, name)[0], 16)
    return found
