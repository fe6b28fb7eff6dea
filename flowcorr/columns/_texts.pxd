"""Interned octet strings.  See `_texts.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    TEXT_PAGE_BITS = 12
    TEXT_PAGE = 4096
    TEXT_PAGE_MASK = 4095

ctypedef struct text_entry:
    uint64_t hash
    uint8_t *octets                  # NULL: a free id
    uint32_t length
    uint32_t references              # of a free id, the next free id


cdef class Texts:
    cdef text_entry **pages          # never moved: what is held may be read in another thread
    cdef uint32_t page_count
    cdef uint32_t *slots             # ids by hash, 0: empty; a power of two
    cdef uint64_t slot_mask
    cdef uint64_t seed
    cdef uint32_t next_id, free_id
    cdef uint32_t *young             # interned since the last sweep, perhaps held by nobody
    cdef size_t young_count, young_room
    cdef readonly size_t octets, most_octets
    cdef readonly uint32_t count
    cdef readonly uint64_t refused

    cdef uint32_t intern(self, const uint8_t *octets, size_t length) noexcept nogil
    cdef void let_go(self, uint32_t id) noexcept nogil
    cdef bint has_young_room(self) noexcept nogil
    cdef uint32_t find(self, const uint8_t *octets, size_t length, uint64_t hash) noexcept nogil
    cdef uint32_t add(self, const uint8_t *octets, size_t length, uint64_t hash) noexcept nogil
    cdef uint32_t take_id(self) noexcept nogil
    cdef int widen(self) noexcept nogil
    cdef void empty_slot(self, uint32_t id) noexcept nogil
    cdef void free_text(self, uint32_t id) noexcept nogil


cdef inline text_entry *text_of(Texts texts, uint32_t id) noexcept nogil:
    """The entry of an id other than 0."""
    return &texts.pages[id >> TEXT_PAGE_BITS][id & TEXT_PAGE_MASK]


cdef inline void hold_text(Texts texts, uint32_t id) noexcept nogil:
    """Keep a text; 0 needs no keeping."""
    if id:
        text_of(texts, id).references += 1


cdef inline void release_text(Texts texts, uint32_t id) noexcept nogil:
    """Let go of a text that was held; the last one that does frees it."""
    cdef text_entry *entry
    if id:
        entry = text_of(texts, id)
        entry.references -= 1
        if not entry.references:
            texts.free_text(id)
