"""The rows of a networks file; see `_network_rows.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

ctypedef struct network_value:       # what a row says of its prefix; 24 octets, all of them set
    uint32_t origin_as, neighbour_as # 0: not said
    uint8_t next_hop[16]             # no address: not said

ctypedef struct network_row:
    uint64_t high, low               # first address; IPv4 in the upper half of `high`
    uint32_t entry                   # place of the value, and the length in the lowest eight bits
    uint32_t line

ctypedef struct row_array:
    network_row *rows
    size_t count, room


cdef class Rows:
    cdef row_array v4, v6
    cdef network_value *values       # the first one stands for none
    cdef uint32_t value_count, value_room
    cdef uint32_t *slots             # of values by their octets; 0: free
    cdef size_t slot_mask
    cdef uint64_t seed
    cdef list told
    cdef readonly size_t bad, advice, lines
    cdef uint32_t last_value

    cdef network_value *take_values(self) noexcept
    cdef int take_line(self, const uint8_t *at, const uint8_t *end, uint32_t line, bint is_ended) noexcept nogil
    cdef uint32_t value_of(self, const network_value *value) noexcept nogil
    cdef int widen(self) noexcept nogil
