"""The looking glass: answers messages about tables at any moment, whatever else goes on.

pmacct's two kinds of messages are answered byte for byte where its clients look; those of the third kind are ours.

Source: the wire protocol of pmacct's looking glass; docs/query.md.
Departs: no `EoR not received`, a table is answered as far as it is loaded; of an ADD-PATH prefix all paths are
returned; a peer may be named by its Router-ID too, and its port as a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import ensureDeferred

from routed.plumbing.sink import log_bug
from routed.query.codec import BadLookupError, QueryError, UnsupportedError, decode_request
from routed.query.request import Lookup, QueryType, Question, Request
from routed.service.answering import Answer, Answerer, BusyError, Frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.python.failure import Failure

    from routed.service.commands import Commands

#: Records of pmacct's list that are written before something else may happen: a millisecond or two.
RECORDS_AT_ONCE: Final = 256

Reply = Callable[[Frames], None]


@dataclass(slots=True)
class LookingGlassCounters:
    """What was asked."""

    lookups: int = 0
    peer_lists: int = 0
    searches: int = 0
    commands: int = 0
    not_understood: int = 0
    refused: int = 0
    bugs: int = 0


class LookingGlass:
    """Answers messages; to be asked in the thread that writes the tables."""

    def __init__(self, answerer: Answerer, commands: Commands | None = None) -> None:
        self.counters = LookingGlassCounters()
        self._answerer, self._commands = answerer, commands

    def answer(self, frames: Sequence[bytes], reply: Reply) -> None:
        """Answer a message, whatever it is and whatever happens."""
        ensureDeferred(self._answer(frames)).addErrback(self._confess).addCallback(reply)

    async def _answer(self, frames: Sequence[bytes]) -> Frames:
        try:
            request = decode_request(frames)
        except QueryError as error:
            self.counters.not_understood += 1
            return [header(0, kind_of(error), text=str(error))]
        if request.kind is QueryType.PEERS:
            self.counters.peer_lists += 1
            return with_header(QueryType.PEERS, await self._list_peers())
        return await (self._look_all_up(request) if request.kind is QueryType.LOOKUP else self._search_all(request))

    def _confess(self, bug: Failure) -> Frames:
        self.counters.bugs += 1
        log_bug(bug, "a looking-glass request")
        return [header(0, 0, text="no answer because of a bug, which is in the log")]

    async def _list_peers(self) -> Frames:
        """Write pmacct's list, which has no pages: a little at a time."""
        rows: Frames = []
        for number, record in enumerate(self._answerer.tables.peers(), 1):
            rows.append(json.dumps(record).encode())
            if not number % RECORDS_AT_ONCE:
                await self._answerer.breathe()
        return rows

    async def _look_all_up(self, request: Request) -> Frames:
        frames: Frames = []
        for number, question in enumerate(request.questions):
            assert isinstance(question, Lookup)
            if number:
                await self._answerer.breathe()
            self.counters.lookups += 1
            try:
                frames += with_header(QueryType.LOOKUP, self._answerer.look_up(question))
            except QueryError as error:
                frames.append(header(0, QueryType.LOOKUP.value, text=str(error)))
        return frames

    async def _search_all(self, request: Request) -> Frames:
        answers = []
        for number, question in enumerate(request.questions):
            assert isinstance(question, Question)
            if number:
                await self._answerer.breathe()
            self.counters.searches += 1
            answers.append(await self._search(question))
        total = sum(len(answer.rows) for answer in answers)
        frames = [header(total, QueryType.SEARCH.value, queries=len(answers))]
        for number, answer in enumerate(answers):
            frames.append(json.dumps({"query": number, "results": len(answer.rows), **answer.facts}).encode())
            frames += answer.rows
        return frames

    async def _search(self, question: Question) -> Answer:
        try:
            if question.wanted.is_command and self._commands is not None:
                self.counters.commands += 1
                return await self._commands.carry_out(question)
            return await self._answerer.answer(question)
        except QueryError as error:
            if isinstance(error, BusyError):
                self.counters.refused += 1
            else:
                self.counters.not_understood += 1
            return Answer({"text": str(error)}, [])


def header(results: int, kind: int, **facts: object) -> bytes:
    """Write the first frame of an answer."""
    return json.dumps({"results": results, "query_type": kind, **facts}).encode()


def with_header(kind: QueryType, rows: Frames) -> Frames:
    """Return an answer."""
    return [header(len(rows), kind.value), *rows]


def kind_of(error: QueryError) -> int:
    """Return the query type in the answer to a request that is not understood."""
    if isinstance(error, UnsupportedError):
        return 0
    return QueryType.LOOKUP.value if isinstance(error, BadLookupError) else QueryType.SEARCH.value
