# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A search over whole tables, by any thread, beside the one that writes.

Opening is what opening a snapshot is: copies of lists of pages.  Then cells are read in the order of prefix ids, a
window of them twice: for the paths of which it is not known whether the condition holds, and, once these were asked,
for the routes.  A condition is asked once of each attribute set (`_answers`).  Windows double, so a search that is asked
for little reads little, and one that reads everything asks paths in the order of their ids.

Where prefixes are asked for (`within`, `around`, `rd`), the ids of those that fit are listed first, one pass over the
keys of the family, and only their cells are read.  That pass looks at all ids, also at those that the writer is just
giving to other prefixes; whatever it believes of these does no harm, because no cell of the search has them.
"""

cimport cython
from cpython cimport array
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from routed.octets._flag cimport is_set, set_flag
from routed.octets._prefetch cimport prefetch
from routed.rib._answers cimport PASSES, answers, ask_for, free_answers, knows, open_answers, settle
from routed.rib._condition cimport Condition
from routed.rib._found cimport Found, found_in
from routed.rib._net cimport fitting, is_narrow, net, take_net
from routed.rib._origin_filter cimport OriginFilter, route
from routed.rib._pinned cimport Pinned
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._routes cimport MAX_PATHS
from routed.rib._rows cimport FAMILIES
from routed.rib._table cimport (
    CELL_PAGE, CELL_PAGE_BITS, CELL_PAGE_MASK, PATH_ID, Table, TableSnapshot, cell_of, node_of, table_view,
)

import array

cdef enum:
    BLOCK = 1024                     # routes that are taken out of cells together
    BLOCK_ROOM = BLOCK + CELL_PAGE * MAX_PATHS
    FIRST_WINDOW = 2048              # routes
    LAST_WINDOW = 1 << 24
    PAGES_AHEAD = 8
    NO_END = 0xFFFFFFFF

ctypedef struct column:              # one table
    uint32_t rib
    int family
    uint32_t own_as                  # of the speaker: the origin of paths that did not leave its AS
    const table_view *table


@cython.final
cdef class Search:
    """Routes of some peers, opened in the writer's thread; afterwards one thread at a time may run it.

    Opening costs in proportion to the pages of the tables: many hundred full tables are better searched in groups.

    Args:
        ribs: whose routes; all of one daemon.
        families: bit by family index.
        condition: what has to hold for their attributes.
        within: (family index, address, length): only prefixes that are this one or inside it.
        around: likewise, only prefixes that are this one or cover it.
        rd: only VPN families, and in them prefixes of this route distinguisher.
        origins: (payloads, statuses): only routes that are, each alone, one of u, i and v.
    """

    cdef Pinned stores
    cdef Condition condition
    cdef OriginFilter origins
    cdef list tables                         # TableSnapshot
    cdef column *columns                     # in the order of the search
    cdef size_t column_count
    cdef net wanted
    cdef uint32_t limits[FAMILIES]           # prefix ids in use end here
    cdef uint32_t *fitting[FAMILIES]         # prefix ids that are looked for, ascending; NULL: not listed yet
    cdef size_t fitting_count[FAMILIES]
    cdef answers answers
    cdef route *block
    cdef int cancelled
    cdef bint is_running

    def __cinit__(
        self, ribs, *, unsigned int families=0xFF, Condition condition=None, within=None, around=None, bytes rd=None,
        origins=None,
    ):
        cdef PeerRib peer
        cdef Rib rib = None
        cdef int family
        cdef PrefixIndex index
        self.tables = []
        self.condition = condition
        families &= take_net(&self.wanted, within, around, rd)
        if origins is not None:
            self.origins = OriginFilter(origins, BLOCK_ROOM)
        ribs = list(ribs)
        self.columns = <column *>malloc((len(ribs) * FAMILIES + 1) * sizeof(column))
        self.block = <route *>malloc(BLOCK_ROOM * sizeof(route))
        if self.columns == NULL or self.block == NULL:
            raise MemoryError
        for at, peer in enumerate(ribs):
            if rib is not None and peer.rib is not rib:
                raise ValueError("peers of different daemons cannot be searched together")
            rib = peer.rib
            for family in peer.families():
                if families >> family & 1:
                    self.open_table(at, family, peer)
        if rib is None:
            return
        for family in range(FAMILIES):
            index = rib.prefixes[family]
            self.limits[family] = index.next_id
        if open_answers(&self.answers, rib.paths.next_id):
            raise MemoryError
        self.stores = Pinned(rib, {self.columns[i].family for i in range(self.column_count)})

    def __dealloc__(self):
        cdef int family
        for table in self.tables or ():      # a search that could not be made whole, or was not closed
            table.close()
        free(self.columns)
        free_answers(&self.answers)
        free(self.block)
        for family in range(FAMILIES):
            free(self.fitting[family])

    cdef int open_table(self, size_t rib, int family, PeerRib peer) except -1:
        cdef Table table = peer.family_table(family)
        cdef TableSnapshot snapshot = table.snapshot()
        self.tables.append(snapshot)
        self.columns[self.column_count].rib = <uint32_t>rib
        self.columns[self.column_count].family = family
        self.columns[self.column_count].own_as = peer.own_as
        self.columns[self.column_count].table = &snapshot.view
        self.column_count += 1
        return 0

    def __len__(self):
        """How many routes the tables have."""
        return sum(len(table) for table in self.tables)

    @property
    def is_cancelled(self):
        return is_set(&self.cancelled)

    def cancel(self):
        """Let a search that runs, or will, end at once with what it has; from any thread."""
        set_flag(&self.cancelled)

    def close(self):
        """Let the stores move and free again; found routes cannot be read any more.  Only in the writer's thread.

        Raises: RuntimeError while it runs or what it found is read.
        """
        if self.stores is None:
            return
        self.stores.close()
        for table in self.tables:
            table.close()
        self.tables = []

    def run(self, size_t most, after=None):
        """The next routes in the order of peers, families and prefix ids.

        Args:
            most: routes at most, but all paths of a prefix that has more alone (RFC 7911).
            after: where the last ones ended; None for the start.
        Returns: the routes, in the order in which they are shown, and where to go on: nowhere when these are the last.
        """
        cdef Found found
        cdef size_t at
        cdef uint32_t prefix = 0
        cdef int failed
        if most < 1:
            raise ValueError("no route at most is no question")
        self.begin()
        try:
            found = found_in(self.stores)
            at = self.place(after, &prefix)
            with nogil:
                failed = self.search(found, most, &at, &prefix) or found.order()
            if failed:
                raise MemoryError
        finally:
            self.end()
        if at < self.column_count:
            found.after = (self.columns[at].rib, self.columns[at].family, prefix)
        return found

    def count(self):
        """How many routes there are, by peer: an array."""
        cdef size_t at, n, window = FIRST_WINDOW
        cdef int failed = 0
        cdef array.array counts = array.array("Q", [0])
        if self.column_count:
            counts *= self.columns[self.column_count - 1].rib + 1
        self.begin()
        try:
            for at in range(self.column_count):
                n = 0
                with nogil:
                    failed = self.count_column(&self.columns[at], &window, &n)
                if failed:
                    raise MemoryError
                counts.data.as_ulonglongs[self.columns[at].rib] += n
        finally:
            self.end()
        return counts

    cdef int begin(self) except -1:
        if self.stores is not None and not self.stores.is_open:
            raise ValueError("the search is closed")
        if self.is_running:
            raise RuntimeError("the search is running already")
        self.is_running = True
        if self.stores is not None:
            self.stores.readers += 1
        return 0

    cdef void end(self) noexcept:
        self.is_running = False
        if self.stores is not None:
            self.stores.readers -= 1

    cdef size_t place(self, after, uint32_t *prefix) except? 0:
        """The column, and in it the prefix id, where a search goes on."""
        cdef size_t at = 0
        if after is None:
            return 0
        rib, family, start = after
        if not 0 <= start <= 0xFFFFFFFF:
            raise ValueError(f"no search goes on at {after}")
        while at < self.column_count and (self.columns[at].rib, self.columns[at].family) < (rib, family):
            at += 1
        if at < self.column_count and (self.columns[at].rib, self.columns[at].family) == (rib, family):
            prefix[0] = start
        return at

    cdef int search(self, Found found, size_t most, size_t *at, uint32_t *prefix) noexcept nogil:
        """Find routes from a place on, which moves to where to go on; 0, or -1 without memory."""
        cdef const column *c
        cdef size_t window = FIRST_WINDOW
        cdef uint32_t end
        cdef int n
        while at[0] < self.column_count:
            c = &self.columns[at[0]]
            end = prefix[0]
            n = self.ask(c, &end, &window)
            if n <= 0:                       # through with the table, cancelled, or without memory
                if n or is_set(&self.cancelled):
                    return n
                prefix[0] = 0
                at[0] += 1
                continue
            while prefix[0] < end:
                n = self.fill(c, prefix)
                if n < 0:
                    return -1
                if not n:
                    prefix[0] = NO_END
                    break
                n = self.keep(c, n)
                if n < 0:
                    return -1
                n = self.select(c, n, found, most, prefix)
                if n or is_set(&self.cancelled):
                    return -1 if n < 0 else 0
        return 0

    cdef int count_column(self, const column *c, size_t *window, size_t *count) noexcept nogil:
        """Count the routes of a table; 0, or -1 without memory."""
        cdef uint32_t start = 0, end = 0
        cdef int n
        while True:
            n = self.ask(c, &end, window)
            if n <= 0:
                return n
            while start < end and not is_set(&self.cancelled):
                n = self.fill(c, &start)
                if n <= 0:
                    break
                n = self.keep(c, n)
                if n < 0:
                    return -1
                count[0] += n

    # -- blocks of routes ----------------------------------------------------------------------------------------------

    cdef int fill(self, const column *c, uint32_t *start) noexcept nogil:
        """Take the next routes of a table into the block, from a prefix id on; how many, or -1 without memory."""
        cdef int n = 0
        cdef uint32_t page = start[0] >> CELL_PAGE_BITS, i
        cdef const table_view *table = c.table
        cdef const uint32_t *cells
        if is_narrow(&self.wanted):
            return self.fill_fitting(c, start)
        while page < table.page_count and n < BLOCK:
            cells = table.pages[page]
            if page + PAGES_AHEAD < table.page_count:
                prefetch_page(table.pages[page + PAGES_AHEAD])
            if cells != NULL:
                for i in range(start[0] & CELL_PAGE_MASK, CELL_PAGE):
                    if cells[i]:
                        n = self.take(table, page << CELL_PAGE_BITS | i, cells[i], n)
            page += 1
            start[0] = page << CELL_PAGE_BITS
        return n

    cdef int fill_fitting(self, const column *c, uint32_t *start) noexcept nogil:
        """The same where only some prefixes are looked for."""
        cdef int n = 0
        cdef const uint32_t *ids
        cdef size_t low = 0, high, middle
        cdef uint32_t held
        if self.fitting[c.family] == NULL:
            self.fitting[c.family] = fitting(
                &self.wanted, &self.stores.prefixes[c.family], self.limits[c.family], &self.fitting_count[c.family]
            )
        ids = self.fitting[c.family]
        if ids == NULL:
            return -1
        high = self.fitting_count[c.family]
        while low < high:
            middle = (low + high) // 2
            if ids[middle] < start[0]:
                low = middle + 1
            else:
                high = middle
        while low < self.fitting_count[c.family] and n < BLOCK:
            held = cell_of(c.table, ids[low])
            if held:
                n = self.take(c.table, ids[low], held, n)
            start[0] = ids[low] + 1
            low += 1
        return n

    cdef inline int take(self, const table_view *table, uint32_t prefix, uint32_t held, int n) noexcept nogil:
        """Take the routes of one prefix; how many there are in the block now."""
        cdef const uint32_t *node
        if not table.add_path:
            self.block[n].prefix = prefix
            self.block[n].path = held & PATH_ID
            self.block[n].path_identifier = 0
            return n + 1
        while held and n < BLOCK_ROOM:
            node = node_of(table, held)
            self.block[n].prefix = prefix
            self.block[n].path = node[0] & PATH_ID
            self.block[n].path_identifier = node[1]
            held = node[2]
            n += 1
        return n

    cdef int keep(self, const column *c, int n) noexcept nogil:
        """Move those of the routes in the block that are looked for to its front; how many, or -1 without memory."""
        cdef int i, kept = 0
        if self.condition is not None:
            for i in range(n):
                if knows(&self.answers, self.block[i].path) == PASSES:
                    self.block[kept] = self.block[i]
                    kept += 1
            n = kept
        if self.origins is None or not n:
            return n
        return self.origins.keep(
            c.family, self.limits[c.family], &self.stores.prefixes[c.family], &self.stores.paths, c.own_as, self.block, n
        )

    cdef int select(
        self, const column *c, int n, Found found, size_t most, uint32_t *stopped
    ) noexcept nogil:
        """Find the routes in the block; 1 when there is one too many, -1 without memory."""
        cdef int i
        for i in range(n):
            if found.count >= most and not self.is_alone(found, c, self.block[i].prefix):
                stopped[0] = self.block[i].prefix
                if is_last(found, c):
                    found.drop(stopped[0])
                return 1
            if found.add(
                c.rib, c.family, c.table.add_path, self.block[i].prefix, self.block[i].path,
                self.block[i].path_identifier,
            ):
                return -1
        return 0

    cdef inline bint is_alone(self, Found found, const column *c, uint32_t prefix) noexcept nogil:
        """Whether all that is found so far is paths of this prefix."""
        return found.stretch_count == 1 and is_last(found, c) and found.items[0].prefix == prefix

    cdef int ask(self, const column *c, uint32_t *end, size_t *window) noexcept nogil:
        """Learn about the paths of the next window of a table, which moves its end and doubles.

        Returns: 1; 0 where the table has no more routes or the search was cancelled; -1 without memory.
        """
        cdef size_t looked = 0
        cdef int n = 1, i
        if self.condition is None:           # nothing to learn: all of the table is one window
            n = end[0] < NO_END and not is_set(&self.cancelled)
            end[0] = NO_END
            return n
        while n > 0 and looked < window[0]:
            if is_set(&self.cancelled):
                return 0
            n = self.fill(c, end)
            for i in range(n):
                ask_for(&self.answers, self.block[i].path)
            looked += max(n, 0)
        window[0] = min(2 * window[0], <size_t>LAST_WINDOW)
        if n < 0 or not looked:
            return n
        settle(&self.answers, self.condition, &self.stores.paths, &self.cancelled)
        return not is_set(&self.cancelled)

cdef inline bint is_last(Found found, const column *c) noexcept nogil:
    """Whether the last found route is one of this table."""
    return (
        found.stretch_count > 0
        and found.stretches[found.stretch_count - 1].rib == c.rib
        and found.stretches[found.stretch_count - 1].family == c.family
    )


cdef inline void prefetch_page(const uint32_t *cells) noexcept nogil:
    cdef int i
    if cells != NULL:
        for i in range(0, CELL_PAGE, 16):
            prefetch(cells + i)
