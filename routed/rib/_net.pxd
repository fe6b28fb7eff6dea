"""Which prefixes a search looks for.  See `_net.pyx`."""

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._prefixes cimport prefix_view

ctypedef struct net:
    bint has_within, has_around, has_rd
    uint32_t within[4]
    uint8_t within_length
    uint32_t around[4]
    uint8_t around_length
    uint32_t rd[2]


cdef inline bint is_narrow(const net *wanted) noexcept nogil:
    """Whether some prefixes are not looked for."""
    return wanted.has_within or wanted.has_around or wanted.has_rd


cdef unsigned int take_net(net *wanted, within, around, bytes rd) except? 0
cdef uint32_t *fitting(const net *wanted, const prefix_view *prefixes, uint32_t limit, size_t *count) noexcept nogil
