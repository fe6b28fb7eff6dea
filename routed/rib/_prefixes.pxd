"""Prefixes of one family as dense ids.  See `_prefixes.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.octets._hash cimport mix
from routed.rib._ids cimport id_hash

cdef enum:
    PREFIX_PAGE_BITS = 12
    PREFIX_PAGE = 4096
    PREFIX_PAGE_MASK = 4095
    MAX_WORDS = 6

ctypedef struct prefix_page:
    uint32_t *words          # the key: address words, then the two words of a route distinguisher
    uint32_t *references     # tables that have a route; of a free id, the next free id
    uint8_t *lengths         # bits; FREE_ID for an id that is not in use

ctypedef struct prefix_view:     # what a reader needs; a snapshot has a copy of its own
    prefix_page **pages
    uint32_t words               # of the whole key
    uint32_t address_words       # 1 or 4

ctypedef struct prefix_keys:     # what the hash needs to read a key again
    const prefix_view *view
    uint64_t seed

ctypedef struct change:          # a prefix came or went while a longest-match structure exists
    uint32_t words[MAX_WORDS]
    uint32_t id
    uint8_t length
    uint8_t added


cdef inline uint64_t hash_words(const uint32_t *words, uint32_t n, uint8_t length, uint64_t seed) noexcept nogil:
    cdef uint64_t h = seed ^ (<uint64_t>length << 56)
    cdef uint32_t i = 0
    while i + 1 < n:
        h = mix(h ^ words[i] ^ (<uint64_t>words[i + 1] << 32), 0x9E3779B97F4A7C15ULL)
        i += 2
    if i < n:
        h = mix(h ^ words[i], 0x9E3779B97F4A7C15ULL)
    return mix(h, seed | 1)


cdef inline const uint32_t *words_of(const prefix_view *view, uint32_t id) noexcept nogil:
    return view.pages[id >> PREFIX_PAGE_BITS].words + <size_t>(id & PREFIX_PAGE_MASK) * view.words


cdef inline const uint8_t *length_at(const prefix_view *view, uint32_t id) noexcept nogil:
    return view.pages[id >> PREFIX_PAGE_BITS].lengths + (id & PREFIX_PAGE_MASK)


cdef inline uint8_t length_of(const prefix_view *view, uint32_t id) noexcept nogil:
    return length_at(view, id)[0]


cdef class PrefixIndex:
    cdef prefix_view view
    cdef id_hash ids
    cdef prefix_keys *keys
    cdef uint64_t seed
    cdef uint32_t page_count, page_room      # pages allocated; room in the directory
    cdef uint32_t next_id, free_id
    cdef uint32_t limbo_id, limbo_last       # gone, but an open snapshot may read them
    cdef uint32_t buried_id                  # gone, to be freed by `drain`
    cdef readonly uint32_t count
    cdef int pins
    cdef bint watched                        # record changes: a longest-match structure exists
    cdef change *changes
    cdef size_t change_count, change_room
    cdef bint changes_lost

    cdef uint64_t hash(self, const uint32_t *words, uint8_t length) noexcept nogil
    cdef uint32_t find(self, const uint32_t *words, uint8_t length, uint64_t hash) noexcept nogil
    cdef uint32_t intern(self, const uint32_t *words, uint8_t length, uint64_t hash) noexcept nogil
    cdef void hold(self, uint32_t id) noexcept nogil
    cdef void release(self, uint32_t id) noexcept nogil
    cdef void pin(self) noexcept
    cdef void unpin(self) noexcept
    cdef size_t drain(self, size_t ids) noexcept nogil
    cdef void free_one(self, uint32_t id) noexcept nogil
    cdef void watch(self, bint on) noexcept
    cdef void forget_changes(self) noexcept
    cdef uint32_t take_id(self) noexcept nogil
    cdef void give_id(self, uint32_t id) noexcept nogil
    cdef int add_page(self) noexcept nogil
    cdef void free_pages(self) noexcept nogil
    cdef void record(self, uint32_t id, uint8_t added) noexcept nogil
