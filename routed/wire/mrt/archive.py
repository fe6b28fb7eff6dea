"""MRT files as archives publish them: plain, gzip or bzip2, told apart by their first octets.

The one file of `wire` that opens files: everything below it works on octets.
"""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import Final

from routed.octets import WireError
from routed.wire.mrt.record import Damage, Record, walk_records

_GZIP_MAGIC: Final = b"\x1f\x8b"
_BZIP2_MAGIC: Final = b"BZh"
_BLOCK_OCTETS: Final = 1 << 20


#: What the decompressors raise for data that is cut or corrupt.
_UNREADABLE: Final = (EOFError, OSError, zlib.error)


class _Octets:
    """Gives the octets of a file in the portions asked for, all that can be had before it proves cut or corrupt.

    Python's own buffering drops what it holds when a decompressor raises.
    """

    def __init__(self, read_some: Callable[[int], bytes]) -> None:
        self._read_some = read_some
        self._block = b""
        self._at = 0

    def read(self, count: int) -> bytes:
        """Return `count` octets, fewer at the end; WireError when the file cannot be read that far."""
        end = self._at + count
        if end > len(self._block):
            self._fill(count)
            end = count
        octets = self._block[self._at : end]
        self._at += len(octets)
        return octets

    def _fill(self, count: int) -> None:
        parts = [self._block[self._at :]]
        held = len(parts[0])
        while held < count:
            try:
                part = self._read_some(_BLOCK_OCTETS)
            except _UNREADABLE as error:
                raise WireError(str(error), 0) from error
            if not part:
                break
            parts.append(part)
            held += len(part)
        self._block, self._at = b"".join(parts), 0


def read(path: str | PathLike[str]) -> Iterator[Record | Damage]:
    """Read the records of a file lazily, in order.

    Returns: every whole record, then one Damage if the file is cut or corrupt.
    Raises: OSError when the file cannot be opened.
    """
    with _open(Path(path)) as stream:
        yield from walk_records(_Octets(stream.read1).read)


def _open(path: Path) -> gzip.GzipFile | bz2.BZ2File | BufferedReader:
    with path.open("rb") as file:
        magic = file.read(len(_BZIP2_MAGIC))
    if magic.startswith(_GZIP_MAGIC):
        return gzip.open(path)
    if magic == _BZIP2_MAGIC:
        return bz2.open(path)
    return path.open("rb")
