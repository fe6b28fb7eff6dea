"""The formats of records, put together from settings; the schemas of Avro, written where the operator wants them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from routed.daemon.settings import BmpSettings
from routed.plumbing.output_file import open_replacement
from routed.service.avro_records import AvroEncoding
from routed.service.avro_schema import bgp_dump_schemas, bgp_log_schemas, bmp_dump_schemas, bmp_log_schemas
from routed.service.encoding import JsonEncoding
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from routed.daemon.settings import CommonSettings
    from routed.plumbing.avro import Schema
    from routed.plumbing.log import Log
    from routed.plumbing.output_file import Owner
    from routed.service.encoding import Encoding


def encoding_of(settings: CommonSettings, output: DumpFormat, writer_id: str, *, dumps: bool) -> Encoding:
    """Return the format of the records of a message log, or of dumps."""
    if output in {DumpFormat.AVRO, DumpFormat.AVRO_JSON}:
        schemas = schemas_of(settings, dumps=dumps)
        return AvroEncoding(settings.render, schemas, writer_id, as_json=output is DumpFormat.AVRO_JSON)
    return JsonEncoding(settings.render)


def schemas_of(settings: CommonSettings, *, dumps: bool) -> dict[str, Schema]:
    """Return the schemas that the records of a message log have, or those of dumps, by name."""
    tags = settings.maps.tag_map is not None
    if isinstance(settings, BmpSettings):
        schemas = bmp_dump_schemas if dumps else bmp_log_schemas
        return schemas(settings.render, tags=tags, set_pd=settings.station.set_pd)
    return (bgp_dump_schemas if dumps else bgp_log_schemas)(settings.render, tags=tags)


def write_schemas(path: Path, schemas: dict[str, Schema], owner: Owner, log: Log) -> None:
    """Write each schema to a file of its own, `<path>-<name>`; one that cannot be written is told and left out."""
    for name, schema in schemas.items():
        try:
            replacement = open_replacement(Path(f"{path}-{name}"), owner)
            write = partial(replacement.output.append, [schema.text.encode() + b"\n"])
            problem = write().error
            if problem is not None:
                replacement.abort()
                raise problem
            replacement.commit()
        except OSError as error:
            log.error(f"avro_schema_file: {path}-{name}: {error.strerror or error}")
