"""Many looking glasses are asked at a time."""

import json
import threading
from contextlib import ExitStack

import pytest

from lg.broker import MAX_SERVERS, Broker, Outcome
from lg.errors import AccessError, NoAnswerError, RefusedError
from lg.inquiry import PEERS
from lg.server import Server
from routed.query.codec import QueryError
from tests.lg.fake import PATIENCE, Frames, frames, growing_patience, looking_glass, page


def test_answers_come_in_the_order_of_the_servers_and_failures_in_their_place() -> None:
    first = threading.Event()

    def slow(_asked: Frames) -> Frames:
        assert first.wait(PATIENCE)
        return frames({"results": 1, "query_type": 2}, {"peer_as": 1})

    def fast(_asked: Frames) -> Frames:
        first.set()  # the slow one answers only when the other was asked too
        return frames({"results": 1, "query_type": 2}, {"peer_as": 2})

    def is_shut(found: list[Outcome]) -> bool:
        return isinstance(found[3].error, AccessError)

    def attempt(timeout: float) -> list[Outcome]:
        with Broker([one, mute, two, closed], timeout=timeout) as broker:
            return broker.ask(PEERS)

    with (
        looking_glass(slow) as one,
        looking_glass(fast) as two,
        looking_glass(fast, password="secret") as closed,
        looking_glass(lambda _: None) as mute,
    ):
        outcomes = growing_patience(attempt, lambda found: bool(found[0].answer and found[2].answer) and is_shut(found))
    assert [outcome.server for outcome in outcomes] == [one, mute, two, closed]
    assert [outcome.answer and outcome.answer.rows for outcome in outcomes] == [
        ({"peer_as": 1},),
        None,
        ({"peer_as": 2},),
        None,
    ]
    assert isinstance(outcomes[1].error, NoAnswerError)
    assert is_shut(outcomes)


def test_each_server_has_its_own_cursor_and_end() -> None:
    def of(name: str, pages: int) -> Server:
        def reply(asked: Frames) -> Frames:
            at = int(json.loads(asked[1]).get("cursor", 0))
            return page([{name: at}], **({"cursor": str(at + 1)} if at + 1 < pages else {}))

        return stack.enter_context(looking_glass(reply))

    with ExitStack() as stack:
        servers = [of("a", 1), of("b", 3), stack.enter_context(looking_glass(lambda _: page([], text="no")))]
        broker = stack.enter_context(Broker(servers, timeout=PATIENCE))
        rounds = list(broker.pages({}))
    found = [[outcome.answer.rows[0] for outcome in outcomes if outcome.answer] for outcomes in rounds]
    assert found == [[{"a": 0}, {"b": 0}], [{"b": 1}], [{"b": 2}]]
    assert [outcome.error is None for outcome in rounds[0]] == [True, True, False]
    assert isinstance(rounds[0][2].error, RefusedError)


def test_a_bad_question_is_not_sent() -> None:
    with Broker([Server()]) as broker, pytest.raises(QueryError, match="limit"):
        next(broker.pages({"afi": 1}, 0))


@pytest.mark.parametrize("count", [0, MAX_SERVERS + 1])
def test_the_servers_have_a_bound(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} looking glasses"):
        Broker([Server()] * count)


def test_as_many_as_the_bound_are_asked() -> None:
    with (
        looking_glass(lambda _: frames({"results": 0, "query_type": 2})) as server,
        Broker([server] * MAX_SERVERS, timeout=PATIENCE) as broker,
    ):
        assert all(outcome.answer is not None for outcome in broker.ask(PEERS))
