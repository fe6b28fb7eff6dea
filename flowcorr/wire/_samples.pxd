"""Samples of sFlow into rows.  See `_samples.pyx`."""

from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._record cimport record_context
from flowcorr.wire._sample_plan cimport sample_plan
from flowcorr.wire._source_rates cimport source_rates
from libc.stdint cimport uint8_t, uint32_t
from routed.octets._cursor cimport span

ctypedef struct sflow_header:
    uint32_t version
    uint8_t agent[16]                # IPv4 mapped
    uint32_t sub_agent, sequence, uptime, samples
    size_t octets                    # of the header

cdef enum sample_outcome:
    SAMPLE_READ
    SAMPLE_IS_COUNTERS
    SAMPLE_SKIPPED                   # of a kind that is not read
    SAMPLE_NOT_IP
    SAMPLE_BROKEN                    # what follows it cannot be found

cdef bint read_header(const uint8_t *at, size_t length, sflow_header *header) noexcept nogil
cdef sample_outcome read_sample(
    const sample_plan *p, uint32_t version, span *s, span *body, Batch batch, Texts texts,
    const record_context *context, source_rates *sources,
) noexcept nogil
