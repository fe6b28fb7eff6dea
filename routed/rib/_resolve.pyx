# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which route of which RIB a flow follows, for batches of flows of any exporters.

A view is what one exporter's flows are looked up in.  It asks in steps: unicast, then labelled unicast for what was
not found, or a VPN's tables.  A step has RIBs in classes, the best class first (a BMP router's Loc-RIB, then its peers
after policy, then before).  The first class that has a route at all answers; in it the most specific prefix; among
several routes to that prefix the one that BGP would choose (RFC 4271 section 9.1.2.2, as far as it can be known here).

Addresses go in blocks.  Those of a block pass the longest-match structure of the union together; then each walks from
its most specific prefix outwards until a RIB of its view has a route.  What a pass over the block will read the pass
before has asked for, so the misses of a block overlap.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset
from routed.octets._cursor cimport load32
from routed.octets._prefetch cimport prefetch
from routed.rib._lookup cimport structures_of
from routed.rib._path_facts cimport NEXT_HOP_OCTETS, path_facts, read_facts, read_next_hop
from routed.rib._paths cimport HAS_LOCAL_PREF, base_of, entry_of, path_entry
from routed.rib._prefixes cimport PrefixIndex, length_at, length_of, prefix_view
from routed.rib._rib cimport PeerRib
from routed.rib._table cimport CELL_PAGE_BITS, CELL_PAGE_MASK, PATH_ID, Table, cell_of, node_of

cdef enum:
    IPV6 = 4                         # index of the first family of AFI 2
    ADDRESS = 16
    DEFAULT_LOCAL_PREF = 100
    MAPPED_OCTETS = 12
    BLOCK = 128                      # addresses whose misses overlap

ctypedef struct block:               # addresses on their way through the passes
    size_t count
    uint32_t rows[BLOCK]             # of the batch
    const step_view *steps[BLOCK]
    uint32_t words[BLOCK]            # addresses of IPv4
    uint8_t addresses[BLOCK * ADDRESS]   # ... of IPv6
    uint32_t ids[BLOCK]              # of the most specific prefixes; 0: nothing found

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
        self.c.classes = <uint32_t>len(ribs)
        self.c.class_ends = <uint32_t *>calloc(self.c.classes + 1, sizeof(uint32_t))
        self.c.tables = <const table_view **>calloc(len(self.ribs) + 1, sizeof(table_view *))
        if self.c.class_ends == NULL or self.c.tables == NULL:
            raise MemoryError
        for one in ribs:
            end += <uint32_t>len(one)
            self.c.class_ends[at] = end
            at += 1

    def __dealloc__(self):
        free(self.c.class_ends)
        free(self.c.tables)

    cdef bint open(self, int family):
        """Find the tables of a family, which may have come or gone since; whether there are any."""
        cdef uint32_t i = 0
        cdef PeerRib rib
        cdef Table table
        cdef bint has_tables = False
        for rib in self.ribs:
            table = rib.tables[family]
            self.c.tables[i] = NULL if table is None or not table.count else &table.view
            has_tables |= self.c.tables[i] != NULL
            i += 1
        return has_tables


cdef bint choose(
    const step_view *step, const path_view *paths, const uint32_t *around, uint32_t id, const uint8_t *next_hop,
    resolved *found,
) noexcept nogil:
    """The route for an address whose most specific prefix in the union is `id`; whether there is one.

    The path that is found may be a layer over another one.
    """
    cdef uint32_t first = 0, one, at, i, held, path, best, best_identifier, identifier, best_rib
    cdef const uint32_t *node
    cdef const table_view *table
    for one in range(step.classes):
        at = id
        while at:
            best = best_identifier = best_rib = 0
            for i in range(first, step.class_ends[one]):
                table = step.tables[i]
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
                found.path, found.prefix, found.rib = best, at, step.first + best_rib
                return True
            at = around[at]
        first = step.class_ends[one]
    return False


cdef class View:
    """Where one question looks: steps in their order."""

    def __cinit__(self, steps not None):
        cdef Step step
        cdef uint32_t first = 0
        self.steps = tuple(steps)
        for step in self.steps:
            step.c.first = first
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
        free(self.asks)
        free(self.opened)

    def follow(self, size_t most):
        """Take over so many changes of the tables, before flows ask for them; whether nothing is left."""
        cdef int family
        cdef bint is_done = True
        for family in (0, IPV6):
            is_done = structures_of(self.rib, family).follow(most) and is_done
        return is_done

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
            self.resolve(&views[0], &addresses[0], hops, ADDRESS, n, found)
            return [
                (found[i].path, found[i].family, found[i].prefix, found[i].length, found[i].rib) if found[i].path else None
                for i in range(n)
            ]
        finally:
            free(found)

    cdef int resolve(
        self, const uint32_t *views, const uint8_t *addresses, const uint8_t *next_hops, size_t stride, size_t n,
        resolved *found,
    ) except -1:
        """Find the routes of n addresses.

        Args:
            views: number of the view of each; 0: none.
            addresses: 16 octets each, IPv4 mapped into IPv6.
            next_hops: the same, of the routers that flows were sent to; all ones: not known; NULL: of none of them.
            stride: octets from one address to the next, and from one next hop to the next.
            found: zeroes; what has a path already is left as it is.
        """
        cdef list used = self.used_views(views, n)
        cdef View view
        cdef Step step
        cdef int family
        asked = {}                   # (step, family, route distinguisher) -> the views that ask for it, in order
        for number in used:
            view = self.views[number]
            for at, step in enumerate(view.steps):
                for family in (step.safi, IPV6 + step.safi):
                    asked.setdefault((at, family, step.rd), []).append(number)
        for at, family, rd in sorted(asked):
            self.ask(family, rd, at, asked[at, family, rd], views, addresses, next_hops, stride, n, found)
        return 0

    cdef const path_view *paths(self):
        """Where the paths are that `resolve` found."""
        return &self.rib.paths.view

    cdef PeerRib rib_of(self, uint32_t view, uint32_t place):
        """The RIB at a place of a view, as `resolve` named it."""
        cdef Step step
        for step in (<View>self.views[view]).steps:
            if place < step.c.first + <uint32_t>len(step.ribs):
                return step.ribs[place - step.c.first]
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

    cdef list used_views(self, const uint32_t *views, size_t n):
        """The numbers of the views of a batch, each once."""
        cdef size_t i, count = <size_t>len(self.views)
        if count > self.view_room:
            self.make_room(count)
        memset(self.asks, 0, count)
        for i in range(n):
            if views[i] < count:
                self.asks[views[i]] = 1
        return [i for i in range(1, count) if self.asks[i] and self.views[i] is not None]

    cdef int make_room(self, size_t views) except -1:
        """Widen what there is of each view."""
        cdef uint8_t *asks = <uint8_t *>realloc(self.asks, 2 * views)
        if asks == NULL:
            raise MemoryError
        self.asks = asks
        cdef const step_view **opened = <const step_view **>realloc(self.opened, 2 * views * sizeof(step_view *))
        if opened == NULL:
            raise MemoryError
        self.opened = opened
        self.view_room = 2 * views
        return 0

    cdef int ask(
        self, int family, bytes rd, int at, list used, const uint32_t *views, const uint8_t *addresses,
        const uint8_t *next_hops, size_t stride, size_t n, resolved *found,
    ) except -1:
        """One step: what is still without a route is looked up in the tables of one family."""
        cdef const path_view *paths = &self.rib.paths.view
        cdef const prefix_view *prefixes = &(<PrefixIndex>self.rib.prefixes[family]).view
        cdef bint is_ipv4 = family < IPV6
        cdef size_t row = 0
        cdef const uint32_t *around
        cdef Lpm4 lpm4 = None
        cdef Lpm6 lpm6 = None
        cdef Step step
        cdef block b
        memset(self.opened, 0, self.view_room * sizeof(step_view *))
        has_tables = False
        for number in used:
            step = (<View>self.views[number]).steps[at]
            if step.open(family):
                self.opened[<size_t>number] = &step.c
                has_tables = True
        if not has_tables:
            return 0
        structure = structures_of(self.rib, family).structure(rd)
        if is_ipv4:
            lpm4 = structure
            around = lpm4.around
        else:
            lpm6 = structure
            around = lpm6.around
        with nogil:
            while row < n:
                row = collect(&b, self.opened, self.view_room, views, addresses, stride, row, n, is_ipv4, found)
                if is_ipv4:
                    lpm4.match(b.words, b.ids, b.count)
                else:
                    lpm6.match(b.addresses, b.ids, b.count)
                settle(&b, paths, prefixes, around, next_hops, stride, <uint8_t>family, found)
        return 0


cdef size_t collect(
    block *b, const step_view *const *opened, size_t view_count, const uint32_t *views, const uint8_t *addresses,
    size_t stride, size_t row, size_t n, bint is_ipv4, const resolved *found,
) noexcept nogil:
    """Fill a block with what is still without a route; the row behind the last one that was looked at."""
    cdef const uint8_t *address
    cdef const step_view *step
    b.count = 0
    while row < n and b.count < BLOCK:
        address = addresses + stride * row
        step = opened[views[row]] if views[row] < view_count else NULL
        if step != NULL and not found[row].path and (memcmp(address, MAPPED, MAPPED_OCTETS) == 0) == is_ipv4:
            b.rows[b.count], b.steps[b.count] = <uint32_t>row, step
            if is_ipv4:
                b.words[b.count] = load32(address + MAPPED_OCTETS)
            else:
                memcpy(b.addresses + ADDRESS * b.count, address, ADDRESS)
            b.count += 1
        row += 1
    return row


cdef void settle(
    block *b, const path_view *paths, const prefix_view *prefixes, const uint32_t *around, const uint8_t *next_hops,
    size_t stride, uint8_t family, resolved *found,
) noexcept nogil:
    """From the most specific prefixes of a block to routes."""
    cdef size_t i
    cdef const uint8_t *next_hop = NULL
    cdef resolved *one
    for i in range(b.count):
        prefetch(cell_at(b.steps[i].tables[0], b.ids[i]))
    for i in range(b.count):
        one = &found[b.rows[i]]
        if next_hops != NULL:
            next_hop = next_hops + stride * b.rows[i]
        if b.ids[i] and choose(b.steps[i], paths, around, b.ids[i], next_hop, one):
            prefetch(entry_of(paths, one.path))
            prefetch(length_at(prefixes, one.prefix))
        else:
            b.ids[i] = 0
    for i in range(b.count):
        if b.ids[i]:
            one = &found[b.rows[i]]
            one.path = base_of(paths, one.path)
            one.family, one.length = family, length_of(prefixes, one.prefix)


cdef inline const uint32_t *cell_at(const table_view *table, uint32_t id) noexcept nogil:
    """Where a table has what it knows of a prefix; NULL where it has nothing near it."""
    cdef uint32_t page = id >> CELL_PAGE_BITS
    if table == NULL or page >= table.page_count or table.pages[page] == NULL:
        return NULL
    return table.pages[page] + (id & CELL_PAGE_MASK)
