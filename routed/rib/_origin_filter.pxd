"""Routes by how their origins are validated.  See `_origin_filter.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._paths cimport path_view
from routed.rib._prefixes cimport prefix_view
from routed.rib._rows cimport FAMILIES
from routed.rib._vrp_index cimport LANES
from routed.rib._vrps cimport Vrps

ctypedef struct route:               # of one table
    uint32_t prefix
    uint32_t path
    uint32_t path_identifier

ctypedef struct judgement:           # the last one of a prefix
    uint32_t origin_as
    char status                      # 0: none yet

ctypedef struct lanes:               # routes that are judged together
    uint64_t high[LANES]
    uint64_t low[LANES]
    uint32_t origins[LANES]
    uint8_t lengths[LANES]
    int routes[LANES]                # which of the block
    char statuses[LANES]
    size_t count


cdef class OriginFilter:
    cdef Vrps payloads
    cdef bint is_wanted[256]                 # by status
    cdef judgement *known[FAMILIES]          # by prefix id; NULL: none yet
    cdef char *statuses                      # of the routes of a block
    cdef lanes waiting

    cdef int keep(
        self, int family, size_t prefix_limit, const prefix_view *prefixes, const path_view *paths, uint32_t own_as,
        route *routes, int n,
    ) noexcept nogil
    cdef void judge_waiting(self, judgement *known, uint32_t address_words, const route *routes) noexcept nogil
