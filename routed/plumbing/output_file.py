"""Files as the system gives them: the blocking half of the file sinks, called in a thread.

Rows are whole or absent. A regular file that ran full in the middle of a buffer is cut back to where the buffer began;
a FIFO takes the rest of a row that it took the head of before any other row. A FIFO is opened for reading as well, so
that neither opening nor writing depends on a reader, and a reader that stopped reading is not waited for.
"""

import errno
import os
import select
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

#: Buffers that one writev() takes (IOV_MAX on Linux).
IOV_MAX: Final = 1024
#: Octets after which a writev() takes no further buffer. For longer ones Linux wants memory in large pieces, which
#: a busy or a virtual machine has to come by first.
WRITE_OCTETS: Final = 256 << 10
#: Modes before the process's umask.
FILE_MODE: Final = 0o666
DIRECTORY_MODE: Final = 0o777
#: How long a full FIFO may stay full before its reader counts as gone: a reader on a busy machine is late now and then.
FIFO_PATIENCE_MS: Final = 2_000
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


@dataclass(frozen=True, slots=True)
class Written:
    """How far a batch came: whole buffers, rows that a FIFO without reader had to drop, and the reason to stop."""

    buffers: int
    rows_dropped: int = 0
    error: OSError | None = None


class OutputFile(Protocol):
    """An open destination."""

    warning: str

    @property
    def torn(self) -> bool:
        """Whether the file ends in the middle of a buffer that the next append() must complete."""

    def append(self, buffers: Sequence[bytes]) -> Written:
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

    def append(self, buffers: Sequence[bytes]) -> Written:
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

    def _next(self, buffers: Sequence[bytes], done: int) -> list[bytes | memoryview]:
        """Return what the next writev() takes: a buffer, or the rest of it, and some that follow."""
        vector: list[bytes | memoryview] = [memoryview(buffers[done])[self._torn :]]
        octets = len(vector[0])
        for buffer in buffers[done + 1 : done + IOV_MAX]:
            if octets >= WRITE_OCTETS:
                break
            vector.append(buffer)
            octets += len(buffer)
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


class Fifo:
    """A named pipe: takes rows while somebody reads, drops and counts them otherwise."""

    def __init__(self, fd: int, warning: str = "") -> None:
        self._fd = fd
        self._rest = b""  # what is missing of the row that the pipe took the head of
        self._attended = True  # somebody made room the last time it was needed
        self.warning = warning

    @property
    def torn(self) -> bool:
        """Whether the pipe waits for the rest of a row."""
        return bool(self._rest)

    def append(self, buffers: Sequence[bytes]) -> Written:
        """Offer buffers of whole rows; what the pipe has no room for is dropped."""
        return Written(len(buffers), rows_dropped=sum(map(self._offer, buffers)))

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)

    def _offer(self, octets: bytes) -> int:
        """Write what fits; return the number of rows dropped."""
        self._rest = self._rest[self._put(self._rest) :]
        if self._rest:
            return octets.count(b"\n")
        taken = self._put(octets)
        if taken in (0, len(octets)):
            return octets.count(b"\n", taken)
        end_of_row = octets.find(b"\n", taken - 1) + 1 or len(octets)
        self._rest = octets[taken:end_of_row]
        return octets.count(b"\n", end_of_row)

    def _put(self, octets: bytes) -> int:
        """Write until the pipe stays full; return the octets it took."""
        taken = 0
        while taken < len(octets):
            try:
                taken += os.write(self._fd, memoryview(octets)[taken:])
            except BlockingIOError:
                if not self._has_reader():
                    break
            else:
                self._attended = True
        return taken

    def _has_reader(self) -> bool:
        """Wait for room once, and not again until the pipe has taken something."""
        if self._attended:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            self._attended = bool(poll.poll(FIFO_PATIENCE_MS))
        return self._attended


def open_output(path: Path, owner: Owner) -> OutputFile:
    """Open a file to append to, with its missing parent directories, or a FIFO that exists.

    Raises: OSError.
    """
    path.parent.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    if path.is_fifo():
        return Fifo(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
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
    if error := replacement.output.append([octets]).error:
        replacement.abort()
        raise error
    replacement.commit()
    return replacement.output.warning
