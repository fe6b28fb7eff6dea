"""Questions as texts."""

import pytest

from routed.query.codec import TESTS, QueryError, decode_question
from routed.query.parameters import PARSERS, comparison, members_of


@pytest.mark.parametrize(
    ("text", "value"),
    [("100", 100), (">=100", {"ge": 100}), ("<7", {"lt": 7}), ("=7", {"eq": 7}), ("1-9", {"ge": 1, "le": 9})],
)
def test_numbers_compare_in_several_ways(text: str, value: object) -> None:
    assert comparison(text) == value


def test_every_parser_is_of_a_member_or_condition() -> None:
    with pytest.raises(QueryError) as refused:
        decode_question({"?": 1})
    members = str(refused.value).partition("there are ")[2].split(", ")
    assert set(PARSERS) <= {*members, *TESTS}


def test_conditions_may_come_several_times_and_must_all_hold() -> None:
    parameters = [("community", "65000:1"), ("ip_prefix", "10.0.0.0/8"), ("community", "65000:2"), ("med", ">1")]
    assert members_of(parameters) == {
        "ip_prefix": "10.0.0.0/8",
        "where": {"and": [{"community": "65000:1"}, {"community": "65000:2"}, {"med": {"gt": 1}}]},
    }
    assert members_of([("where", '{"as": 1}')]) == {"where": {"as": 1}}
    assert members_of([]) == {}


@pytest.mark.parametrize("parameter", [("limit", "-1"), ("limit", "٣"), ("afi", ""), ("med", "1-"), ("where", "{")])
def test_what_is_not_understood_is_told_with_its_name(parameter: tuple[str, str]) -> None:
    with pytest.raises(QueryError, match=f"^{parameter[0]}: "):
        members_of([parameter])
