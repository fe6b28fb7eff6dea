"""How the prefixes of validated payloads are found.  See `_vrp_index.pyx`."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from routed.rib._vrp_tree cimport tree

cdef enum:
    LANES = 32                       # look-ups in lockstep, so that their misses overlap

cdef int finish(tree *t) noexcept nogil
cdef uint32_t last_before(const tree *t, uint64_t high, uint64_t low) noexcept nogil
cdef void last_before_each(
    const tree *t, const uint64_t *high, const uint64_t *low, uint32_t *at, size_t lanes
) noexcept nogil
