# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What validated payloads make of the origins of routes, each alone: unknown, invalid or valid (RFC 6811 section 2)."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._vrp_index cimport LANES, last_before, last_before_each
from routed.rib._vrp_tree cimport covers, origin, origin_at, origins_of, tree

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil


cdef inline bint matches(const origin *o, uint8_t length, uint32_t origin_as) noexcept nogil:
    """Whether a payload that covers a route makes it valid; AS 0 is nobody's (RFC 7607)."""
    return o.asn == origin_as and (o.lengths & 0xFF) >= length and origin_as


cdef inline bint has_match(const tree *t, uint32_t at, uint8_t length, uint32_t origin_as) noexcept nogil:
    """Whether one of the payloads of a prefix does."""
    cdef uint32_t i
    for i in range(origins_of(t, at)):
        if matches(origin_at(t, at, i), length, origin_as):
            return True
    return False


cdef char status_of(const tree *t, const uint32_t *words, uint8_t length, uint32_t origin_as) noexcept nogil:
    """The status of a route.

    Args:
        words: the address in host order, as the prefix index has it.
        origin_as: 0 for none: valid for nobody (RFC 6811 section 2, RFC 7607).
    """
    cdef uint64_t high, low
    cdef uint32_t at
    cdef char status = UNKNOWN
    load_words(t, words, &high, &low)
    at = last_before(t, high, low)
    while at:
        if status == INVALID or covers(t, at - 1, high, low, length):
            status = INVALID
            if has_match(t, at - 1, length, origin_as):
                return VALID
        at = t.prefixes[at - 1].parent
    return status


cdef void judge_all(
    const tree *t, const uint8_t *addresses, size_t width, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t n,
) noexcept nogil:
    """Judge routes in groups."""
    cdef uint64_t high[LANES]
    cdef uint64_t low[LANES]
    cdef size_t start = 0, lanes, lane
    while start < n:
        lanes = min(<size_t>LANES, n - start)
        for lane in range(lanes):
            load_address(addresses + (start + lane) * width, width, &high[lane], &low[lane])
            clear_host(&high[lane], &low[lane], lengths[start + lane])
        judge_lanes(t, high, low, lengths + start, origins + start, to + start, lanes)
        start += lanes


cdef void judge_lanes(
    const tree *t, const uint64_t *high, const uint64_t *low, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t lanes,
) noexcept nogil:
    """Judge a group, of LANES routes at most, by prefixes without host bits.

    Goes outwards in lockstep: the next prefix around is asked for in the step before.
    """
    cdef uint32_t at[LANES]
    cdef uint8_t active[LANES]       # who is not decided
    cdef size_t count = lanes, kept, lane, i
    for lane in range(lanes):
        active[lane], to[lane] = <uint8_t>lane, UNKNOWN
    last_before_each(t, high, low, at, lanes)
    while count:
        kept = 0
        for i in range(count):
            lane = active[i]
            if not at[lane]:
                continue
            if to[lane] == INVALID or covers(t, at[lane] - 1, high[lane], low[lane], lengths[lane]):
                to[lane] = INVALID
                if has_match(t, at[lane] - 1, lengths[lane], origins[lane]):
                    to[lane] = VALID
                    continue
            at[lane] = t.prefixes[at[lane] - 1].parent
            if at[lane]:
                __builtin_prefetch(&t.prefixes[at[lane] - 1])
                active[kept] = <uint8_t>lane
                kept += 1
        count = kept
