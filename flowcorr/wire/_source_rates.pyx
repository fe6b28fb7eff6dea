# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sampling rates as data sources of sFlow really have them: packets that passed for each sample.

A sample tells how many packets its source has seen so far (`sample_pool`), so samples that were lost are accounted for.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport calloc, free
from routed.octets._hash cimport mix

import secrets

cdef enum:
    FIRST_ENTRIES = 16
    MOST_SOURCES = 4096              # data sources of an agent whose rate is followed

cdef uint64_t SEED = secrets.randbits(64)   # nobody can choose sources that collide


cdef uint32_t effective_rate(
    source_rates *sources, uint32_t index, uint32_t sequence, uint32_t pool, uint32_t advertised) noexcept nogil:
    """Packets that passed a data source for each one it sampled since its last sample; the advertised rate at first."""
    cdef uint32_t rate = advertised, step, passed
    cdef source_rate *entry = source_of(sources, index)
    if entry == NULL:
        return advertised
    if entry.is_used:
        step, passed = sequence - entry.sequence, pool - entry.pool
        if <int32_t>step > 0 and <int32_t>passed > 0 and passed / step:
            rate = passed / step
    else:
        entry.is_used, entry.index = True, index
        sources.count += 1
    entry.sequence, entry.pool = sequence, pool
    return rate


cdef source_rate *source_of(source_rates *sources, uint32_t index) noexcept nogil:
    """The entry of a data source, or a free one for it; NULL when there are as many as may be, or no memory."""
    cdef source_rate *entry
    if (sources.entries == NULL or 2 * sources.count > sources.mask) and widen(sources):
        return NULL
    entry = place_of(sources.entries, sources.mask, index)
    return entry if entry.is_used or sources.count < MOST_SOURCES else NULL


cdef inline source_rate *place_of(source_rate *entries, uint32_t mask, uint32_t index) noexcept nogil:
    cdef uint32_t at = <uint32_t>mix(index ^ SEED, 0x9E3779B97F4A7C15ULL) & mask
    while entries[at].is_used and entries[at].index != index:
        at = (at + 1) & mask
    return &entries[at]


cdef int widen(source_rates *sources) noexcept nogil:
    """Twice the entries, up to those of `MOST_SOURCES`; 0, or -1 where there is none at all for want of memory."""
    cdef uint32_t room = FIRST_ENTRIES if sources.entries == NULL else 2 * (sources.mask + 1), i
    cdef source_rate *wider = <source_rate *>calloc(room, sizeof(source_rate)) if room <= 2 * MOST_SOURCES else NULL
    if wider == NULL:
        return -1 if sources.entries == NULL or sources.count == sources.mask else 0
    if sources.entries != NULL:
        for i in range(sources.mask + 1):
            if sources.entries[i].is_used:
                place_of(wider, room - 1, sources.entries[i].index)[0] = sources.entries[i]
    free(sources.entries)
    sources.entries, sources.mask = wider, room - 1
    return 0


cdef void free_sources(source_rates *sources) noexcept nogil:
    free(sources.entries)
