"""What is known of paths while a condition is asked of them.  See `_answers.pyx`."""

from libc.stdint cimport uint32_t
from routed.rib._condition cimport Condition
from routed.rib._paths cimport path_view

cdef enum:                           # what is known of a path
    UNKNOWN = 0
    ASKED = 1
    FAILS = 2
    PASSES = 3

cdef enum:
    ASKED_ROOM = 4096                # paths; when more are asked for, all are settled in the order of their ids

ctypedef struct answers:
    uint32_t *known                  # two bits by path id
    size_t known_words
    uint32_t *asked                  # paths that are asked for, as far as there is room
    size_t asked_count


cdef inline uint32_t knows(const answers *a, uint32_t path) noexcept nogil:
    return a.known[path >> 4] >> 2 * (path & 15) & 3


cdef inline void learn(answers *a, uint32_t path, uint32_t what) noexcept nogil:
    a.known[path >> 4] |= what << 2 * (path & 15)
    if what == FAILS:
        a.known[path >> 4] &= ~(<uint32_t>ASKED << 2 * (path & 15))


cdef inline void ask_for(answers *a, uint32_t path) noexcept nogil:
    """Note that an answer is wanted, which `settle` gives."""
    if knows(a, path) == UNKNOWN:
        learn(a, path, ASKED)
        if a.asked_count < ASKED_ROOM:
            a.asked[a.asked_count] = path
        a.asked_count += 1


cdef int open_answers(answers *a, uint32_t paths) noexcept
cdef void free_answers(answers *a) noexcept
cdef void settle(answers *a, Condition condition, const path_view *paths, const int *cancelled) noexcept nogil
