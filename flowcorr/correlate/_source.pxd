"""One plane that flows are looked up in.  See `_source.pyx`."""

from flowcorr.correlate._facts cimport Facts, fact
from flowcorr.correlate._follow cimport Follower
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._resolve cimport Resolver, resolved
from routed.rib._vrps cimport Vrps

cdef enum:
    NO_VIEW = 0xFFFFFFFF             # the number of none: what a method returns that raises

ctypedef struct question:            # 24 octets, all of them set
    uint8_t rd[8]
    uint32_t exporter
    uint32_t family
    uint32_t in_iface
    uint32_t out_iface

ctypedef struct view_slot:
    question asked
    uint32_t view
    uint32_t is_used


cdef class Source:
    cdef Resolver resolver
    cdef Facts facts
    cdef object choose, explain, payloads
    cdef Follower follower
    cdef Vrps vrps                   # payloads of this batch
    cdef const uint8_t *hops         # by row: the next hop at the end of the way, all ones or NULL: that of the route
    cdef view_slot *slots
    cdef size_t slot_mask, slot_count
    cdef uint64_t seed
    cdef dict reasons                # (view, RIB) -> text, held
    cdef uint32_t *views             # of the rows of a batch
    cdef resolved *found
    cdef size_t room
    cdef public uint64_t unmatched   # rows for which there was no view

    cdef int make_slots(self, size_t n) except -1
    cdef int widen(self) except -1
    cdef view_slot *place(self, const question *asked) noexcept nogil
    cdef uint32_t view_of(self, const question *asked) except? NO_VIEW
    cdef int begin(self, size_t n) except -1
    cdef int look_up(
        self, const uint8_t *addresses, const uint8_t *next_hops, size_t stride, bint is_destination, size_t n,
    ) except -1
    cdef const uint8_t *next_hop(self, size_t i, const fact *facts) noexcept
    cdef uint8_t status(self, size_t i) except 0
    cdef uint32_t reason(self, uint32_t view, uint32_t rib) except? NO_VIEW
