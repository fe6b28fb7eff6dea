# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Entries by key, found through open addressing with a keyed hash, so nobody can send keys that collide.

The slots of a table are in parts that grow one at a time, and entries in pages that never move: a table of a million
keys grows without a pause, and costs what its keys need.
"""

from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

cdef enum:
    FIRST_SLOTS = 16                     # of a part


cdef uint8_t *insert(table *t, const uint8_t *key, uint64_t hash) noexcept nogil:
    """The entry of a key that has none yet; NULL without memory, with nothing changed."""
    cdef slots *part = &t.parts[hash >> PART_SHIFT]
    cdef uint32_t at
    cdef uint8_t *entry
    if (part.at == NULL or 4 * <uint64_t>part.used >= 3 * (<uint64_t>part.mask + 1)) and widen(part):
        return NULL
    entry = new_entry(t)
    if entry == NULL:
        return NULL
    memcpy(entry + t.key_at, key, t.key_octets)
    at = <uint32_t>hash & part.mask
    while part.at[at].entry:
        at = (at + 1) & part.mask
    t.count += 1
    part.at[at].hash, part.at[at].entry = <uint32_t>hash, <uint32_t>t.count
    part.used += 1
    return entry


cdef int widen(slots *part) noexcept nogil:
    """Twice the slots of a part; 0, or -1 without memory."""
    cdef uint32_t room = 2 * (part.mask + 1) if part.at != NULL else FIRST_SLOTS, at, i
    cdef slot *wider = <slot *>calloc(room, sizeof(slot))
    if wider == NULL:
        return -1
    if part.at != NULL:
        for i in range(part.mask + 1):
            if part.at[i].entry:
                at = part.at[i].hash & (room - 1)
                while wider[at].entry:
                    at = (at + 1) & (room - 1)
                wider[at] = part.at[i]
    free(part.at)
    part.at, part.mask = wider, room - 1
    return 0


cdef uint8_t *new_entry(table *t) noexcept nogil:
    """A blank entry behind the last one, which counts once `count` is raised; NULL without memory."""
    cdef uint8_t **wider
    cdef size_t page = t.count >> ENTRY_PAGE_BITS
    cdef uint8_t *entry
    if page == t.page_count:
        if page == t.page_room:
            wider = <uint8_t **>realloc(t.pages, (2 * t.page_room + 8) * sizeof(uint8_t *))
            if wider == NULL:
                return NULL
            t.pages, t.page_room = wider, 2 * t.page_room + 8
        t.pages[page] = <uint8_t *>malloc(ENTRY_PAGE * t.entry_octets)
        if t.pages[page] == NULL:
            return NULL
        t.page_count += 1
    entry = entry_of(t, t.count)
    memset(entry, 0, t.key_at)
    return entry


cdef void free_slots(table *t) noexcept nogil:
    """Give back what only finding needs."""
    cdef size_t part
    for part in range(PARTS):
        free(t.parts[part].at)
        t.parts[part].at = NULL


cdef size_t octets_of(const table *t) noexcept nogil:
    """The memory that a table takes."""
    cdef size_t part, octets = sizeof(table) + t.page_room * sizeof(uint8_t *)
    octets += t.page_count * ENTRY_PAGE * t.entry_octets
    for part in range(PARTS):
        if t.parts[part].at != NULL:
            octets += (<size_t>t.parts[part].mask + 1) * sizeof(slot)
    return octets
