"""A looking glass over the tables of a collector, with threads that work when a test says."""

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from routed.rib._rib import Rib
from routed.service.answering import Answerer
from routed.service.looking_glass import LookingGlass
from routed.service.settings import RenderSettings
from routed.service.validation import Validation
from routed.service.visible import Tables
from tests.routed.service.collector_rig import RENDER

Record = dict[str, Any]


class Thread:
    """Runs work at once, or keeps it until it is told to go on."""

    def __init__(self) -> None:
        self.held = False
        self.waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[[], Any], /) -> Deferred[Any]:
        if not self.held:
            return maybeDeferred(work)
        done: Deferred[Any] = Deferred()
        self.waiting.append((work, done))
        return done

    def go_on(self) -> None:
        self.held = False
        while self.waiting:
            work, done = self.waiting.pop(0)
            maybeDeferred(work).chainDeferred(done)


class Glass:
    """Asks with values and answers with them; `octets` are the frames of the last answer."""

    def __init__(
        self, rib: Rib, tables: Tables, render: RenderSettings = RENDER, validation: Validation | None = None
    ) -> None:
        self.thread, self.clock = Thread(), Clock()
        self.answerer = Answerer(self.clock, rib, tables, render, self.thread, validation=validation)
        self.glass = LookingGlass(self.answerer)
        self.answers: list[list[bytes]] = []

    def send(self, *frames: object) -> None:
        octets = [frame if isinstance(frame, bytes) else json.dumps(frame).encode() for frame in frames]
        self.glass.answer(octets, self.answers.append)

    def ask_octets(self, *frames: object) -> list[bytes]:
        """The frames of the answer, of which there must be one."""
        before = len(self.answers)
        self.send(*frames)
        self.clock.advance(0)
        [answer] = self.answers[before:]
        return answer

    def look_up(self, prefix: str, peer: str, **facts: object) -> tuple[Record, list[Record]]:
        """pmacct's question: header and routes."""
        frames = self.ask_octets({"query_type": 1, "queries": 1}, {"ip_prefix": prefix, "peer_ip_src": peer, **facts})
        header, *routes = map(json.loads, frames)
        return header, routes

    def search(self, **question: object) -> tuple[Record, list[Record]]:
        """One question of ours: what its own header says, and the routes."""
        frames = self.ask_octets({"query_type": 3}, question)
        header, own, *routes = map(json.loads, frames)
        assert header == {"results": len(routes), "query_type": 3, "queries": 1}
        assert own.pop("query") == 0
        assert own.pop("results") == len(routes)
        return own, routes

    def prefixes(self, **question: object) -> list[str]:
        """The prefixes that are found."""
        facts, routes = self.search(**question)
        assert not facts
        return [route["ip_prefix"] for route in routes]

    def refusal(self, **question: object) -> str:
        """Why a question gets no answer."""
        facts, routes = self.search(**question)
        assert not routes
        return str(facts["text"])
