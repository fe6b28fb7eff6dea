"""The formats of records, put together from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.daemon.settings import BmpSettings
from routed.service.avro_records import AvroEncoding
from routed.service.avro_schema import bgp_dump_schemas, bgp_log_schemas, bmp_dump_schemas, bmp_log_schemas
from routed.service.encoding import JsonEncoding
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from routed.daemon.settings import CommonSettings
    from routed.plumbing.avro import Schema
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
