# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Expressions that AS paths match, as tables (`routed.query.path_expression`) run over the octets of the path.

A table has a row for each state and a column for each symbol of a path's text; states are named by where their row
begins.  So a path costs what its text is long, whatever the expression is.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from routed.rib._codepoints cimport AS_CONFED_SEQUENCE, AS_SEQUENCE, AS_SET
from routed.rib._sorted_values cimport sorted_u32
from routed.rib._text cimport u32_at

cdef enum:                           # symbols of a path's text, behind the digits: a row of a table has one state each
    BLANK = 10
    COMMA = 11
    SET_START = 12
    SET_END = 13
    CONFED_START = 14
    CONFED_END = 15
    CONFED_SET_START = 16
    CONFED_SET_END = 17
    SYMBOLS = 18
    DEAD = 0                         # states in which the rest of the text makes no difference
    MATCHED = SYMBOLS


cdef tuple checked(expression):
    """The parts of an automaton, whose states all lead to states."""
    cdef bytes table = expression.table, ends = expression.ends
    cdef const uint16_t *states = <const uint16_t *>PyBytes_AS_STRING(table)
    cdef size_t i, n = SYMBOLS * len(ends), start = expression.start
    if len(table) != 2 * n or start >= n or start % SYMBOLS:
        raise ValueError(f"automaton of {len(ends)} states, {len(table)} octets, start {start}")
    for i in range(n):
        if states[i] >= n or states[i] % SYMBOLS:
            raise ValueError(f"state {states[i]} of an automaton of {len(ends)} states")
    return table, ends, start


cdef inline uint32_t with_number(const uint16_t *table, uint32_t state, uint32_t number) noexcept nogil:
    """The state after the digits of a number."""
    cdef uint8_t digits[10]
    cdef unsigned int at = 10
    while True:
        at -= 1
        digits[at] = number % 10
        number //= 10
        if not number:
            break
    while at < 10:
        state = table[state + digits[at]]
        at += 1
    return state


cdef bint path_matches(const automaton *machine, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Run an automaton over the text of a path, as records have it."""
    cdef const uint16_t *table = machine.table
    cdef const uint8_t *start = at
    cdef uint32_t state = machine.start
    cdef size_t i
    while at < end and state > MATCHED:
        if at != start:
            state = table[state + BLANK]
        if at[0] == AS_SEQUENCE:
            for i in range(at[1]):
                if i:
                    state = table[state + BLANK]
                state = with_number(table, state, u32_at(at + 2 + 4 * i))
                if state <= MATCHED:
                    break
        else:
            state = with_segment(table, state, at)
        at += 2 + 4 * <size_t>at[1]
    return state == MATCHED or machine.ends[state // SYMBOLS]


cdef uint32_t with_segment(const uint16_t *table, uint32_t state, const uint8_t *at) noexcept nogil:
    """The state after a set, in ascending order, or a confederation segment."""
    cdef uint32_t numbers[255]
    cdef size_t i, n
    if at[0] == AS_CONFED_SEQUENCE:
        state = table[state + CONFED_START]
        for i in range(at[1]):
            if i:
                state = table[state + BLANK]
            state = with_number(table, state, u32_at(at + 2 + 4 * i))
        return table[state + CONFED_END]
    n = sorted_u32(at + 2, at[1], numbers)
    state = table[state + (SET_START if at[0] == AS_SET else CONFED_SET_START)]
    for i in range(n):
        if i:
            state = table[state + COMMA]
        state = with_number(table, state, numbers[i])
    return table[state + (SET_END if at[0] == AS_SET else CONFED_SET_END)]
