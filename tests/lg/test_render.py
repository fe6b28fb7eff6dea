"""Answers as frames, JSON lines and tables."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st

from lg.answer import Answer, read_answer
from lg.broker import Outcome
from lg.errors import NoAnswerError
from lg.render import cell, columns_of, frames_to, json_lines_to, printable, table_to
from lg.server import Server
from routed.query.request import QueryType
from tests.lg.fake import page

ONE, TWO = Server(), Server(host="2001:db8::1")
ROUTE = {"peer_ip_src": "192.0.2.1", "event_type": "lglass", "afi": 1, "med": 5, "ip_prefix": "10.0.0.0/8"}


def found(*rows: object, **facts: object) -> Answer:
    return read_answer(QueryType.SEARCH, page(rows, **facts))


OUTCOMES = [Outcome(ONE, found(ROUTE)), Outcome(TWO, error=NoAnswerError("no")), Outcome(TWO, found({"comms": "a"}))]


def test_frames_are_written_as_they_came() -> None:
    out = io.StringIO()
    frames_to(out)(OUTCOMES)
    assert OUTCOMES[0].answer is not None
    assert out.getvalue().splitlines()[:3] == [frame.decode() for frame in OUTCOMES[0].answer.frames]
    assert len(out.getvalue().splitlines()) == 6


def test_records_are_json_lines_with_their_source_when_there_are_several() -> None:
    for with_source, sources in ((True, ["127.0.0.1:17900", "[2001:db8::1]:17900"]), (False, [None, None])):
        out = io.StringIO()
        json_lines_to(out, with_source=with_source)(OUTCOMES)
        records = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [record.pop("looking_glass", None) for record in records] == sources
        assert records == [ROUTE, {"comms": "a"}]


def test_a_number_is_a_record() -> None:
    out = io.StringIO()
    json_lines_to(out, with_source=False)([Outcome(ONE, found(count=7))])
    assert json.loads(out.getvalue()) == {"count": 7}


def test_a_table_has_the_columns_that_there_are() -> None:
    out = io.StringIO()
    table_to(out, with_source=True)(OUTCOMES)
    lines = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["looking_glass", "peer_ip_src", "ip_prefix", "med", "comms"]
    assert lines[2] == ["127.0.0.1:17900", "192.0.2.1", "10.0.0.0/8", "5"]
    assert lines[3] == ["[2001:db8::1]:17900", "a"]


def test_a_table_of_chosen_fields_has_them_in_their_order() -> None:
    assert columns_of([ROUTE], ["med", "afi", "as_path", "ip_prefix"]) == ["med", "afi", "ip_prefix"]


def test_a_table_of_nothing_is_nothing() -> None:
    out = io.StringIO()
    table_to(out, with_source=False)([Outcome(ONE, found())])
    assert not out.getvalue()


def test_what_a_router_wrote_does_not_steer_the_terminal() -> None:
    out = io.StringIO()
    table_to(out, with_source=False)([Outcome(ONE, found({"\x1b[1mname": "[red]\x1b[31m\n\x9b"}))])
    assert "[red]\\x1b[31m\\n\\x9b" in out.getvalue()
    assert "\\x1b[1mname" in out.getvalue()


@given(st.text())
def test_any_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()


@given(st.none() | st.booleans() | st.integers(-9, 9) | st.lists(st.text(), max_size=2))
def test_any_value_has_a_cell(value: object) -> None:
    assert cell(value).isprintable()
