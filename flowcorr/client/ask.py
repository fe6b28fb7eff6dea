"""Asks a plugin: one question, one answer. The protocol is described in docs/memory.md."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How long the plugin may say nothing. Units: seconds.
PATIENCE: Final = 60.0
#: The longest first line of an answer.
MOST_HEAD: Final = 1 << 16


class RefusedError(Exception):
    """The plugin has no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the plugin says: `entries` of a listing, and the octets that come behind."""

    entries: int
    body: BinaryIO


@contextmanager
def ask(path: str, question: Mapping[str, Any]) -> Iterator[Answer]:
    """Ask the plugin that listens at a path.

    Raises: OSError when nobody answers there, RefusedError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as stream:
            yield _answer(stream)


def _answer(stream: BinaryIO) -> Answer:
    line = stream.readline(MOST_HEAD)
    try:
        said = json.loads(line)
    except ValueError as error:
        raise RefusedError("what answers there is no memory plugin") from error
    if "error" in said:
        raise RefusedError(said["error"])
    return Answer(said.get("entries", 0), stream)
