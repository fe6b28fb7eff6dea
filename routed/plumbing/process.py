"""The process itself: background, pid file, priority, descriptors, and the owner of what it creates."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from routed.plumbing.output_file import FILE_MODE

if TYPE_CHECKING:
    from pathlib import Path

    from routed.plumbing.output_file import Owner
    from routed.plumbing.privileges import Identity

#: What leaves user or group of a file as they are (chown(2)).
NO_ACCOUNT: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """How the process runs, and whose the files are that it creates.

    `identity` is whom it runs as once everything is open, None to stay who it is. `writes_below`: the folders that
    a sandbox leaves open, None for no sandbox. `stop_patience`: how long the end may
    take. Units: seconds. `spool_name`: how the names of its spools begin.
    """

    name: str
    daemonize: bool
    pidfile: Path | None
    priority: int
    umask: int
    owner: Owner
    identity: Identity | None = None
    writes_below: tuple[Path, ...] | None = None
    stop_patience: int = 30
    spool_name: str = ""


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

    def remove(self) -> str:
        """Remove the file, unless it has become that of another process; return what kept it from that, or nothing.

        Who has given up root may not be allowed to change the folder: the file is emptied then.
        """
        try:
            if self._path.read_text(encoding="ascii", errors="replace") != f"{os.getpid()}\n":
                return ""
            os.truncate(self._path, 0)
            self._path.unlink()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"[{self._path}] not removed: {error.strerror}"
        return ""


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


class Detached:
    """A process in the background, whose parent waits to hear that it works."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def ready(self) -> None:
        """Let the parent end well, and the terminal go."""
        _to_null(2)
        os.write(self._parent, b"\0")
        os.close(self._parent)


def daemonize() -> Detached:
    """Leave the terminal: the child goes on in a session of its own, and the parent ends when it is ready.

    A child that ends before gives the parent its exit status; what it writes to standard error until it is ready is
    still seen. To be called before the reactor is imported, which opens descriptors.
    """
    reader, writer = os.pipe()
    if child := os.fork():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.close(writer)
        os._exit(_outcome(reader, child))
    os.close(reader)
    os.setsid()
    _to_null(0, 1)
    return Detached(writer)


def _outcome(reader: int, child: int) -> int:
    if os.read(reader, 1):
        return 0
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status  # as a shell tells of a signal


def _to_null(*descriptors: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
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
