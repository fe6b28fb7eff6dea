"""Expressions that AS paths match.  See `_path_automaton.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

ctypedef struct automaton:           # of a path expression
    const uint16_t *table
    const uint8_t *ends
    uint32_t start


cdef tuple checked(expression)
cdef bint path_matches(const automaton *machine, const uint8_t *at, const uint8_t *end) noexcept nogil
