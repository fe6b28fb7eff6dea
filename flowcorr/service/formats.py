"""Renderers of all output formats, and what stands above their rows."""

from flowcorr.correlate.aggregate import Aggregate, KeyPlan
from flowcorr.service import _pieces as r
from flowcorr.service._render import Renderer
from flowcorr.service.render import Output, RowPieces, RowSettings
from flowcorr.service.render_avro import avro_json_pieces, avro_pieces, avro_schema
from routed.plumbing.avro import Schema


def make_renderer(aggregate: Aggregate, plan: KeyPlan, settings: RowSettings) -> Renderer:
    """Make what writes the rows of a plugin."""
    rows = RowPieces(aggregate, plan, settings)
    if settings.output is Output.JSON:
        pieces = rows.json()
    elif settings.output is Output.AVRO:
        pieces = avro_pieces(rows)
    elif settings.output is Output.AVRO_JSON:
        pieces = avro_json_pieces(rows)
    else:
        pieces = rows.columns()
    return Renderer(
        tuple(pieces),
        style=settings.output.style,
        separator=settings.separator.encode(),
        layout=settings.time_layout,
        utc=settings.utc,
        whole_seconds=settings.whole_seconds,
        flag_at=plan.flag,
        checks=settings.checks,
        all_checks=settings.all_checks,
    )


def header(aggregate: Aggregate, plan: KeyPlan, settings: RowSettings) -> bytes:
    """Return the line above the columns."""
    columns = RowPieces(aggregate, plan, settings).named_columns()
    if settings.output.style == r.CSV:
        line = settings.separator.join(name for name, _ in columns)
    else:
        line = "".join(name.ljust(piece.width) if piece.width else name for name, piece in columns)
    return line.encode() + b"\n"


def schema_of(aggregate: Aggregate, plan: KeyPlan, settings: RowSettings) -> Schema:
    """Return the schema of Avro records."""
    return avro_schema(RowPieces(aggregate, plan, settings))
