"""Avro object container files: what begins one, and its blocks (Apache Avro 1.11, "Object Container Files")."""

import errno
import json
import os
from pathlib import Path
from typing import Final

from routed.plumbing.avro import Schema, encode_long

MAGIC: Final = b"Obj\1"
SYNC_OCTETS: Final = 16
_SCHEMA: Final = b"avro.schema"
_CODEC: Final = b"avro.codec"
#: What of a file is read to find its schema: far more than all primitives need.
MOST_HEADER: Final = 1 << 20


def begin_container(schema: Schema, sync: bytes) -> bytes:
    """Return what stands in front of the blocks, which end with `sync`."""
    facts = {_SCHEMA: schema.text.encode(), _CODEC: b"null"}
    entries = b"".join(_octets(key) + _octets(value) for key, value in facts.items())
    return MAGIC + encode_long(len(facts)) + entries + b"\0" + sync


def block(octets: bytes, rows: int, sync: bytes) -> bytes:
    """Return records as a block."""
    return encode_long(rows) + encode_long(len(octets)) + octets + sync if rows else b""


def sync_of(path: Path, schema: Schema) -> bytes:
    """Return what the blocks of a container end with, to add others.

    Raises: OSError when it cannot be read, is no container or has records of another schema.
    """
    with path.open("rb") as file:
        octets = file.read(MOST_HEADER)
    try:
        facts, at = _read_facts(octets)
        is_same = json.loads(facts[_SCHEMA]) == json.loads(schema.text) and facts.get(_CODEC, b"null") == b"null"
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
