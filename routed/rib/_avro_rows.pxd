"""Routes as Avro records, in bulk.  See `_avro_rows.pyx`."""

from libc.stdint cimport uint32_t
from routed.rib._rows cimport Rows, text


cdef class AvroRows(Rows):
    cdef object fields               # encodes what Python says of a peer, a tag, a time
    cdef text writer
    cdef bytes kept_writer           # keeps it alive
    cdef size_t head_used            # of the lead, up to the sequence number
    cdef uint32_t *ends              # where each record ends
    cdef size_t ends_room

    cdef char *put_lead(self, char *to) noexcept nogil
    cdef int need_ends(self) noexcept nogil
