# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The prefix index of one family: each prefix is stored once, for all peers, and named by a dense id.

A key is one word of address (IPv4) or four (IPv6), for VPN families followed by the two words of the route
distinguisher, and a length in bits.  Keys live in pages that never move, so that a snapshot may read them while
the one writer goes on.  A prefix that no table holds any more leaves the hash at once; its id returns to the
free list, or, while a snapshot is open, waits in limbo until the last one closes.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy
from routed.octets._growth cimport widened
from routed.rib._ids cimport (
    ID_MASK, after, bucket, bucket_of, home_of, ids_free, ids_init, ids_insert, ids_octets, ids_remove, tag_of,
)

cdef enum:
    FREE_ID = 255                # in place of a length; real ones end at 128
    MAX_CHANGES = 1 << 20        # beyond, rebuilding the longest-match structure is cheaper than following


cdef uint64_t hash_of_prefix(const void *store, uint32_t id) noexcept nogil:
    cdef const prefix_keys *keys = <const prefix_keys *>store
    return hash_words(words_of(keys.view, id), keys.view.words, length_of(keys.view, id), keys.seed)


cdef class PrefixIndex:
    """The prefixes of one family.

    Args:
        address_words: 1 for IPv4, 4 for IPv6.
        with_rd: whether a route distinguisher is part of the key (RFC 4364 section 4.1).
        seed: 64 secret bits that key the hash.
    """

    def __cinit__(self, unsigned int address_words, bint with_rd, seed):
        self.view.address_words = address_words
        self.view.words = address_words + (2 if with_rd else 0)
        self.seed = seed
        self.next_id = 1
        self.keys = <prefix_keys *>malloc(sizeof(prefix_keys))
        if self.keys == NULL:
            raise MemoryError
        self.keys.view = &self.view
        self.keys.seed = self.seed
        if ids_init(&self.ids, hash_of_prefix, self.keys):
            raise MemoryError

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.page_count):
            free_page(self.view.pages[i])
        free(self.view.pages)
        free(self.changes)
        free(self.keys)
        ids_free(&self.ids)

    def __len__(self):
        return self.count

    @property
    def memory(self):
        """Octets that the index holds."""
        cdef size_t page = PREFIX_PAGE * (4 * (self.view.words + 1) + 1)
        return self.page_count * page + ids_octets(&self.ids) + self.change_room * sizeof(change)

    cdef uint64_t hash(self, const uint32_t *words, uint8_t length) noexcept nogil:
        return hash_words(words, self.view.words, length, self.seed)

    cdef uint32_t find(self, const uint32_t *words, uint8_t length, uint64_t hash) noexcept nogil:
        """The id of a prefix, or 0."""
        cdef const bucket *b = bucket_of(&self.ids, hash)
        cdef uint32_t i = home_of(hash)
        cdef uint32_t tag = tag_of(hash), slot, id
        while True:
            slot = b.slots[i]
            if not slot:
                return 0
            if (slot ^ tag) <= ID_MASK:
                id = slot & ID_MASK
                if length_of(&self.view, id) == length and not memcmp(
                    words_of(&self.view, id), words, self.view.words * sizeof(uint32_t)
                ):
                    return id
            i = after(i)

    cdef uint32_t intern(self, const uint32_t *words, uint8_t length, uint64_t hash) noexcept nogil:
        """The id of a prefix, a new one if need be; 0 without memory or ids.

        A new id has no reference: who stores a route takes one with `hold`.
        """
        cdef uint32_t id = self.find(words, length, hash)
        cdef prefix_page *page
        if id:
            return id
        id = self.take_id()
        if not id:
            return 0
        page = self.view.pages[id >> PREFIX_PAGE_BITS]
        memcpy(page.words + <size_t>(id & PREFIX_PAGE_MASK) * self.view.words, words, self.view.words * sizeof(uint32_t))
        page.lengths[id & PREFIX_PAGE_MASK] = length
        page.references[id & PREFIX_PAGE_MASK] = 0
        if ids_insert(&self.ids, hash, id):
            self.give_id(id)
            return 0
        self.count += 1
        if self.watched:
            self.record(id, 1)
        return id

    cdef void hold(self, uint32_t id) noexcept nogil:
        self.view.pages[id >> PREFIX_PAGE_BITS].references[id & PREFIX_PAGE_MASK] += 1

    cdef void release(self, uint32_t id) noexcept nogil:
        """Drop one reference; the prefix goes with the last."""
        cdef uint32_t *references = &self.view.pages[id >> PREFIX_PAGE_BITS].references[id & PREFIX_PAGE_MASK]
        references[0] -= 1
        if references[0]:
            return
        if self.watched:
            self.record(id, 0)
        ids_remove(&self.ids, hash_of_prefix(self.keys, id), id)
        self.count -= 1
        self.give_id(id)

    cdef uint32_t take_id(self) noexcept nogil:
        cdef uint32_t id = self.free_id
        if id:
            self.free_id = self.view.pages[id >> PREFIX_PAGE_BITS].references[id & PREFIX_PAGE_MASK]
            return id
        if self.next_id > ID_MASK or (self.next_id >> PREFIX_PAGE_BITS >= self.page_count and self.add_page()):
            return 0
        self.next_id += 1
        return self.next_id - 1

    cdef void give_id(self, uint32_t id) noexcept nogil:
        """Return an id: to the free list, or to limbo while a snapshot may still read its key."""
        if not self.pins:
            self.free_one(id)
            return
        if not self.limbo_id:
            self.limbo_last = id
        self.view.pages[id >> PREFIX_PAGE_BITS].references[id & PREFIX_PAGE_MASK] = self.limbo_id
        self.limbo_id = id

    cdef void free_one(self, uint32_t id) noexcept nogil:
        cdef prefix_page *page = self.view.pages[id >> PREFIX_PAGE_BITS]
        page.references[id & PREFIX_PAGE_MASK] = self.free_id
        page.lengths[id & PREFIX_PAGE_MASK] = FREE_ID
        self.free_id = id
        if not self.count and not self.pins and not self.limbo_id and not self.buried_id:
            self.free_pages()

    cdef void free_pages(self) noexcept nogil:
        """Nothing is stored: give all pages back."""
        cdef uint32_t i
        for i in range(self.page_count):
            free_page(self.view.pages[i])
        self.page_count = 0
        self.next_id = 1
        self.free_id = 0

    cdef int add_page(self) noexcept nogil:
        cdef prefix_page **wider
        cdef prefix_page *page
        if self.page_count == self.page_room:
            wider = <prefix_page **>realloc(self.view.pages, (self.page_room + 64) * sizeof(prefix_page *))
            if wider == NULL:
                return -1
            self.view.pages = wider
            self.page_room += 64
        page = new_page(self.view.words)
        if page == NULL:
            return -1
        self.view.pages[self.page_count] = page
        self.page_count += 1
        return 0

    cdef void pin(self) noexcept:
        """A snapshot opens: ids that go from now on are not used again before it closes."""
        self.pins += 1

    cdef void unpin(self) noexcept:
        """A snapshot closes; with the last one, ids that went meanwhile wait for `drain`."""
        self.pins -= 1
        if self.pins or not self.limbo_id:
            return
        self.view.pages[self.limbo_last >> PREFIX_PAGE_BITS].references[self.limbo_last & PREFIX_PAGE_MASK] = (
            self.buried_id
        )
        self.buried_id = self.limbo_id
        self.limbo_id = 0

    cdef size_t drain(self, size_t ids) noexcept nogil:
        """Free at most so many of the ids that went while snapshots were open; how many it were."""
        cdef size_t n = 0
        cdef uint32_t id
        while self.buried_id and n < ids:
            id = self.buried_id
            self.buried_id = self.view.pages[id >> PREFIX_PAGE_BITS].references[id & PREFIX_PAGE_MASK]
            self.free_one(id)
            n += 1
        return n

    cdef void watch(self, bint on) noexcept:
        """Record from now on which prefixes come and go (for the longest-match structures)."""
        self.watched = on
        self.forget_changes()

    cdef void forget_changes(self) noexcept:
        free(self.changes)
        self.changes = NULL
        self.change_count = self.change_room = 0
        self.changes_lost = False

    cdef void record(self, uint32_t id, uint8_t added) noexcept nogil:
        cdef void *wider = NULL
        cdef change *c
        if self.change_count == self.change_room:
            if self.change_room < MAX_CHANGES:
                wider = widened(self.changes, &self.change_room, 1024, sizeof(change))
            if wider == NULL:
                self.changes_lost = True
                return
            self.changes = <change *>wider
        c = &self.changes[self.change_count]
        memcpy(c.words, words_of(&self.view, id), self.view.words * sizeof(uint32_t))
        c.id = id
        c.length = length_of(&self.view, id)
        c.added = added
        self.change_count += 1


cdef prefix_page *new_page(uint32_t words) noexcept nogil:
    cdef prefix_page *page = <prefix_page *>malloc(sizeof(prefix_page))
    if page == NULL:
        return NULL
    page.words = <uint32_t *>malloc(PREFIX_PAGE * words * sizeof(uint32_t))
    page.references = <uint32_t *>malloc(PREFIX_PAGE * sizeof(uint32_t))
    page.lengths = <uint8_t *>malloc(PREFIX_PAGE)
    if page.words == NULL or page.references == NULL or page.lengths == NULL:
        free_page(page)
        return NULL
    return page


cdef void free_page(prefix_page *page) noexcept nogil:
    free(page.words)
    free(page.references)
    free(page.lengths)
    free(page)
