"""Avro's JSON encoding, from the binary one; octets that are no record are refused and never read beyond."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.plumbing.avro import Field, Schema
from routed.rib._avro_json import AvroJson
from tests.routed.plumbing.test_avro import SCHEMA, facts


def writer(schema: Schema) -> AvroJson:
    return AvroJson([(field.name, field.type.value, field.is_nullable) for field in schema.fields])


@given(records=st.lists(facts, max_size=3))
def test_lines_are_read_back_by_another_implementation(records: list[dict[str, Any]]) -> None:
    lines = writer(SCHEMA).lines(b"".join(map(SCHEMA.encode, records)), len(records))
    schema = fastavro.parse_schema(json.loads(SCHEMA.text))
    assert list(fastavro.json_reader(io.StringIO(lines.decode()), schema)) == records
    assert lines.count(b"\n") == len(records)


def test_the_value_of_a_union_names_its_type() -> None:
    field = SCHEMA.fields[1]
    assert field == Field("string_maybe", field.type, is_nullable=True)
    schema = Schema("one", (field,))
    assert writer(schema).lines(schema.encode({"string_maybe": 'a"\n'}) + schema.encode({}), 2) == (
        b'{"string_maybe": {"string": "a\\"\\u000a"}}\n{"string_maybe": null}\n'
    )


@given(octets=st.binary(max_size=80), count=st.integers(0, 4))
def test_any_octets_are_lines_or_refused(octets: bytes, count: int) -> None:
    try:
        lines = writer(SCHEMA).lines(octets, count)
    except ValueError:
        return
    assert lines.count(b"\n") == count


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_record_that_is_cut_is_refused(cut: int) -> None:
    octets = SCHEMA.encode({"string_always": "text", "array_always": ["a", "b"], "long_maybe": 2**62})
    with pytest.raises(ValueError, match="not the records"):
        writer(SCHEMA).lines(octets[:-cut], 1)
