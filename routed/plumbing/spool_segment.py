"""A segment of a spool: a file of parcels, each with its checksum.

Octets of a file: magic (8), then entries. Octets of an entry: CRC-32 of what follows (u32), number (u64), rows (u32),
length of the rows (u32), of their ends (u32), of target, key, source, writer and schema (u16 each), then those texts.
Little-endian. The name of a file is the number of its first parcel, so names sort as their contents do.

A segment that ends in the middle of an entry was being written when the power or the process went: the whole entries
count. An entry whose checksum is wrong ends its segment too, since nothing says where the next one begins.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from routed.plumbing.parcel import Address, Parcel
from routed.plumbing.sink import Framing

MAGIC: Final = b"RSPOOL1\n"
SUFFIX: Final = ".spool"
_HEAD: Final = struct.Struct("<IQIIIHHHHH")
_CHECKSUM: Final = 4
#: No buffer of rows is near this; a length above it is damage, and not worth the memory to find that out.
MAX_ENTRY: Final = 256 << 20


class DamageError(Exception):
    """A segment has octets that are no whole entry; `at` is where they begin."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(f"{what} at octet {at}")
        self.at, self.what = at, what


def segment_name(number: int) -> str:
    """Name the segment that begins with a parcel."""
    return f"{number:020d}{SUFFIX}"


def segment_number(path: Path) -> int | None:
    """Return the number of the first parcel of a segment; None for other files."""
    stem = path.name.removesuffix(SUFFIX)
    return int(stem) if stem != path.name and len(stem) == 20 and stem.isdigit() else None


def encode_entry(parcel: Parcel) -> bytes:
    """Write a parcel.

    Raises: ValueError when a text of its address is longer than an entry can say.
    """
    address, framing = parcel.address, parcel.framing
    texts = (
        parcel.octets,
        framing.ends,
        address.target.encode(),
        address.key,
        address.source,
        address.writer.encode(),
        framing.schema.encode(),
    )
    try:
        head = _HEAD.pack(0, parcel.number, parcel.rows, *map(len, texts))[_CHECKSUM:]
    except struct.error as error:
        raise ValueError(f"parcel {parcel.number}: {error}") from error
    body = b"".join((head, *texts))
    return zlib.crc32(body).to_bytes(_CHECKSUM, "little") + body


def read_entries(file: BinaryIO) -> Iterator[tuple[Parcel, int]]:
    """Iterate over the parcels from where the file stands, each with the place of its end.

    Raises: DamageError at octets that are no whole entry; OSError.
    """
    at = file.tell()
    if at == 0:
        if file.read(len(MAGIC)) != MAGIC:
            raise DamageError(0, "no segment of a spool")
        at = len(MAGIC)
    while head := file.read(_HEAD.size):
        parcel, size = _read_entry(file, head, at)
        at += size
        yield parcel, at


def _read_entry(file: BinaryIO, head: bytes, at: int) -> tuple[Parcel, int]:
    if len(head) < _HEAD.size:
        raise DamageError(at, "an unfinished entry")
    checksum, number, rows, *lengths = _HEAD.unpack(head)
    size = sum(lengths)
    if size > MAX_ENTRY:
        raise DamageError(at, "an impossible length")
    body = file.read(size)
    if len(body) < size:
        raise DamageError(at, "an unfinished entry")
    if zlib.crc32(body, zlib.crc32(head[_CHECKSUM:])) != checksum:
        raise DamageError(at, "a wrong checksum")
    texts, start = [], 0
    for length in lengths:
        texts.append(body[start : start + length])
        start += length
    octets, ends, target, key, source, writer, schema = texts
    address = Address(target.decode(errors="replace"), key, source, writer.decode(errors="replace"))
    return Parcel(number, address, octets, rows, Framing(ends, schema.decode(errors="replace"))), _HEAD.size + size
