# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Values of one attribute in ascending order, each once: what has no order on the wire is shown in this one.

Values are compared as the numbers that their octets are; the target has room for all of them.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy
from routed.rib._text cimport u32_at, u64_at

cdef enum:
    SHORT_LIST = 32

ctypedef fused word:
    uint32_t
    uint64_t


cdef int ascending_u32(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const uint32_t *>a)[0], y = (<const uint32_t *>b)[0]
    return (x > y) - (x < y)


cdef int ascending_u64(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t *>a)[0], y = (<const uint64_t *>b)[0]
    return (x > y) - (x < y)


cdef int ascending_12(const void *a, const void *b) noexcept nogil:
    return memcmp(a, b, 12)


cdef int ascending_20(const void *a, const void *b) noexcept nogil:
    return memcmp(a, b, 20)


cdef void insert_sorted_u32(uint32_t *values, size_t n) noexcept nogil:
    """Sort a short list, as nearly all are."""
    cdef size_t i, j
    cdef uint32_t value
    for i in range(1, n):
        value = values[i]
        j = i
        while j and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


cdef size_t each_once(word *values, size_t n) noexcept nogil:
    """Leave out what stands twice in a sorted list that is not empty; how many are left."""
    cdef size_t i, kept = 1
    for i in range(1, n):
        if values[i] != values[kept - 1]:
            values[kept] = values[i]
            kept += 1
    return kept


cdef size_t sorted_u32(const uint8_t *at, size_t n, uint32_t *target) noexcept nogil:
    """Copy n 32-bit values in ascending order, each once; how many are left."""
    cdef size_t i
    cdef bint ordered = True
    for i in range(n):
        target[i] = u32_at(at + 4 * i)
        if i and target[i] <= target[i - 1]:
            ordered = False
    if ordered:
        return n
    if n <= SHORT_LIST:
        insert_sorted_u32(target, n)
    else:
        qsort(target, n, sizeof(uint32_t), ascending_u32)
    return each_once(target, n)


cdef size_t sorted_u64(const uint8_t *at, size_t n, uint64_t *target) noexcept nogil:
    """The same for 64-bit values."""
    cdef size_t i
    cdef bint ordered = True
    for i in range(n):
        target[i] = u64_at(at + 8 * i)
        if i and target[i] <= target[i - 1]:
            ordered = False
    if ordered:
        return n
    qsort(target, n, sizeof(uint64_t), ascending_u64)
    return each_once(target, n)


cdef size_t sorted_wide(const uint8_t *at, size_t n, size_t width, uint8_t *target) noexcept nogil:
    """The same for values of 12 or 20 octets."""
    cdef size_t i, kept = 1
    memcpy(target, at, n * width)
    if n == 1:
        return 1
    qsort(target, n, width, ascending_12 if width == 12 else ascending_20)
    for i in range(1, n):
        if memcmp(target + i * width, target + (kept - 1) * width, width):
            memcpy(target + kept * width, target + i * width, width)
            kept += 1
    return kept
