# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Payloads that are announced and withdrawn: piled up in the order in which that happens, sorted when it is applied."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from routed.octets._growth cimport widened
from routed.rib._radix cimport DIGIT_BITS, DIGITS, counts_to_places, digit_of, take_place
from routed.rib._vrp_tree cimport MOST


cdef int push(pile *p, const record *r) noexcept nogil:
    """Add a record; 0, or -1 without memory or when there are too many."""
    cdef void *wider
    if p.count == p.room:
        if p.count >= 2 * MOST:
            return -1
        wider = widened(p.at, &p.room, 256, sizeof(record))
        if wider == NULL:
            return -1
        p.at = <record *>wider
    p.at[p.count] = r[0]
    p.count += 1
    return 0


cdef bint is_sorted(const record *records, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(1, n):
        if compare(&records[i - 1], &records[i]) > 0:
            return False
    return True


cdef int sort(record *records, size_t n) noexcept nogil:
    """Put records in order; what happens to one payload stays in its order.  0, or -1 without memory."""
    cdef record *other
    cdef size_t i = 0, end
    if is_sorted(records, n):
        return 0
    other = <record *>malloc(n * sizeof(record))
    if other == NULL:
        return -1
    sort_by_address(records, other, n)
    while i < n:
        end = i + 1
        while end < n and records[end].high == records[i].high:
            end += 1
        if not is_sorted(records + i, end - i):
            merge_sort(records + i, other, end - i)
        i = end
    free(other)
    return 0


cdef void sort_by_address(record *records, record *other, size_t n) noexcept nogil:
    """Radix sort by the first 64 bits of addresses, without the passes that would change nothing."""
    cdef record *source = records
    cdef record *target = other
    cdef size_t places[DIGITS]
    cdef size_t i
    cdef unsigned int shift = 0
    cdef uint64_t differing = 0
    for i in range(n):
        differing |= records[i].high ^ records[0].high
    while shift < 64:
        if not digit_of(differing, shift):
            shift += DIGIT_BITS
            continue
        memset(places, 0, sizeof(places))
        for i in range(n):
            places[digit_of(source[i].high, shift)] += 1
        counts_to_places(places)
        for i in range(n):
            target[take_place(places, digit_of(source[i].high, shift))] = source[i]
        source, target = target, source
        shift += DIGIT_BITS
    if source != records:
        memcpy(records, source, n * sizeof(record))


cdef void merge_sort(record *records, record *other, size_t n) noexcept nogil:
    """Merge ever longer stretches; stable, and n log n whatever the order was."""
    cdef size_t width = 1, start, middle, end, a, b, to
    cdef record *source = records
    cdef record *target = other
    while width < n:
        start = 0
        while start < n:
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            a, b, to = start, middle, start
            while to < end:
                if b >= end or (a < middle and compare(&source[a], &source[b]) <= 0):
                    target[to] = source[a]
                    a += 1
                else:
                    target[to] = source[b]
                    b += 1
                to += 1
            start = end
        source, target = target, source
        width *= 2
    if source != records:
        memcpy(records, source, n * sizeof(record))
