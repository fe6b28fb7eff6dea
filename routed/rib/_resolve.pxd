"""Which route of which RIB a flow follows, in batches.  See `_resolve.pyx`."""

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._lpm cimport Lpm4
from routed.rib._lpm6 cimport Lpm6
from routed.rib._paths cimport path_view
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._table cimport table_view

ctypedef struct resolved:            # of one address
    uint32_t path                    # that holds the attributes; 0: no route
    uint32_t prefix                  # id in the index of its family
    uint8_t family                   # index, see `_rib`
    uint8_t length                   # bits of the prefix
    uint32_t rib                     # place among all RIBs of the view


ctypedef struct step_view:           # what compiled loops need of a step
    const table_view **tables        # of the family that is being asked, NULL: no such routes
    uint32_t *class_ends             # how many up to the end of each class
    uint32_t classes
    uint32_t first                   # place of its first RIB in the view


cdef class Step:
    cdef readonly int safi                   # which of the four families of an AFI
    cdef readonly bytes rd
    cdef readonly tuple ribs                 # of PeerRib, the best class first
    cdef step_view c

    cdef bint open(self, int family)


cdef class View:
    cdef readonly tuple steps


cdef class Resolver:
    cdef readonly Rib rib
    cdef list views                          # View by number, or None; 0 is none
    cdef list free_views
    cdef uint8_t *asks                       # by view: the batch asks for it
    cdef const step_view **opened            # by view: the step that is being asked; NULL: none
    cdef size_t view_room

    cdef int resolve(
        self, const uint32_t *views, const uint8_t *addresses, const uint8_t *next_hops, size_t stride, size_t n,
        resolved *found,
    ) except -1
    cdef const path_view *paths(self)
    cdef PeerRib rib_of(self, uint32_t view, uint32_t place)
    cdef void hold(self, uint32_t path) noexcept
    cdef bint is_held_by_one(self, uint32_t path) noexcept
    cdef void release(self, uint32_t path) noexcept
    cdef list used_views(self, const uint32_t *views, size_t n)
    cdef int make_room(self, size_t views) except -1
    cdef int ask(
        self, int family, bytes rd, int at, list used, const uint32_t *views, const uint8_t *addresses,
        const uint8_t *next_hops, size_t stride, size_t n, resolved *found,
    ) except -1
