"""A queue of buffers that is bounded in octets.

Its unit is a buffer of whole rows, so that neither the producer nor the writer ever copies or cuts what it carries.
A mark keeps its place among the buffers: what stands before it belongs to the old file, what follows to the new one.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from routed.plumbing.buffer import Buffer

#: Buffers in one batch: what one writev() takes (IOV_MAX on Linux).
MAX_BATCH_BUFFERS: Final = 1024
#: Octets in one batch: large enough to make the hand-over to a thread free, small enough to keep the queue moving.
MAX_BATCH_OCTETS: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """Fill levels of a queue, in octets.

    Above `full` the producer is asked to wait until the queue is back at `drained`; `limit` is never passed.
    """

    limit: int = 64 << 20
    full: int = 32 << 20
    drained: int = 8 << 20


class BufferQueue:
    """First in, first out; knows its weight."""

    __slots__ = ("_entries", "octets", "rows")

    def __init__(self) -> None:
        self._entries: deque[Buffer | None] = deque()  # None is a mark
        self.octets = 0
        self.rows = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def put(self, octets: bytes, rows: int, ends: bytes = b"") -> None:
        """Append a buffer."""
        self._entries.append(Buffer(octets, rows, ends))
        self.octets += len(octets)
        self.rows += rows

    def mark(self) -> None:
        """Append a mark."""
        self._entries.append(None)

    def take_mark(self) -> bool:
        """Take the head if it is a mark; say whether it was."""
        if self._entries and self._entries[0] is None:
            self._entries.popleft()
            return True
        return False

    def batch(self) -> list[Buffer]:
        """Show the next buffers up to a mark or the size of a batch, and leave them queued."""
        batch: list[Buffer] = []
        octets = 0
        for buffer in self._entries:
            if buffer is None or len(batch) == MAX_BATCH_BUFFERS or octets >= MAX_BATCH_OCTETS:
                break
            batch.append(buffer)
            octets += len(buffer.octets)
        return batch

    def discard(self, buffers: int) -> int:
        """Forget that many buffers at the head; return the rows they held."""
        rows = 0
        for _ in range(buffers):
            buffer = self._entries.popleft()
            assert buffer is not None, "a mark is taken by take_mark()"
            self.octets -= len(buffer.octets)
            rows += buffer.rows
        self.rows -= rows
        return rows

    def clear(self) -> int:
        """Forget every buffer and mark; return the rows they held."""
        rows = self.rows
        self._entries.clear()
        self.octets = self.rows = 0
        return rows
