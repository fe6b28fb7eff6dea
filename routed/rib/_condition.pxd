"""Conditions on attribute sets.  See `_condition.pyx`."""

from libc.stdint cimport uint32_t
from routed.rib._aspa cimport Attestations, attestation_view
from routed.rib._condition_tests cimport test
from routed.rib._path_automaton cimport automaton
from routed.rib._paths cimport path_view

cdef enum:
    MAX_TESTS = 256


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
