"""The page about the looking glass and the schema say what is so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from routed.query.codec import (
    MAX_FIELDS,
    MAX_TEXT,
    OPERATORS,
    ORIGINS,
    TESTS,
    VERDICTS,
    QueryError,
    decode_question,
    decode_request,
)
from routed.query.request import DEFAULT_LIMIT, MAX_LIMIT, Match, Wanted

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "query.schema.json").read_text())


def examples(kind: str) -> list[bytes]:
    blocks = re.findall(rf"^```json {kind}\n(.*?)^```", (DOCS / "query.md").read_text(), re.DOTALL | re.MULTILINE)
    return [line.encode() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(("kind", "query_type", "least"), [("lookup", 1, 2), ("question", 3, 8)])
def test_every_example_of_the_page_is_understood(kind: str, query_type: int, least: int) -> None:
    found = examples(kind)
    assert len(found) >= least
    for example in found:
        assert decode_request([b'{"query_type": %d}' % query_type, example]).questions
        if kind == "question":
            assert set(json.loads(example)) <= set(SCHEMA["properties"])


def test_the_schema_has_the_members_that_there_are() -> None:
    with pytest.raises(QueryError) as refused:
        decode_question({"?": 1})
    assert sorted(SCHEMA["properties"]) == str(refused.value).partition("there are ")[2].split(", ")
    conditions = SCHEMA["$defs"]["condition"]["properties"]
    assert set(conditions) == {"and", "or", "not", *TESTS}
    assert set(SCHEMA["$defs"]["number"]["anyOf"][1]["properties"]) == set(OPERATORS)


def test_the_schema_has_the_values_and_limits_that_there_are() -> None:
    members = SCHEMA["properties"]
    assert members["select"]["enum"] == [*(one.value for one in Wanted), None]
    assert members["match"]["enum"] == [*(one.value for one in Match), None]
    assert SCHEMA["$defs"]["condition"]["properties"]["origin"]["enum"] == list(ORIGINS)
    for name in ("aspa_upstream", "aspa_downstream"):
        assert SCHEMA["$defs"]["condition"]["properties"][name]["enum"] == list(VERDICTS)
    assert (members["limit"]["maximum"], members["limit"]["default"]) == (MAX_LIMIT, DEFAULT_LIMIT)
    assert (members["fields"]["maxItems"], SCHEMA["$defs"]["text"]["maxLength"]) == (MAX_FIELDS, MAX_TEXT)


def test_the_page_names_every_member_and_condition() -> None:
    page = (DOCS / "query.md").read_text()
    assert [name for name in (*SCHEMA["properties"], *TESTS) if f"`{name}`" not in page] == []
