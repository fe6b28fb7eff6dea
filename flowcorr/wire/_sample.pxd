"""The sample at hand: the row that its records go to, and what they have told so far."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._sample_plan cimport sample_plan
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from routed.octets._cursor cimport span

cdef enum:
    V2 = 2
    V4 = 4
    V5 = 5

ctypedef struct sample:
    const sample_plan *plan
    uint8_t *row
    uint32_t version
    uint64_t octets                  # of the sampled frame
    uint16_t etype
    int family
    bint has_etype
    bint has_bgp_next_hop

# read one record; what is cut off stays unknown
ctypedef void (*record_reader)(sample *x, span *s, Texts texts) noexcept nogil

ctypedef struct record_format:
    uint32_t number
    record_reader read


cdef inline record_reader reader_of(const record_format *formats, int count, uint32_t number) noexcept nogil:
    """How records of a format are read; NULL for one that is not known."""
    cdef int i
    for i in range(count):
        if formats[i].number == number:
            return formats[i].read
    return NULL
