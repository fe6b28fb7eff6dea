"""Routes found by way of other routers' tables.  See `_follow.pyx`."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from routed.rib._resolve cimport Resolver, resolved


cdef class Follower:
    cdef Resolver resolver
    cdef object choose
    cdef dict views                  # (view, family, next hop) -> view of the router that has that address
    cdef readonly uint32_t defaults
    cdef readonly bint external
    cdef uint8_t *prefixes           # of next hops, sixteen octets each
    cdef uint8_t *lengths
    cdef size_t prefix_count
    cdef uint32_t *asks              # by row: the view that is asked next
    cdef uint32_t *stands            # by row: the view whose route `at` is
    cdef resolved *at
    cdef uint8_t *hops               # by row: the next hop at the end of the way, all ones: none
    cdef size_t room

    cdef void forget_views(self)
    cdef int follow_defaults(
        self, uint32_t *views, const uint8_t *addresses, size_t stride, size_t n, resolved *found,
    ) except -1
    cdef int follow_next_hops(
        self, const uint32_t *views, const uint8_t *addresses, size_t stride, size_t n, const resolved *found,
    ) except -1
    cdef bint is_followed(self, const uint8_t *next_hop) noexcept
    cdef int64_t view_of(self, uint32_t view, int family, const uint8_t *next_hop) except? -2
    cdef int make_room(self, size_t n) except -1
