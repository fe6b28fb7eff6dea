"""What a daemon serves over HTTP: the questions of the looking glass, metrics, and whether it is well; docs/http.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from routed.plumbing.exposition import CONTENT_TYPE, expose
from routed.plumbing.http import Asked, HttpError, Page, Reply, in_parts, whole
from routed.query.codec import QueryError, decode_lookup, decode_question, decode_questions
from routed.query.parameters import members_of
from routed.query.request import Wanted
from routed.service.answering import Answer, Answerer, BusyError, LookupFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from routed.plumbing.http import Pages
    from routed.plumbing.metrics import Registry
    from routed.query.request import Question

GET: Final = frozenset({"GET"})
GET_OR_POST: Final = frozenset({"GET", "POST"})
#: What a body of ours says that it is.
JSON_TYPES: Final = frozenset({"application/json", "text/json"})


@dataclass(slots=True)
class PageCounters:
    """What was asked over HTTP."""

    queries: int = 0
    lookups: int = 0
    not_understood: int = 0
    refused: int = 0


class Readiness:
    """Whether what we know is worth asking for: since somebody has shown a whole table, or after a while anyway.

    Args:
        end_of_ribs: returns how often somebody said to have shown a whole table.
        patience: seconds after which we are ready whatever was said.
    """

    def __init__(self, clock: Callable[[], float], end_of_ribs: Callable[[], int], patience: float) -> None:
        self._clock, self._end_of_ribs, self._due = clock, end_of_ribs, clock() + patience

    def reason_not(self) -> str:
        """Return why we are not ready, nothing if we are."""
        if self._end_of_ribs() or self._clock() >= self._due:
            return ""
        return "no End-of-RIB so far"


class StatusPages:
    """Tell how a daemon is: for Prometheus, and for whoever starts daemons and sends clients to them."""

    def __init__(self, registry: Registry, readiness: Readiness) -> None:
        self._registry, self._readiness = registry, readiness

    def pages(self) -> Pages:
        """Return what there is, by path."""
        return {
            "/metrics": Page(GET, self.metrics),
            "/health": Page(GET, self.health, is_open=True),
            "/ready": Page(GET, self.ready, is_open=True),
        }

    async def metrics(self, _asked: Asked) -> Reply:
        """Write all metrics, as Prometheus reads them."""
        return Reply(200, in_parts(expose(self._registry)), CONTENT_TYPE)

    async def health(self, _asked: Asked) -> Reply:
        """Say that we are alive: whoever gets an answer knows that the reactor turns."""
        return whole(b'{"status": "ok"}\n')

    async def ready(self, _asked: Asked) -> Reply:
        """Say whether our tables are worth asking for."""
        reason = self._readiness.reason_not()
        if not reason:
            return whole(b'{"status": "ready"}\n')
        return whole(orjson.dumps({"status": "loading", "reason": reason}) + b"\n", 503)


class QueryPages:
    """Answer the questions of the looking glass; each method raises HttpError for one that it does not answer."""

    def __init__(self, answerer: Answerer) -> None:
        self.counters = PageCounters()
        self._answerer = answerer

    def pages(self) -> Pages:
        """Return what there is, by path."""
        return {
            "/query": Page(GET_OR_POST, self.query),
            "/lookup": Page(GET_OR_POST, self.lookup),
            "/peers": Page(GET, partial(self.listing, Wanted.PEERS)),
            "/routers": Page(GET, partial(self.listing, Wanted.ROUTERS)),
        }

    async def query(self, asked: Asked) -> Reply:
        """Answer a question of ours, or several in a list."""
        self.counters.queries += 1
        try:
            if asked.method == "POST":
                body = body_of(asked)
                if isinstance(body, list):
                    return await self._answer_all(decode_questions([json_object(one) for one in body]))
                return await self._answer(decode_question(json_object(body)))
            return await self._answer(decode_question(members_of(asked.parameters)))
        except QueryError as error:
            raise self._refusal(error) from None

    async def listing(self, wanted: Wanted, asked: Asked) -> Reply:
        """Describe who is connected."""
        self.counters.queries += 1
        try:
            return await self._answer(decode_question({**members_of(asked.parameters), "select": wanted.value}))
        except QueryError as error:
            raise self._refusal(error) from None

    async def lookup(self, asked: Asked) -> Reply:
        """Answer a question of pmacct's."""
        self.counters.lookups += 1
        try:
            members = json_object(body_of(asked)) if asked.method == "POST" else members_of(asked.parameters)
            rows = self._answerer.look_up(decode_lookup(members))
        except QueryError as error:
            raise self._refusal(error) from None
        return rows_reply(Answer({}, rows))

    async def _answer(self, question: Question) -> Reply:
        return rows_reply(await self._answerer.answer(question))

    async def _answer_all(self, questions: Sequence[Question]) -> Reply:
        """Answer several questions; one that makes no sense does not spoil the others."""
        answers = []
        for number, question in enumerate(questions):
            if number:
                await self._answerer.breathe()
            try:
                answers.append(await self._answerer.answer(question))
            except QueryError as error:
                self._refusal(error)
                answers.append(Answer({"error": str(error)}, []))
        chunks = [b"["]
        for number, answer in enumerate(answers):
            chunks += [b",\n" if number else b"", *chunks_of(answer)]
        return reply_of([*chunks, b"]\n"])

    def _refusal(self, error: QueryError) -> HttpError:
        if isinstance(error, BusyError):
            self.counters.refused += 1
            return HttpError(503, str(error), **{"Retry-After": "1"})
        if isinstance(error, LookupFailedError) and str(error).endswith("not found"):
            return HttpError(404, str(error))
        self.counters.not_understood += 1
        return HttpError(400, str(error))


def rows_reply(answer: Answer) -> Reply:
    """Return the answer to one question."""
    return reply_of([*chunks_of(answer), b"\n"])


def reply_of(chunks: list[bytes]) -> Reply:
    """Return an answer that is whole in memory."""
    return Reply(200, in_parts(chunks), length=sum(map(len, chunks)))


def chunks_of(answer: Answer) -> Iterator[bytes]:
    """Write what an answer says, its rows last."""
    facts = orjson.dumps({"results": len(answer.rows), **answer.facts})
    yield facts[:-1] + b',"rows":['
    for number, row in enumerate(answer.rows):
        yield b",\n" + row if number else row
    yield b"]}"


def body_of(asked: Asked) -> Any:
    """Read the body of a request.

    Raises: HttpError.
    """
    if asked.content_type not in JSON_TYPES:
        raise HttpError(415, "a body is JSON, and Content-Type says so: application/json")
    try:
        return orjson.loads(asked.body)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"not JSON: {error}") from None


def json_object(value: Any) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises: QueryError when it is something else.
    """
    if not isinstance(value, dict):
        raise QueryError("a question is a JSON object")
    return value
