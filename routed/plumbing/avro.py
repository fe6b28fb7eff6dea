"""Avro records: a schema as a table of fields, and values as octets of the binary encoding.

Only the types that records have: text, numbers of 32 and 64 bits, lists and maps of texts, and each of them or null. A
fact that is absent is null, or the empty value of a field that cannot be null; a number that does not fit is the
nearest one that does, and what is no number where one belongs is 0.

Source: Apache Avro 1.11 specification, "Schema Declaration" and "Binary Encoding".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Type(Enum):
    """The types of fields, by what a schema says of them."""

    STRING = "string"
    INT = "int"
    LONG = "long"
    TEXTS = "array"
    TEXT_MAP = "map"


#: What stands for the types in a schema, where it is not their name.
_DECLARATIONS: Final[Mapping[Type, object]] = {
    Type.TEXTS: {"type": "array", "items": "string"},
    Type.TEXT_MAP: {"type": "map", "values": "string"},
}
#: The bits of a number besides its sign.
_BITS: Final[Mapping[Type, int]] = {Type.INT: 31, Type.LONG: 63}


class Field(NamedTuple):
    """A field of a record."""

    name: str
    type: Type
    is_nullable: bool = False

    @property
    def declaration(self) -> dict[str, object]:
        """Return what a schema says of it."""
        what = _DECLARATIONS.get(self.type, self.type.value)
        return {"name": self.name, "type": ["null", what] if self.is_nullable else what}

    def encode(self, value: Any) -> bytes:
        """Encode a value, `None` when there is none."""
        if not self.is_nullable:
            return _ENCODERS[self.type](value)
        return b"\0" if value is None else b"\2" + _ENCODERS[self.type](value)


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of a record."""

    name: str
    fields: tuple[Field, ...]

    @property
    def text(self) -> str:
        """Return the schema as it is published: JSON on one line."""
        fields = [field.declaration for field in self.fields]
        return json.dumps({"type": "record", "name": self.name, "fields": fields})

    @property
    def key(self) -> str:
        """Return what tells it from others, those of other options included: its name and a checksum of its text."""
        return f"{self.name}:{crc32(self.text.encode()):08x}"

    def encode(self, facts: Mapping[str, Any]) -> bytes:
        """Encode a record; facts that it has no field for are left out."""
        return encode_fields(self.fields, facts)

    def part(self, after: str | None = None, before: str | None = None) -> tuple[Field, ...]:
        """Return the fields between two of them, from the first or to the last where one is `None` or not there."""
        names = [field.name for field in self.fields]
        first = names.index(after) + 1 if after in names else 0
        last = names.index(before) if before in names else len(names)
        return self.fields[first:last]


def encode_fields(fields: tuple[Field, ...], facts: Mapping[str, Any]) -> bytes:
    """Encode some of the fields of a record."""
    return b"".join(field.encode(facts.get(field.name)) for field in fields)


def encode_long(value: int) -> bytes:
    """Encode a number: zigzag, then seven bits an octet, the lowest first."""
    zigzag = value << 1 if value >= 0 else ~(value << 1)
    octets = bytearray()
    while zigzag >= 0x80:
        octets.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    octets.append(zigzag)
    return bytes(octets)


def _encode_number(bits: int) -> Callable[[Any], bytes]:
    def encode(value: Any) -> bytes:
        if not isinstance(value, int):
            return b"\0"
        return encode_long(max(-(1 << bits), min(value, (1 << bits) - 1)))

    return encode


def _encode_text(value: Any) -> bytes:
    octets = b"" if value is None else str(value).encode()
    return encode_long(len(octets)) + octets


def _encode_texts(value: Any) -> bytes:
    return encode_long(len(value)) + b"".join(map(_encode_text, value)) + b"\0" if value else b"\0"


def _encode_map(value: Any) -> bytes:
    if not value:
        return b"\0"
    pairs = b"".join(_encode_text(key) + _encode_text(text) for key, text in value.items())
    return encode_long(len(value)) + pairs + b"\0"


_ENCODERS: Final[Mapping[Type, Callable[[Any], bytes]]] = {
    Type.STRING: _encode_text,
    Type.INT: _encode_number(_BITS[Type.INT]),
    Type.LONG: _encode_number(_BITS[Type.LONG]),
    Type.TEXTS: _encode_texts,
    Type.TEXT_MAP: _encode_map,
}
