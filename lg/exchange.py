"""Several looking glasses are asked at a time, each within the same time."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, TypeAlias

import zmq

from lg.answer import Answer, read_answer
from lg.errors import LookingGlassError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lg.connection import Connection
    from lg.inquiry import Inquiry

#: How long an answer may take: a search may look at many tables, and wait for others that do. Units: seconds.
DEFAULT_TIMEOUT: Final = 30.0

Result: TypeAlias = Answer | LookingGlassError


def ask_together(asked: Sequence[tuple[Connection, Inquiry]], timeout: float) -> list[Result]:
    """Ask each connection its question; return what each said, or why it did not, in the same order."""
    results: dict[Connection, Result] = {}
    for connection, inquiry in asked:
        try:
            connection.ask(inquiry.frames, monotonic(), timeout)
        except LookingGlassError as error:
            results[connection] = error
    while len(results) < len(asked):
        waiting = [(connection, inquiry) for connection, inquiry in asked if connection not in results]
        _wait(connection for connection, _ in waiting)
        for connection, inquiry in waiting:
            result = _look(connection, inquiry)
            if result is not None:
                results[connection] = result
    return [results[connection] for connection, _ in asked]


def _look(connection: Connection, inquiry: Inquiry) -> Result | None:
    try:
        frames = connection.look(monotonic())
        return None if frames is None else read_answer(inquiry.kind, frames)
    except LookingGlassError as error:
        return error


def _wait(connections: Iterable[Connection]) -> None:
    """Wait until one of them has something to say, or no more patience."""
    poller = zmq.Poller()
    first = float("inf")
    for connection in connections:
        first = min(first, connection.deadline)
        for socket in connection.sockets:
            poller.register(socket, zmq.POLLIN)
    poller.poll(max(0, int((first - monotonic()) * 1000) + 1))
