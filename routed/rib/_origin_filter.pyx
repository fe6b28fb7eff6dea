# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes by how their origins, each alone, are validated (RFC 6811), a block of them at a time.

Nearly all peers have a prefix from the same AS, so the last judgement of each prefix is kept, with the AS that it is
about: of many tables each prefix is judged about once.  Blocks come in the order of prefix ids, in which these
judgements lie too.  What is not known is judged in groups, whose misses overlap.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from routed.rib._ids cimport prefetch
from routed.rib._paths cimport entry_of, origin_of, path_view
from routed.rib._prefixes cimport length_of, prefix_view, words_of
from routed.rib._vrp_index cimport LANES
from routed.rib._vrp_status cimport INVALID, UNKNOWN, VALID, judge_lanes
from routed.rib._vrps cimport Vrps

cdef enum:
    AHEAD = 16                       # paths between asking for one and reading it


cdef class OriginFilter:
    """What routes are looked for by their origin; of one search.

    Args:
        origins: (payloads, statuses): each of u, i and v that is wanted.
        block: routes of a block, at most.
    """

    def __cinit__(self, origins, size_t block):
        cdef bytes statuses
        self.payloads, statuses = origins
        for status in statuses:
            if status not in (UNKNOWN, INVALID, VALID):
                raise ValueError(f"no origin alone is {status:c}")
            self.is_wanted[status] = True
        self.statuses = <char *>malloc(block)
        if self.statuses == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int family
        for family in range(FAMILIES):
            free(self.known[family])
        free(self.statuses)

    cdef int keep(
        self, int family, size_t prefix_limit, const prefix_view *prefixes, const path_view *paths, uint32_t own_as,
        route *routes, int n,
    ) noexcept nogil:
        """Move those of n routes of a table that are wanted to the front.

        Args:
            prefix_limit: prefix ids of the family end here.
        Returns: how many they are, or -1 without memory.
        """
        cdef judgement *known = self.known[family]
        cdef uint32_t origin_as
        cdef int i, kept = 0
        if known == NULL:
            known = self.known[family] = <judgement *>calloc(prefix_limit, sizeof(judgement))
            if known == NULL:
                return -1
        for i in range(n):
            if i + AHEAD < n:
                prefetch(entry_of(paths, routes[i + AHEAD].path))
            origin_as = origin_of(paths, routes[i].path, own_as)
            if known[routes[i].prefix].status and known[routes[i].prefix].origin_as == origin_as:
                self.statuses[i] = known[routes[i].prefix].status
            else:
                put_lane(&self.waiting, prefixes, routes[i].prefix, origin_as, i)
                if self.waiting.count == LANES:
                    self.judge_waiting(known, prefixes.address_words, routes)
        self.judge_waiting(known, prefixes.address_words, routes)
        for i in range(n):
            if self.is_wanted[<unsigned char>self.statuses[i]]:
                routes[kept] = routes[i]
                kept += 1
        return kept

    cdef void judge_waiting(self, judgement *known, uint32_t address_words, const route *routes) noexcept nogil:
        """Judge the routes that wait for it."""
        cdef lanes *w = &self.waiting
        cdef size_t i
        judge_lanes(self.payloads.of_words(address_words), w.high, w.low, w.lengths, w.origins, w.statuses, w.count)
        for i in range(w.count):
            self.statuses[w.routes[i]] = w.statuses[i]
            known[routes[w.routes[i]].prefix].origin_as = w.origins[i]
            known[routes[w.routes[i]].prefix].status = w.statuses[i]
        w.count = 0


cdef inline void put_lane(lanes *w, const prefix_view *prefixes, uint32_t prefix, uint32_t origin_as, int i) noexcept nogil:
    """Let a route wait."""
    cdef const uint32_t *words = words_of(prefixes, prefix)
    cdef bint is_wide = prefixes.address_words > 1
    w.high[w.count] = <uint64_t>words[0] << 32 | (words[1] if is_wide else 0)
    w.low[w.count] = <uint64_t>words[2] << 32 | words[3] if is_wide else 0
    w.lengths[w.count] = length_of(prefixes, prefix)
    w.origins[w.count] = origin_as
    w.routes[w.count] = i
    w.count += 1
