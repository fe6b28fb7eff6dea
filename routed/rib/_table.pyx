# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A table: which path one peer has for each prefix of one family.

A column of 32-bit cells by prefix id, in pages of 64 that exist where there are routes.  A cell is a path id
and a two-bit epoch.  With ADD-PATH (RFC 7911) a cell is the first node of a chain of (path, path identifier).

Stale routes (RFC 4724, 7313, 9494) cost nothing to mark: the table's epoch moves on, and routes that are not
announced again keep the old one until they are swept.

A snapshot copies the list of pages and shares the pages: the writer copies a page that is older than the last
snapshot before it changes it, and keeps the old one until the snapshot closes.
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset


cdef inline page_header *header_of(uint32_t *page) noexcept nogil:
    return <page_header *>(page - PAGE_HEADER)


cdef uint32_t *new_page(size_t words, uint32_t generation) noexcept nogil:
    cdef uint32_t *page = <uint32_t *>calloc(words + PAGE_HEADER, sizeof(uint32_t))
    if page == NULL:
        return NULL
    page += PAGE_HEADER
    header_of(page).generation = generation
    return page


cdef void free_page(uint32_t *page) noexcept nogil:
    if page != NULL:
        free(page - PAGE_HEADER)


cdef uint32_t **grown(uint32_t **pages, uint32_t *count, uint32_t needed) noexcept nogil:
    """A list of pages with room for at least `needed`, new places empty; NULL without memory."""
    cdef uint32_t room = needed + (needed >> 2) + 4
    cdef uint32_t **wider = <uint32_t **>realloc(pages, room * sizeof(uint32_t *))
    if wider == NULL:
        return NULL
    memset(wider + count[0], 0, (room - count[0]) * sizeof(uint32_t *))
    count[0] = room
    return wider


cdef class Table:
    """The routes of one peer in one family.

    Args:
        add_path: whether the peer sends path identifiers (RFC 7911 section 3).
    """

    def __cinit__(self, bint add_path):
        self.view.add_path = add_path
        self.next_node = 1

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.view.page_count):
            free_page(self.view.pages[i])
        for i in range(self.view.node_page_count):
            free_page(self.view.node_pages[i])
        self.free_retired()
        free(self.view.pages)
        free(self.view.node_pages)

    def __len__(self):
        return self.count

    @property
    def memory(self):
        """Octets that the table holds."""
        cdef size_t pages = 0, node_pages = 0
        cdef uint32_t i
        for i in range(self.view.page_count):
            pages += self.view.pages[i] != NULL
        for i in range(self.view.node_page_count):
            node_pages += self.view.node_pages[i] != NULL
        return (
            pages * (CELL_PAGE + PAGE_HEADER) * 4
            + node_pages * (NODE_PAGE * NODE_WORDS + PAGE_HEADER) * 4
            + (self.view.page_count + self.view.node_page_count) * sizeof(uint32_t *)
        )

    cdef uint32_t *writable(self, uint32_t prefix) noexcept nogil:
        """The cell of a prefix, to be changed; NULL without memory.  Whoever fills an empty cell counts it in."""
        cdef uint32_t at = prefix >> CELL_PAGE_BITS
        cdef uint32_t **pages
        cdef uint32_t *page
        if at >= self.view.page_count:
            pages = grown(self.view.pages, &self.view.page_count, at + 1)
            if pages == NULL:
                return NULL
            self.view.pages = pages
        page = self.view.pages[at]
        page = new_page(CELL_PAGE, self.generation) if page == NULL else self.own_page(page, CELL_PAGE)
        if page == NULL:
            return NULL
        self.view.pages[at] = page
        if not page[prefix & CELL_PAGE_MASK]:
            header_of(page).used += 1     # `emptied` takes it back
        return page + (prefix & CELL_PAGE_MASK)

    cdef void emptied(self, uint32_t prefix) noexcept nogil:
        """A cell that `writable` gave out is empty again (or still): an empty page goes."""
        cdef uint32_t at = prefix >> CELL_PAGE_BITS
        cdef uint32_t *page = self.view.pages[at]
        header_of(page).used -= 1
        if not header_of(page).used:
            self.drop_page(page)
            self.view.pages[at] = NULL

    cdef uint32_t *own_page(self, uint32_t *page, size_t words) noexcept nogil:
        """The page itself, or a copy of it when a snapshot reads it; NULL without memory."""
        cdef uint32_t *copy
        if not self.pins or header_of(page).generation == self.generation:
            return page
        copy = new_page(words, self.generation)
        if copy == NULL:
            return NULL
        memcpy(copy, page, words * sizeof(uint32_t))
        header_of(copy).used = header_of(page).used
        self.drop_page(page)
        return copy

    cdef void drop_page(self, uint32_t *page) noexcept nogil:
        """Free a page, or keep it for the snapshot that reads it."""
        if self.pins and header_of(page).generation != self.generation:
            header_of(page).retired = self.retired
            self.retired = page
        else:
            free_page(page)

    cdef void unpin(self) noexcept:
        """A snapshot closes."""
        self.pins -= 1
        if not self.pins:
            self.free_retired()

    cdef void free_retired(self) noexcept nogil:
        cdef uint32_t *page
        while self.retired != NULL:
            page = self.retired
            self.retired = header_of(page).retired
            free_page(page)

    cdef uint32_t *writable_node(self, uint32_t node) noexcept nogil:
        """A node, to be changed; NULL without memory."""
        cdef uint32_t at = node >> NODE_PAGE_BITS
        cdef uint32_t **pages
        cdef uint32_t *page
        if at >= self.view.node_page_count:
            pages = grown(self.view.node_pages, &self.view.node_page_count, at + 1)
            if pages == NULL:
                return NULL
            self.view.node_pages = pages
        page = self.view.node_pages[at]
        if page == NULL:
            page = new_page(NODE_PAGE * NODE_WORDS, self.generation)
        else:
            page = self.own_page(page, NODE_PAGE * NODE_WORDS)
        if page == NULL:
            return NULL
        self.view.node_pages[at] = page
        return page + NODE_WORDS * (node & NODE_PAGE_MASK)

    cdef uint32_t take_node(self) noexcept nogil:
        """A node that no chain holds; 0 without memory."""
        cdef uint32_t node = self.free_node
        if node:
            if self.writable_node(node) == NULL:
                return 0
            self.free_node = node_of(&self.view, node)[2]
            return node
        if self.writable_node(self.next_node) == NULL:
            return 0
        self.next_node += 1
        return self.next_node - 1

    cdef void give_node(self, uint32_t node) noexcept nogil:
        """Return a node that `writable_node` gave out."""
        cdef uint32_t *n = <uint32_t *>node_of(&self.view, node)
        cdef uint32_t i
        n[0] = n[1] = 0
        n[2] = self.free_node
        self.free_node = node
        if self.count == 0:
            for i in range(self.view.node_page_count):
                if self.view.node_pages[i] != NULL:
                    self.drop_page(self.view.node_pages[i])
                self.view.node_pages[i] = NULL
            self.next_node = 1
            self.free_node = 0

    @property
    def stale(self):
        """Routes that were not announced again since the table last aged."""
        return self.count - self.by_epoch[self.epoch]

    @property
    def doomed(self):
        """Stale routes that were stale already when the table last aged."""
        return sum(self.by_epoch[epoch] for epoch in range(4) if self.doomed_epochs >> epoch & 1)

    def age(self):
        """Make every route stale until it is announced again; those that are stale already are doomed: sweep them.

        Returns: whether that can be told; False while routes of all epochs wait to be swept.
        """
        cdef uint32_t following = (self.epoch + 1) & 3, epoch
        if self.by_epoch[following]:
            return False
        for epoch in range(4):
            if epoch != self.epoch and self.by_epoch[epoch]:
                self.doomed_epochs |= <uint32_t>1 << epoch
        self.doomed_epochs &= ~(<uint32_t>1 << following)
        self.epoch = following
        self.begin_sweep()
        return True

    cpdef uint32_t begin_sweep(self) noexcept:
        """Sweep from the start again; a sweep that is under way has lost its place and must not go on.

        Returns: what `sweep_number` stays at until the next one begins.
        """
        self.sweep_at = 0
        self.sweep_number += 1
        return self.sweep_number

    def snapshot(self):
        """The table as it is now, for a reader in any thread; to be closed in the writer's."""
        cdef TableSnapshot snapshot = TableSnapshot.__new__(TableSnapshot)
        snapshot.view.add_path = self.view.add_path
        snapshot.view.pages = list_of(self.view.pages, self.view.page_count)
        snapshot.view.node_pages = list_of(self.view.node_pages, self.view.node_page_count)
        if snapshot.view.pages == NULL or snapshot.view.node_pages == NULL:
            raise MemoryError
        snapshot.view.page_count = self.view.page_count
        snapshot.view.node_page_count = self.view.node_page_count
        snapshot.count = self.count
        snapshot.table = self
        self.pins += 1
        self.generation += 1
        return snapshot


cdef uint32_t **list_of(uint32_t **pages, uint32_t count) noexcept nogil:
    """A copy of a list of pages; NULL without memory."""
    cdef uint32_t **copy = <uint32_t **>malloc((count + 1) * sizeof(uint32_t *))
    if copy != NULL and count:
        memcpy(copy, pages, count * sizeof(uint32_t *))
    return copy


cdef class TableSnapshot:
    """A table as it was at one moment."""

    def __dealloc__(self):
        free(self.view.pages)
        free(self.view.node_pages)

    def __len__(self):
        return self.count

    def close(self):
        """Let the pages go.  Only in the writer's thread."""
        if self.table is not None:
            self.view.page_count = self.view.node_page_count = 0
            self.table.unpin()
            self.table = None
