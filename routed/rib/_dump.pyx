# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One peer's tables as they are at one moment, read in the order of dumps by any thread.

Opening a snapshot costs a copy of the lists of pages.  While it is open the stores move nothing and use no id again,
so a reader needs no lock.  `render` and `routes` may run in another thread than the writer's, one at a time; opening
and closing may not.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize
from routed.rib._ids cimport prefetch
from routed.rib._paths cimport (
    IS_LABELLED, PathStore, attributes_of, entry_of, labels_of, next_hop_of, path_entry, path_set, path_view, set_of,
)
from routed.rib._prefixes cimport PrefixIndex, length_at, length_of, prefix_page, prefix_view, words_of
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._rows cimport FAMILIES, ROW_DUMP, Rows
from routed.rib._table cimport CELL_PAGE, CELL_PAGE_BITS, PATH_ID, Table, TableSnapshot, node_of, table_view

cdef extern from "<stdlib.h>" nogil:
    ctypedef int (*compare_with)(const void *, const void *, void *) noexcept nogil
    void qsort_r(void *base, size_t count, size_t size, compare_with compare, void *context)

cdef enum:
    DIGIT_BITS = 11
    DIGITS = 2048
    IPV4_PASSES = 4              # over the 40 bits of a key; even, so that the sorted routes end where they began
    IPV6_PASSES = 6              # over 64 bits
    AHEAD = 12                   # rows between asking for a path and writing it

ctypedef struct item:            # a route to be written
    uint64_t key                 # IPv4: address << 8 | length; IPv6: the leading 64 bits of the address
    uint32_t prefix
    uint32_t path
    uint32_t path_identifier


cdef int by_prefix(const void *a, const void *b, void *prefixes) noexcept nogil:
    """Address, then the shorter first, then route distinguisher, then path identifier."""
    cdef const item *x = <const item *>a
    cdef const item *y = <const item *>b
    cdef const prefix_view *view = <const prefix_view *>prefixes
    cdef const uint32_t *p
    cdef const uint32_t *q
    cdef uint32_t i
    cdef uint8_t m, n
    if x.key != y.key:
        return -1 if x.key < y.key else 1
    p = words_of(view, x.prefix)
    q = words_of(view, y.prefix)
    for i in range(2, view.address_words):
        if p[i] != q[i]:
            return -1 if p[i] < q[i] else 1
    m, n = length_of(view, x.prefix), length_of(view, y.prefix)
    if m != n:
        return -1 if m < n else 1
    for i in range(view.address_words, view.words):
        if p[i] != q[i]:
            return -1 if p[i] < q[i] else 1
    return (x.path_identifier > y.path_identifier) - (x.path_identifier < y.path_identifier)


cdef int sort_by_key(item *items, size_t n, unsigned int passes) noexcept nogil:
    """Radix sort by key; 0, or -1 without memory."""
    cdef item *other = <item *>malloc(n * sizeof(item))
    cdef item *source = items
    cdef item *target = other
    cdef size_t starts[DIGITS]
    cdef size_t i, sum, count
    cdef unsigned int one, shift
    if other == NULL:
        return -1
    for one in range(passes):
        shift = one * DIGIT_BITS
        memset(starts, 0, sizeof(starts))
        for i in range(n):
            starts[(source[i].key >> shift) & (DIGITS - 1)] += 1
        sum = 0
        for i in range(DIGITS):
            count = starts[i]
            starts[i] = sum
            sum += count
        for i in range(n):
            target[starts[(source[i].key >> shift) & (DIGITS - 1)]] = source[i]
            starts[(source[i].key >> shift) & (DIGITS - 1)] += 1
        source, target = target, source
    free(other)
    return 0


cdef int sort(item *items, size_t n, const prefix_view *prefixes) noexcept nogil:
    """Put routes in the order of dumps: by key, then the few that share one; 0, or -1 without memory."""
    cdef size_t i = 0, end
    if sort_by_key(items, n, IPV4_PASSES if prefixes.address_words == 1 else IPV6_PASSES):
        return -1
    while i < n:
        end = i + 1
        while end < n and items[end].key == items[i].key:
            end += 1
        if end - i > 1:
            qsort_r(items + i, end - i, sizeof(item), by_prefix, <void *>prefixes)
        i = end
    return 0


cdef class Snapshot:
    """The routes of one peer as they are now.

    Args:
        peer: whose routes.
    """

    cdef Rib rib
    cdef readonly list tables                # TableSnapshot or None by family
    cdef prefix_view prefixes[FAMILIES]
    cdef path_view paths
    cdef int family                          # that is being read
    cdef item *items
    cdef size_t item_count, item_at
    cdef bint add_path
    cdef bint is_open

    def __cinit__(self, PeerRib peer not None):
        cdef int family
        cdef PrefixIndex index
        cdef PathStore paths = peer.rib.paths
        self.rib = peer.rib
        self.family = -1
        self.tables = [None] * FAMILIES
        self.paths.pages = <path_entry **>copy_of(paths.view.pages, paths.page_count)
        self.paths.segments = <uint8_t **>copy_of(paths.view.segments, paths.segment_count)
        if self.paths.pages == NULL or self.paths.segments == NULL:
            raise MemoryError
        for family in peer.families():
            index = self.rib.prefixes[family]
            self.prefixes[family] = index.view
            self.prefixes[family].pages = <prefix_page **>copy_of(index.view.pages, index.page_count)
            if self.prefixes[family].pages == NULL:
                raise MemoryError
            self.tables[family] = (<Table>peer.family_table(family)).snapshot()
        for family in peer.families():
            index = self.rib.prefixes[family]
            index.pin()
        paths.pin()
        self.is_open = True

    def __dealloc__(self):
        cdef int family
        for table in self.tables or ():      # a snapshot that could not be made whole
            if table is not None:
                table.close()
        free(self.items)
        free(self.paths.pages)
        free(self.paths.segments)
        for family in range(FAMILIES):
            free(self.prefixes[family].pages)

    def __len__(self):
        return sum(len(table) for table in self.tables if table is not None)

    def close(self):
        """Let the stores move and free again.  Only in the writer's thread."""
        cdef int family
        cdef PrefixIndex index
        if not self.is_open:
            return
        self.is_open = False
        for family in range(FAMILIES):
            if self.tables[family] is not None:
                self.tables[family].close()
                index = self.rib.prefixes[family]
                index.unpin()
        self.tables = [None] * FAMILIES
        self.rib.paths.unpin()
        self.family = FAMILIES

    cdef bint next_family(self) except -1:
        """Collect and sort the routes of the next family that has any; whether there is one."""
        cdef TableSnapshot table
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
            with nogil:
                self.item_count = collect(&table.view, &self.prefixes[self.family], self.items, n)
                failed = sort(self.items, self.item_count, &self.prefixes[self.family])
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
        cdef const prefix_view *prefixes = &self.prefixes[self.family]
        cdef item *items = self.items
        cdef size_t i, end = self.item_at + n
        for i in range(self.item_at, end):
            if i + 2 * AHEAD < self.item_count:
                prefetch(entry_of(&self.paths, items[i + 2 * AHEAD].path))
            if i + AHEAD < self.item_count:
                prefetch(set_of(&self.paths, items[i + AHEAD].path))
                prefetch(<const uint8_t *>set_of(&self.paths, items[i + AHEAD].path) + 64)
                prefetch(words_of(prefixes, items[i + AHEAD].prefix))
                prefetch(length_at(prefixes, items[i + AHEAD].prefix))
            rows.route(
                ROW_DUMP, self.family, prefixes, items[i].prefix, &self.paths, items[i].path, self.add_path,
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
        if self.item_at == self.item_count and not self.next_family():
            return []
        end = min(self.item_at + most, self.item_count)
        found = [self.value(&self.items[i]) for i in range(self.item_at, end)]
        self.item_at = end
        return found

    cdef tuple value(self, const item *one):
        cdef const prefix_view *prefixes = &self.prefixes[self.family]
        cdef const path_entry *entry = entry_of(&self.paths, one.path)
        cdef const path_set *labelled = set_of(&self.paths, one.path)
        cdef const path_set *s = set_of(&self.paths, entry.base) if entry.flags & IS_LABELLED else labelled
        cdef const uint32_t *words = words_of(prefixes, one.prefix)
        cdef uint8_t octets[24]
        cdef uint32_t i
        for i in range(4 * prefixes.words):
            octets[i] = <uint8_t>(words[i >> 2] >> (24 - 8 * (i & 3)))
        return (
            self.family,
            PyBytes_FromStringAndSize(<const char *>octets, 4 * prefixes.address_words),
            length_of(prefixes, one.prefix),
            PyBytes_FromStringAndSize(
                <const char *>octets + 4 * prefixes.address_words, 4 * (prefixes.words - prefixes.address_words)
            ),
            one.path_identifier if self.add_path else None,
            PyBytes_FromStringAndSize(<const char *>next_hop_of(s), s.next_hop_length),
            PyBytes_FromStringAndSize(<const char *>labels_of(labelled), 3 * labelled.label_count),
            PyBytes_FromStringAndSize(<const char *>attributes_of(s), s.length),
        )


cdef void *copy_of(const void *pointers, size_t count) noexcept nogil:
    """A copy of a list of pointers; NULL without memory."""
    cdef void *copy = malloc((count + 1) * sizeof(void *))
    if copy != NULL and count:
        memcpy(copy, pointers, count * sizeof(void *))
    return copy


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


cdef inline uint64_t key_of(const prefix_view *view, uint32_t prefix) noexcept nogil:
    cdef const uint32_t *words = words_of(view, prefix)
    if view.address_words == 1:
        return <uint64_t>words[0] << 8 | length_of(view, prefix)
    return <uint64_t>words[0] << 32 | words[1]
