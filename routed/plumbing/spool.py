"""Parcels on disk while a broker is away: the blocking half, called in a thread, one call at a time.

A directory of segments (`spool_segment`). Parcels are appended to the newest segment and read from the oldest;
a segment whose parcels have all been delivered is removed. A small file says up to where they were, so that a restart
repeats next to nothing. A lock keeps a second process out, and says which process is in. Octets survive the end of the
process however it comes; they are not forced to the disk, so a loss of power costs what the system had not written yet.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from routed.plumbing.output_file import Owner
from routed.plumbing.parcel import Parcel
from routed.plumbing.spool_segment import MAGIC, DamageError, encode_entry, read_entries, segment_name, segment_number

#: Octets after which a new segment begins; what is delivered is given back in pieces of this size.
SEGMENT: Final = 16 << 20
#: Spools hold routes of customers: nobody else needs to read them.
DIRECTORY_MODE: Final = 0o750
FILE_MODE: Final = 0o640
LOCK_FILE: Final = "lock"
DELIVERED_FILE: Final = "delivered"
DAMAGED: Final = ".damaged"
_DELIVERED: Final = struct.Struct("<QI")
#: Octets of a process id in the lock file, and more.
_MOST_PID: Final = 32


@dataclass(frozen=True, slots=True)
class Found:
    """What a spool held when it was opened: parcels from `first` to `last`, and what was wrong with it."""

    first: int
    last: int
    problems: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to be delivered."""
        return self.last < self.first


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    octets: int


class Spool:
    """A directory of parcels, in the order of their numbers.

    Args:
        directory: where, made when it is missing.
        limit: octets that may be in it.
        segment: octets of one file.
        owner: who gets new files.
    """

    def __init__(self, directory: Path, limit: int, *, segment: int = SEGMENT, owner: Owner | None = None) -> None:
        self.octets = 0
        self.last = 0  # the newest number that was ever in it
        self._directory, self._limit, self._segment = directory, limit, segment
        self._owner = Owner() if owner is None else owner
        self._lock = self._newest = self._delivered = -1  # descriptors
        self._segments: list[_Segment] = []  # the oldest first
        self._reader: BinaryIO | None = None
        self._reading = self._read_up_to = 0  # the first number of the segment that is open, and what came out of it

    def open(self) -> Found:
        """Make or take over the directory.

        Raises: OSError; BlockingIOError when another process has it.
        """
        self._directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        while not self._take_lock():
            pass
        self._delivered = self._open_file(DELIVERED_FILE, os.O_RDWR | os.O_CREAT)
        return self._take_over()

    def append(self, parcels: Sequence[Parcel]) -> int:
        """Write parcels until one does not fit; how many were written.

        Raises: OSError, with nothing torn left behind that a reader would mind.
        """
        for count, parcel in enumerate(parcels):
            entry = encode_entry(parcel)
            if self.octets + len(entry) > self._limit and self._segments:
                return count
            self._put(parcel.number, entry)
            self.last = parcel.number
        return len(parcels)

    def read(self, after: int, most: int) -> list[Parcel]:
        """Read the parcels that follow a number, up to about `most` octets; empty when there are none.

        Raises: OSError; DamageError, once for each place, behind which the next call goes on.
        """
        parcels: list[Parcel] = []
        octets = 0
        while octets < most and after < self.last:
            found = self._read_on(after, most - octets)
            if not found:
                break
            parcels += found
            octets += sum(parcel.weight for parcel in found)
            after = found[-1].number
        return parcels

    def discard(self, up_to: int) -> None:
        """Forget the parcels up to a number: their segments, and that they are to be delivered.

        Raises: OSError.
        """
        while self._segments and self._end_of(0) <= up_to:
            segment = self._segments[0]
            if segment.first == self._reading:
                self._stop_reading()
            segment.path.unlink(missing_ok=True)
            self.octets -= segment.octets
            del self._segments[0]
            if not self._segments:
                self._close_newest()
        self._remember(up_to)

    def close(self) -> None:
        """Let go of the directory; an empty spool leaves none."""
        self._stop_reading()
        self._close_newest()
        if self._lock >= 0 and not self._segments:
            with suppress(OSError):  # a spool that could not be tidied up is as good as one that was
                (self._directory / LOCK_FILE).unlink()
        for descriptor in (self._delivered, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._delivered = self._lock = -1

    def _take_lock(self) -> bool:
        """Have the directory alone; false when the lock was that of a process that has just removed it.

        Raises: OSError; BlockingIOError when another process has it.
        """
        self._lock = self._open_file(LOCK_FILE, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._lock, _MOST_PID, 0).decode(errors="replace").strip()
            self._unlock()
            raise BlockingIOError(error.errno, f"process {holder} has {self._directory}") from None
        except OSError:
            self._unlock()
            raise
        if not os.fstat(self._lock).st_nlink:
            self._unlock()
            return False
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
        return True

    def _unlock(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def _open_file(self, name: str, flags: int) -> int:
        fd = os.open(self._directory / name, flags | os.O_CLOEXEC, FILE_MODE)
        self._owner.take(fd)
        return fd

    def _take_over(self) -> Found:
        """List what an earlier process left."""
        numbered = sorted((number, path) for path in self._directory.iterdir() if (number := segment_number(path)))
        self._segments = [_Segment(path, number, path.stat().st_size) for number, path in numbered]
        last = delivered = self._recall()
        problems = []
        if self._segments:
            end, problem = self._trim(self._segments[-1])
            last = max(last, end)
            problems = [problem] if problem else []
        self.last = last
        self.octets = sum(segment.octets for segment in self._segments)
        first = max(delivered + 1, self._segments[0].first) if self._segments else last + 1
        return Found(first, last, tuple(problems))

    def _trim(self, segment: _Segment) -> tuple[int, str]:
        """Cut the newest segment off behind its last whole entry; whose number that is, and what was wrong."""
        last, end = segment.first - 1, 0
        try:
            with segment.path.open("rb") as file:
                for parcel, end in read_entries(file):  # noqa: B007 (its last value is wanted)
                    last = parcel.number
        except DamageError as damage:
            if end:
                os.truncate(segment.path, end)
                segment.octets = end
                return last, f"{segment.path}: {damage}: cut off there"
        if end:
            return last, ""
        self._segments.pop()
        if segment.octets <= len(MAGIC):  # it was about to be written
            segment.path.unlink()
            return last, ""
        aside = segment.path.with_suffix(DAMAGED)
        segment.path.replace(aside)
        return last, f"{aside}: nothing can be read there"

    def _put(self, number: int, entry: bytes) -> None:
        newest = self._segments[-1] if self._segments else None
        if newest is None or self._newest < 0 or newest.octets >= self._segment or newest.octets < len(MAGIC):
            newest = self._begin(number)
        try:
            _write_whole(self._newest, entry)
        except OSError:
            os.ftruncate(self._newest, newest.octets)
            os.lseek(self._newest, 0, os.SEEK_END)
            raise
        newest.octets += len(entry)
        self.octets += len(entry)

    def _begin(self, number: int) -> _Segment:
        """Begin a segment."""
        self._close_newest()
        name = segment_name(number)
        self._newest = self._open_file(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            _write_whole(self._newest, MAGIC)
        except OSError:
            self._close_newest()
            with suppress(OSError):  # an empty file is cut off at the next start
                (self._directory / name).unlink()
            raise
        segment = _Segment(self._directory / name, number, len(MAGIC))
        self._segments = [other for other in self._segments if other.path != segment.path]
        self._segments.append(segment)
        self.octets += len(MAGIC)
        return segment

    def _end_of(self, position: int) -> int:
        """Return the number of the last parcel of a segment."""
        return self.last if position + 1 == len(self._segments) else self._segments[position + 1].first - 1

    def _read_on(self, after: int, most: int) -> list[Parcel]:
        """Read from the first segment that holds something that follows a number."""
        for position in range(len(self._segments)):
            if self._end_of(position) > after and (found := self._read_segment(position, after, most)):
                return found
        return []  # it was in a segment that is damaged

    def _read_segment(self, position: int, after: int, most: int) -> list[Parcel]:
        segment = self._segments[position]
        if self._reader is None or segment.first != self._reading or self._read_up_to > after:
            self._stop_reading()
            self._reader = segment.path.open("rb")
            self._reading, self._read_up_to = segment.first, 0
        parcels: list[Parcel] = []
        at = self._reader.tell()
        try:
            for parcel, at in read_entries(self._reader):  # noqa: B007 (its last value is wanted)
                self._read_up_to = parcel.number
                if parcel.number > after:
                    parcels.append(parcel)
                    most -= parcel.weight
                if most <= 0:
                    break
        except DamageError as damage:
            if not parcels:
                self._skip(segment, position)
                raise DamageError(damage.at, f"{segment.path}: {damage.what}") from damage
        self._reader.seek(at)  # drops what was read ahead
        return parcels

    def _skip(self, segment: _Segment, position: int) -> None:
        """Read on behind a segment that is damaged; it is kept for whoever wants to look at it."""
        self._stop_reading()
        aside = segment.path.with_suffix(DAMAGED)
        segment.path.replace(aside)
        self.octets -= segment.octets
        if position + 1 == len(self._segments):
            self._close_newest()
        del self._segments[position]

    def _stop_reading(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._reading = self._read_up_to = 0

    def _close_newest(self) -> None:
        if self._newest >= 0:
            os.close(self._newest)
            self._newest = -1

    def _remember(self, up_to: int) -> None:
        octets = up_to.to_bytes(8, "little")
        os.pwrite(self._delivered, _DELIVERED.pack(up_to, zlib.crc32(octets)), 0)

    def _recall(self) -> int:
        octets = os.pread(self._delivered, _DELIVERED.size, 0)
        if len(octets) < _DELIVERED.size:
            return 0
        up_to, checksum = _DELIVERED.unpack(octets)
        return up_to if checksum == zlib.crc32(octets[:8]) else 0


def _write_whole(fd: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[os.write(fd, view) :]
