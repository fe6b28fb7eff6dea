"""Sampling rates as data sources of sFlow really have them.  See `_source_rates.pyx`."""

from libc.stdint cimport uint32_t

ctypedef struct source_rate:         # of one data source
    uint32_t index, sequence, pool
    bint is_used

ctypedef struct source_rates:
    source_rate *entries             # by hash of the index; NULL: none
    uint32_t mask, count

cdef uint32_t effective_rate(
    source_rates *sources, uint32_t index, uint32_t sequence, uint32_t pool, uint32_t advertised) noexcept nogil
cdef void free_sources(source_rates *sources) noexcept nogil
