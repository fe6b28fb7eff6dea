"""Avro object container files: what begins one, its blocks, and how one is continued.

Files of message logs and dumps have records of several kinds: their schema is a union, and each record begins with its
place there. A block is what one buffer of rows makes.

Source: Apache Avro 1.11 specification, "Object Container Files", and "Binary Encoding" of unions.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from routed.plumbing.avro import encode_long
from routed.plumbing.buffer import Buffer
from routed.plumbing.output_file import open_output
from routed.plumbing.sink import prefixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from routed.plumbing.avro import Schema
    from routed.plumbing.buffer import Written
    from routed.plumbing.output_file import OutputFile, Owner, Replacement
    from routed.plumbing.sink import Framing

MAGIC: Final = b"Obj\1"
SYNC_OCTETS: Final = 16
_SCHEMA: Final = b"avro.schema"
_CODEC: Final = b"avro.codec"
#: What of a file is read to find its schema: far more than all primitives need.
MOST_HEADER: Final = 1 << 20


class Container:
    """What the files of some kinds of records have in them."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        kinds = tuple(schemas)
        self.schema = f"[{', '.join(kind.text for kind in kinds)}]"
        self._branches = {kind.key: encode_long(place) for place, kind in enumerate(kinds)}

    def block(self, octets: bytes, rows: int, framing: Framing) -> bytes:
        """Return the rows of a buffer as a block, without what ends it."""
        records, _ = prefixed(octets, framing, self._branches[framing.schema])
        return b"".join((encode_long(rows), encode_long(len(records)), records))


class ContainerFile:
    """A container that is open: buffers are blocks, whose end it adds."""

    def __init__(self, output: OutputFile, sync: bytes, warning: str = "") -> None:
        self.warning = warning or output.warning
        self._output, self._sync = output, sync

    @property
    def torn(self) -> bool:
        """Whether the file ends in the middle of a block that the next append() must complete."""
        return self._output.torn

    def append(self, buffers: Sequence[Buffer]) -> Written:
        """Write blocks, as many as the system takes."""
        return self._output.append([buffer._replace(octets=buffer.octets + self._sync) for buffer in buffers])

    def close(self) -> None:
        """Close the descriptor."""
        self._output.close()


def open_container(path: Path, owner: Owner, container: Container) -> ContainerFile:
    """Open a container to append to, or begin one; what a crash has left unfinished at its end is cut off.

    Raises: OSError, also when what is there is something else.
    """
    output = open_output(path, owner)
    try:
        _demand_regular(path, is_regular=path.is_file())
        if not path.stat().st_size:
            return _begun(output, container)
        sync = sync_of(path, container.schema)
        cut = _cut_back(path, sync)
    except BaseException:
        output.close()
        raise
    return ContainerFile(output, sync, f"{cut} octets of an unfinished block are cut off" if cut else "")


def begin_replacement(replacement: Replacement, container: Container) -> Replacement:
    """Begin a container in a file that takes the place of another one.

    Raises: OSError, after which nothing is left of it.
    """
    try:
        _demand_regular(replacement.target, is_regular=replacement.temporary is not None)
        return replace(replacement, output=_begun(replacement.output, container))
    except BaseException:
        replacement.abort()
        raise


def _demand_regular(path: Path, *, is_regular: bool) -> None:
    if not is_regular:
        raise OSError(errno.EINVAL, "an Avro container is a regular file", str(path))


def _begun(output: OutputFile, container: Container) -> ContainerFile:
    sync = new_sync()
    if error := output.append([Buffer(begin_container(container.schema, sync), 0)]).error:
        raise error
    return ContainerFile(output, sync)


def _cut_back(path: Path, sync: bytes) -> int:
    """Cut a file back to the end of its last block; by how many octets."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        size, end = len(octets), octets.rfind(sync) + SYNC_OCTETS
        if end < size:
            os.truncate(file.fileno(), end)
        return size - end


def begin_container(schema: str, sync: bytes) -> bytes:
    """Return what stands in front of the blocks, which end with `sync`; `schema` is JSON."""
    facts = {_SCHEMA: schema.encode(), _CODEC: b"null"}
    entries = b"".join(_octets(key) + _octets(value) for key, value in facts.items())
    return MAGIC + encode_long(len(facts)) + entries + b"\0" + sync


def block(octets: bytes, rows: int, sync: bytes) -> bytes:
    """Return records as a block."""
    return encode_long(rows) + encode_long(len(octets)) + octets + sync if rows else b""


def sync_of(path: Path, schema: str) -> bytes:
    """Return what the blocks of a container end with, to add others.

    Raises: OSError when it cannot be read, is no container or has records of another schema.
    """
    with path.open("rb") as file:
        octets = file.read(MOST_HEADER)
    try:
        facts, at = _read_facts(octets)
        is_same = json.loads(facts[_SCHEMA]) == json.loads(schema) and facts.get(_CODEC, b"null") == b"null"
    except (ValueError, KeyError, IndexError):
        raise OSError(errno.EINVAL, "no Avro container", str(path)) from None
    if not is_same:
        raise OSError(errno.EINVAL, "an Avro container with records of another schema", str(path))
    return octets[at : at + SYNC_OCTETS]


def new_sync() -> bytes:
    """Return octets that end the blocks of one file and of no other."""
    return os.urandom(SYNC_OCTETS)


def _octets(value: bytes) -> bytes:
    return encode_long(len(value)) + value


def _read_facts(octets: bytes) -> tuple[dict[bytes, bytes], int]:
    """Read the facts of a container, and where the octets behind them start.

    Raises: ValueError, IndexError.
    """
    if not octets.startswith(MAGIC):
        raise ValueError("no magic number")
    facts: dict[bytes, bytes] = {}
    count, at = _read_long(octets, len(MAGIC))
    while count:
        if count < 0:
            _size, at = _read_long(octets, at)  # of a block whose count is negative
        for _ in range(abs(count)):
            pair = []
            for _ in range(2):
                length, at = _read_long(octets, at)
                if not 0 <= length <= len(octets) - at:
                    raise ValueError("cut short")
                pair.append(octets[at : at + length])
                at += length
            facts[pair[0]] = pair[1]
        count, at = _read_long(octets, at)
    if len(octets) - at < SYNC_OCTETS:
        raise ValueError("cut short")
    return facts, at


def _read_long(octets: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = octets[at]
        value |= (octet & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if octet < 0x80:
            return value >> 1 ^ -(value & 1), at
