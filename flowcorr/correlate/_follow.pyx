# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes that are found by way of other routers' tables.

A router that holds little more than a default route sends what it does not know to one that knows more: a flow whose
route is a default route is looked up in the table of that next hop, and so on for as many steps as allowed.  Inside a
network the next hop of a route may itself be a router with a session here, and so on: the last one of them is where
the flow leaves.

Both walk in rounds over the rows of a batch: those that go on are looked up together.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.correlate._match cimport has_prefix
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from routed.rib._path_facts cimport read_next_hop
from routed.rib._resolve cimport Resolver, resolved

cdef enum:
    ADDRESS = 16
    IPV6 = 4                         # index of the first family of AFI 2
    VPN = 3                          # ... and of VPN routes in an AFI
    NOT_FOLLOWED = -1
    MOST_HOPS = 20                   # routers on the way of a flow: next hops may lead in circles
    MOST_VIEWS = 65536               # answers that are remembered: next hops come from peers


cdef class Follower:
    def __cinit__(self, Resolver resolver not None, choose, *, uint32_t defaults=0, prefixes=(), bint external=False):
        cdef size_t i = 0
        self.resolver, self.choose, self.views = resolver, choose, {}
        self.defaults, self.external = defaults, external
        self.prefix_count = len(prefixes)
        self.prefixes = <uint8_t *>calloc(self.prefix_count + 1, ADDRESS)
        self.lengths = <uint8_t *>calloc(self.prefix_count + 1, 1)
        if self.prefixes == NULL or self.lengths == NULL:
            raise MemoryError
        for octets, bits in prefixes:
            if len(octets) != ADDRESS or not 0 <= bits <= 8 * ADDRESS:
                raise ValueError(f"no prefix: {octets!r}, {bits}")
            memcpy(self.prefixes + ADDRESS * i, <const uint8_t *>octets, ADDRESS)
            self.lengths[i] = bits
            i += 1

    def __dealloc__(self):
        free(self.prefixes)
        free(self.lengths)
        free(self.asks)
        free(self.stands)
        free(self.at)
        free(self.hops)

    cdef void forget_views(self):
        self.views.clear()

    cdef int follow_defaults(
        self, uint32_t *views, const uint8_t *addresses, size_t stride, size_t n, resolved *found,
    ) except -1:
        """Look up what was found by a default route in the table of its next hop; without such a table it is gone.

        Args:
            addresses, stride: as of `Resolver.resolve`.
            views: of the rows; those that were followed get the view that they are in now.
        """
        cdef uint8_t next_hop[ADDRESS]
        cdef uint32_t left = self.defaults
        cdef size_t i
        cdef int64_t view
        cdef bint goes_on = True
        while left and goes_on:
            left -= 1
            goes_on = False
            self.make_room(n)
            memset(self.asks, 0, n * sizeof(uint32_t))
            for i in range(n):
                if not found[i].path or found[i].length or found[i].family % IPV6 == VPN:
                    continue
                read_next_hop(self.resolver.paths(), found[i].path, next_hop)
                view = self.view_of(views[i], found[i].family, next_hop)
                if view == NOT_FOLLOWED:
                    continue
                memset(&found[i], 0, sizeof(resolved))
                if view:
                    views[i] = self.asks[i] = <uint32_t>view
                    goes_on = True
            if goes_on:
                self.resolver.resolve(self.asks, addresses, NULL, stride, n, found)
        return 0

    cdef int follow_next_hops(
        self, const uint32_t *views, const uint8_t *addresses, size_t stride, size_t n, const resolved *found,
    ) except -1:
        """Find the next hop at the end of the way of each row, in `hops`."""
        cdef uint8_t next_hop[ADDRESS]
        cdef size_t i
        cdef int hop
        cdef int64_t view
        cdef bint goes_on
        self.make_room(n)
        memset(self.hops, 0xFF, n * ADDRESS)
        memcpy(self.at, found, n * sizeof(resolved))
        memcpy(self.stands, views, n * sizeof(uint32_t))
        for hop in range(MOST_HOPS):
            goes_on = False
            memset(self.asks, 0, n * sizeof(uint32_t))
            for i in range(n):
                if not self.at[i].path:
                    continue
                read_next_hop(self.resolver.paths(), self.at[i].path, next_hop)
                view = 0
                if self.at[i].family % IPV6 != VPN:
                    if self.is_followed(next_hop):
                        view = self.view_of(self.stands[i], self.at[i].family, next_hop)
                        memcpy(self.hops + ADDRESS * i, next_hop, ADDRESS)
                    elif self.external:
                        memcpy(self.hops + ADDRESS * i, next_hop, ADDRESS)
                memset(&self.at[i], 0, sizeof(resolved))
                if view > 0 and view != self.stands[i]:
                    self.stands[i] = self.asks[i] = <uint32_t>view
                    goes_on = True
            if not goes_on:
                return 0
            self.resolver.resolve(self.asks, addresses, NULL, stride, n, self.at)
        return 0

    cdef bint is_followed(self, const uint8_t *next_hop) noexcept:
        cdef size_t i
        for i in range(self.prefix_count):
            if has_prefix(next_hop, self.prefixes + ADDRESS * i, self.lengths[i]):
                return True
        return False

    cdef int64_t view_of(self, uint32_t view, int family, const uint8_t *next_hop) except? -2:
        """The view of the router that has an address, for flows of a view."""
        cdef bytes octets = PyBytes_FromStringAndSize(<const char *>next_hop, ADDRESS)
        cdef int version = 6 if family >= IPV6 else 4
        key = (view, version, octets)
        found = self.views.get(key)
        if found is None:
            if len(self.views) >= MOST_VIEWS:
                self.views.clear()
            found = self.views[key] = self.choose(view, octets, version)
        return found

    cdef int make_room(self, size_t n) except -1:
        if n > self.room:
            self.room = 0
            free(self.asks)
            free(self.stands)
            free(self.at)
            free(self.hops)
            self.asks = <uint32_t *>calloc(n, sizeof(uint32_t))
            self.stands = <uint32_t *>calloc(n, sizeof(uint32_t))
            self.at = <resolved *>calloc(n, sizeof(resolved))
            self.hops = <uint8_t *>calloc(n, ADDRESS)
            if self.asks == NULL or self.stands == NULL or self.at == NULL or self.hops == NULL:
                raise MemoryError
            self.room = n
        return 0
