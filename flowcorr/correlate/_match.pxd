"""What rules over flows and other look-ups share.  See `_match.pyx`."""

from libc.stdint cimport uint8_t

cdef bint has_prefix(const uint8_t *address, const uint8_t *prefix, unsigned int bits) noexcept nogil
