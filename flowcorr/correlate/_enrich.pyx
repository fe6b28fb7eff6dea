# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes for the flows of a batch: which view, which route, and what of it goes into which column.

For each direction that somebody asks for, all rows are looked up together in each plane (BGP, BMP); then each group of
columns takes the plane whose prefix is the longest of those that it may use, or leaves what the protocol said.
"""

from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.columns._texts cimport Texts, hold_text
from flowcorr.correlate._addresses cimport ADDRESS, is_ipv4, is_none, put_net
from flowcorr.correlate._facts cimport fact, fact_at
from flowcorr.correlate._source cimport Source, question
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from routed.octets._prefetch cimport prefetch
from routed.rib._resolve cimport resolved
from routed.rib._vrp_status cimport UNKNOWN

cdef enum:
    MAX_SOURCES = 3                  # BGP, BMP, an IGP
    MAX_COLUMNS = 32                 # of one group
    AHEAD = 16                       # rows whose facts are asked for before they are read

cdef enum:                           # what a column takes: of the facts of the path first, four octets each
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

# Where the facts of a path have what is copied from them, by what takes it.
cdef fact EXAMPLE
cdef size_t FACT_OFFSETS[TAKES_NEXT_HOP]
FACT_OFFSETS[<int>TAKES_ORIGIN_AS] = <uint8_t *>&EXAMPLE.origin_as - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_NEIGHBOUR_AS] = <uint8_t *>&EXAMPLE.neighbour_as - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_LOCAL_PREF] = <uint8_t *>&EXAMPLE.local_pref - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_MED] = <uint8_t *>&EXAMPLE.med - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_AS_PATH] = <uint8_t *>&EXAMPLE.as_path - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_STD_COMM] = <uint8_t *>&EXAMPLE.std_comm - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_EXT_COMM] = <uint8_t *>&EXAMPLE.ext_comm - <uint8_t *>&EXAMPLE
FACT_OFFSETS[<int>TAKES_LRG_COMM] = <uint8_t *>&EXAMPLE.lrg_comm - <uint8_t *>&EXAMPLE


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
            source.begin(batch.count)
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
            if is_none(address):
                source.views[i] = 0
                continue
            memcpy(&asked.exporter, row + self.exporter_at, 4)
            asked.family = 4 if is_ipv4(address) else 6
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
            if what < TAKES_NEXT_HOP:
                memcpy(to, <const uint8_t *>facts + FACT_OFFSETS[what], 4)
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
                memset(to, 0xFF, ADDRESS)  # no address
            else:
                memset(to, 0, 4)
        return 0
