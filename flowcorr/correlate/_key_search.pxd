"""Entries whose keys have given octets.  See `_key_search.pyx`."""

from flowcorr.correlate._table cimport table
from libc.stdint cimport uint8_t, uint32_t, uint64_t

ctypedef struct shape:               # of queries that compare the same octets
    uint8_t *mask
    uint32_t *slots                  # by hash of the value: number of the query + 1, 0: none
    uint32_t only                    # where there is one query alone: its number + 1, else 0


cdef class KeySearch:
    cdef size_t octets               # of a key
    cdef shape *shapes
    cdef size_t shape_count
    cdef uint8_t *values             # of all queries, one behind the other
    cdef uint8_t *masked             # the key at hand as the shape at hand sees it
    cdef uint32_t slot_mask
    cdef uint64_t seed
    cdef uint32_t *pairs             # that were found: query, entry
    cdef size_t count, room

    cdef int fill(self, shape *s, bytes mask, dict numbers) except -1
    cdef int look_at(self, const uint8_t *key, uint32_t entry) noexcept nogil
    cdef uint32_t query_of(self, const shape *s, const uint8_t *key) noexcept nogil
    cdef int take_note(self, uint32_t query, uint32_t entry) noexcept nogil
    cdef search(self, const table *t)
