# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What flows take from paths: read and rendered once for each path, at the first flow that follows it.

A path that was read is held, so that its id is not given to another one; `sweep` lets those go that no table has any
more.  Its texts are held with it.
"""

cimport cython
from flowcorr.columns._texts cimport hold_text, release_text
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from routed.rib._path_facts cimport (
    EXTENDED_LIST, LARGE_LIST, STANDARD_LIST, as_path_text, communities_text, path_facts, read_facts, text_room,
)

cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef extern from "sys/mman.h" nogil:
    int MADV_HUGEPAGE
    int madvise(void *at, size_t length, int advice)


@cython.no_gc_clear                   # the end of it needs the stores
cdef class Facts:
    def __cinit__(
        self, Resolver resolver not None, Texts texts not None, columns, *, uint32_t radius=0, bint outside=False,
        bint numeric=False, amend=None,
    ):
        self.resolver, self.texts, self.amend = resolver, texts, amend
        self.radius, self.outside, self.numeric = radius, outside, numeric
        self.wants_path = "as_path" in columns
        self.wants_std = "std_comm" in columns
        self.wants_ext = "ext_comm" in columns
        self.wants_lrg = "lrg_comm" in columns

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.known_count):
            self.forget(self.known[i])
        for i in range(self.page_count):
            free(self.pages[i])
        free(self.pages)
        free(self.known)
        free(self.text)
        free(self.scratch)

    def __len__(self):
        return self.known_count

    def sweep(self, size_t most):
        cdef uint32_t path
        while most and self.swept < self.known_count:
            most -= 1
            path = self.known[self.swept]
            if self.resolver.is_held_by_one(path):
                self.forget(path)
                self.known_count -= 1
                self.known[self.swept] = self.known[self.known_count]
            else:
                self.swept += 1
        if self.swept < self.known_count:
            return False
        self.swept = 0
        return True

    cdef const fact *of(self, uint32_t path) except NULL:
        """What a path says; it must be one that was found just now, or is held."""
        cdef fact *f = self.place(path)
        if not f.is_known:
            self.read(path, f)
        return f

    cdef fact *place(self, uint32_t path) except NULL:
        cdef size_t page = path >> FACT_PAGE_BITS, room, octets
        cdef fact **wider
        if page >= self.page_count:
            room = max(page + 1, 2 * self.page_count)
            wider = <fact **>realloc(self.pages, room * sizeof(fact *))
            if wider == NULL:
                raise MemoryError
            memset(wider + self.page_count, 0, (room - self.page_count) * sizeof(fact *))
            self.pages, self.page_count = wider, room
        if self.pages[page] == NULL:
            octets = FACT_PAGE * sizeof(fact)
            self.pages[page] = <fact *>aligned_alloc(octets, octets)
            if self.pages[page] == NULL:
                raise MemoryError
            madvise(self.pages[page], octets, MADV_HUGEPAGE)  # advice: without, only slower
            memset(self.pages[page], 0, octets)
        return &self.pages[page][path & FACT_PAGE_MASK]

    cdef int read(self, uint32_t path, fact *f) except -1:
        cdef path_facts numbers
        cdef size_t room = text_room(self.resolver.paths(), path), n
        cdef uint32_t *wider
        cdef uint32_t texts[4]
        cdef int i
        if room > self.room:
            free(self.text)
            free(self.scratch)
            self.room = 0
            self.text = <char *>malloc(room)
            self.scratch = <uint8_t *>malloc(room)
            if self.text == NULL or self.scratch == NULL:
                raise MemoryError
            self.room = room
        if self.known_count == self.known_room:
            n = max(<size_t>1024, 2 * self.known_room)
            wider = <uint32_t *>realloc(self.known, n * sizeof(uint32_t))
            if wider == NULL:
                raise MemoryError
            self.known, self.known_room = wider, n
        read_facts(self.resolver.paths(), path, self.outside, &numbers)
        memset(texts, 0, sizeof(texts))
        if self.wants_path:
            n = as_path_text(self.resolver.paths(), path, self.radius, self.text, self.scratch)
            texts[0] = self.texts.intern(<uint8_t *>self.text, n)
        for i in range(3):
            if (self.wants_std, self.wants_ext, self.wants_lrg)[i]:
                n = communities_text(
                    self.resolver.paths(), path, (STANDARD_LIST, EXTENDED_LIST, LARGE_LIST)[i], self.numeric,
                    self.text, self.scratch,
                )
                texts[1 + i] = self.texts.intern(<uint8_t *>self.text, n)
        if self.amend is not None:
            octets = tuple(self.texts.octets_of(texts[i]) for i in range(4))
            numbers.origin_as, numbers.neighbour_as, octets = self.amend(
                numbers.origin_as, numbers.neighbour_as, octets
            )
            for i in range(4):
                texts[i] = self.texts.id_of(octets[i])
        for i in range(4):
            hold_text(self.texts, texts[i])
        f.as_path, f.std_comm, f.ext_comm, f.lrg_comm = texts[0], texts[1], texts[2], texts[3]
        f.origin_as, f.neighbour_as = numbers.origin_as, numbers.neighbour_as
        f.local_pref, f.med = numbers.local_pref, numbers.med
        memcpy(f.next_hop, numbers.next_hop, sizeof(f.next_hop))
        f.is_known = 1
        self.resolver.hold(path)
        self.known[self.known_count] = path
        self.known_count += 1
        return 0

    cdef void forget(self, uint32_t path) noexcept:
        cdef fact *f = &self.pages[path >> FACT_PAGE_BITS][path & FACT_PAGE_MASK]
        release_text(self.texts, f.as_path)
        release_text(self.texts, f.std_comm)
        release_text(self.texts, f.ext_comm)
        release_text(self.texts, f.lrg_comm)
        memset(f, 0, sizeof(fact))
        self.resolver.release(path)
