"""A schema registry in the way of parcels: nothing goes before its numbers are known, and then all of it, framed."""

import json
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from routed.plumbing.carrier import Reports
from routed.plumbing.parcel import Address, Parcel, rows_of
from routed.plumbing.registered import RegisteredCarrier
from routed.plumbing.registry_settings import parse_urls
from routed.plumbing.schema_registry import (
    FIRST_RETRY,
    MAX_ANSWER,
    PATIENCE,
    SchemaRegistry,
    Subject,
)
from routed.plumbing.sink import Framing
from tests.routed.plumbing.test_sink_broker import Carrier

SUBJECTS = {"a:1": Subject("topic-a", "schema a"), "b:2": Subject("topic-b", "schema b")}
KEY = "kafka_avro_schema_registry"


class Response:
    """An answer of a registry."""

    def __init__(self, code: int, body: bytes) -> None:
        self.code, self.body = code, body

    def deliverBody(self, protocol: Protocol) -> None:  # noqa: N802 (Twisted's)
        protocol.makeConnection(Transport(protocol))
        protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))


class Transport:
    """The connection that an answer comes over."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol

    def loseConnection(self) -> None:  # noqa: N802 (Twisted's)
        """Close: what the answer lacks does not come."""


class Agent:
    """A registry: answers come in the order of `answers`, the last one again and again."""

    def __init__(self, *answers: Callable[[], Deferred[Any]]) -> None:
        self.answers, self.asked = list(answers), list[tuple[bytes, Headers, dict[str, str]]]()

    def request(self, method: bytes, uri: bytes, headers: Headers, body: Any) -> Deferred[Any]:
        assert method == b"POST"
        written: list[bytes] = []
        body.startProducing(type("Consumer", (), {"write": lambda _, octets: written.append(octets)})())
        self.asked.append((uri, headers, json.loads(b"".join(written))))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return answer()


def says(code: int, **facts: Any) -> Callable[[], Deferred[Any]]:
    return lambda: succeed(Response(code, json.dumps(facts).encode()))


class Rig:
    """A carrier behind a registry."""

    def __init__(self, agent: Agent, urls: str = "http://u:p@registry/base/") -> None:
        self.clock, self.agent, self.inner = Clock(), agent, Carrier()
        self.registry = SchemaRegistry(parse_urls(urls), SUBJECTS, clock=self.clock, agent=agent)
        self.carrier = RegisteredCarrier(self.inner, self.registry, KEY)
        self.said: list[tuple[Any, ...]] = []
        self.carrier.start(
            Reports(
                delivered=lambda numbers: self.said.append(("delivered", list(numbers))),
                refused=lambda *what: self.said.append(("refused", *what)),
                up=lambda: self.said.append(("up",)),
                down=lambda reason: self.said.append(("down", reason)),
            )
        )


def parcel(number: int, schema: str, *rows: bytes) -> Parcel:
    ends = array("I", [sum(map(len, rows[: at + 1])) for at in range(len(rows))])
    return Parcel(number, Address("topic"), b"".join(rows), len(rows), Framing(ends.tobytes(), schema))


def test_records_go_behind_the_number_of_their_schema() -> None:
    rig = Rig(Agent(says(200, id=7), says(200, id=2**32 - 1)))
    rig.inner.reports.up()
    rig.carrier.send([parcel(1, "a:1", b"one", b"", b"three"), parcel(2, "b:2", b"x")])
    assert [rows_of(sent) for sent in rig.inner.sent] == [
        [b"\0\0\0\0\7one", b"\0\0\0\0\7", b"\0\0\0\0\7three"],
        [b"\0\xff\xff\xff\xffx"],
    ]
    assert [sent.rows for sent in rig.inner.sent] == [3, 1]
    uri, headers, body = rig.agent.asked[0]
    assert (uri, body) == (b"http://registry/base/subjects/topic-a/versions", {"schema": "schema a"})
    assert headers.getRawHeaders(b"Authorization") == [b"Basic dTpw"]
    rig.inner.confirm()
    assert rig.said == [("up",), ("delivered", [1]), ("delivered", [2])]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(409, error_code=409, message="incompatible"), "topic-a: status 409: incompatible"),
        (says(200, id=-1), "topic-a: the answer has no number of a schema"),
        (says(200), "topic-a: the answer has no number of a schema"),
        (lambda: succeed(Response(500, b"oops")), "topic-a: status 500: no reason given"),
        (lambda: succeed(Response(200, b" " * (MAX_ANSWER + 1))), f"an answer of more than {MAX_ANSWER} octets"),
        (lambda: succeed(Response(200, b" " * MAX_ANSWER)), "topic-a: the answer has no number of a schema"),
        (lambda: fail(Refused("no")), "Connection was refused by other side: no."),
    ],
)
def test_a_registry_that_gives_no_number_is_told_with_the_key_and_asked_again(
    answer: Callable[[], Deferred[Any]], reason: str
) -> None:
    rig = Rig(Agent(answer, says(200, id=1)))
    rig.inner.reports.up()
    rig.carrier.send([parcel(1, "a:1", b"row")])
    assert rig.said == [("down", f"{KEY}: http://registry/base/: {reason}")]
    assert rig.inner.sent == []
    rig.clock.advance(FIRST_RETRY)
    assert rig.said[1:] == [("up",)]
    assert [sent.number for sent in rig.inner.sent] == [1]


def test_a_registry_that_says_nothing_is_given_up_for_a_while_and_the_next_one_asked() -> None:
    rig = Rig(Agent(Deferred, says(200, id=1)), "http://first,https://second:1")
    rig.clock.advance(PATIENCE)
    assert rig.said == [("down", f"{KEY}: http://first: no answer within 10 s")]
    rig.clock.advance(FIRST_RETRY)
    assert [uri for uri, *_ in rig.agent.asked][1:] == [
        b"https://second:1/subjects/topic-a/versions",
        b"https://second:1/subjects/topic-b/versions",
    ]


def test_waits_grow_up_to_a_minute() -> None:
    rig = Rig(Agent(says(503)))
    waits = []
    for _ in range(9):
        before = len(rig.agent.asked)
        waits.append(0)
        while len(rig.agent.asked) == before:
            rig.clock.advance(1)
            waits[-1] += 1
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_records_of_a_schema_of_another_run_are_refused_and_counted() -> None:
    rig = Rig(Agent(says(200, id=1)))
    rig.carrier.send([parcel(5, "a:0", b"row", b"row"), parcel(6, "a:1", b"row")])
    assert rig.said == [
        ("refused", 5, 2, f"{KEY}: records of the schema a:0 of an earlier run"),
        ("delivered", [5]),
    ]
    assert [sent.number for sent in rig.inner.sent] == [6]


def test_closing_ends_the_asking() -> None:
    rig = Rig(Agent(Deferred))
    rig.carrier.close()
    assert rig.inner.closed
    assert rig.clock.getDelayedCalls() == []
    assert rig.said == []


@pytest.mark.parametrize("url", ["registry", "ftp://x", "http://", "http://x:99999", "http://x/?a=b", "http://x,"])
def test_what_is_no_address_of_a_registry_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (some texts are Python's)
        parse_urls(url)
