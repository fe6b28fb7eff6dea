"""Values of one attribute in ascending order.  See `_sorted_values.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef size_t sorted_u32(const uint8_t *at, size_t n, uint32_t *target) noexcept nogil
cdef size_t sorted_u64(const uint8_t *at, size_t n, uint64_t *target) noexcept nogil
cdef size_t sorted_wide(const uint8_t *at, size_t n, size_t width, uint8_t *target) noexcept nogil
