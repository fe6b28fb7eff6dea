"""Questions as frames, checked before they leave.

Source: the wire protocol of pmacct's looking glass (query types 1 and 2); type 3 is ours, see docs/query.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from routed.query.codec import MAX_FRAME, MAX_TEXT, QueryError, decode_question
from routed.query.request import MAX_LIMIT, QueryType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lg.answer import Answer


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A message to a looking glass."""

    kind: QueryType
    frames: tuple[bytes, ...]


PEERS: Final = Inquiry(QueryType.PEERS, (orjson.dumps({"query_type": QueryType.PEERS.value, "queries": 1}),))


def lookup(prefix: str, peer: str, *, port: int | None = None, rd: str | None = None) -> Inquiry:
    """Ask for the longest match for an address or prefix in the table of one peer."""
    question = {"peer_ip_src": peer, "ip_prefix": prefix, "rd": rd, "peer_tcp_port": port}
    return _inquiry(QueryType.LOOKUP, {name: value for name, value in question.items() if value is not None})


def search(question: Mapping[str, Any]) -> Inquiry:
    """Ask a question of ours, whose members docs/query.md has.

    Raises: QueryError when it is none.
    """
    decode_question(question)
    return _inquiry(QueryType.SEARCH, question)


def _inquiry(kind: QueryType, question: Mapping[str, Any]) -> Inquiry:
    frame = orjson.dumps(question)
    if len(frame) > MAX_FRAME:
        raise QueryError(f"{len(frame)} octets are more than {MAX_FRAME}")
    return Inquiry(kind, (orjson.dumps({"query_type": kind.value, "queries": 1}), frame))


class Pages:
    """A search that is asked again from where its answer ended, until there is no more or enough was had."""

    def __init__(self, question: Mapping[str, Any], most: int | None) -> None:
        self._question, self._left = question, most
        self._cursor: str | None = question.get("cursor")
        self.is_over = False

    def next(self) -> Inquiry:
        """Ask for the next page.

        Raises: QueryError when it is no question.
        """
        limit = MAX_LIMIT if self._left is None else min(self._left, MAX_LIMIT)
        cursor = {} if self._cursor is None else {"cursor": self._cursor}
        return search({**self._question, "limit": limit, **cursor})

    def take(self, answer: Answer | None) -> None:
        """Know what the page held, or that there is none."""
        cursor = None if answer is None else answer.cursor
        if cursor is None or cursor == self._cursor or len(cursor) > MAX_TEXT:
            self.is_over = True  # a server that gives the same cursor twice would do so for ever
            return
        self._cursor = cursor
        if self._left is not None and answer is not None:
            self._left -= len(answer.rows)
            self.is_over = self._left <= 0
