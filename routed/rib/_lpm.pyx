# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Longest-prefix match: from addresses to the ids of the most specific prefixes, in bulk.

Both structures, `Lpm4` here and `Lpm6` beside, are *pushed*: the place an address leads to names the most
specific prefix there, whatever its length.  The others that cover it follow by `shorter`, which links each
stored prefix to the next shorter one around it.  One peer's answer is the first prefix of that chain for which
the peer's column has a route.

Inserting a prefix between `old`, the next shorter one, and those inside it is the same walk as removing it: in
every place inside the prefix either the pushed id is `old` and becomes `new`, or a chain leads from there to
the one prefix whose next shorter was `old` and is now `new`.

`Lpm4` is DIR-24-8: a table of 2^24 cells indexed by the first three octets, and a group of 256 more for each
/24 that holds longer prefixes.

A look-up is a few dependent cache misses.  Addresses go in groups of LANES, in lockstep, so that the misses of
a group overlap.  There is one writer, and nobody may match while it writes.
"""

cimport cython
from cpython cimport array
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uintptr_t
from libc.stdlib cimport free
from posix.mman cimport MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE
from posix.mman cimport madvise, mmap, munmap
from routed.rib._table cimport CELL_PAGE

import array

cdef enum:
    MAX_ID = 1 << 29
    CELLS = 1 << 24
    GROUP = 256
    HUGE_PAGE = 1 << 21

cdef uint32_t SPILLED = 1U << 31       # the cell names a group, not a prefix
cdef uint32_t NO_GROUP = 0xFFFFFFFFU
cdef array.array IDS = array.array("I")


cdef class Column:
    """One peer's table, made of Python buffers: what `longest_match_in` asks whether a prefix has a route.

    Args:
        pages: for each 64 ids either 64 unsigned 32-bit cells, 0 for no route, or None for no routes at all.
    """

    def __cinit__(self, pages):
        cdef const uint32_t[::1] cells
        cdef array.array addresses = array.array("Q", [0]) * len(pages)
        cdef const uint32_t **directory = <const uint32_t **>addresses.data.as_voidptr
        self.held = [addresses]
        for index, page in enumerate(pages):
            if page is None:
                continue
            cells = page
            if cells.shape[0] != CELL_PAGE:
                raise ValueError(f"page {index} has {cells.shape[0]} cells, not {CELL_PAGE}")
            directory[<size_t>index] = &cells[0]
            self.held.append(cells)
        self.view.pages = <const uint32_t *const *>directory
        self.view.page_count = <uint32_t>len(pages)


cdef class Nesting:
    """Which stored prefix is the next shorter one around which."""

    def __dealloc__(self):
        free(self.around)

    def __len__(self):
        return self.count

    cdef uint32_t shorter(self, uint32_t id) noexcept nogil:
        return self.around[id] if id < self.capacity else 0

    def next_shorter(self, uint32_t id):
        return self.shorter(id)


@cython.final
cdef class Lpm4(Nesting):
    """Longest match of IPv4 addresses."""

    def __cinit__(self):
        cdef size_t octets = CELLS * sizeof(uint32_t) + HUGE_PAGE
        self.free_group = NO_GROUP
        self.mapping = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if self.mapping == MAP_FAILED:
            self.mapping = NULL
            raise MemoryError
        self.direct = <uint32_t *>((<uintptr_t>self.mapping + HUGE_PAGE - 1) & ~<uintptr_t>(HUGE_PAGE - 1))
        madvise(self.direct, CELLS * sizeof(uint32_t), MADV_HUGEPAGE)  # advice: without, only slower

    def __dealloc__(self):
        if self.mapping != NULL:
            munmap(self.mapping, CELLS * sizeof(uint32_t) + HUGE_PAGE)
        free(self.groups)
        free(self.population)
        free(self.lengths)

    @property
    def memory(self):
        cdef size_t group = GROUP * sizeof(uint32_t) + sizeof(uint16_t)
        cdef size_t nesting = sizeof(uint32_t) + sizeof(uint8_t)
        return CELLS * sizeof(uint32_t) + self.group_capacity * group + self.capacity * nesting

    cdef int insert(self, uint32_t address, uint8_t length, uint32_t id) except -1:
        """Store a prefix that is not stored yet, under an id that is not in use."""
        cdef uint32_t *cell = self.direct + (address >> 8)
        cdef uint32_t parent
        self.reserve(id, length > 24 and not cell[0] & SPILLED)
        parent = self.cover(address, length)
        self.lengths[id] = length
        self.around[id] = parent
        self.count += 1
        if length <= 24:
            self.replace(cell, <size_t>1 << (24 - length), parent, id)
            return 0
        if not cell[0] & SPILLED:
            self.spill(cell)
        self.population[cell[0] ^ SPILLED] += 1
        self.replace(self.group_cell(cell[0], address), <size_t>1 << (32 - length), parent, id)
        return 0

    cdef void remove(self, uint32_t address, uint8_t length, uint32_t id) noexcept:
        """Forget a stored prefix."""
        cdef uint32_t *cell = self.direct + (address >> 8)
        cdef uint32_t parent = self.around[id]
        if length <= 24:
            self.replace(cell, <size_t>1 << (24 - length), id, parent)
        else:
            self.replace(self.group_cell(cell[0], address), <size_t>1 << (32 - length), id, parent)
            self.population[cell[0] ^ SPILLED] -= 1
            if self.population[cell[0] ^ SPILLED] == 0:
                self.unspill(cell)
        self.around[id] = 0
        self.count -= 1
        if self.count == 0:
            self.release()

    cdef void match(self, const uint32_t *addresses, uint32_t *ids, size_t n) noexcept nogil:
        """Find the most specific stored prefix of each address, 0 for none."""
        cdef size_t start = 0, end, i
        cdef uint32_t id, any_spilled
        while start < n:
            end = min(start + LANES, n)
            any_spilled = 0
            for i in range(start, end):
                id = self.direct[addresses[i] >> 8]
                any_spilled |= id
                ids[i] = id
            if any_spilled & SPILLED:
                for i in range(start, end):
                    if ids[i] & SPILLED:
                        ids[i] = self.group_cell(ids[i], addresses[i])[0]
            start = end

    cdef void match_in(
        self, const uint32_t *addresses, uint32_t *ids, size_t n, const column_view *column
    ) noexcept nogil:
        """Find the most specific prefix of each address that has a route in the column, 0 for none."""
        cdef size_t start = 0, lanes
        while start < n:
            lanes = min(<size_t>LANES, n - start)
            self.match(addresses + start, ids + start, lanes)
            narrow(self.around, ids + start, lanes, column)
            start += LANES

    cdef uint32_t cover(self, uint32_t address, unsigned int below) noexcept nogil:
        """Find the most specific stored prefix of less than `below` bits that covers an address."""
        cdef uint32_t id
        self.match(&address, &id, 1)
        while id and self.lengths[id] >= below:
            id = self.around[id]
        return id

    cdef uint32_t stored(self, uint32_t address, unsigned int length) noexcept nogil:
        """The id of a prefix, 0 when it is not stored."""
        cdef uint32_t id = self.cover(address, length + 1)
        return id if id and self.lengths[id] == length else 0

    cdef inline uint32_t *group_cell(self, uint32_t spilled, uint32_t address) noexcept nogil:
        return self.groups + (<size_t>(spilled ^ SPILLED) * GROUP + (address & (GROUP - 1)))

    cdef int reserve(self, uint32_t id, bint group) except -1:
        """Get the memory that storing an id takes, and a group for it when asked; later steps cannot fail."""
        cdef size_t room
        if id >= self.capacity:
            room = room_for(self.capacity, id)
            if grow(<void **>&self.around, self.capacity, room, sizeof(uint32_t)):
                raise MemoryError
            if grow(<void **>&self.lengths, self.capacity, room, sizeof(uint8_t)):
                raise MemoryError
            self.capacity = <uint32_t>room
        if group and self.free_group == NO_GROUP and self.group_count == self.group_capacity:
            room = room_for(self.group_capacity, self.group_count)
            if grow(<void **>&self.groups, self.group_capacity, room, GROUP * sizeof(uint32_t)):
                raise MemoryError
            if grow(<void **>&self.population, self.group_capacity, room, sizeof(uint16_t)):
                raise MemoryError
            self.group_capacity = <uint32_t>room
        return 0

    cdef void spill(self, uint32_t *cell) noexcept nogil:
        """Give a cell a group: a freed one if there is any, else the next reserved one."""
        cdef uint32_t group = self.free_group
        cdef size_t i
        if group == NO_GROUP:
            group = self.group_count
            self.group_count += 1
        else:
            self.free_group = self.groups[<size_t>group * GROUP]
        for i in range(GROUP):
            self.groups[<size_t>group * GROUP + i] = cell[0]
        cell[0] = group | SPILLED

    cdef void unspill(self, uint32_t *cell) noexcept nogil:
        """Free the group of a cell; without longer prefixes all its cells are the same."""
        cdef uint32_t group = cell[0] ^ SPILLED
        cdef uint32_t *first = self.groups + <size_t>group * GROUP
        cell[0] = first[0]
        first[0] = self.free_group
        self.free_group = group

    cdef void replace(self, uint32_t *cells, size_t n, uint32_t old, uint32_t new) noexcept nogil:
        """Push `new` where `old` was, and link what is more specific to it."""
        cdef size_t i
        cdef uint32_t id, linked = new
        for i in range(n):
            id = cells[i]
            if id == old:
                cells[i] = new
            elif id & SPILLED:
                self.replace(self.group_cell(id, 0), GROUP, old, new)
            elif id != linked:
                relink(self.around, id, old, new)
                linked = id

    cdef void release(self) noexcept:
        """Return what an empty table does not need; every cell is 0 already."""
        free(self.around)
        free(self.lengths)
        free(self.groups)
        free(self.population)
        self.around, self.lengths, self.groups, self.population = NULL, NULL, NULL, NULL
        self.capacity = self.group_count = self.group_capacity = 0
        self.free_group = NO_GROUP

    def add(self, const uint32_t[::1] addresses, const uint8_t[::1] lengths, const uint32_t[::1] ids):
        cdef Py_ssize_t i
        check_ids(lengths, ids, addresses.shape[0], 32)
        for i in range(ids.shape[0]):
            if self.stored(addresses[i], lengths[i]):
                raise ValueError(f"prefix {i} is stored already")
            self.insert(addresses[i], lengths[i], ids[i])

    def discard(self, const uint32_t[::1] addresses, const uint8_t[::1] lengths, const uint32_t[::1] ids):
        cdef Py_ssize_t i
        check_ids(lengths, ids, addresses.shape[0], 32)
        for i in range(ids.shape[0]):
            if self.stored(addresses[i], lengths[i]) != ids[i]:
                raise KeyError(ids[i])
            self.remove(addresses[i], lengths[i], ids[i])

    def longest_match(self, const uint32_t[::1] addresses):
        cdef size_t n = <size_t>addresses.shape[0]
        cdef array.array found = array.clone(IDS, n, zero=False)
        cdef uint32_t *ids = found.data.as_uints
        if n:
            with nogil:
                self.match(&addresses[0], ids, n)
        return found

    def longest_match_in(self, const uint32_t[::1] addresses, Column column not None):
        cdef size_t n = <size_t>addresses.shape[0]
        cdef array.array found = array.clone(IDS, n, zero=False)
        cdef uint32_t *ids = found.data.as_uints
        if n:
            with nogil:
                self.match_in(&addresses[0], ids, n, &column.view)
        return found


cdef int check_ids(const uint8_t[::1] lengths, const uint32_t[::1] ids, Py_ssize_t n, uint8_t bits) except -1:
    """Refuse what the C-level methods take on trust, as far as it shows."""
    cdef Py_ssize_t i
    if lengths.shape[0] != n or ids.shape[0] != n:
        raise ValueError(f"{n} addresses, {lengths.shape[0]} lengths, {ids.shape[0]} ids")
    for i in range(n):
        if lengths[i] > bits:
            raise ValueError(f"length {lengths[i]} is above {bits}")
        if not 0 < ids[i] <= MAX_ID:
            raise ValueError(f"id {ids[i]} is not in 1..{MAX_ID}")
    return 0
