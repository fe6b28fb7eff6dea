"""Path attributes as fields of an Avro record.  See `_avro_attributes.pyx`."""

from libc.stdint cimport uint8_t
from routed.rib._attribute_text cimport columns


cdef char *put_path(char *to, const columns *c, unsigned int style, uint8_t *room) noexcept nogil
cdef char *put_fields(char *to, const columns *c, unsigned int style, uint8_t *room) noexcept nogil
