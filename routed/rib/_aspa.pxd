"""Attestations of providers.  See `_aspa.pyx`."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum path_verdict:
    PATH_VALID = 0
    PATH_INVALID = 1
    PATH_UNKNOWN = 2
    VERDICT_BITS = 2                 # upstream first, then downstream
    VERDICT_MASK = 3

ctypedef struct attestation:
    uint32_t customer
    uint32_t first                   # of its providers; the next attestation's end them

ctypedef struct attestation_view:
    attestation *all                 # one more at the end
    uint32_t *providers              # ascending for each customer
    uint32_t *places                 # by hash of the customer: which attestation, counted from 1
    uint32_t shift                   # from a hash to a place


cdef class Attestations:
    cdef attestation_view view
    cdef uint32_t count


cdef uint8_t verdicts_of(const attestation_view *a, const uint8_t *at, const uint8_t *end) noexcept nogil
