"""Rows as Avro, read by another reader."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.columns.record_type import RecordType
from flowcorr.service.formats import schema_of
from flowcorr.service.render import Output
from flowcorr.wire.custom_primitive import CustomPrimitive, ElementField, Semantics
from tests.flowcorr.service.rows import EVERYTHING, FIRST_OF_TEXTS, TEXTS, Rows, cleaned


def avro_rows(rows: Rows, **settings: Any) -> list[dict[str, Any]]:
    """Write records as Avro, and read them with another reader."""
    octets = rows.write(output=Output.AVRO, writer_id="p/1", **settings)
    schema = schema_of(rows.aggregate, rows.aggregation.plan, rows.settings)
    stream = io.BytesIO(octets)
    parsed = fastavro.parse_schema(json.loads(schema.text))
    found = []
    while stream.tell() < len(octets):
        found.append(fastavro.schemaless_reader(stream, parsed, None))
    return found


SWITCHES = {
    "flags_as_array": True,
    "status_as_text": True,
    "stack_as_array": True,
    "communities_as_array": True,
    "as_path_as_array": True,
    "label_as_map": True,
}


@pytest.mark.parametrize("switches", [{}, SWITCHES])
def test_avro_says_what_json_says(switches: dict[str, bool]) -> None:
    values = {
        "label": b"a%b,c%d",
        "as_path": b"1_2_{3,4}",
        "std_comm": b"64500:1_no-export",
        "mpls_label_stack": bytes.fromhex("0000004500005ef1"),
        "srv6_seg_ipv6_list": bytes(15) + b"\1",
        "src_host": IPV4_MAPPED + bytes([10, 0, 0, 1]),
        "vrf_name": b"\xffx" * 100,
        "tcpflags": 0x12,
        "fwd_status": 195,
        "tag": 2**63 - 1,
        "packets": 3,
        "bytes": 2**40,
        "flows": 1,
    }
    options: dict[str, Any] = {**switches, "has_history": True, "has_spell": True}
    rows = Rows(EVERYTHING, stitching=True)
    rows.add(**values)
    rows.add(record_type=RecordType.EVENT)
    as_json = rows.json(**options)
    for row in as_json:
        row["class_legacy"] = row.pop("class")
        row["writer_id"] = "p/1"
        del row["event_type"]
        for name in ("packets", "bytes", "flows"):
            row.setdefault(name, None)
    rows.add(**values)
    rows.add(record_type=RecordType.EVENT)
    assert avro_rows(rows, **options) == as_json


def test_avro_without_history_and_flows() -> None:
    custom = {
        name: CustomPrimitive(
            name=name, field=ElementField(1), pointers=(), length=4, semantics=Semantics.U_INT, where="[x:1]"
        )
        for name in ("first", "second")
    }
    rows = Rows("first, tos, second", custom)
    rows.add(**{"custom:first": 7, "custom:second": 2**32 - 1, "tos": 4, "packets": 5})
    expected = {
        "tos": 4,
        "custom_primitives": {"first": "7", "second": "4294967295"},
        "packets": 5,
        "flows": None,
        "bytes": 0,
        "writer_id": "p/1",
    }
    [row] = avro_rows(rows)
    assert (row, list(row)) == (expected, list(expected))


def test_numbers_beyond_those_of_avro_are_the_largest_one() -> None:
    rows = Rows("tag")
    rows.add(tag=2**64 - 1)
    assert avro_rows(rows)[0]["tag"] == 2**63 - 1


@given(st.fixed_dictionaries(dict.fromkeys(FIRST_OF_TEXTS, TEXTS)))
@example(dict.fromkeys(FIRST_OF_TEXTS, b"_,_"))
def test_whatever_a_text_holds_avro_is_read_back(values: dict[str, bytes]) -> None:
    rows = Rows(", ".join(FIRST_OF_TEXTS))
    rows.add(**values)
    [row] = avro_rows(rows, **SWITCHES)
    assert row["vrf_name"] == cleaned(values["vrf_name"])
    assert row["as_path"] == [cleaned(part) for part in values["as_path"].split(b"_") if part]
    labels = [label.partition(b"%") for label in values["label"].split(b",") if label]
    assert row["label"] == {cleaned(key): cleaned(value) for key, _, value in labels}


def test_the_json_of_avro_names_the_types_of_unions() -> None:
    rows = Rows("tos, label, as_path")
    rows.add(tos=1, label=b"a%b", packets=2)
    rows.add(tos=2, record_type=RecordType.EVENT)
    lines = rows.write(output=Output.AVRO_JSON, writer_id="p/1", label_as_map=True, has_history=True).splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first == {
        "label": {"a": "b"},
        "as_path": "",
        "tos": 1,
        "stamp_inserted": {"string": "2026-09-21 14:13:00"},
        "stamp_updated": {"string": "2026-09-21 14:13:20"},
        "packets": {"long": 2},
        "flows": None,
        "bytes": {"long": 0},
        "writer_id": "p/1",
    }
    assert (second["packets"], second["bytes"]) == (None, None)
