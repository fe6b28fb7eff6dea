"""C-level interface of a networks file; see `_networks.pyx` for how it is searched."""

from flowcorr.correlate._network_rows cimport network_value
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    TOPS = 65536                     # values of the first sixteen bits of an address

ctypedef struct ranges:
    uint64_t *high                   # of each range its first address: the upper half, and the lower one
    uint64_t *low                    # of IPv6 only
    uint32_t *start                  # of IPv4: the first address
    uint32_t *entry
    size_t count, room
    uint32_t top[TOPS + 1]           # the range in which each sixteen bits begin


cdef class Networks:
    cdef ranges *v4
    cdef ranges *v6
    cdef network_value *values
    cdef uint32_t value_count
    cdef readonly size_t rows

    cdef void ask(self, const uint8_t *address) noexcept nogil
    cdef uint32_t entry_of(self, const uint8_t *address) noexcept nogil
