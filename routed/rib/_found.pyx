# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes that a search or a look-up found: as rows, as values, or as ids.

A found route is ids, no copy, so it can be read only as long as they mean what they did.  Those of a search: until it
is closed, by any thread.  Those of a look-up: at once, in the writer's thread; what has gone since is left out.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free
from routed.octets._growth cimport widened
from routed.rib._order cimport item, key_of, sort
from routed.rib._paths cimport (
    IS_LABELLED, attributes_of, entry_of, labels_of, next_hop_of, path_entry, path_set, path_view, set_of,
)
from routed.rib._pinned cimport Pinned
from routed.rib._prefixes cimport PrefixIndex, length_of, prefix_view, words_of
from routed.rib._rib cimport Rib
from routed.rib._rows cimport FAMILIES, ROW_LGLASS, Rows

import array

cdef enum:
    FREE_ID = 255


cdef class Found:
    """Found routes: by peer and family, in each by address.

    `after` is where a search goes on for more, or None.
    """

    def __dealloc__(self):
        free(self.items)
        free(self.stretches)

    def __len__(self):
        return self.count

    cdef int check(self) except -1:
        if self.stores is not None and not self.stores.is_open:
            raise ValueError("the search is closed")
        return 0

    def render(self, Rows rows not None, source not None, size_t at=0):
        """Add the rows of the routes from the place `at` until they are many.

        Args:
            source: called with the index of a peer before its rows: tells `rows.source` whose they are.
        Returns: the place where the next call goes on; the number of routes at the end.
        """
        cdef size_t i
        self.check()
        if self.stores is not None:
            self.stores.readers += 1
        try:
            for i in range(self.stretch_count):
                if at >= self.stretches[i].end:
                    continue
                source(self.stretches[i].rib)
                with nogil:
                    at = self.render_items(rows, &self.stretches[i], at)
                if rows.out_of_memory:
                    raise MemoryError
                if rows.used >= rows.full_at:
                    break
        finally:
            if self.stores is not None:
                self.stores.readers -= 1
        return at

    cdef size_t render_items(self, Rows rows, const stretch *of, size_t at) noexcept nogil:
        """Write the rows of one peer and family from a place on; where they end, or where the buffer was full."""
        cdef const prefix_view *prefixes = self.prefixes[of.family]
        cdef const item *one
        while at < of.end and rows.used < rows.full_at:
            one = &self.items[at]
            at += 1
            if self.is_there(of.family, one):
                if self.status_at != NULL:
                    rows.settled = self.status_at[at - 1]
                rows.route(
                    ROW_LGLASS, of.family, prefixes, one.prefix, self.paths, one.path, of.add_path,
                    one.path_identifier,
                )
        return at

    cdef bint is_there(self, int family, const item *one) noexcept nogil:
        """Whether the ids of a route still name something."""
        if self.stores is not None:
            return True
        with gil:
            return has_prefix(self.rib.prefixes[family], one) and self.rib.paths.has(one.path)

    def columns(self):
        """The ids of the routes.

        Returns: arrays of peer index, family index, prefix id, path id and path identifier (0 without ADD-PATH).
        """
        cdef size_t i, at = 0
        ribs, families = array.array("I"), array.array("B")
        for i in range(self.stretch_count):
            n = self.stretches[i].end - at
            ribs.extend(array.array("I", [self.stretches[i].rib]) * n)
            families.extend(array.array("B", [self.stretches[i].family]) * n)
            at = self.stretches[i].end
        return (
            ribs,
            families,
            array.array("I", [self.items[i].prefix for i in range(self.count)]),
            array.array("I", [self.items[i].path for i in range(self.count)]),
            array.array("I", [self.items[i].path_identifier for i in range(self.count)]),
        )

    def routes(self):
        """The routes as values.

        Returns: a list of (peer index, family index, address octets, length, route distinguisher octets, path
            identifier or None, next hop octets, label octets, attribute octets).
        """
        cdef size_t i, at = 0
        cdef stretch *of
        self.check()
        routes = []
        for i in range(self.stretch_count):
            of = &self.stretches[i]
            while at < of.end:
                if self.is_there(of.family, &self.items[at]):
                    routes.append((of.rib, *value_of(
                        of.family, self.prefixes[of.family], self.paths, &self.items[at], of.add_path
                    )))
                at += 1
        return routes

    cdef int add(
        self, uint32_t rib, int family, bint add_path, uint32_t prefix, uint32_t path, uint32_t path_identifier,
    ) noexcept nogil:
        """Take a route; those of a peer and family one after the other.  0, or -1 without memory."""
        cdef stretch *last = NULL if not self.stretch_count else &self.stretches[self.stretch_count - 1]
        cdef item *one
        cdef void *wider
        if self.count == self.room:
            wider = widened(self.items, &self.room, 64, sizeof(item))
            if wider == NULL:
                return -1
            self.items = <item *>wider
        if last == NULL or last.rib != rib or last.family != family:
            if self.stretch_count == self.stretch_room:
                wider = widened(self.stretches, &self.stretch_room, 64, sizeof(stretch))
                if wider == NULL:
                    return -1
                self.stretches = <stretch *>wider
            last = &self.stretches[self.stretch_count]
            self.stretch_count += 1
            last.rib, last.family, last.add_path = rib, family, add_path
        one = &self.items[self.count]
        one.key = key_of(self.prefixes[family], prefix)
        one.prefix, one.path, one.path_identifier = prefix, path, path_identifier
        self.count += 1
        last.end = self.count
        return 0

    cdef void drop(self, uint32_t prefix) noexcept nogil:
        """Take back the last routes as far as they are to this prefix; they are all of one peer and family."""
        cdef stretch *last = &self.stretches[self.stretch_count - 1]
        cdef size_t start = self.stretches[self.stretch_count - 2].end if self.stretch_count > 1 else 0
        while self.count > start and self.items[self.count - 1].prefix == prefix:
            self.count -= 1
        last.end = self.count
        if self.count == start:
            self.stretch_count -= 1

    cdef int order(self) noexcept nogil:
        """Put the routes of each peer and family in the order in which they are shown; 0, or -1 without memory."""
        cdef size_t i, at = 0
        for i in range(self.stretch_count):
            if sort(self.items + at, self.stretches[i].end - at, self.prefixes[self.stretches[i].family]):
                return -1
            at = self.stretches[i].end
        return 0


cdef Found found_in(Pinned stores):
    """Room for routes of pinned stores; None for no stores at all."""
    cdef Found found = Found.__new__(Found)
    cdef int family
    if stores is None:
        return found
    found.rib = stores.rib
    found.stores = stores
    found.paths = &stores.paths
    for family in range(FAMILIES):
        found.prefixes[family] = &stores.prefixes[family]
    return found


cdef Found found_now(Rib rib):
    """Room for routes of the stores as they are."""
    cdef Found found = Found.__new__(Found)
    cdef int family
    cdef PrefixIndex index
    found.rib = rib
    found.paths = &rib.paths.view
    for family in range(FAMILIES):
        index = rib.prefixes[family]
        found.prefixes[family] = &index.view
    return found


cdef bint has_prefix(PrefixIndex index, const item *one) noexcept:
    return (
        0 < one.prefix < index.next_id
        and length_of(&index.view, one.prefix) != FREE_ID
        and key_of(&index.view, one.prefix) == one.key
    )


cdef tuple value_of(
    int family, const prefix_view *prefixes, const path_view *paths, const item *one, bint add_path
):
    """A route as (family index, address octets, length, route distinguisher octets, path identifier or None, next hop
    octets, label octets, attribute octets)."""
    cdef const path_entry *entry = entry_of(paths, one.path)
    cdef const path_set *labelled = set_of(paths, one.path)
    cdef const path_set *s = set_of(paths, entry.base) if entry.flags & IS_LABELLED else labelled
    cdef const uint32_t *words = words_of(prefixes, one.prefix)
    cdef uint8_t octets[24]
    cdef uint32_t i
    for i in range(4 * prefixes.words):
        octets[i] = <uint8_t>(words[i >> 2] >> (24 - 8 * (i & 3)))
    return (
        family,
        PyBytes_FromStringAndSize(<const char *>octets, 4 * prefixes.address_words),
        length_of(prefixes, one.prefix),
        PyBytes_FromStringAndSize(
            <const char *>octets + 4 * prefixes.address_words, 4 * (prefixes.words - prefixes.address_words)
        ),
        one.path_identifier if add_path else None,
        PyBytes_FromStringAndSize(<const char *>next_hop_of(s), s.next_hop_length),
        PyBytes_FromStringAndSize(<const char *>labels_of(labelled), 3 * labelled.label_count),
        PyBytes_FromStringAndSize(<const char *>attributes_of(s), s.length),
    )
