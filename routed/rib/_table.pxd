"""One peer's table of one family.  See `_table.pyx`."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    CELL_PAGE_BITS = 6               # small pages: a peer with few routes among many prefixes pays 272 octets each
    CELL_PAGE = 64
    CELL_PAGE_MASK = 63
    PAGE_HEADER = 4                  # words in front of a page, see page_header
    PATH_BITS = 30
    PATH_ID = 0x3FFFFFFF             # of a cell or node; the two bits above are the epoch
    NODE_PAGE_BITS = 9
    NODE_PAGE = 512
    NODE_PAGE_MASK = 511
    NODE_WORDS = 3                   # path and epoch, path identifier, next node

ctypedef struct page_header:
    uint32_t generation              # of the table when the page was made
    uint32_t used                    # cells that hold a route
    uint32_t *retired                # next page that only snapshots still read

ctypedef struct table_view:          # what a reader needs; a snapshot has a copy of its own
    uint32_t **pages                 # by prefix id; a page counts from its first cell
    uint32_t page_count
    uint32_t **node_pages            # ADD-PATH only: cells hold the first node of a chain
    uint32_t node_page_count
    bint add_path


cdef inline uint32_t cell_of(const table_view *view, uint32_t prefix) noexcept nogil:
    cdef uint32_t page = prefix >> CELL_PAGE_BITS
    if page >= view.page_count or view.pages[page] == NULL:
        return 0
    return view.pages[page][prefix & CELL_PAGE_MASK]


cdef inline const uint32_t *node_of(const table_view *view, uint32_t node) noexcept nogil:
    return view.node_pages[node >> NODE_PAGE_BITS] + NODE_WORDS * (node & NODE_PAGE_MASK)


cdef class Table:
    cdef table_view view
    cdef readonly uint32_t count
    cdef uint32_t next_node, free_node
    cdef uint32_t epoch                      # 0 to 3: routes of another epoch are stale
    cdef uint32_t by_epoch[4]                # routes of each epoch
    cdef uint32_t doomed_epochs              # bit by epoch: stale since before the last `age`
    cdef uint32_t sweep_at                   # next prefix id to sweep
    cdef readonly uint32_t sweep_number      # of the sweep whose place that is
    cdef uint32_t generation                 # of the last snapshot; older pages are copied before they change
    cdef int pins                            # open snapshots
    cdef uint32_t *retired

    cdef uint32_t *writable(self, uint32_t prefix) noexcept nogil
    cdef void emptied(self, uint32_t prefix) noexcept nogil
    cdef uint32_t *writable_node(self, uint32_t node) noexcept nogil
    cdef uint32_t take_node(self) noexcept nogil
    cdef void give_node(self, uint32_t node) noexcept nogil
    cdef uint32_t *own_page(self, uint32_t *page, size_t words) noexcept nogil
    cdef void drop_page(self, uint32_t *page) noexcept nogil
    cpdef uint32_t begin_sweep(self) noexcept
    cdef void unpin(self) noexcept
    cdef void free_retired(self) noexcept nogil


cdef class TableSnapshot:
    cdef Table table
    cdef table_view view
    cdef readonly uint32_t count
