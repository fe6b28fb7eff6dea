"""Styles of rows: how their values stand there."""

cdef enum:
    AS_JSON, AS_CSV, AS_FORMATTED, AS_AVRO
