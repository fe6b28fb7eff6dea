"""Layouts of rows: which fields, in which order, and what stands around them in each output format."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flowcorr.correlate.aggregate import Aggregate, KeyPlan
from flowcorr.correlate.primitives import CSV_ORDER, FIRST_BEHIND_CUSTOM, JSON_ORDER, SUMMED, Field, Form
from flowcorr.correlate.protocols import NAMES as PROTOCOL_NAMES
from flowcorr.service import _pieces as r
from flowcorr.service._checks import Check
from flowcorr.service._pieces import Piece


class Output(Enum):
    """Formats of rows."""

    FORMATTED = "formatted"
    CSV = "csv"
    JSON = "json"
    EVENT_FORMATTED = "event_formatted"
    EVENT_CSV = "event_csv"
    AVRO = "avro"
    AVRO_JSON = "avro_json"

    @property
    def style(self) -> int:
        """Return how values are written."""
        return _STYLES[self]

    @property
    def has_counters(self) -> bool:
        """Tell whether rows have counters."""
        return self not in {Output.EVENT_CSV, Output.EVENT_FORMATTED}

    @property
    def has_header(self) -> bool:
        """Tell whether rows are columns under a header."""
        return self.style in {r.CSV, r.FORMATTED}

    @property
    def is_avro(self) -> bool:
        """Tell whether rows have a schema."""
        return self in {Output.AVRO, Output.AVRO_JSON}


_STYLES: Final[Mapping[Output, int]] = {
    Output.JSON: r.JSON,
    Output.CSV: r.CSV,
    Output.EVENT_CSV: r.CSV,
    Output.FORMATTED: r.FORMATTED,
    Output.EVENT_FORMATTED: r.FORMATTED,
    Output.AVRO: r.AVRO,
    Output.AVRO_JSON: r.JSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSettings:
    """How rows are written. `time_layout` is one of `_pieces`; arrays and maps are for JSON and Avro alone."""

    output: Output = Output.FORMATTED
    separator: str = ","
    time_layout: int = r.PLAIN
    utc: bool = False
    whole_seconds: bool = False
    protocols_numeric: bool = False
    flags_as_array: bool = False
    status_as_text: bool = False
    stack_as_array: bool = False
    communities_as_array: bool = False
    as_path_as_array: bool = False
    label_as_map: bool = False
    has_history: bool = False
    has_spell: bool = False  # records are stitched
    writer_id: str = ""  # of Avro records
    checks: tuple[Check, ...] = ()
    all_checks: bool = False


#: Classes of the forwarding status by its two highest bits, and its known values (RFC 7270 section 4.12).
_STATUS_CLASSES: Final = ("UNKNOWN", "FORWARDED", "DROPPED", "CONSUMED")
_STATUS: Final[Mapping[int, str]] = {
    **dict(enumerate(("Unknown", "Fragmented", "Not Fragmented"), start=64)),
    **dict(
        enumerate(
            (
                "Unknown",
                "ACL deny",
                "ACL drop",
                "Unroutable",
                "Adjacency",
                "Fragmentation and DF set",
                "Bad header checksum",
                "Bad total Length",
                "Bad header length",
                "bad TTL",
                "Policer",
                "WRED",
                "RPF",
                "For us",
                "Bad output interface",
                "Hardware",
            ),
            start=128,
        )
    ),
    **dict(enumerate(("Unknown", "Punt Adjacency", "Incomplete Adjacency", "For us"), start=192)),
}
#: Texts by value; whatever is larger has the last one.
STATUS_NAMES: Final = (
    *(f"{_STATUS_CLASSES[value >> 6]} {_STATUS.get(value, 'Unclassified')}".encode() for value in range(256)),
    b"UNKNOWN Unclassified",
)
PROTOCOLS: Final = tuple(PROTOCOL_NAMES.get(number, str(number)).encode() for number in range(256))
UNKNOWN_CLASS: Final = b"unknown"
ORIGINS: Final = (b"unknown", b"bgp", b"bmp", b"flow", b"map", b"unknown")

#: Operation of the forms that are the same in all outputs.
_OPERATIONS: Final[Mapping[Form, int]] = {
    Form.NUMBER: r.NUMBER,
    Form.NUMBER_TEXT: r.NUMBER,
    Form.TCPFLAGS: r.NUMBER,
    Form.TCPFLAGS_TEXT: r.NUMBER,
    Form.FWD_STATUS: r.NUMBER,
    Form.HEX: r.HEX,
    Form.ADDRESS: r.ADDRESS,
    Form.MAC: r.MAC,
    Form.PROTOCOL: r.NAME,
    Form.ORIGIN: r.NAME,
    Form.CHARACTER: r.CHARACTER,
    Form.TEXT: r.TEXT,
    Form.LIST: r.TEXT,
    Form.LABEL: r.TEXT,
    Form.LABEL_STACK: r.STACK,
    Form.SEGMENTS: r.SEGMENTS,
    Form.TIME: r.TIME,
    Form.RD: r.RD,
    Form.OCTETS: r.OCTETS,
}
#: Forms that JSON has as numbers.
NUMBERS: Final = frozenset({Form.NUMBER, Form.TCPFLAGS})
#: Where columns that are no part of the key stand in an entry, and the octets they have there.
_SUMMED_AT: Final[Mapping[str, int]] = {"tcpflags": r.TCPFLAGS_AT, "tunnel_tcpflags": r.TUNNEL_TCPFLAGS_AT}
_COUNTERS: Final[Mapping[str, int]] = {"packets": r.PACKETS_AT, "bytes": r.BYTES_AT, "flows": r.FLOWS_AT}
_FLAGS_OCTETS: Final = 2
_COUNTER_OCTETS: Final = 8
_COUNTER_WIDTH: Final = 22
_TIME_WIDTH: Final = 31


class RowPieces:
    """The pieces of the rows of one plugin."""

    def __init__(self, aggregate: Aggregate, plan: KeyPlan, settings: RowSettings) -> None:
        self.aggregate, self.plan, self.settings = aggregate, plan, settings
        self.by_primitive: dict[str, list[Field]] = {}
        for field in aggregate.fields:
            if not field.is_custom:
                self.by_primitive.setdefault(field.primitive, []).append(field)
        self.custom = [field for field in aggregate.fields if field.is_custom]

    def json(self) -> list[Piece]:
        """Return the pieces of JSON rows."""
        pieces = [Piece(r.LITERAL, lead=b'{"event_type": "purge"')]
        for primitive in JSON_ORDER:
            if primitive == FIRST_BEHIND_CUSTOM:
                pieces += [self._json_field(field) for field in self.custom]
                pieces += self._stamps()
                pieces += self._counters("flows") if self.aggregate.has_flows else []
            pieces += [self._json_field(field) for field in self.by_primitive.get(primitive, ())]
            if primitive == "timestamp_arrival":
                pieces += [self._json_text(name, piece) for name, piece in self.spell()]
        return [*pieces, *self._counters("packets", "bytes"), Piece(r.LITERAL, lead=b"}\n")]

    def columns(self) -> list[Piece]:
        """Return the pieces of rows of columns."""
        pieces = [piece for _, piece in self.named_columns()]
        if self.settings.output.style == r.FORMATTED:
            return pieces
        separator = self.settings.separator.encode()
        return [piece._replace(lead=separator if number else b"", width=0) for number, piece in enumerate(pieces)]

    def named_columns(self, order: Sequence[str] = CSV_ORDER) -> list[tuple[str, Piece]]:
        """Return the columns with their headers, in an order of their primitives."""
        columns = []
        for primitive in order:
            fields = self.by_primitive.get(primitive, ())
            columns += [(field.header, self.piece(field)) for field in fields if field.header is not None]
            if primitive == "timestamp_export":
                columns += [(name.upper(), piece) for name, piece in self.spell()]
        columns += [(field.header or field.key, self.piece(field)) for field in self.custom]
        if self.settings.output.has_counters:
            names = ("packets", "flows", "bytes") if self.aggregate.has_flows else ("packets", "bytes")
            columns += [(name.upper(), self.counter(name)) for name in names]
        if self.settings.output.style == r.CSV or not columns:
            return columns
        name, last = columns[-1]
        return [*columns[:-1], (name, last._replace(width=0))]

    def piece(self, field: Field) -> Piece:
        """Return a field with nothing around it."""
        name = field.column.name
        if name in SUMMED:
            at, octets, in_key = _SUMMED_AT[name], _FLAGS_OCTETS, False
        else:
            at, octets, in_key = self.plan.places[name], field.column.kind.width, True
        operation = _OPERATIONS[field.form]
        names: tuple[bytes, ...] = ()
        if field.form is Form.PROTOCOL:
            names = tuple(str(n).encode() for n in range(256)) if self.settings.protocols_numeric else PROTOCOLS
        elif field.form is Form.ORIGIN:
            names = ORIGINS
        elif field.form is Form.FWD_STATUS and self.settings.status_as_text:
            operation, names = r.NAME, STATUS_NAMES
        elif field.primitive == "class" and not field.is_custom:
            names = (UNKNOWN_CLASS,)
        elif field.unknown:
            names = (field.unknown,)
        return Piece(operation, at, octets, width=field.width, in_key=in_key, names=names)

    def _json_field(self, field: Field) -> Piece:
        """Return a field with its key; lists and maps where they are asked for."""
        key = json.dumps(field.key).encode()
        piece = self.piece(field)
        listed = self.listed(field)
        if listed is not None:
            opening, closing = _AROUND[listed]
            return piece._replace(operation=listed, lead=b", " + key + b": " + opening, tail=closing)
        if field.form in NUMBERS:
            return piece._replace(lead=b", " + key + b": ")
        return self._json_text(field.key, piece)

    def listed(self, field: Field) -> int | None:
        """Return the operation of a field that is a list or a map, None when it is neither."""
        operation, is_asked_for = _LISTED.get(field.form, (None, None))
        return operation if is_asked_for is not None and is_asked_for(field, self.settings) else None

    def _json_text(self, key: str, piece: Piece) -> Piece:
        return piece._replace(lead=f", {json.dumps(key)}: ".encode() + b'"', tail=b'"')

    def _stamps(self) -> list[Piece]:
        if not self.settings.has_history:
            return []
        return [self._json_text("stamp_inserted", Piece(r.STAMP)), self._json_text("stamp_updated", Piece(r.NOW))]

    def spell(self) -> list[tuple[str, Piece]]:
        """Return the times of stitched records."""
        if not self.settings.has_spell:
            return []
        times = {"timestamp_min": r.FIRST_AT, "timestamp_max": r.LAST_AT}
        return [(name, Piece(r.TIME, at, 8, width=_TIME_WIDTH, in_key=False)) for name, at in times.items()]

    def _counters(self, *names: str) -> list[Piece]:
        return [self.counter(name)._replace(lead=f", {json.dumps(name)}: ".encode()) for name in names]

    def counter(self, name: str) -> Piece:
        """Return packets, bytes or flows with nothing around them."""
        at = _COUNTERS[name]
        return Piece(r.NUMBER, at, _COUNTER_OCTETS, width=_COUNTER_WIDTH, in_key=False, is_counter=True)


def _is_array(field: Field, settings: RowSettings) -> bool:
    return settings.as_path_as_array if "as_path" in field.primitive else settings.communities_as_array


#: What stands around lists and maps.
_AROUND: Final = {
    r.FLAGS: (b"[", b"]"),
    r.LIST: (b"[", b"]"),
    r.STACK_LIST: (b"[", b"]"),
    r.SEGMENTS_LIST: (b"[", b"]"),
    r.LABELS: (b"{", b"}"),
}
#: Forms that are lists or maps where that is asked for, and when it is.
_LISTED: Final[Mapping[Form, tuple[int, Callable[[Field, RowSettings], bool]]]] = {
    Form.TCPFLAGS: (r.FLAGS, lambda _, settings: settings.flags_as_array),
    Form.TCPFLAGS_TEXT: (r.FLAGS, lambda _, settings: settings.flags_as_array),
    Form.LABEL: (r.LABELS, lambda _, settings: settings.label_as_map),
    Form.LABEL_STACK: (r.STACK_LIST, lambda _, settings: settings.stack_as_array),
    Form.SEGMENTS: (r.SEGMENTS_LIST, lambda *_: True),
    Form.LIST: (r.LIST, _is_array),
}
