"""Conditions on attribute sets.  See `_condition.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from routed.rib._aspa cimport Attestations, attestation_view
from routed.rib._paths cimport path_view

cdef enum:
    MAX_TESTS = 256

ctypedef struct test:                # one step of a condition
    uint16_t yes, no                 # the test that follows, or ACCEPT or REJECT
    uint8_t kind
    uint8_t comparison               # which of less, equal, more hold
    uint8_t width                    # words of an address; bits in front of a verdict
    uint32_t value[4]
    uint32_t mask[4]                 # bits that count

ctypedef struct automaton:           # of a path expression
    const uint16_t *table
    const uint8_t *ends
    uint32_t start


cdef class Condition:
    cdef test *tests
    cdef automaton *machines
    cdef list automata               # (table, ends, start): what the machines point to
    cdef Attestations attestations   # by which paths are verified, or None
    cdef const attestation_view *providers
    cdef readonly size_t count       # of tests
    cdef readonly bint reads_sets    # whether what an entry knows is not enough
    cdef int cost

    cdef bint holds(self, const path_view *paths, uint32_t path) noexcept nogil
