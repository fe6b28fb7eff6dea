"""Validated payloads of origins.  See `_vrps.pyx`."""

from libc.stdint cimport uint32_t, uint64_t
from routed.rib._vrp_tree cimport tree


cdef class Vrps:
    cdef tree trees[2]

    cdef const tree *of_words(self, uint32_t address_words) noexcept nogil


cdef bytes put_address(uint64_t high, uint64_t low, uint32_t octets)
