# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which route of which RIB a flow follows, for batches of flows of any exporters.

A view is what one exporter's flows are looked up in.  It asks in steps: unicast, then labelled unicast for what was
not found, or a VPN's tables.  A step has RIBs in classes, the best class first (a BMP router's Loc-RIB, then its peers
after policy, then before).  The first class that has a route at all answers; in it the most specific prefix; among
several routes to that prefix the one that BGP would choose (RFC 4271 section 9.1.2.2, as far as it can be known here).

All addresses of a step go through the longest-match structure of the union together, whose misses overlap; then each
walks from its most specific prefix outwards until a RIB of its view has a route.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memset
from routed.rib._ids cimport prefetch
from routed.rib._lookup cimport structures_of
from routed.rib._path_facts cimport NEXT_HOP_OCTETS, path_facts, read_facts, read_next_hop
from routed.rib._paths cimport HAS_LOCAL_PREF, base_of, entry_of, path_entry
from routed.rib._prefixes cimport PREFIX_PAGE_BITS, PREFIX_PAGE_MASK, PrefixIndex, length_of
from routed.rib._rib cimport PeerRib
from routed.rib._table cimport CELL_PAGE_BITS, PATH_ID, Table, cell_of, node_of

cdef enum:
    IPV6 = 4                         # index of the first family of AFI 2
    ADDRESS = 16
    DEFAULT_LOCAL_PREF = 100
    MAPPED_OCTETS = 12

cdef uint8_t[12] MAPPED
memset(MAPPED, 0, 10)
MAPPED[10] = MAPPED[11] = 0xFF


cdef inline uint32_t preference(const path_entry *entry) noexcept nogil:
    return entry.base if entry.flags & HAS_LOCAL_PREF else <uint32_t>DEFAULT_LOCAL_PREF


cdef bint is_better(const path_view *paths, uint32_t a, uint32_t b) noexcept nogil:
    """Whether BGP would rather choose path `a`: local preference, AS path length, origin, MED of one neighbour."""
    cdef const path_entry *x = entry_of(paths, a)
    cdef const path_entry *y = entry_of(paths, b)
    cdef path_facts of_a, of_b
    if preference(x) != preference(y):
        return preference(x) > preference(y)
    if x.path_length != y.path_length:
        return x.path_length < y.path_length
    if x.origin != y.origin:
        return x.origin < y.origin
    if x.neighbour_as != y.neighbour_as:
        return False
    read_facts(paths, a, False, &of_a)
    read_facts(paths, b, False, &of_b)
    return of_a.med < of_b.med


cdef bint is_preferred(
    const path_view *paths, uint32_t path, uint32_t identifier, uint32_t best, uint32_t best_identifier,
) noexcept nogil:
    """Whether a route is to be chosen before the best one so far: a better path, or an equal one of a lower identifier."""
    cdef uint32_t a = base_of(paths, path), b = base_of(paths, best)
    return is_better(paths, a, b) or (identifier < best_identifier and not is_better(paths, b, a))


cdef bint is_sent_to(const path_view *paths, uint32_t path, const uint8_t *next_hop) noexcept nogil:
    """Whether a path has the next hop that the flow's router used; any has where that is not known."""
    cdef uint8_t octets[NEXT_HOP_OCTETS]
    cdef int i
    if next_hop == NULL:
        return True
    for i in range(NEXT_HOP_OCTETS):
        if next_hop[i] != 0xFF:
            break
    else:
        return True
    read_next_hop(paths, path, octets)
    return not memcmp(octets, next_hop, NEXT_HOP_OCTETS)


cdef class Step:
    """One family to look into.

    Args:
        safi: 0 unicast, 1 multicast, 2 labelled unicast or 3 VPN.
        rd: route distinguisher of eight octets in a VPN, else b"".
        ribs: lists of PeerRib, the best class first.
    """

    def __cinit__(self, int safi, bytes rd not None, ribs not None):
        cdef uint32_t at = 0, end = 0
        if not 0 <= safi < 4 or len(rd) != (8 if safi == 3 else 0):
            raise ValueError(f"no step of a view: {safi}, {rd!r}")
        self.safi, self.rd = safi, rd
        self.ribs = tuple(rib for one in ribs for rib in one)
        self.classes = <uint32_t>len(ribs)
        self.class_ends = <uint32_t *>calloc(self.classes + 1, sizeof(uint32_t))
        self.tables = <const table_view **>calloc(len(self.ribs) + 1, sizeof(table_view *))
        if self.class_ends == NULL or self.tables == NULL:
            raise MemoryError
        for one in ribs:
            end += <uint32_t>len(one)
            self.class_ends[at] = end
            at += 1

    def __dealloc__(self):
        free(self.class_ends)
        free(self.tables)

    cdef bint open(self, int family):
        """Find the tables of a family, which may have come or gone since; whether there are any."""
        cdef uint32_t i = 0
        cdef PeerRib rib
        cdef Table table
        cdef bint has_tables = False
        for rib in self.ribs:
            table = rib.tables[family]
            self.tables[i] = NULL if table is None or not table.count else &table.view
            has_tables |= self.tables[i] != NULL
            i += 1
        return has_tables

    cdef bint choose(
        self, const path_view *paths, const uint32_t *around, uint32_t id, const uint8_t *next_hop, resolved *found,
    ) noexcept nogil:
        """The route for an address whose most specific prefix in the union is `id`; whether there is one.

        The path that is found may be a layer over another one.
        """
        cdef uint32_t first = 0, one, at, i, held, path, best, best_identifier, identifier, best_rib
        cdef const uint32_t *node
        cdef const table_view *table
        for one in range(self.classes):
            at = id
            while at:
                best = best_identifier = best_rib = 0
                for i in range(first, self.class_ends[one]):
                    table = self.tables[i]
                    if table == NULL:
                        continue
                    held = cell_of(table, at)
                    while held:
                        node = node_of(table, held) if table.add_path else NULL
                        path = (node[0] if node != NULL else held) & PATH_ID
                        identifier = node[1] if node != NULL else 0
                        held = node[2] if node != NULL else 0
                        if node != NULL and not is_sent_to(paths, base_of(paths, path), next_hop):
                            continue
                        if not best or is_preferred(paths, path, identifier, best, best_identifier):
                            best, best_identifier, best_rib = path, identifier, i
                if best:
                    found.path, found.prefix, found.rib = best, at, self.first + best_rib
                    return True
                at = around[at]
            first = self.class_ends[one]
        return False


cdef class View:
    """Where one question looks: steps in their order."""

    def __cinit__(self, steps not None):
        cdef Step step
        cdef uint32_t first = 0
        self.steps = tuple(steps)
        for step in self.steps:
            step.first = first
            first += <uint32_t>len(step.ribs)

    @property
    def ribs(self):
        """All RIBs, by the places that answers name."""
        return tuple(rib for step in self.steps for rib in step.ribs)


cdef class Resolver:
    """Looks flows up in the stores of a daemon; in the thread that writes them."""

    def __cinit__(self, Rib rib not None):
        self.rib = rib
        self.views = [None]
        self.free_views = []

    def __dealloc__(self):
        free(self.rows)
        free(self.ids)
        free(self.addresses)
        free(self.steps)
        free(self.asks)

    def add(self, View view not None):
        """Take a view; its number, by which batches name it."""
        for rib in view.ribs:
            if (<PeerRib?>rib).rib is not self.rib:
                raise ValueError("a RIB of another daemon")
        if self.free_views:
            number = self.free_views.pop()
            self.views[number] = view
        else:
            number = len(self.views)
            self.views.append(view)
        return number

    def remove(self, size_t number):
        """Forget a view; its number may be given to another one."""
        if not 0 < number < <size_t>len(self.views) or self.views[number] is None:
            raise KeyError(number)
        self.views[number] = None
        self.free_views.append(number)

    def match(self, const uint32_t[::1] views, const uint8_t[::1] addresses, const uint8_t[::1] next_hops=None):
        """The routes of n addresses of 16 octets, for few of them.

        Returns: a list of (path, family, prefix id, length, place of the RIB in the view) or None.
        """
        cdef size_t n = <size_t>views.shape[0], i
        if addresses.shape[0] != ADDRESS * views.shape[0]:
            raise ValueError("as many addresses as views")
        if next_hops is not None and next_hops.shape[0] != addresses.shape[0]:
            raise ValueError("as many next hops as addresses")
        if not n:
            return []
        cdef resolved *found = <resolved *>calloc(n, sizeof(resolved))
        if found == NULL:
            raise MemoryError
        cdef const uint8_t *hops = NULL
        if next_hops is not None:
            hops = &next_hops[0]
        try:
            self.resolve(&views[0], &addresses[0], hops, n, found)
            return [
                (found[i].path, found[i].family, found[i].prefix, found[i].length, found[i].rib) if found[i].path else None
                for i in range(n)
            ]
        finally:
            free(found)

    cdef int resolve(
        self, const uint32_t *views, const uint8_t *addresses, const uint8_t *next_hops, size_t n, resolved *found,
    ) except -1:
        """Find the routes of n addresses.

        Args:
            views: number of the view of each; 0: none.
            addresses: 16 octets each, IPv4 mapped into IPv6.
            next_hops: the same, of the routers that flows were sent to; all ones: not known; NULL: of none of them.
            found: zeroes; what has a path already is left as it is.
        """
        cdef list used = self.used_views(views, n)
        cdef View view
        cdef Step step
        cdef int family
        asked = {}                   # (step, family, route distinguisher) -> the views that ask for it, in order
        self.make_room(n)
        for number in used:
            view = self.views[number]
            for at, step in enumerate(view.steps):
                for family in (step.safi, IPV6 + step.safi):
                    asked.setdefault((at, family, step.rd), []).append(number)
        for at, family, rd in sorted(asked):
            self.ask(family, rd, at, asked[at, family, rd], views, addresses, next_hops, n, found)
        return 0

    cdef const path_view *paths(self):
        """Where the paths are that `resolve` found."""
        return &self.rib.paths.view

    cdef PeerRib rib_of(self, uint32_t view, uint32_t place):
        """The RIB at a place of a view, as `resolve` named it."""
        cdef Step step
        for step in (<View>self.views[view]).steps:
            if place < step.first + <uint32_t>len(step.ribs):
                return step.ribs[place - step.first]
        raise KeyError(place)

    cdef void hold(self, uint32_t path) noexcept:
        """Keep a path that was found, whatever becomes of its routes."""
        self.rib.paths.hold(path)

    cdef bint is_held_by_one(self, uint32_t path) noexcept:
        """Whether only the one who asks still keeps a path."""
        return entry_of(&self.rib.paths.view, path).references == 1

    cdef void release(self, uint32_t path) noexcept:
        """Let go of a path that was held."""
        self.rib.paths.release(path)

    cdef int make_room(self, size_t n) except -1:
        cdef size_t room = max(n, 2 * self.room)
        if n > self.room:
            self.room = 0
            free(self.rows)
            free(self.ids)
            free(self.addresses)
            free(self.steps)
            self.rows = <uint32_t *>calloc(room, sizeof(uint32_t))
            self.ids = <uint32_t *>calloc(room, sizeof(uint32_t))
            self.addresses = <uint8_t *>calloc(room, ADDRESS)
            self.steps = <void **>calloc(room, sizeof(void *))
            if self.rows == NULL or self.ids == NULL or self.addresses == NULL or self.steps == NULL:
                raise MemoryError
            self.room = room
        return 0

    cdef list used_views(self, const uint32_t *views, size_t n):
        """The numbers of the views of a batch, each once."""
        cdef size_t i, count = <size_t>len(self.views)
        cdef uint8_t *wider
        if count > self.view_room:
            wider = <uint8_t *>realloc(self.asks, 2 * count)
            if wider == NULL:
                raise MemoryError
            self.asks = wider
            self.view_room = 2 * count
        memset(self.asks, 0, count)
        for i in range(n):
            if views[i] < count:
                self.asks[views[i]] = 1
        return [i for i in range(1, count) if self.asks[i] and self.views[i] is not None]

    cdef int ask(
        self, int family, bytes rd, int at, list used, const uint32_t *views, const uint8_t *addresses,
        const uint8_t *next_hops, size_t n, resolved *found,
    ) except -1:
        """One step: what is still without a route is looked up in the tables of one family."""
        cdef const path_view *paths = &self.rib.paths.view
        cdef PrefixIndex index = self.rib.prefixes[family]
        cdef bint is_ipv4 = family < IPV6
        cdef size_t i, count = 0, row
        cdef const uint8_t *address
        cdef const uint8_t *next_hop
        cdef uint32_t *words = <uint32_t *>self.addresses
        cdef const uint32_t *around
        cdef Lpm4 lpm4
        cdef Lpm6 lpm6
        cdef Step step
        memset(self.asks, 0, self.view_room)
        opened = [number for number in used if (<Step>(<View>self.views[number]).steps[at]).open(family)]
        if not opened:
            return 0
        for number in opened:
            self.asks[<size_t>number] = 1
        cdef size_t view_count = <size_t>len(self.views)
        for i in range(n):
            address = addresses + ADDRESS * i
            if found[i].path or views[i] >= view_count or not self.asks[views[i]]:
                continue
            if (memcmp(address, MAPPED, MAPPED_OCTETS) == 0) != is_ipv4:
                continue
            self.rows[count] = <uint32_t>i
            if is_ipv4:
                words[count] = (
                    <uint32_t>address[12] << 24 | <uint32_t>address[13] << 16
                    | <uint32_t>address[14] << 8 | address[15]
                )
            else:
                copy_address(self.addresses + ADDRESS * count, address)
            count += 1
        if not count:
            return 0
        structure = structures_of(self.rib, family).structure(rd)
        if is_ipv4:
            lpm4 = structure
            around = lpm4.around
            with nogil:
                lpm4.match(words, self.ids, count)
        else:
            lpm6 = structure
            around = lpm6.around
            with nogil:
                lpm6.match(self.addresses, self.ids, count)
        # three passes, each of which asks for the memory that the next one reads
        for i in range(count):
            row = self.rows[i]
            step = (<View>self.views[views[row]]).steps[at]
            self.steps[i] = <void *>step
            if self.ids[i]:
                prefetch_cell(step.tables[0], self.ids[i])
                prefetch(around + self.ids[i])
        for i in range(count):
            row = self.rows[i]
            step = <Step>self.steps[i]
            next_hop = next_hops
            if next_hops != NULL:
                next_hop = next_hops + ADDRESS * row
            if self.ids[i] and step.choose(paths, around, self.ids[i], next_hop, &found[row]):
                prefetch(entry_of(paths, found[row].path))
                prefetch(&index.view.pages[found[row].prefix >> PREFIX_PAGE_BITS].lengths[
                    found[row].prefix & PREFIX_PAGE_MASK
                ])
            else:
                self.ids[i] = 0
        for i in range(count):
            if self.ids[i]:
                row = self.rows[i]
                found[row].path = base_of(paths, found[row].path)
                found[row].family = <uint8_t>family
                found[row].length = length_of(&index.view, found[row].prefix)
        return 0


cdef inline void copy_address(uint8_t *to, const uint8_t *address) noexcept nogil:
    cdef int i
    for i in range(ADDRESS):
        to[i] = address[i]


cdef inline void prefetch_cell(const table_view *table, uint32_t id) noexcept nogil:
    cdef uint32_t page = id >> CELL_PAGE_BITS
    if table != NULL and page < table.page_count and table.pages[page] != NULL:
        prefetch(table.pages[page] + (id & 63))
