"""Arrays that double when they are full, so that adding stays cheap however many there are."""

from libc.stdlib cimport realloc


cdef inline void *widened(void *items, size_t *room, size_t more, size_t octets) noexcept nogil:
    """The same items, of so many octets each, with twice the room and `more`; NULL, and all as it was, without memory."""
    cdef size_t wider = 2 * room[0] + more
    cdef void *moved = realloc(items, wider * octets)
    if moved != NULL:
        room[0] = wider
    return moved
