"""Flow records as Avro: their schema, and the pieces of rows in the binary and in the JSON encoding.

Source: Apache Avro 1.11 specification; names, types and order of the fields are those of pmacct's `acct_data`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flowcorr.correlate.primitives import AVRO_ORDER
from flowcorr.correlate.primitives import Field as PrimitiveField
from flowcorr.service import _pieces as r
from flowcorr.service._pieces import Piece
from flowcorr.service.render import NUMBERS, RowPieces
from routed.plumbing.avro import Field, Schema, Type, encode_long

RECORD: Final = "acct_data"
#: The primitive in front of which the times of stitched records stand.
_BEFORE_SPELL: Final = "export_proto_seqno"
#: Fields of another name or type than the others.
_NAMES: Final = {"class": "class_legacy"}
_INTS: Final = frozenset({"flow_label", "tunnel_flow_label"})
_TYPES: Final = {r.LABELS: Type.TEXT_MAP}
_NULL: Final = b"\0"
_SOME: Final = b"\2"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A field of the schema with the piece that writes it; None: it is always null."""

    field: Field
    piece: Piece | None


def avro_schema(rows: RowPieces) -> Schema:
    """Return the schema of the records of a plugin."""
    fields = (entry.field for entry in _entries(rows))
    return Schema(RECORD, (*fields, Field("writer_id", Type.STRING)))


def avro_pieces(rows: RowPieces) -> list[Piece]:
    """Return the pieces of records in the binary encoding."""
    pieces: list[Piece] = []
    for entry in _entries(rows):
        if entry.field.name == "custom_primitives":
            pieces += _custom(rows)
        elif entry.piece is None:
            pieces.append(Piece(r.LITERAL, lead=_NULL))
        elif entry.field.is_nullable:
            pieces.append(entry.piece._replace(lead=_SOME, absent=_NULL))
        else:
            pieces.append(entry.piece)
    writer_id = rows.settings.writer_id.encode()
    return [*pieces, Piece(r.LITERAL, lead=encode_long(len(writer_id)) + writer_id)]


def avro_json_pieces(rows: RowPieces) -> list[Piece]:
    """Return the pieces of records in the JSON encoding, each on a line."""
    pieces: list[Piece] = []
    for number, entry in enumerate(_entries(rows)):
        lead = (", " if number else "{") + json.dumps(entry.field.name) + ": "
        if entry.field.name == "custom_primitives":
            pieces += [
                piece._replace(lead=((", " if position else lead + "{") + json.dumps(name) + ': "').encode(), tail=b'"')
                for position, (name, piece) in enumerate((field.key, rows.piece(field)) for field in rows.custom)
            ]
            pieces.append(Piece(r.LITERAL, lead=b"}"))
        elif entry.piece is None:
            pieces.append(Piece(r.LITERAL, lead=f"{lead}null".encode()))
        else:
            pieces.append(_json(entry.field, entry.piece, lead))
    return [*pieces, Piece(r.LITERAL, lead=f', "writer_id": {json.dumps(rows.settings.writer_id)}}}\n'.encode())]


def _json(field: Field, piece: Piece, lead: str) -> Piece:
    opening, closing = {Type.STRING: ('"', '"'), Type.TEXTS: ("[", "]"), Type.TEXT_MAP: ("{", "}")}.get(
        field.type, ("", "")
    )
    absent = f"{lead}null".encode()
    if field.is_nullable:
        lead, closing = f'{lead}{{"{field.type.value}": ', closing + "}"
    return piece._replace(lead=(lead + opening).encode(), tail=closing.encode(), absent=absent)


def _entries(rows: RowPieces) -> Iterator[_Entry]:
    """Go through the fields, but for `writer_id`, which every record has last."""
    for primitive in AVRO_ORDER:
        if primitive == _BEFORE_SPELL:
            for name, piece in rows.spell():
                yield _Entry(Field(name, Type.STRING, is_nullable=True), piece)
        for field in rows.by_primitive.get(primitive, ()):
            yield _entry(rows, field)
    if rows.custom:
        yield _Entry(Field("custom_primitives", Type.TEXT_MAP), None)
    if rows.settings.has_history:
        yield _Entry(Field("stamp_inserted", Type.STRING, is_nullable=True), Piece(r.STAMP))
        yield _Entry(Field("stamp_updated", Type.STRING, is_nullable=True), Piece(r.NOW))
    for name in ("packets", "flows", "bytes"):
        is_shown = name != "flows" or rows.aggregate.has_flows
        yield _Entry(Field(name, Type.LONG, is_nullable=True), rows.counter(name) if is_shown else None)


def _entry(rows: RowPieces, field: PrimitiveField) -> _Entry:
    name, piece, listed = _NAMES.get(field.key, field.key), rows.piece(field), rows.listed(field)
    if listed is not None:
        return _Entry(Field(name, _TYPES.get(listed, Type.TEXTS)), piece._replace(operation=listed))
    if field.form in NUMBERS:
        return _Entry(Field(name, Type.INT if field.primitive in _INTS else Type.LONG), piece)
    return _Entry(Field(name, Type.STRING), piece._replace(is_text=True))


def _custom(rows: RowPieces) -> list[Piece]:
    """Return the pieces of the map of custom primitives: one block of all, and its end."""
    pieces = []
    for position, field in enumerate(rows.custom):
        name = field.key.encode()
        lead = encode_long(len(name)) + name
        count = b"" if position else encode_long(len(rows.custom))
        pieces.append(rows.piece(field)._replace(lead=count + lead, is_text=True))
    return [*pieces, Piece(r.LITERAL, lead=_NULL)]
