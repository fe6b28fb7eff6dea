"""C-level interface of the longest-match structures, and what both share; see `_lpm.pyx` for how they work."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memset
from routed.rib._table cimport CELL_PAGE_BITS, CELL_PAGE_MASK

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil

cdef enum:
    LANES = 32                          # look-ups in lockstep: about as many misses as a core has in flight

ctypedef struct column_view:            # one peer's table: has it a route for this prefix id?
    const uint32_t *const *pages        # by id, in the pages of `_table`; NULL: no routes; cell 0: no route
    uint32_t page_count


cdef class Column:
    cdef column_view view
    cdef list held


cdef class Nesting:
    cdef uint32_t *around               # by id: the next shorter prefix
    cdef uint32_t capacity              # ids that the arrays by id have room for
    cdef size_t count

    cdef uint32_t shorter(self, uint32_t id) noexcept nogil


cdef class Lpm4(Nesting):
    cdef void *mapping
    cdef uint32_t *direct
    cdef uint32_t *groups
    cdef uint16_t *population
    cdef uint32_t group_count
    cdef uint32_t group_capacity
    cdef uint32_t free_group
    cdef uint8_t *lengths

    cdef int insert(self, uint32_t address, uint8_t length, uint32_t id) except -1
    cdef void remove(self, uint32_t address, uint8_t length, uint32_t id) noexcept
    cdef void match(self, const uint32_t *addresses, uint32_t *ids, size_t n) noexcept nogil
    cdef void match_in(
        self, const uint32_t *addresses, uint32_t *ids, size_t n, const column_view *column
    ) noexcept nogil

    cdef uint32_t cover(self, uint32_t address, unsigned int below) noexcept nogil
    cdef uint32_t stored(self, uint32_t address, unsigned int length) noexcept nogil
    cdef uint32_t *group_cell(self, uint32_t spilled, uint32_t address) noexcept nogil
    cdef int reserve(self, uint32_t id, bint group) except -1
    cdef void spill(self, uint32_t *cell) noexcept nogil
    cdef void unspill(self, uint32_t *cell) noexcept nogil
    cdef void replace(self, uint32_t *cells, size_t n, uint32_t old, uint32_t new) noexcept nogil
    cdef void release(self) noexcept


cdef int check_ids(const uint8_t[::1] lengths, const uint32_t[::1] ids, Py_ssize_t n, uint8_t bits) except -1


cdef inline void relink(uint32_t *around, uint32_t id, uint32_t old, uint32_t new) noexcept nogil:
    """Let `new` follow where the chain from `id` leads to `old`, unless it already does."""
    cdef uint32_t above = around[id]
    while above != old and above != new:
        id = above
        above = around[id]
    around[id] = new


cdef inline void narrow(const uint32_t *around, uint32_t *ids, size_t lanes, const column_view *column) noexcept nogil:
    """Replace each id by the first of its chain that has a route in the column; 0 when none has."""
    cdef const uint32_t *cells[LANES]
    cdef uint8_t active[LANES]
    cdef size_t count = 0, kept, i, lane
    cdef const uint32_t *page
    cdef uint32_t no_route = 0, id
    for lane in range(lanes):
        active[count] = <uint8_t>lane
        count += ids[lane] != 0
    while count:
        for i in range(count):
            id = ids[active[i]]
            page = column.pages[id >> CELL_PAGE_BITS] if id >> CELL_PAGE_BITS < column.page_count else NULL
            cells[i] = page + (id & CELL_PAGE_MASK) if page != NULL else &no_route
            __builtin_prefetch(cells[i])
            __builtin_prefetch(around + id)
        kept = 0
        for i in range(count):
            lane = active[i]
            id = ids[lane]
            if cells[i][0] == 0:
                id = around[id]
                ids[lane] = id
                active[kept] = <uint8_t>lane
                kept += id != 0
        count = kept


cdef inline int grow(void **items, size_t held, size_t wanted, size_t octets) noexcept nogil:
    """Enlarge an array, new items zero; -1, and all as it was, without memory."""
    cdef void *grown = realloc(items[0], wanted * octets)
    if grown == NULL:
        return -1
    memset(<uint8_t *>grown + held * octets, 0, (wanted - held) * octets)
    items[0] = grown
    return 0


cdef inline size_t room_for(size_t held, size_t index) noexcept nogil:
    """The next size of an array that must hold `index`."""
    return max(index + 1, held + held // 2, <size_t>64)
