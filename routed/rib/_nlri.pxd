"""The routes of NLRI fields as operations of a block.  See `_nlri.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from routed.rib._block cimport field, reader


cdef int family_of(uint16_t afi, uint8_t safi) noexcept nogil
cdef int read_nlri(
    reader *r, const field *f, int family, uint8_t kind, uint32_t set, bint withdrawn,
) noexcept nogil
