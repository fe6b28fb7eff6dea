"""Rules by what they compare for equality; see `_rule_index.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from routed.octets._hash cimport mix

cdef enum:
    MAX_PARTS = 16                   # of a key

ctypedef struct part:                # a column of a key: its octets, of them those that count
    Py_ssize_t at
    uint32_t width                   # up to eight octets, or sixteen
    uint64_t low, high               # masks of the octets as they lie in memory

ctypedef uint64_t link               # 1 + a rule, and above 32 bits of the hash of its key; 0: none

ctypedef struct shape:               # rules that compare the same columns
    part parts[MAX_PARTS]
    uint32_t part_count
    uint32_t rule_count
    link *heads                      # by hash: the first rule
    uint64_t mask


cdef class RuleIndex:
    cdef shape *shapes
    cdef uint32_t shape_count
    cdef link *next                  # by rule: the next one of the same place, or of those without a key
    cdef link first_plain            # of the rules that are asked one after the other

    cdef make_shape(self, shape *s, shape_key, uint32_t rules)
    cdef void add(self, shape *s, uint32_t rule, const uint8_t *row) noexcept


cdef inline uint64_t hash_of(const shape *s, const uint8_t *row) noexcept nogil:
    """The hash of what a row has in the columns of a shape."""
    cdef uint64_t hashed = 0x9E3779B97F4A7C15ULL, low, high
    cdef const part *p
    cdef uint32_t i
    for i in range(s.part_count):
        p = &s.parts[i]
        low = high = 0
        if p.width == 16:
            memcpy(&low, row + p.at, 8)
            memcpy(&high, row + p.at + 8, 8)
        elif p.width == 4:
            memcpy(&low, row + p.at, 4)
        else:
            memcpy(&low, row + p.at, p.width)
        hashed = mix(low & p.low ^ hashed, high & p.high ^ 0xD6E8FEB86659FD93ULL)
    return hashed


cdef inline link *place_of(const shape *s, uint64_t hashed) noexcept nogil:
    """Where the first rule stands that may have a hash."""
    return &s.heads[hashed & s.mask]
