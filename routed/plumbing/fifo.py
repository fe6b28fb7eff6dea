"""Named pipes as destinations of rows.

A FIFO takes rows while somebody reads; what it has no room for is dropped and counted. It takes the rest of a row that
it took the head of before any other row, also when it has been closed meanwhile: such a FIFO stays open until it is
opened again. It is opened for reading as well, so that neither opening nor writing depends on a reader, and a reader
that stopped reading is not waited for.
"""

import os
import select
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from routed.plumbing.buffer import Buffer, Written

#: How long a full FIFO may stay full before its reader counts as gone: a reader on a busy machine is late now and then.
PATIENCE_MS: Final = 2_000


class Fifo:
    """A named pipe that is open."""

    def __init__(self, fd: int, warning: str = "") -> None:
        self._fd = fd
        self._rest = b""  # what is missing of the row that the pipe took the head of
        self._attended = True  # somebody made room the last time it was needed
        self.warning = warning

    @property
    def torn(self) -> bool:
        """Whether the pipe waits for the rest of a row."""
        return bool(self._rest)

    def append(self, buffers: Sequence[Buffer]) -> Written:
        """Offer buffers; rows that the pipe has no room for are dropped."""
        return Written(len(buffers), rows_dropped=sum(map(self._offer, buffers)))

    def close(self) -> None:
        """Close the descriptor, or keep it for whoever opens the pipe next, when the rest of a row has no room."""
        self._put_rest()
        if self._rest:
            _TORN[_identity(os.fstat(self._fd))] = self
        else:
            os.close(self._fd)

    def _offer(self, buffer: Buffer) -> int:
        """Write what fits; return the number of rows dropped."""
        self._put_rest()
        if self._rest:
            return buffer.rows
        taken = self._put(buffer.octets)
        if taken == len(buffer.octets):
            return 0
        if not taken:
            return buffer.rows
        end, behind = _end_of_row(buffer, taken)
        self._rest = buffer.octets[taken:end]
        return behind

    def _put_rest(self) -> None:
        self._rest = self._rest[self._put(self._rest) :]

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
            self._attended = bool(poll.poll(PATIENCE_MS))
        return self._attended


#: Pipes that were closed in the middle of a row, by device and inode.
_TORN: Final[dict[tuple[int, int], Fifo]] = {}


def open_fifo(path: Path) -> Fifo:
    """Open a pipe that exists, or take the one back that was closed in the middle of a row.

    Raises: OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    torn = _TORN.pop(_identity(os.fstat(fd)), None)
    if torn is None:
        return Fifo(fd)
    os.close(fd)
    return torn


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _end_of_row(buffer: Buffer, taken: int) -> tuple[int, int]:
    """Return the end of the row that the last octet taken belongs to, and how many rows are behind it."""
    if not buffer.ends:
        end = buffer.octets.find(b"\n", taken - 1) + 1 or len(buffer.octets)
        return end, buffer.octets.count(b"\n", end)
    ends = array("I", buffer.ends)
    row = bisect_left(ends, taken)
    return ends[row], len(ends) - row - 1
