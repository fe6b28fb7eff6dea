"""A run of UPDATEs, read block by block into operations.  See `_reading.pyx`."""

from libc.stdint cimport uint8_t
from routed.rib._block cimport reader
from routed.rib._paths cimport PathStore


cdef void read_update(reader *r, PathStore paths, const uint8_t *at, const uint8_t *end) noexcept nogil
cdef size_t read_block(reader *r, PathStore paths, size_t at, size_t end) noexcept nogil
