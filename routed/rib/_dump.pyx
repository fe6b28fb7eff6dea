# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One peer's tables as they are at one moment, read in the order of dumps by any thread.

Opening a snapshot costs a copy of the lists of pages.  While it is open the stores move nothing and use no id again,
so a reader needs no lock.  `render` and `routes` may run in another thread than the writer's, one at a time; opening
and closing may not.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from routed.rib._found cimport value_of
from routed.rib._ids cimport prefetch
from routed.rib._origins cimport MAX_LENGTHS, note_lengths, status_in_order
from routed.rib._order cimport item, key_of, sort
from routed.rib._paths cimport entry_of, path_view, set_of
from routed.rib._pinned cimport Pinned
from routed.rib._prefixes cimport length_at, prefix_view, words_of
from routed.rib._rib cimport PeerRib
from routed.rib._rows cimport FAMILIES, ROW_DUMP, Rows
from routed.rib._table cimport CELL_PAGE, CELL_PAGE_BITS, PATH_ID, Table, TableSnapshot, node_of, table_view

cdef enum:
    AHEAD = 12                   # rows between asking for a path and writing it


cdef class Snapshot:
    """The routes of one peer as they are now.

    Args:
        peer: whose routes.
    """

    cdef readonly list tables                # TableSnapshot or None by family
    cdef Pinned stores
    cdef int family                          # that is being read
    cdef item *items
    cdef size_t item_count, item_at
    cdef bint add_path
    cdef uint8_t has_length[MAX_LENGTHS]     # of prefixes of the family

    def __cinit__(self, PeerRib peer not None):
        cdef int family
        self.family = -1
        self.tables = [None] * FAMILIES
        families = peer.families()
        for family in families:
            self.tables[family] = (<Table>peer.family_table(family)).snapshot()
        self.stores = Pinned(peer.rib, families)

    def __dealloc__(self):
        for table in self.tables or ():      # a snapshot that could not be made whole
            if table is not None:
                table.close()
        free(self.items)

    def __len__(self):
        return sum(len(table) for table in self.tables if table is not None)

    def close(self):
        """Let the stores move and free again.  Only in the writer's thread."""
        for table in self.tables:
            if table is not None:
                table.close()
        self.tables = [None] * FAMILIES
        self.stores.close()
        self.family = FAMILIES

    cdef bint next_family(self) except -1:
        """Collect and sort the routes of the next family that has any; whether there is one."""
        cdef TableSnapshot table
        cdef const prefix_view *prefixes
        cdef int failed
        cdef size_t n
        self.item_at = self.item_count = 0
        while self.family + 1 < FAMILIES:
            self.family += 1
            table = self.tables[self.family]
            if table is None:
                continue
            n = table.count
            free(self.items)
            self.items = <item *>malloc((n + 1) * sizeof(item))
            if self.items == NULL:
                raise MemoryError
            self.add_path = table.view.add_path
            prefixes = &self.stores.prefixes[self.family]
            with nogil:
                self.item_count = collect(&table.view, prefixes, self.items, n)
                failed = sort(self.items, self.item_count, prefixes)
                note_lengths(self.items, self.item_count, prefixes, self.has_length)
            if failed:
                raise MemoryError
            return True
        self.family = FAMILIES
        return False

    def render(self, Rows rows not None, size_t most):
        """Add the rows of the next routes.

        Args:
            most: routes at most.
        Returns: how many; 0 at the end.
        """
        cdef size_t n
        if self.item_at == self.item_count and not self.next_family():
            return 0
        n = min(most, self.item_count - self.item_at)
        with nogil:
            n = self.render_items(rows, n)
        if rows.out_of_memory:
            raise MemoryError
        return n

    cdef size_t render_items(self, Rows rows, size_t n) noexcept nogil:
        """Write the rows of n routes, or of fewer when the buffer is full; of how many."""
        cdef const prefix_view *prefixes = &self.stores.prefixes[self.family]
        cdef const path_view *paths = &self.stores.paths
        cdef item *items = self.items
        cdef size_t i, end = self.item_at + n
        for i in range(self.item_at, end):
            if i + 2 * AHEAD < self.item_count:
                prefetch(entry_of(paths, items[i + 2 * AHEAD].path))
            if i + AHEAD < self.item_count:
                prefetch(set_of(paths, items[i + AHEAD].path))
                prefetch(<const uint8_t *>set_of(paths, items[i + AHEAD].path) + 64)
                prefetch(words_of(prefixes, items[i + AHEAD].prefix))
                prefetch(length_at(prefixes, items[i + AHEAD].prefix))
            if rows.origins is not None:
                rows.settled = status_in_order(
                    rows.origins, items, self.item_count, i, self.has_length, prefixes, paths, rows.own_as
                )
            rows.route(
                ROW_DUMP, self.family, prefixes, items[i].prefix, paths, items[i].path, self.add_path,
                items[i].path_identifier,
            )
            if rows.used >= rows.full_at:
                end = i + 1
                break
        n = end - self.item_at
        self.item_at = end
        return n

    def routes(self, size_t most):
        """The next routes as values, for formats that no compiled writer renders.

        Args:
            most: routes at most.
        Returns: a list of (family index, address octets, length, route distinguisher octets, path identifier or
            None, next hop octets, label octets, attribute octets); empty at the end.
        """
        cdef size_t i, end
        cdef const prefix_view *prefixes
        if self.item_at == self.item_count and not self.next_family():
            return []
        end = min(self.item_at + most, self.item_count)
        prefixes = &self.stores.prefixes[self.family]
        found = [
            value_of(self.family, prefixes, &self.stores.paths, &self.items[i], self.add_path)
            for i in range(self.item_at, end)
        ]
        self.item_at = end
        return found


cdef size_t collect(const table_view *table, const prefix_view *prefixes, item *items, size_t room) noexcept nogil:
    """List the routes of a table; how many."""
    cdef size_t n = 0
    cdef uint32_t page, i, held
    cdef const uint32_t *node
    for page in range(table.page_count):
        if table.pages[page] == NULL:
            continue
        for i in range(CELL_PAGE):
            held = table.pages[page][i]
            while held and n < room:
                items[n].prefix = page << CELL_PAGE_BITS | i
                items[n].key = key_of(prefixes, items[n].prefix)
                items[n].path_identifier = 0
                if table.add_path:
                    node = node_of(table, held)
                    items[n].path = node[0] & PATH_ID
                    items[n].path_identifier = node[1]
                    held = node[2]
                else:
                    items[n].path = held & PATH_ID
                    held = 0
                n += 1
    return n
