# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One plane (BGP, BMP, an IGP) that flows are looked up in: which view each belongs to, and the routes they follow.

A view is chosen by Python (`views.py`) once for each question that flows ask; the answers are remembered by a keyed
hash, because exporters and VRFs, which are parts of it, come from senders.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.columns._texts cimport hold_text, release_text
from flowcorr.correlate._addresses cimport ADDRESS, is_none
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp
from routed.octets._hash cimport hash_octets
from routed.rib._origins cimport status_of_route
from routed.rib._vrp_status cimport UNKNOWN

import secrets

cdef enum:
    FIRST_VIEWS = 1024               # slots; a power of two
    MAX_VIEWS = 1048576              # questions that are remembered: exporters and VRFs come from senders


cdef class Source:
    def __cinit__(
        self, Resolver resolver not None, Facts facts not None, choose, explain, *, payloads=None, Follower follower=None,
    ):
        self.resolver, self.facts, self.choose, self.explain = resolver, facts, choose, explain
        self.payloads, self.follower = payloads, follower
        self.seed = secrets.randbits(64)
        self.reasons = {}
        self.make_slots(FIRST_VIEWS)

    def __dealloc__(self):
        free(self.slots)
        free(self.views)
        free(self.found)

    def forget_views(self):
        for text in self.reasons.values():
            release_text(self.facts.texts, text)
        self.reasons.clear()
        if self.follower is not None:
            self.follower.forget_views()
        self.make_slots(FIRST_VIEWS)

    cdef int make_slots(self, size_t n) except -1:
        free(self.slots)
        self.slots = <view_slot *>calloc(n, sizeof(view_slot))
        if self.slots == NULL:
            raise MemoryError
        self.slot_mask, self.slot_count = n - 1, 0
        return 0

    cdef int widen(self) except -1:
        cdef view_slot *old = self.slots
        cdef size_t n = self.slot_mask + 1, i
        self.slots = NULL
        try:
            self.make_slots(2 * n)
            for i in range(n):
                if old[i].is_used:
                    self.place(&old[i].asked)[0] = old[i]
                    self.slot_count += 1
        finally:
            free(old)
        return 0

    cdef view_slot *place(self, const question *asked) noexcept nogil:
        """The slot of a question, or the free one where it belongs."""
        cdef size_t at = hash_octets(<const uint8_t *>asked, sizeof(question), self.seed) & self.slot_mask
        while self.slots[at].is_used and memcmp(&self.slots[at].asked, asked, sizeof(question)):
            at = (at + 1) & self.slot_mask
        return &self.slots[at]

    cdef uint32_t view_of(self, const question *asked) except? NO_VIEW:
        cdef view_slot *slot = self.place(asked)
        if slot.is_used:
            return slot.view
        if self.slot_count >= MAX_VIEWS:
            self.forget_views()
        elif 2 * self.slot_count > self.slot_mask:
            self.widen()
        cdef uint32_t view = self.choose(
            asked.exporter, asked.family, PyBytes_FromStringAndSize(<const char *>asked.rd, 8),
            asked.in_iface, asked.out_iface,
        )
        slot = self.place(asked)
        slot.asked, slot.view, slot.is_used = asked[0], view, 1
        self.slot_count += 1
        return view

    cdef int begin(self, size_t n) except -1:
        """Have room for the rows of a batch, and what their origins are validated by."""
        self.vrps = None if self.payloads is None else self.payloads()
        if n > self.room:
            self.room = 0
            free(self.views)
            free(self.found)
            self.views = <uint32_t *>calloc(n, sizeof(uint32_t))
            self.found = <resolved *>calloc(n, sizeof(resolved))
            if self.views == NULL or self.found == NULL:
                raise MemoryError
            self.room = n
        return 0

    cdef int look_up(
        self, const uint8_t *addresses, const uint8_t *next_hops, size_t stride, bint is_destination, size_t n,
    ) except -1:
        """Find the routes of the rows, whose views are known."""
        self.resolver.resolve(self.views, addresses, next_hops, stride, n, self.found)
        self.hops = NULL
        if self.follower is not None:
            if self.follower.defaults:
                self.follower.follow_defaults(self.views, addresses, stride, n, self.found)
            if is_destination and self.follower.prefix_count:
                self.follower.follow_next_hops(self.views, addresses, stride, n, self.found)
                self.hops = self.follower.hops
        return 0

    cdef const uint8_t *next_hop(self, size_t i, const fact *facts) noexcept:
        """Where the flow of a row goes."""
        if self.hops == NULL or is_none(self.hops + ADDRESS * i):
            return facts.next_hop
        return self.hops + ADDRESS * i

    cdef uint8_t status(self, size_t i) except 0:
        """The origin validation of the route of a row."""
        cdef const resolved *route = &self.found[i]
        if self.vrps is None:
            return UNKNOWN
        rib = self.resolver.rib_of(self.views[i], route.rib)
        return <uint8_t>status_of_route(self.vrps, rib, route.family, route.prefix, route.path)

    cdef uint32_t reason(self, uint32_t view, uint32_t rib) except? NO_VIEW:
        """The text that says where a route came from."""
        key = (view, rib)
        text = self.reasons.get(key)
        if text is None:
            text = self.facts.texts.id_of(self.explain(view, rib))
            hold_text(self.facts.texts, text)
            self.reasons[key] = text
        return text
