"""Samples of sFlow into rows.  See `_samples.pyx`."""

from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._packet cimport packet_targets, packet_value
from flowcorr.wire._records cimport interface_rate, record_context
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

ctypedef struct source_rate:         # of one data source
    uint32_t index, sequence, pool, rate
    bint is_used

ctypedef struct source_rates:
    source_rate *entries             # by hash of the index; NULL: none
    uint32_t mask, count

cdef void free_sources(source_rates *sources) noexcept nogil
