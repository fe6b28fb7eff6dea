"""Files as the system gives them: the blocking half of the file sinks, called in a thread.

Rows are whole or absent. A regular file that ran full in the middle of a buffer is cut back to where the buffer began.
FIFOs are in `fifo`.
"""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from routed.plumbing.buffer import Buffer, Written
from routed.plumbing.fifo import open_fifo

#: Buffers that one writev() takes (IOV_MAX on Linux).
IOV_MAX: Final = 1024
#: Octets after which a writev() takes no further buffer. For longer ones Linux wants memory in large pieces, which
#: a busy or a virtual machine has to come by first.
WRITE_OCTETS: Final = 256 << 10
#: Modes before the process's umask.
FILE_MODE: Final = 0o666
DIRECTORY_MODE: Final = 0o777
#: A file name leaves room for what a temporary name adds (NAME_MAX is 255).
MAX_TEMPORARY_STEM: Final = 200


@dataclass(frozen=True, slots=True)
class Owner:
    """User and group that new files are given to; -1 leaves them alone."""

    uid: int = -1
    gid: int = -1

    def take(self, fd: int) -> str:
        """Give an open file to this owner; return why that failed, or nothing.

        A file with the wrong owner still holds the rows, so this is reported and not fatal.
        """
        if (self.uid, self.gid) == (-1, -1):
            return ""
        try:
            os.fchown(fd, self.uid, self.gid)
        except OSError as error:
            return f"owner {self.uid}:{self.gid} not set: {error.strerror}"
        return ""


class OutputFile(Protocol):
    """An open destination."""

    warning: str

    @property
    def torn(self) -> bool:
        """Whether the file ends in the middle of a buffer that the next append() must complete."""

    def append(self, buffers: Sequence[Buffer]) -> Written:
        """Write buffers of whole rows, as many as the system takes."""

    def close(self) -> None:
        """Close the descriptor."""


class RegularFile:
    """A file (or device) that takes everything until the disk refuses."""

    def __init__(self, fd: int, warning: str = "") -> None:
        self._fd = fd
        self._torn = 0  # octets of the first buffer that are in the file already and could not be taken back
        self.warning = warning

    @property
    def torn(self) -> bool:
        """Whether the file ends in the middle of a buffer that the next append() must complete."""
        return self._torn > 0

    def append(self, buffers: Sequence[Buffer]) -> Written:
        """Write buffers of whole rows; stop at the first refusal."""
        done = 0
        while done < len(buffers):
            vector = self._next(buffers, done)
            try:
                written = os.writev(self._fd, vector)
            except OSError as error:
                self._take_back()
                return Written(done, error=error)
            done += self._advance(vector, written)
        return Written(done)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)

    def _next(self, buffers: Sequence[Buffer], done: int) -> list[bytes | memoryview]:
        """Return what the next writev() takes: a buffer, or the rest of it, and some that follow."""
        vector: list[bytes | memoryview] = [memoryview(buffers[done].octets)[self._torn :]]
        octets = len(vector[0])
        for buffer in buffers[done + 1 : done + IOV_MAX]:
            if octets >= WRITE_OCTETS:
                break
            vector.append(buffer.octets)
            octets += len(buffer.octets)
        return vector

    def _advance(self, vector: Sequence[bytes | memoryview], written: int) -> int:
        """Count the whole buffers in what writev() took and remember the head of a cut one."""
        for position, part in enumerate(vector):
            if written < len(part):
                self._torn = written + (self._torn if position == 0 else 0)
                return position
            written -= len(part)
        self._torn = 0
        return len(vector)

    def _take_back(self) -> None:
        """Cut the file back to the last whole buffer, if it is ours alone to cut."""
        status = os.fstat(self._fd)
        if not self._torn or not stat.S_ISREG(status.st_mode) or status.st_size != os.lseek(self._fd, 0, os.SEEK_CUR):
            return
        try:
            os.ftruncate(self._fd, status.st_size - self._torn)
        except OSError:
            return  # the row stays torn until the retry completes it
        os.lseek(self._fd, 0, os.SEEK_END)
        self._torn = 0


def open_output(path: Path, owner: Owner) -> OutputFile:
    """Open a file to append to, with its missing parent directories, or a FIFO that exists.

    Raises: OSError.
    """
    path.parent.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    if path.is_fifo():
        return open_fifo(path)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    return RegularFile(fd, owner.take(fd))


@dataclass(frozen=True, slots=True)
class Replacement:
    """A file that takes the place of `target` when it is whole, or `target` itself where nothing can be replaced."""

    output: OutputFile
    target: Path
    temporary: Path | None

    def commit(self) -> None:
        """Close, and put the file in its place.

        Raises: OSError.
        """
        try:
            self.output.close()
            if self.temporary is not None:
                self.temporary.replace(self.target)
        except OSError:
            if self.temporary is not None:
                self.temporary.unlink(missing_ok=True)
            raise

    def abort(self) -> None:
        """Close, and leave the target as it was."""
        try:
            self.output.close()
        finally:
            if self.temporary is not None:
                self.temporary.unlink(missing_ok=True)


def open_replacement(path: Path, owner: Owner) -> Replacement:
    """Open a temporary file beside what `path` leads to; FIFOs and devices are written in place.

    Raises: OSError.
    """
    target = path.resolve()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        return Replacement(open_output(target, Owner()), target, None)
    target.parent.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    temporary = temporary_path(target)
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    return Replacement(RegularFile(fd, owner.take(fd)), target, temporary)


def temporary_path(path: Path) -> Path:
    """Name a hidden file in the directory of `path`, always the same: what a crash left is overwritten."""
    return path.with_name(f".{path.name[:MAX_TEMPORARY_STEM]}.part")


def point_latest(link: Path, target: Path) -> None:
    """Make `link` a symbolic link to `target`, in one step.

    Raises: OSError; FileExistsError when `link` is something other than a symbolic link.
    """
    link.parent.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    if os.path.lexists(link) and not link.is_symlink():
        raise FileExistsError(errno.EEXIST, "not a symbolic link", str(link))
    temporary = temporary_path(link)
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.absolute())
    temporary.replace(link)


def replace_whole(path: Path, octets: bytes, owner: Owner) -> str:
    """Write a small file in one step, so that a reader never sees half of it; return a warning or nothing.

    Raises: OSError, with the old content untouched.
    """
    replacement = open_replacement(path, owner)
    if error := replacement.output.append([Buffer(octets, 1)]).error:
        replacement.abort()
        raise error
    replacement.commit()
    return replacement.output.warning
