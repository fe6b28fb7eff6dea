"""One question for many daemons at a time; one that does not answer costs its part of the answer, and says why.

Their answers stay apart, in the order of the daemons, since the same route in two of them is two facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import zmq

from lg.answer import Answer
from lg.connection import Connection
from lg.exchange import DEFAULT_TIMEOUT, ask_together
from lg.inquiry import Inquiry, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lg.errors import LookingGlassError
    from lg.server import Server

#: Looking glasses that are asked at a time: each takes two sockets and holds a page.
MAX_SERVERS: Final = 256


class Outcome(NamedTuple):
    """What one looking glass said, or why there is nothing."""

    server: Server
    answer: Answer | None = None
    error: LookingGlassError | None = None


class Broker:
    """Asks looking glasses; to be closed, or used in a `with`."""

    def __init__(self, servers: Sequence[Server], *, timeout: float = DEFAULT_TIMEOUT) -> None:
        if not 0 < len(servers) <= MAX_SERVERS:
            raise ValueError(f"{len(servers)} looking glasses are not 1 to {MAX_SERVERS}")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._connections = [Connection(server, self._context) for server in servers]
        self._timeout = timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all connections."""
        for connection in self._connections:
            connection.close()
        self._context.destroy(linger=0)

    def ask(self, inquiry: Inquiry) -> list[Outcome]:
        """Ask all of them the same."""
        return self._ask([(connection, inquiry) for connection in self._connections])

    def pages(self, question: Mapping[str, Any], most: int | None = None) -> Iterator[list[Outcome]]:
        """Search all of them, a page of each at a time, for at most so many routes of each.

        Raises: QueryError when it is no question.
        """
        under_way = [(connection, Pages(question, most)) for connection in self._connections]
        while under_way:
            outcomes = self._ask([(connection, pages.next()) for connection, pages in under_way])
            for (_, pages), outcome in zip(under_way, outcomes, strict=True):
                pages.take(outcome.answer)
            yield outcomes
            under_way = [(connection, pages) for connection, pages in under_way if not pages.is_over]

    def _ask(self, asked: Sequence[tuple[Connection, Inquiry]]) -> list[Outcome]:
        results = ask_together(asked, self._timeout)
        return [
            Outcome(connection.server, answer=result)
            if isinstance(result, Answer)
            else Outcome(connection.server, error=result)
            for (connection, _), result in zip(asked, results, strict=True)
        ]
