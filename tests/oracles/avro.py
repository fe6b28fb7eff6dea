"""Avro records as JSON has them: decoded by `fastavro`, and what is absent left out."""

import io
import json
from array import array
from collections.abc import Iterator
from typing import Any

import fastavro

from routed.plumbing.avro import Schema

#: The largest number that a `long` holds.
MOST = 2**63 - 1


def parsed(schema: Schema) -> Any:
    """The schema as fastavro knows it, from its text."""
    return fastavro.parse_schema(json.loads(schema.text))


def decoded(octets: bytes, ends: bytes, schema: Schema) -> list[dict[str, Any]]:
    """Every record of a buffer, each of which must end where the buffer says."""
    known, start, records = parsed(schema), 0, []
    for end in array("I", ends):
        stream = io.BytesIO(octets[start:end])
        record = fastavro.schemaless_reader(stream, known, None)
        assert stream.tell() == end - start
        assert isinstance(record, dict)
        records.append(record)
        start = end
    assert start == len(octets)
    return records


def decoded_lines(text: bytes, schema: Schema) -> list[dict[str, Any]]:
    """Every record of Avro's JSON encoding."""
    return list(fastavro.json_reader(io.StringIO(text.decode()), parsed(schema)))


def as_json_shows(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what JSON leaves out; what cannot be null is empty instead."""
    empty = [("comms", []), ("ecomms", []), ("lcomms", [])]
    if record.get("log_type") == "end-of-rib":
        empty += [("as_path", []), ("roa", [])]
    shown = {key: value for key, value in record.items() if value is not None and (key, value or []) not in empty}
    del shown["writer_id"]
    return shown


def as_avro_holds(rows: Iterator[str] | list[str]) -> list[dict[str, Any]]:
    """Read rows of JSON, their numbers as far as a `long` reaches."""
    records = [json.loads(row) for row in rows]
    return [
        {key: min(value, MOST) if isinstance(value, int) else value for key, value in record.items()}
        for record in records
    ]
