"""What is made of the frames of an answer, whoever wrote them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lg.answer import Answer, read_answer
from lg.errors import GarbledError, LookingGlassError, RefusedError
from routed.query.request import QueryType
from tests.lg.fake import frames, page


def test_a_look_up_has_a_record_or_a_reason() -> None:
    found = read_answer(QueryType.LOOKUP, frames({"results": 1, "query_type": 1}, {"ip_prefix": "192.0.2.0/24"}))
    assert found.rows == ({"ip_prefix": "192.0.2.0/24"},)
    assert (found.text, found.count, found.cursor, found.is_partial) == (None, None, None, False)
    missed = read_answer(QueryType.LOOKUP, frames({"results": 0, "query_type": 1, "text": "peer not found"}))
    assert (missed.rows, missed.text) == ((), "peer not found")


def test_a_search_has_records_and_facts() -> None:
    found = read_answer(QueryType.SEARCH, page([{"ip_prefix": "192.0.2.0/24"}], cursor="1.0.0.7"))
    assert found.rows == ({"ip_prefix": "192.0.2.0/24"},)
    assert (found.cursor, found.is_partial) == ("1.0.0.7", True)
    assert read_answer(QueryType.SEARCH, page([], truncated=True)).is_partial
    assert read_answer(QueryType.SEARCH, page([], count=7)).count == 7


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (frames({"results": 0, "query_type": 0, "text": "unsupported query_type"}), "it answers only what pmacct asks"),
        (frames({"results": 0, "query_type": 0, "text": "a bug"}), "^a bug$"),
        (page([], text="as_path: no"), "^as_path: no$"),
    ],
)
def test_a_search_that_is_refused_says_why(facts: list[bytes], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        read_answer(QueryType.SEARCH, facts)


@pytest.mark.parametrize(
    ("kind", "octets", "says"),
    [
        (QueryType.PEERS, [], "without frames"),
        (QueryType.PEERS, [b""], "frame 1 of the answer is not JSON"),
        (QueryType.PEERS, frames({"results": 1, "query_type": 2}, b"{\xff}"), "frame 2 of the answer is not JSON"),
        (QueryType.PEERS, frames([]), "frame 1 of the answer is not a JSON object"),
        (QueryType.PEERS, frames({"results": 0}), "no `query_type`"),
        (QueryType.PEERS, frames({"query_type": 2}), "no `results`"),
        (QueryType.PEERS, frames({"query_type": 2, "results": 2}, {}), "2 records announced, 1 came"),
        (QueryType.PEERS, frames({"query_type": 1, "results": 0}), "an answer of type 1 to a question of type 2"),
        (QueryType.SEARCH, frames({"query_type": 3, "results": 0}), "no `results` for the question"),
        (QueryType.SEARCH, frames({"query_type": 3, "results": 0}, {}), "no `results` for the question"),
        (QueryType.SEARCH, [*page([]), b"{}"], "0 records announced, 1 came"),
    ],
)
def test_what_is_no_answer_is_refused(kind: QueryType, octets: list[bytes], says: str) -> None:
    with pytest.raises(GarbledError, match=says):
        read_answer(kind, octets)


VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=1)
NAMES = st.sampled_from(["results", "query_type", "text", "count", "cursor", "truncated", "queries"])
FRAMES = st.lists(
    st.binary(max_size=9) | st.dictionaries(NAMES, VALUES).map(lambda value: frames(value)[0]), max_size=4
)


@given(kind=st.sampled_from(QueryType), octets=FRAMES)
def test_any_frames_are_an_answer_or_an_error(kind: QueryType, octets: list[bytes]) -> None:
    try:
        answer = read_answer(kind, octets)
    except LookingGlassError:
        return
    assert isinstance(answer, Answer)
    assert answer.frames == tuple(octets)
    assert isinstance(answer.text, str | None)
    assert isinstance(answer.count, int | None)
    assert isinstance(answer.cursor, str | None)
