# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes for the flows of a batch: which view, which route, and what of it goes into which column.

For each direction that somebody asks for, all rows are looked up together in each plane (BGP, BMP); then each group of
columns takes the plane whose prefix is the longest of those that it may use, or leaves what the protocol said.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.columns._texts cimport Texts, hold_text, release_text
from flowcorr.correlate._addresses cimport put_net
from flowcorr.correlate._facts cimport Facts, fact, fact_at
from flowcorr.correlate._follow cimport Follower
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset
from routed.octets._hash cimport hash_octets
from routed.octets._prefetch cimport prefetch
from routed.rib._origins cimport status_of_route
from routed.rib._resolve cimport Resolver, resolved
from routed.rib._vrp_status cimport UNKNOWN
from routed.rib._vrps cimport Vrps

import secrets

cdef enum:
    ADDRESS = 16
    MAX_SOURCES = 3                  # BGP, BMP, an IGP
    MAX_COLUMNS = 32                 # of one group
    NOT_ASKED = 0xFFFFFFFF
    AHEAD = 16                       # rows whose facts are asked for before they are read
    FIRST_VIEWS = 1024               # slots; a power of two
    MAX_VIEWS = 1048576              # questions that are remembered: exporters and VRFs come from senders

cdef enum:                           # what a column takes
    TAKES_ORIGIN_AS = 0
    TAKES_NEIGHBOUR_AS = 1
    TAKES_LOCAL_PREF = 2
    TAKES_MED = 3
    TAKES_AS_PATH = 4
    TAKES_STD_COMM = 5
    TAKES_EXT_COMM = 6
    TAKES_LRG_COMM = 7
    TAKES_NEXT_HOP = 8
    TAKES_MASK = 9
    TAKES_NET = 10
    TAKES_REASON = 11
    TAKES_ROA = 12

TAKES = {
    "origin_as": TAKES_ORIGIN_AS, "neighbour_as": TAKES_NEIGHBOUR_AS, "local_pref": TAKES_LOCAL_PREF,
    "med": TAKES_MED, "as_path": TAKES_AS_PATH, "std_comm": TAKES_STD_COMM, "ext_comm": TAKES_EXT_COMM,
    "lrg_comm": TAKES_LRG_COMM, "next_hop": TAKES_NEXT_HOP, "mask": TAKES_MASK, "net": TAKES_NET,
    "reason": TAKES_REASON, "roa": TAKES_ROA,
}

cdef uint8_t[ADDRESS] MAPPED
memset(MAPPED, 0, 10)
MAPPED[10] = MAPPED[11] = 0xFF
MAPPED[12] = MAPPED[13] = MAPPED[14] = MAPPED[15] = 0

cdef uint8_t[ADDRESS] NO_ADDRESS
memset(NO_ADDRESS, 0xFF, ADDRESS)

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

    cdef uint32_t view_of(self, const question *asked) except? NOT_ASKED:
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

    cdef int make_room(self, size_t n) except -1:
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
        if self.hops == NULL or not memcmp(self.hops + ADDRESS * i, NO_ADDRESS, ADDRESS):
            return facts.next_hop
        return self.hops + ADDRESS * i

    cdef uint8_t status(self, size_t i) except 0:
        """The origin validation of the route of a row."""
        cdef const resolved *route = &self.found[i]
        if self.vrps is None:
            return UNKNOWN
        rib = self.resolver.rib_of(self.views[i], route.rib)
        return <uint8_t>status_of_route(self.vrps, rib, route.family, route.prefix, route.path)

    cdef uint32_t reason(self, uint32_t view, uint32_t rib) except? NOT_ASKED:
        """The text that says where a route came from."""
        key = (view, rib)
        text = self.reasons.get(key)
        if text is None:
            text = self.facts.texts.id_of(self.explain(view, rib))
            hold_text(self.facts.texts, text)
            self.reasons[key] = text
        return text


cdef class Group:
    cdef str source
    cdef object mask, named, uses
    cdef bint keeps
    cdef Py_ssize_t mask_at
    cdef int count
    cdef int takes[MAX_COLUMNS]
    cdef Py_ssize_t offsets[MAX_COLUMNS]
    cdef bint may_use[MAX_SOURCES]
    cdef bint is_yielding[MAX_SOURCES]

    def __cinit__(self, str source not None, *, mask, bint keeps, uses, dict columns not None, yields=()):
        if len(columns) > MAX_COLUMNS:
            raise ValueError(f"a group of {len(columns)} columns")
        self.source, self.mask, self.keeps = source, mask, keeps
        self.uses = tuple(uses)
        self.named = dict(columns)
        for at in range(MAX_SOURCES):
            self.may_use[<int>at] = at in self.uses
            self.is_yielding[<int>at] = at in yields

    cdef place(self, layout):
        """Find the columns in a layout; those that nobody asks for are left out."""
        self.mask_at = -1 if self.mask is None else layout.offset(self.mask)
        self.count = 0
        for name, what in self.named.items():
            if name in layout:
                self.takes[self.count], self.offsets[self.count] = TAKES[what], layout.offset(name)
                self.count += 1


cdef class Enricher:
    cdef object layout
    cdef Texts texts
    cdef tuple sources, groups
    cdef Py_ssize_t src_at, dst_at, exporter_at, rd_at, origin_at, next_hop_at, in_at, out_at
    cdef bint reads_interfaces
    cdef uint32_t no_peer, no_route, beaten  # reasons
    cdef readonly uint64_t lookups, found

    def __cinit__(self, layout not None, Texts texts not None, sources, groups, *, bint interfaces=False):
        cdef Group group
        self.layout, self.texts = layout, texts
        self.sources, self.groups = tuple(sources), tuple(groups)
        if len(self.sources) > MAX_SOURCES:
            raise ValueError("more planes than there are")
        for group in self.groups:
            group.place(layout)
            if group.count and group.source not in layout:
                raise ValueError(f"{group.source} is looked up and has no column")
        self.src_at, self.dst_at = layout.offset("src_host"), layout.offset("dst_host")
        self.exporter_at, self.rd_at = layout.offset("exporter"), layout.offset("mpls_vpn_rd")
        self.origin_at = layout.offset("mpls_vpn_rd_origin")
        self.next_hop_at = layout.offset("bgp_next_hop")
        self.in_at, self.out_at = layout.offset("in_iface"), layout.offset("out_iface")
        if self.exporter_at < 0:
            raise ValueError("flows have no exporter")
        self.interfaces = interfaces
        self.no_peer, self.no_route = texts.id_of(b"no peer"), texts.id_of(b"no route")
        self.beaten = texts.id_of(b"mask of the flow")
        for text in (self.no_peer, self.no_route, self.beaten):
            hold_text(texts, text)

    @property
    def interfaces(self):
        return self.reads_interfaces

    @interfaces.setter
    def interfaces(self, bint value):
        if value and min(self.in_at, self.out_at) < 0:
            raise ValueError("views depend on interfaces that have no column")
        self.reads_interfaces = value

    def __call__(self, Batch batch not None):
        self.enrich(batch)

    def enrich(self, Batch batch not None):
        cdef Group group
        cdef Source source
        if batch.layout is not self.layout:
            raise ValueError("a batch of another layout")
        if not batch.count:
            return
        for source in self.sources:
            source.make_room(batch.count)
            source.vrps = None if source.payloads is None else source.payloads()
        for name, at in (("dst_host", self.dst_at), ("src_host", self.src_at)):
            asking = [group for group in self.groups if group.source == name and group.count]
            if not asking:
                continue
            self.look_up(batch, at, name == "dst_host", {use for group in asking for use in group.uses})
            for group in asking:
                self.write(batch, at, group)

    cdef int look_up(self, Batch batch, Py_ssize_t address_at, bint by_next_hop, used) except -1:
        """Find the routes of one address of each row in the planes that are used."""
        cdef size_t n = batch.count
        cdef const uint8_t *rows = row_of(batch, 0)
        cdef const uint8_t *next_hops = NULL
        cdef Source source
        if by_next_hop and self.next_hop_at >= 0:
            next_hops = rows + self.next_hop_at
        for at, source in enumerate(self.sources):
            memset(source.found, 0, n * sizeof(resolved))
            if at in used:
                self.choose_views(batch, address_at, source)
                source.look_up(rows + address_at, next_hops, batch.stride, by_next_hop, n)
        self.lookups += n
        return 0

    cdef int choose_views(self, Batch batch, Py_ssize_t address_at, Source source) except -1:
        """The view of each row; rows of one exporter come together, so most are that of the row before."""
        cdef size_t i
        cdef const uint8_t *row
        cdef const uint8_t *address
        cdef question asked, before
        cdef uint32_t view = 0
        cdef bint is_first = True
        memset(&asked, 0, sizeof(question))
        memset(&before, 0, sizeof(question))
        for i in range(batch.count):
            row = row_of(batch, i)
            address = row + address_at
            if not memcmp(address, NO_ADDRESS, ADDRESS):
                source.views[i] = 0
                continue
            memcpy(&asked.exporter, row + self.exporter_at, 4)
            asked.family = 6 if memcmp(address, MAPPED, 12) else 4
            if self.origin_at >= 0:
                asked.family |= <uint32_t>row[self.origin_at] << 8
            if self.rd_at >= 0:
                memcpy(asked.rd, row + self.rd_at, 8)
            if self.reads_interfaces:
                memcpy(&asked.in_iface, row + self.in_at, 4)
                memcpy(&asked.out_iface, row + self.out_at, 4)
            if is_first or memcmp(&asked, &before, sizeof(question)):
                view = source.view_of(&asked)
                before, is_first = asked, False
            source.views[i] = view
            source.unmatched += view == 0
        return 0

    cdef int write(self, Batch batch, Py_ssize_t address_at, Group group) except -1:
        """Let a group of columns take what it wants of each row's route."""
        cdef size_t i
        cdef int at, best
        cdef unsigned int mask
        cdef uint32_t why
        cdef uint8_t *row
        cdef const resolved *route
        cdef const resolved *candidate
        cdef const fact *facts
        cdef Source source
        cdef resolved *found[MAX_SOURCES]
        cdef int count = <int>len(self.sources)
        for at in range(count):
            source = self.sources[at]
            found[at] = source.found
        for i in range(batch.count):
            if i + AHEAD < batch.count:
                for at in range(count):
                    if found[at][i + AHEAD].path:
                        prefetch(fact_at((<Source>self.sources[at]).facts, found[at][i + AHEAD].path))
            row = row_of(batch, i)
            mask = row[group.mask_at] if group.mask_at >= 0 else 0
            best, route = -1, NULL
            for at in range(count):
                candidate = &found[at][i]
                if group.may_use[at] and candidate.path and (route == NULL or candidate.length > route.length):
                    best, route = at, candidate
            if route == NULL or route.length < mask or (route.length == mask and group.is_yielding[best]):
                why = self.beaten if route != NULL else self.no_route if self.saw_view(i, group) else self.no_peer
                self.write_none(row, address_at, group, mask, why)
                continue
            self.found += 1
            source = self.sources[best]
            facts = source.facts.of(route.path)
            self.write_route(row, address_at, group, facts, route.length, source, i)
        return 0

    cdef bint saw_view(self, size_t i, Group group) noexcept:
        """Whether there was a RIB to look into."""
        cdef Source source
        cdef int at
        for at in range(<int>len(self.sources)):
            source = self.sources[at]
            if group.may_use[at] and source.views[i]:
                return True
        return False

    cdef int write_route(
        self, uint8_t *row, Py_ssize_t address_at, Group group, const fact *facts, unsigned int length,
        Source source, size_t i,
    ) except -1:
        cdef int column, what
        cdef uint8_t *to
        cdef uint32_t reason
        for column in range(group.count):
            to, what = row + group.offsets[column], group.takes[column]
            if what == TAKES_ORIGIN_AS:
                memcpy(to, &facts.origin_as, 4)
            elif what == TAKES_NEIGHBOUR_AS:
                memcpy(to, &facts.neighbour_as, 4)
            elif what == TAKES_LOCAL_PREF:
                memcpy(to, &facts.local_pref, 4)
            elif what == TAKES_MED:
                memcpy(to, &facts.med, 4)
            elif what == TAKES_AS_PATH:
                memcpy(to, &facts.as_path, 4)
            elif what == TAKES_STD_COMM:
                memcpy(to, &facts.std_comm, 4)
            elif what == TAKES_EXT_COMM:
                memcpy(to, &facts.ext_comm, 4)
            elif what == TAKES_LRG_COMM:
                memcpy(to, &facts.lrg_comm, 4)
            elif what == TAKES_NEXT_HOP:
                memcpy(to, source.next_hop(i, facts), ADDRESS)
            elif what == TAKES_MASK:
                to[0] = <uint8_t>length
            elif what == TAKES_NET:
                put_net(to, row + address_at, length)
            elif what == TAKES_ROA:
                to[0] = source.status(i)
            else:
                reason = source.reason(source.views[i], source.found[i].rib)
                memcpy(to, &reason, 4)
        return 0

    cdef int write_none(
        self, uint8_t *row, Py_ssize_t address_at, Group group, unsigned int mask, uint32_t why,
    ) noexcept:
        """What columns hold where no route wins: what the protocol said if that counts, else nothing."""
        cdef int column, what
        cdef uint8_t *to
        for column in range(group.count):
            to, what = row + group.offsets[column], group.takes[column]
            if what == TAKES_ROA:
                to[0] = UNKNOWN
            elif what == TAKES_REASON:
                memcpy(to, &why, 4)
            elif what == TAKES_NET:
                put_net(to, row + address_at, mask)
            elif group.keeps:
                continue
            elif what == TAKES_MASK:
                to[0] = 0
            elif what == TAKES_NEXT_HOP:
                memcpy(to, NO_ADDRESS, ADDRESS)
            else:
                memset(to, 0, 4)
        return 0
