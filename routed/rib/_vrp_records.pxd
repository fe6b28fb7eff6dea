"""Payloads that are announced and withdrawn, of one address family.  See `_vrp_records.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

ctypedef struct record:              # a payload that is announced or withdrawn
    uint64_t high, low               # the address, from the left
    uint32_t asn
    uint16_t lengths                 # of the prefix << 8 | the maximum
    uint8_t is_withdrawn

ctypedef struct pile:
    record *at
    size_t count, room


cdef inline int compare(const record *a, const record *b) noexcept nogil:
    """The order of a tree; equal are those that stand for one payload."""
    if a.high != b.high:
        return -1 if a.high < b.high else 1
    if a.low != b.low:
        return -1 if a.low < b.low else 1
    if a.lengths != b.lengths:
        return -1 if a.lengths < b.lengths else 1
    return (a.asn > b.asn) - (a.asn < b.asn)


cdef int push(pile *p, const record *r) noexcept nogil
cdef int sort(record *records, size_t n) noexcept nogil
