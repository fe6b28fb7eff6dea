"""Schemas of Avro, written where the operator wants them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from routed.plumbing.output_file import replace_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from routed.plumbing.avro import Schema
    from routed.plumbing.output_file import Owner


def write_schemas(path: Path, schemas: Iterable[Schema], owner: Owner, complain: Callable[[str], None]) -> None:
    """Write each schema to a file of its own, `<path>-<name>`; one that cannot be written is told and left out."""
    for schema in schemas:
        try:
            problem = replace_whole(Path(f"{path}-{schema.name}"), schema.text.encode() + b"\n", owner)
        except OSError as error:
            complain(f"avro_schema_file: {path}-{schema.name}: {error.strerror or error}")
        else:
            if problem:
                complain(f"avro_schema_file: {path}-{schema.name}: {problem}")
