"""The order in which routes are shown.  See `_order.pyx`."""

from libc.stdint cimport uint32_t, uint64_t
from routed.rib._prefixes cimport length_of, prefix_view, words_of

ctypedef struct item:            # a route to be written
    uint64_t key                 # IPv4: address << 8 | length; IPv6: the leading 64 bits of the address
    uint32_t prefix
    uint32_t path
    uint32_t path_identifier


cdef inline uint64_t key_of(const prefix_view *view, uint32_t prefix) noexcept nogil:
    cdef const uint32_t *words = words_of(view, prefix)
    if view.address_words == 1:
        return <uint64_t>words[0] << 8 | length_of(view, prefix)
    return <uint64_t>words[0] << 32 | words[1]


cdef int sort(item *items, size_t n, const prefix_view *prefixes) noexcept nogil
