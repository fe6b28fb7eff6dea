"""Borrowed octets for compiled modules, and the cursor that owns them for Python."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef struct span:                       # borrowed octets: never outlive the object that holds them
    const uint8_t *at
    const uint8_t *end


cdef inline size_t left(const span *s) noexcept nogil:
    return <size_t>(s.end - s.at)


cdef inline bint has(const span *s, size_t n) noexcept nogil:
    return n <= <size_t>(s.end - s.at)  # never s.at + n: that sum may not exist


cdef inline uint16_t load16(const uint8_t *p) noexcept nogil:
    return <uint16_t>((p[0] << 8) | p[1])


cdef inline uint32_t load24(const uint8_t *p) noexcept nogil:
    return (<uint32_t>p[0] << 16) | (<uint32_t>p[1] << 8) | p[2]


cdef inline uint32_t load32(const uint8_t *p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline uint64_t load64(const uint8_t *p) noexcept nogil:
    return (<uint64_t>load32(p) << 32) | load32(p + 4)


cdef class Cursor:
    cdef object _holder                 # keeps the octets alive
    cdef const uint8_t *_origin         # the octet whose offset is `_base`
    cdef span _span
    cdef Py_ssize_t _base

    cdef const uint8_t *_advance(self, Py_ssize_t count) except? NULL
