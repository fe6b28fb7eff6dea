"""One looking glass, for programs.

    with Client(Server(host="192.0.2.1")) as client:
        for peer in client.peers().rows: ...
        found = client.lookup("198.51.100.1", "192.0.2.7")
        for page in client.pages({"where": {"origin_as": 64500}}): ...

Every call ends within the timeout, with an answer or a LookingGlassError whose text says what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from lg import inquiry
from lg.broker import Broker, Outcome
from lg.exchange import DEFAULT_TIMEOUT
from lg.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lg.answer import Answer


class Client:
    """Asks one looking glass; to be closed, or used in a `with`."""

    def __init__(self, server: Server | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._broker = Broker([server or Server()], timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._broker.close()

    def peers(self) -> Answer:
        """Ask who is connected.

        Raises: LookingGlassError.
        """
        return self._ask(inquiry.PEERS)

    def lookup(self, prefix: str, peer: str, *, port: int | None = None, rd: str | None = None) -> Answer:
        """Ask for the longest match for an address or prefix in the table of one peer.

        Raises: LookingGlassError.
        """
        return self._ask(inquiry.lookup(prefix, peer, port=port, rd=rd))

    def search(self, question: Mapping[str, Any]) -> Answer:
        """Ask a question of ours, whose members docs/query.md has.

        Raises: LookingGlassError; QueryError when it is none.
        """
        return self._ask(inquiry.search(question))

    def pages(self, question: Mapping[str, Any], most: int | None = None) -> Iterator[Answer]:
        """Search page by page, for at most so many routes.

        Raises: LookingGlassError; QueryError when it is no question.
        """
        for (outcome,) in self._broker.pages(question, most):
            yield _answer(outcome)

    def _ask(self, asked: inquiry.Inquiry) -> Answer:
        (outcome,) = self._broker.ask(asked)
        return _answer(outcome)


def _answer(outcome: Outcome) -> Answer:
    if outcome.error is not None:
        raise outcome.error
    assert outcome.answer is not None
    return outcome.answer
