"""The process itself: background, pid file, priority, descriptors, and the owner of what it creates."""

from __future__ import annotations

import grp
import os
import pwd
import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from routed.plumbing.output_file import FILE_MODE

if TYPE_CHECKING:
    from pathlib import Path

    from routed.plumbing.output_file import Owner

#: What leaves user or group of a file as they are (chown(2)).
NO_ACCOUNT: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """How the process runs, and whose the files are that it creates."""

    name: str
    daemonize: bool
    pidfile: Path | None
    priority: int
    umask: int
    owner: Owner


class PidFile:
    """A file that holds the process id while the process runs."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path, self._owner = path, owner

    def write(self) -> str:
        """Write the file; return why its owner could not be set, or nothing.

        Raises: OSError.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        try:
            os.write(descriptor, b"%d\n" % os.getpid())
            return self._owner.take(descriptor)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the file, unless it has become that of another process."""
        if self._path.exists() and self._path.read_text(encoding="ascii", errors="replace") == f"{os.getpid()}\n":
            self._path.unlink()


def user_id(account: int | str | None) -> int:
    """Return the number of a user, -1 for none.

    Raises: LookupError when there is no such user.
    """
    if account is None:
        return NO_ACCOUNT
    return account if isinstance(account, int) else pwd.getpwnam(account).pw_uid


def group_id(account: int | str | None) -> int:
    """Return the number of a group, -1 for none.

    Raises: LookupError when there is no such group.
    """
    if account is None:
        return NO_ACCOUNT
    return account if isinstance(account, int) else grp.getgrnam(account).gr_gid


def daemonize() -> None:
    """Leave the terminal: the child goes on in a session of its own, the parent ends.

    To be called before the reactor is imported, which opens descriptors.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)


def set_priority(priority: int) -> None:
    """Set the nice value of the process.

    Raises: PermissionError when it would run with more than it may.
    """
    os.setpriority(os.PRIO_PROCESS, 0, priority)


def raise_descriptor_limit(wanted: int) -> int:
    """Raise the limit of open descriptors to what is wanted, as far as the system lets us, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    target = (wanted, max(wanted, hard)) if os.geteuid() == 0 and ceiling < wanted else (ceiling, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, target)
    except (OSError, ValueError):  # root without the capability, or a value above the kernel's own maximum
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
