"""Questions as they go out, and searches in pages."""

import json

import pytest

from lg.answer import read_answer
from lg.inquiry import PEERS, Pages, lookup, search
from routed.query.codec import QueryError, decode_request
from routed.query.request import QueryType
from tests.lg.fake import page


def test_the_questions_of_pmacct_are_those_of_its_clients() -> None:
    assert [json.loads(frame) for frame in PEERS.frames] == [{"query_type": 2, "queries": 1}]
    inquiry = lookup("198.51.100.1", "192.0.2.1", port=179, rd="0:65000:1")
    assert [json.loads(frame) for frame in inquiry.frames] == [
        {"query_type": 1, "queries": 1},
        {"peer_ip_src": "192.0.2.1", "ip_prefix": "198.51.100.1", "rd": "0:65000:1", "peer_tcp_port": 179},
    ]
    assert set(json.loads(lookup("198.51.100.1", "192.0.2.1").frames[1])) == {"peer_ip_src", "ip_prefix"}
    for each in (PEERS, inquiry):
        assert decode_request(each.frames).kind is each.kind


def test_a_search_is_checked_before_it_leaves() -> None:
    assert decode_request(search({"where": {"as": 1}}).frames).kind is QueryType.SEARCH
    for bad in ({"limit": 0}, {"nonsense": 1}, {"where": {"as": "x"}}):
        with pytest.raises(QueryError):
            search(bad)
    with pytest.raises(QueryError, match="octets are more than 65536"):
        search({"where": {"or": [{"ext_community": "x" * 1_000}] * 100}})


def limits_and_cursors(pages: Pages, answers: list[list[bytes]]) -> list[tuple[int, str | None]]:
    """What is asked when these are the answers."""
    asked = []
    for octets in answers:
        assert not pages.is_over
        question = json.loads(pages.next().frames[1])
        asked.append((question["limit"], question.get("cursor")))
        pages.take(read_answer(QueryType.SEARCH, octets))
    assert pages.is_over
    return asked


def test_pages_follow_the_cursor_to_the_end() -> None:
    answers = [page([{}], cursor="a"), page([], cursor="b"), page([{}])]
    assert limits_and_cursors(Pages({}, None), answers) == [(2000, None), (2000, "a"), (2000, "b")]


def test_pages_end_when_enough_was_had() -> None:
    answers = [page([{}] * 2000, cursor="a"), page([{}] * 5, cursor="b")]
    assert limits_and_cursors(Pages({"cursor": "0"}, 2005), answers) == [(2000, "0"), (5, "a")]


@pytest.mark.parametrize("cursor", ["a", "b" * 1_025])
def test_pages_end_at_a_cursor_that_leads_nowhere(cursor: str) -> None:
    assert limits_and_cursors(Pages({"cursor": "a"}, None), [page([{}], cursor=cursor)]) == [(2000, "a")]


def test_pages_end_without_an_answer() -> None:
    pages = Pages({}, None)
    pages.take(None)
    assert pages.is_over
