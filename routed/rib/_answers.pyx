# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is known of paths while a condition is asked of them: two bits a path, so that each is asked once.

Paths are asked for while routes are read, and settled together, so that the misses of many overlap.  A few are settled
in the order in which they came; many in the order of their ids, which is nearly that of the arena.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from routed.octets._flag cimport is_set
from routed.octets._prefetch cimport prefetch
from routed.rib._paths cimport IS_LABELLED, entry_of, path_entry, set_of

cdef extern from *:
    """
    #define routed_ctz(word) __builtin_ctz(word)
    """
    int ctz "routed_ctz"(uint32_t word) noexcept nogil

cdef enum:
    AHEAD = 10                       # attribute sets between asking for one and reading it


cdef int open_answers(answers *a, uint32_t paths) noexcept:
    """Know nothing of paths whose ids are below `paths`; 0, or -1 without memory."""
    a.known_words = (paths >> 4) + 1
    a.known = <uint32_t *>calloc(a.known_words, sizeof(uint32_t))
    a.asked = <uint32_t *>malloc(ASKED_ROOM * sizeof(uint32_t))
    return -1 if a.known == NULL or a.asked == NULL else 0


cdef void free_answers(answers *a) noexcept:
    free(a.known)
    free(a.asked)


cdef void settle(answers *a, Condition condition, const path_view *paths, const int *cancelled) noexcept nogil:
    """Learn about all paths that are asked for, unless that is cancelled meanwhile."""
    if a.asked_count <= ASKED_ROOM:
        settle_asked(a, condition, paths, a.asked_count)
    else:
        settle_in_order(a, condition, paths, cancelled)
    a.asked_count = 0


cdef void settle_in_order(
    answers *a, Condition condition, const path_view *paths, const int *cancelled
) noexcept nogil:
    cdef size_t at, n = 0
    cdef uint32_t asked
    for at in range(a.known_words):
        asked = a.known[at] & ~(a.known[at] >> 1) & 0x55555555U
        while asked:
            a.asked[n] = <uint32_t>(at << 4) + (ctz(asked) >> 1)
            asked &= asked - 1
            n += 1
        if n > ASKED_ROOM - 16:
            if is_set(cancelled):
                return
            settle_asked(a, condition, paths, n)
            n = 0
    settle_asked(a, condition, paths, n)


cdef void settle_asked(answers *a, Condition condition, const path_view *paths, size_t n) noexcept nogil:
    """Learn about the first n of the paths that are asked for; they are fetched ahead."""
    cdef size_t i
    for i in range(n):
        if i + 2 * AHEAD < n:
            prefetch(entry_of(paths, a.asked[i + 2 * AHEAD]))
        if i + AHEAD < n:
            prefetch_set(condition, paths, a.asked[i + AHEAD])
        settle_one(a, condition, paths, a.asked[i])


cdef inline void prefetch_set(Condition condition, const path_view *paths, uint32_t path) noexcept nogil:
    cdef const path_entry *entry = entry_of(paths, path)
    if entry.flags & IS_LABELLED:
        prefetch(entry_of(paths, entry.base))
    elif condition.reads_sets:
        prefetch(set_of(paths, path))
        prefetch(<const uint8_t *>set_of(paths, path) + 64)


cdef inline void settle_one(answers *a, Condition condition, const path_view *paths, uint32_t path) noexcept nogil:
    """Learn about one path; a layer has the answer of its base."""
    cdef const path_entry *entry = entry_of(paths, path)
    if not entry.flags & IS_LABELLED:
        if knows(a, path) < FAILS:
            learn(a, path, PASSES if condition.holds(paths, path) else FAILS)
        return
    if knows(a, entry.base) < FAILS:
        learn(a, entry.base, PASSES if condition.holds(paths, entry.base) else FAILS)
    learn(a, path, knows(a, entry.base))
