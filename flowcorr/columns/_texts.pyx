# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Interned octet strings: what is longer than a column, by a 32-bit id.

AS paths, communities, names and label stacks repeat in most flows, so a row and a key hold their id, and equal
strings have equal ids.  Who keeps an id beyond the batch it came with holds it (an aggregation, for its keys); `sweep`
after a batch frees what nobody held.  The memory is bounded: a sender can choose strings, so what would go beyond is
refused and counted, and its column stays empty.

All of it belongs to one thread.  Another one may read texts that are held: entries, octets and the list of pages never
move.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy
from routed.octets._hash cimport hash_octets

import secrets

cdef enum:
    FIRST_SLOTS = 1024
    MOST_OCTETS = 268435456          # 256 MiB of texts with their entries: some millions
    MOST_PAGES = 16384               # 67 million ids
    SWEEP_ROOM = 4096


cdef class Texts:
    def __cinit__(self, size_t most_octets=MOST_OCTETS):
        self.seed = secrets.randbits(64)
        self.most_octets = most_octets
        self.next_id = 1
        self.slot_mask = FIRST_SLOTS - 1
        self.slots = <uint32_t *>calloc(FIRST_SLOTS, sizeof(uint32_t))
        self.young_room = SWEEP_ROOM
        self.young = <uint32_t *>malloc(self.young_room * sizeof(uint32_t))
        self.pages = <text_entry **>calloc(MOST_PAGES, sizeof(text_entry *))
        if self.slots == NULL or self.young == NULL or self.pages == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef uint32_t id, page
        if self.pages != NULL:
            for id in range(1, self.next_id):
                free(text_of(self, id).octets)
            for page in range(self.page_count):
                free(self.pages[page])
        free(self.pages)
        free(self.slots)
        free(self.young)

    def id_of(self, bytes octets not None):
        return self.intern(<const uint8_t *>PyBytes_AS_STRING(octets), len(octets))

    def octets_of(self, uint32_t id):
        if not id:
            return b""
        if id >= self.next_id or text_of(self, id).octets == NULL:
            raise KeyError(id)
        return PyBytes_FromStringAndSize(<const char *>text_of(self, id).octets, text_of(self, id).length)

    def hold(self, uint32_t id):
        self.octets_of(id)
        hold_text(self, id)

    def release(self, uint32_t id):
        self.octets_of(id)
        if id and not text_of(self, id).references:
            raise ValueError(f"nobody holds text {id}")
        release_text(self, id)

    def sweep(self):
        cdef size_t i, freed = 0
        cdef text_entry *entry
        for i in range(self.young_count):
            entry = text_of(self, self.young[i])
            if entry.octets != NULL and not entry.references:
                self.free_text(self.young[i])
                freed += 1
        self.young_count = 0
        return freed

    cdef uint32_t intern(self, const uint8_t *octets, size_t length) noexcept nogil:
        """The id of a string; 0 for the empty one and for one that finds no room."""
        cdef uint64_t hash
        cdef uint32_t id
        if not length:
            return 0
        hash = hash_octets(octets, length, self.seed)
        id = self.find(octets, length, hash)
        if not id:
            id = self.add(octets, length, hash)
            self.refused += not id
        return id

    cdef void let_go(self, uint32_t id) noexcept nogil:
        """Hold a text no longer, but let it stand up to the next sweep: a row may have it."""
        if not id:
            return
        text_of(self, id).references -= 1
        if text_of(self, id).references:
            return
        if self.has_young_room():
            self.young[self.young_count] = id
            self.young_count += 1
        else:
            self.free_text(id)

    cdef bint has_young_room(self) noexcept nogil:
        """Whether one more text can be looked at in the next sweep."""
        cdef uint32_t *wider
        if self.young_count == self.young_room:
            wider = <uint32_t *>realloc(self.young, 2 * self.young_room * sizeof(uint32_t))
            if wider == NULL:
                return False
            self.young = wider
            self.young_room *= 2
        return True

    cdef uint32_t find(self, const uint8_t *octets, size_t length, uint64_t hash) noexcept nogil:
        cdef uint64_t at = hash & self.slot_mask
        cdef const text_entry *entry
        while self.slots[at]:
            entry = text_of(self, self.slots[at])
            if entry.hash == hash and entry.length == length and not memcmp(entry.octets, octets, length):
                return self.slots[at]
            at = (at + 1) & self.slot_mask
        return 0

    cdef uint32_t add(self, const uint8_t *octets, size_t length, uint64_t hash) noexcept nogil:
        cdef uint32_t id
        cdef uint64_t at
        cdef uint8_t *copy
        cdef text_entry *entry
        if length + sizeof(text_entry) > self.most_octets - self.octets:
            return 0
        if 2 * <uint64_t>self.count > self.slot_mask and self.widen():
            return 0
        if not self.has_young_room():
            return 0
        copy = <uint8_t *>malloc(length)
        if copy == NULL:
            return 0
        id = self.take_id()
        if not id:
            free(copy)
            return 0
        memcpy(copy, octets, length)
        entry = text_of(self, id)
        entry.hash, entry.octets, entry.length, entry.references = hash, copy, <uint32_t>length, 0
        at = hash & self.slot_mask
        while self.slots[at]:
            at = (at + 1) & self.slot_mask
        self.slots[at] = id
        self.young[self.young_count] = id
        self.young_count += 1
        self.count += 1
        self.octets += length + sizeof(text_entry)
        return id

    cdef uint32_t take_id(self) noexcept nogil:
        cdef uint32_t id = self.free_id
        if id:
            self.free_id = text_of(self, id).references
            return id
        id = self.next_id
        if id >> TEXT_PAGE_BITS == self.page_count:
            if self.page_count == MOST_PAGES:
                return 0
            self.pages[self.page_count] = <text_entry *>calloc(TEXT_PAGE, sizeof(text_entry))
            if self.pages[self.page_count] == NULL:
                return 0
            self.page_count += 1
        self.next_id += 1
        return id

    cdef int widen(self) noexcept nogil:
        """Twice the slots; 0, or -1 without memory."""
        cdef uint64_t mask = 2 * self.slot_mask + 1, at, i
        cdef uint32_t *wider = <uint32_t *>calloc(mask + 1, sizeof(uint32_t))
        if wider == NULL:
            return -1
        for i in range(self.slot_mask + 1):
            if self.slots[i]:
                at = text_of(self, self.slots[i]).hash & mask
                while wider[at]:
                    at = (at + 1) & mask
                wider[at] = self.slots[i]
        free(self.slots)
        self.slots = wider
        self.slot_mask = mask
        return 0

    cdef void empty_slot(self, uint32_t id) noexcept nogil:
        """Take an id out of the slots and move back those behind it that now can stand nearer to their home."""
        cdef uint64_t at = text_of(self, id).hash & self.slot_mask, gap, home
        while self.slots[at] != id:
            at = (at + 1) & self.slot_mask
        gap = at
        while True:
            at = (at + 1) & self.slot_mask
            if not self.slots[at]:
                break
            home = text_of(self, self.slots[at]).hash & self.slot_mask
            if ((at - home) & self.slot_mask) >= ((at - gap) & self.slot_mask):
                self.slots[gap] = self.slots[at]
                gap = at
        self.slots[gap] = 0

    cdef void free_text(self, uint32_t id) noexcept nogil:
        cdef text_entry *entry = text_of(self, id)
        self.empty_slot(id)
        self.octets -= entry.length + sizeof(text_entry)
        self.count -= 1
        free(entry.octets)
        entry.octets = NULL
        entry.references = self.free_id
        self.free_id = id
