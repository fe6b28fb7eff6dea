"""AS paths of two-octet speakers in four-octet form.  See `_as4.pyx`."""

from libc.stdint cimport uint8_t

cdef size_t widest_as_path(size_t as_path, size_t as4_path) noexcept nogil
cdef uint8_t *put_merged_as_path(
    uint8_t *to, const uint8_t *at, size_t n, const uint8_t *as4_at, size_t as4_n,
) noexcept nogil
