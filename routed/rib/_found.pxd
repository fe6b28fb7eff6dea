"""Routes that were found.  See `_found.pyx`."""

from libc.stdint cimport uint32_t
from routed.rib._order cimport item
from routed.rib._paths cimport path_view
from routed.rib._pinned cimport Pinned
from routed.rib._prefixes cimport prefix_view
from routed.rib._rib cimport Rib
from routed.rib._rows cimport FAMILIES, Rows

ctypedef struct stretch:             # routes of one peer in one family
    uint32_t rib
    int family
    bint add_path
    size_t end                       # behind the last of them


cdef class Found:
    cdef Rib rib
    cdef Pinned stores               # None: the stores themselves, in the writer's thread
    cdef const path_view *paths
    cdef const prefix_view *prefixes[FAMILIES]
    cdef item *items
    cdef size_t count, room
    cdef stretch *stretches
    cdef size_t stretch_count, stretch_room
    cdef readonly tuple after

    cdef int add(
        self, uint32_t rib, int family, bint add_path, uint32_t prefix, uint32_t path, uint32_t path_identifier,
    ) noexcept nogil
    cdef void drop(self, uint32_t prefix) noexcept nogil
    cdef int order(self) noexcept nogil
    cdef size_t render_items(self, Rows rows, const stretch *of, size_t at) noexcept nogil
    cdef bytes statuses              # of each route, when origins are validated
    cdef const char *status_at
    cdef bint is_there(self, int family, const item *one) noexcept nogil
    cdef int check(self) except -1


cdef Found found_in(Pinned stores)
cdef Found found_now(Rib rib)
cdef tuple value_of(
    int family, const prefix_view *prefixes, const path_view *paths, const item *one, bint add_path
)
