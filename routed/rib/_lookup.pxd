"""The longest-match structures of one family, by route distinguisher.  See `_lookup.pyx`."""

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._rib cimport Rib


cdef class Structures:
    cdef PrefixIndex index
    cdef dict by_rd
    cdef size_t taken                # of the recorded changes

    cdef bytes rd_of(self, const uint32_t *words)
    cdef bint is_stored(self, uint32_t id) noexcept nogil
    cdef change_one(self, object structure, const uint32_t *words, uint8_t length, uint32_t id, bint added)
    cdef bint catch_up(self, size_t most) except -1
    cdef bint follow(self, size_t most) except -1
    cdef void give_up(self)
    cdef object structure(self, bytes rd)


cdef Structures structures_of(Rib rib, int family)
