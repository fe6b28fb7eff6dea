# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The order in which routes are shown: address, the shorter prefix first, route distinguisher, path identifier."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from routed.rib._prefixes cimport length_of, prefix_view, words_of
from routed.rib._radix cimport DIGIT_BITS, DIGITS, counts_to_places, digit_of, take_place

cdef extern from "<stdlib.h>" nogil:
    ctypedef int (*compare_with)(const void *, const void *, void *) noexcept nogil
    void qsort_r(void *base, size_t count, size_t size, compare_with compare, void *context)

cdef enum:
    IPV4_PASSES = 4              # over the 40 bits of a key; even, so that the sorted routes end where they began
    IPV6_PASSES = 6              # over 64 bits
    FEW = 256                    # routes that are not worth passes over all digits


cdef int by_prefix(const void *a, const void *b, void *prefixes) noexcept nogil:
    """Address, then the shorter first, then route distinguisher, then path identifier."""
    cdef const item *x = <const item *>a
    cdef const item *y = <const item *>b
    cdef const prefix_view *view = <const prefix_view *>prefixes
    cdef const uint32_t *p
    cdef const uint32_t *q
    cdef uint32_t i
    cdef uint8_t m, n
    if x.key != y.key:
        return -1 if x.key < y.key else 1
    p = words_of(view, x.prefix)
    q = words_of(view, y.prefix)
    for i in range(2, view.address_words):
        if p[i] != q[i]:
            return -1 if p[i] < q[i] else 1
    m, n = length_of(view, x.prefix), length_of(view, y.prefix)
    if m != n:
        return -1 if m < n else 1
    for i in range(view.address_words, view.words):
        if p[i] != q[i]:
            return -1 if p[i] < q[i] else 1
    return (x.path_identifier > y.path_identifier) - (x.path_identifier < y.path_identifier)


cdef int sort_by_key(item *items, size_t n, unsigned int passes) noexcept nogil:
    """Radix sort by key; 0, or -1 without memory."""
    cdef item *other = <item *>malloc(n * sizeof(item))
    cdef item *source = items
    cdef item *target = other
    cdef size_t places[DIGITS]
    cdef size_t i
    cdef unsigned int one, shift
    if other == NULL:
        return -1
    for one in range(passes):
        shift = one * DIGIT_BITS
        memset(places, 0, sizeof(places))
        for i in range(n):
            places[digit_of(source[i].key, shift)] += 1
        counts_to_places(places)
        for i in range(n):
            target[take_place(places, digit_of(source[i].key, shift))] = source[i]
        source, target = target, source
    free(other)
    return 0


cdef int sort(item *items, size_t n, const prefix_view *prefixes) noexcept nogil:
    """Put routes in the order of dumps: by key, then the few that share one; 0, or -1 without memory."""
    cdef size_t i = 0, end
    if n <= FEW:
        qsort_r(items, n, sizeof(item), by_prefix, <void *>prefixes)
        return 0
    if sort_by_key(items, n, IPV4_PASSES if prefixes.address_words == 1 else IPV6_PASSES):
        return -1
    while i < n:
        end = i + 1
        while end < n and items[end].key == items[i].key:
            end += 1
        if end - i > 1:
            qsort_r(items + i, end - i, sizeof(item), by_prefix, <void *>prefixes)
        i = end
    return 0
