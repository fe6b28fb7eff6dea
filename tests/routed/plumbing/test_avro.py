import io
import json

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.plumbing.avro import Field, Schema, Type, encode_long

VALUES = {
    Type.STRING: st.text(),
    Type.INT: st.integers(-(2**31), 2**31 - 1),
    Type.LONG: st.integers(-(2**63), 2**63 - 1),
    Type.TEXTS: st.lists(st.text(), max_size=3),
    Type.TEXT_MAP: st.dictionaries(st.text(), st.text(), max_size=3),
}
FIELDS = tuple(Field(f"{kind.value}_{which}", kind, which == "maybe") for kind in Type for which in ("always", "maybe"))
SCHEMA = Schema("all", FIELDS)

facts = st.fixed_dictionaries(
    {field.name: st.none() | VALUES[field.type] if field.is_nullable else VALUES[field.type] for field in FIELDS}
)


def read(schema: Schema, octets: bytes) -> object:
    stream = io.BytesIO(octets)
    record = fastavro.schemaless_reader(stream, fastavro.parse_schema(json.loads(schema.text)), None)
    assert stream.tell() == len(octets)
    return record


@given(record=facts)
def test_records_are_read_back_by_another_implementation(record: dict[str, object]) -> None:
    assert read(SCHEMA, SCHEMA.encode(record)) == record


def test_what_is_absent_is_null_or_empty() -> None:
    empty: dict[Type, object] = {Type.STRING: "", Type.INT: 0, Type.LONG: 0, Type.TEXTS: [], Type.TEXT_MAP: {}}
    expected = {field.name: None if field.is_nullable else empty[field.type] for field in FIELDS}
    assert read(SCHEMA, SCHEMA.encode({"unknown": 1})) == expected


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        (Type.INT, 2**31 - 1, 2**31 - 1),
        (Type.INT, 2**31, 2**31 - 1),
        (Type.LONG, 2**64 - 1, 2**63 - 1),
        (Type.LONG, -(2**64), -(2**63)),
        (Type.LONG, "01-02", 0),
    ],
)
def test_a_number_that_does_not_fit_is_the_nearest_one_and_a_text_is_none(kind: Type, value: object, held: int) -> None:
    schema = Schema("one", (Field("number", kind),))
    assert read(schema, schema.encode({"number": value})) == {"number": held}


@pytest.mark.parametrize(
    ("value", "octets"), [(0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (64, "8001"), (-64, "7f"), (-65, "8101")]
)
def test_numbers_are_zigzag_and_seven_bits_an_octet(value: int, octets: str) -> None:
    assert encode_long(value).hex() == octets


def test_schemas_of_other_fields_have_other_keys() -> None:
    other = Schema("all", FIELDS[1:])
    assert SCHEMA.key != other.key
    assert SCHEMA.key == Schema("all", FIELDS).key


def test_parts_of_a_schema_lie_between_fields() -> None:
    schema = Schema("s", tuple(Field(name, Type.STRING) for name in "abcd"))
    assert [field.name for field in schema.part("a", "d")] == ["b", "c"]
    assert [field.name for field in schema.part(before="b")] == ["a"]
    assert [field.name for field in schema.part("c")] == ["d"]
    assert schema.part("x", "y") == schema.fields
