"""Rules by what they compare for equality; see `_rule_index.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from routed.octets._hash cimport mix

cdef enum:
    MAX_PARTS = 16                   # of a key
    MOST_OCTETS = 16                 # of a value

ctypedef struct part:                # a column of a key: its octets, of them those that count
    Py_ssize_t at
    uint32_t width                   # up to eight octets, or sixteen
    uint64_t low, high               # masks of the octets as they lie in memory

ctypedef struct key_part:            # ... and what a rule has there
    part p
    uint8_t value[MOST_OCTETS]

ctypedef struct rule_place:          # of a rule: its shape, and the first of its parts
    uint32_t shape
    size_t first_part

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
    # while rules are added
    cdef dict numbers                # of shapes, by their parts
    cdef rule_place *places
    cdef key_part *parts
    cdef uint32_t rule_count
    cdef size_t rule_room, part_count, part_room
    cdef uint8_t *example            # a row that has the values of a rule

    cdef add(self, const key_part *parts, uint32_t count)
    cdef finish(self)
    cdef void place(self, uint32_t rule, shape *s) noexcept nogil


cdef void *grown(void *array, size_t octets) except NULL


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
