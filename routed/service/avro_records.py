"""Message logs and dumps in Avro: bulk rows by compiled code, events from their JSON records, both by one schema each.

A record says in Avro what it says in JSON, as far as its schema has a field for it; an event is encoded from its JSON
record, so the two cannot differ. What the schemas have no field for is in JSON alone: TLVs of Route Monitoring and of
Peer Down, TLVs without a name, and attributes beyond pmacct's columns (`bgp_daemon_extra_attributes`).
"""

from __future__ import annotations

from functools import lru_cache
from sys import byteorder
from typing import TYPE_CHECKING, Any, Final

import orjson

from routed.plumbing.avro import Field, Schema, encode_fields
from routed.plumbing.sink import TEXT, Framing
from routed.rib._avro_json import AvroJson
from routed.rib._avro_rows import AvroRows
from routed.service.records import row_style

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from routed.rib._rows import Rows
    from routed.service.settings import RenderSettings

#: Peers, routers and tags whose fields are remembered.
_REMEMBERED: Final = 4_096
#: The schemas of route rows.
_ROUTES: Final = frozenset({"bgp_msglog", "bgp_dump", "bmp_msglog_rm", "bmp_dump_rm"})
#: The records that open and close, by `event_type`: what their schemas are called behind `bgp_` or `bmp_`.
_MARKERS: Final[Mapping[str, str]] = {
    "log_init": "loginit",
    "log_close": "logclose",
    "dump_init": "dumpinit",
    "dump_close": "dumpclose",
}


class RowFields:
    """What `AvroRows` asks for: the fields of a peer, a tag and a time of arrival, from the JSON that says the same."""

    def __init__(self, schema: Schema) -> None:
        self._tag = tuple(field for field in schema.fields if field.name in {"tag", "label"})
        self._peer = tuple(field for field in schema.part("writer_id", "afi") if field not in self._tag)
        self._distinguisher = schema.part("ip_prefix", "bgp_nexthop")
        has_origin = any(field.name == "roa" for field in schema.fields)
        monitored = Schema(schema.name, schema.part("roa" if has_origin else "mpls_label"))
        self._arrival = tuple(field for field in monitored.fields if field.name == "timestamp_arrival")
        self._before = monitored.part(before="timestamp_arrival")
        self._after = monitored.part(after="timestamp_arrival") if self._arrival else ()
        self.peer = lru_cache(_REMEMBERED)(self._encode_peer)
        self.tag = lru_cache(_REMEMBERED)(self._encode_tag)

    def arrival(self, text: bytes) -> bytes:
        """Encode when a message came, if the schema has that."""
        return encode_fields(self._arrival, _facts(text)) if self._arrival else b""

    def _encode_peer(self, keys: bytes, end: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        facts = _facts(keys) | _facts(end)
        parts = (self._peer, self._distinguisher, self._before, self._after)
        peer, distinguisher, before, after = (encode_fields(part, facts) for part in parts)
        return peer, distinguisher, before, after

    def _encode_tag(self, text: bytes) -> bytes:
        return encode_fields(self._tag, _facts(text)) if self._tag else b""


class AvroEncoding:
    """Encodes the records of one message log or of the dumps of one protocol.

    Args:
        render: how records are written.
        schemas: of its records, by name.
        writer_id: who writes them.
        as_json: lines of Avro's JSON encoding and not octets of the binary one.
    """

    def __init__(
        self, render: RenderSettings, schemas: Mapping[str, Schema], writer_id: str, *, as_json: bool = False
    ) -> None:
        self._render, self._schemas, self._writer_id = render, schemas, writer_id
        self.routes = next(schema for name, schema in schemas.items() if name in _ROUTES)
        self._fields = RowFields(self.routes)
        self._protocol = self.routes.name[:3]
        self._keys = {name: schema.key for name, schema in schemas.items()}
        self._texts = {name: AvroJson(_declared(schema.fields)) for name, schema in schemas.items()} if as_json else {}

    def new_rows(self) -> AvroRows:
        """Make a buffer for rows."""
        rows = AvroRows(**row_style(self._render))
        rows.use(self._fields, self._writer_id.encode())
        return rows

    def take(self, rows: Rows) -> tuple[bytes, Framing]:
        """Take the rows out of a buffer, and how they are told apart."""
        assert isinstance(rows, AvroRows)
        count, ends = rows.count, rows.take_ends()
        return self._finish(rows.take(), count, ends, self.routes)

    def event(self, line: bytes) -> tuple[bytes, Framing]:
        """Encode an event, given as its JSON record."""
        facts = orjson.loads(line)
        marker = _MARKERS.get(facts["event_type"])
        schema = self._schemas[f"{self._protocol}_{facts['bmp_msg_type'] if marker is None else marker}"]
        octets = schema.encode(facts | {"writer_id": self._writer_id})
        return self._finish(octets, 1, len(octets).to_bytes(4, byteorder), schema)

    def _finish(self, octets: bytes, count: int, ends: bytes, schema: Schema) -> tuple[bytes, Framing]:
        if self._texts:
            return self._texts[schema.name].lines(octets, count), TEXT
        return octets, Framing(ends, self._keys[schema.name])


def _facts(text: bytes) -> dict[str, Any]:
    """Read members of a JSON record, with a comma and a blank in front or behind."""
    facts: dict[str, Any] = orjson.loads(b"{%s}" % text.strip(b", "))
    return facts


def _declared(fields: Iterable[Field]) -> list[tuple[str, str, bool]]:
    return [(field.name, field.type.value, field.is_nullable) for field in fields]
