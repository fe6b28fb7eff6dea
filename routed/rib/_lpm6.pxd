"""C-level interface of the IPv6 longest-match structure; see `_lpm6.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._lpm cimport Nesting, column_view
from routed.rib._runs cimport node_t, slot_t

cdef struct key_t:                      # an IPv6 prefix
    uint64_t high
    uint64_t low
    uint32_t next                       # the next prefix, equally long or shorter, in its bucket
    uint8_t length


cdef class Lpm6(Nesting):
    cdef slot_t root
    cdef key_t *keys
    cdef size_t node_octets

    cdef int insert(self, const uint8_t *address, uint8_t length, uint32_t id) except -1
    cdef void remove(self, const uint8_t *address, uint8_t length, uint32_t id) noexcept
    cdef void match(self, const uint8_t *addresses, uint32_t *ids, size_t n) noexcept nogil
    cdef void match_in(
        self, const uint8_t *addresses, uint32_t *ids, size_t n, const column_view *column
    ) noexcept nogil

    cdef void match_lanes(self, const uint8_t *addresses, uint32_t *ids, size_t lanes) noexcept nogil
    cdef void match_buckets(
        self, const uint8_t *addresses, uint32_t *ids, uint8_t *active, size_t count
    ) noexcept nogil
    cdef uint32_t cover(self, const uint8_t *address, unsigned int below) noexcept nogil
    cdef uint32_t stored(self, const uint8_t *address, unsigned int length) noexcept nogil
    cdef size_t descend(self, const uint8_t *address, uint8_t length, slot_t **path) noexcept nogil
    cdef int reserve(self, uint32_t id) except -1
    cdef int resize(self, slot_t *at, size_t capacity) noexcept nogil
    cdef int make_room(self, slot_t *at, size_t runs) noexcept nogil
    cdef void trim(self, slot_t *at) noexcept nogil
    cdef void place(self, node_t *node, uint32_t id, uint32_t parent, size_t level) noexcept nogil
    cdef void displace(self, node_t *node, uint32_t id, size_t level) noexcept nogil
    cdef void replace(self, slot_t *at, uint32_t old, uint32_t new) noexcept nogil
    cdef void adopt(self, slot_t value, uint32_t id, uint32_t parent) noexcept nogil
    cdef void enlist(self, slot_t *at, uint32_t id) noexcept nogil
    cdef void delist(self, slot_t *at, uint32_t id, uint32_t parent) noexcept nogil
    cdef void split(self, slot_t *at, uint32_t newest, size_t level) noexcept nogil
    cdef void settle(self, node_t *node, uint32_t id, size_t level) noexcept nogil
    cdef size_t size_of(self, uint32_t head) noexcept nogil
    cdef uint32_t reverse(self, uint32_t head) noexcept nogil
    cdef void collapse(self, slot_t *at, size_t level) noexcept nogil
    cdef size_t gather(self, slot_t value, size_t level, uint32_t *found, size_t count) noexcept nogil
    cdef size_t gather_chain(self, uint32_t id, size_t level, uint32_t *found, size_t count) noexcept nogil
    cdef void dissolve(self, slot_t value) noexcept nogil
    cdef void release(self) noexcept
