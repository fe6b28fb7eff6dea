# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Route Monitoring messages of one BMP session into the tables of the peers that it monitors (RFC 7854 section 4.6).

A run mixes messages of any peers.  It is taken in blocks like a run of UPDATEs; consecutive messages of one peer are a
stretch, for which the peer's tables are looked up once.  The first 26 octets of the per-peer header (type, flags,
distinguisher, address) say which RIB a message is about.

Where a message says itself how it is to be read (`_monitoring_message`), routers name only the family of that message, so
what it says of other families changes nothing: a table goes when routes of its family come that have path identifiers and
it has none, or the other way round.

A message that is no good costs itself: it is counted, and the next one is read.
"""

from collections import namedtuple

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp
from cpython.bytes cimport PyBytes_FromStringAndSize
from routed.octets._growth cimport widened
from routed.rib._block cimport BLOCK_OPERATIONS, BLOCK_SCRATCH, reader
from routed.rib._monitoring_message cimport (
    COMMON_HEADER, HEADERS, KEY, KEY_AT, LENGTH_AT, MICROSECONDS_AT, PEER_HEADER, SECONDS_AT, body, find_update, goes_on,
    has_as4, stateless_of, take_marks,
)
from routed.rib._paths cimport MAX_MARKS, PathStore
from routed.rib._reading cimport read_update
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._rows cimport FAMILIES, Rows
from routed.rib._table cimport Table
from routed.rib._text cimport u32_at
from routed.rib._update cimport Intake, other_families_of, refusals_of, refused_by, tally_of

cdef enum:
    BLOCK_MESSAGES = 2048        # messages without routes take time too
    MARK_STEPS = 4194304         # TLVs that are looked at for the routes of one message: those behind have no marks

ctypedef struct message:         # of a block: one that has operations
    size_t operation             # its first one
    uint32_t peer                # in the block's list
    uint32_t at                  # of its common header, in the run
    unsigned int add_path        # how it was read
    bint marked                  # version 4, with TLVs about routes

#: What a run did. `announced` to `dropped`: routes, as of `Applied`; `end_of_ribs`: markers; `orphans`: messages about
#: peers that are not up; `malformed`: messages that could not be read; `malformed_of`, `refused_of`: the per-peer header
#: of the first one of those and of the first one whose UPDATE was refused, or None; `refusals`: of attributes, the first
#: ones in full; `refused`: {(attribute, verdict): UPDATEs}; `passed_over`, `other_families`: as of `Applied`.
Monitored = namedtuple(
    "Monitored",
    "announced unchanged withdrawn unknown dropped end_of_ribs orphans malformed malformed_of refusals refused refused_of"
    " passed_over other_families",
)


cdef class MonitoredRib(PeerRib):
    """One RIB of a monitored peer, as a router shows it.

    Args:
        rib: the stores.
        as4, external, add_path: as of `PeerRib`.
    """

    def __cinit__(self, *_, **__):
        self.keys = self.vpn_keys = self.end = self.tag = b""
        self.agreed = self.add_path

    def reread(self, *, bint as4, bint guesses_as4, unsigned int add_path):
        """Read what follows by what other OPENs agreed; returns tables to be swept, as `renew` does."""
        self.guesses_as4 = guesses_as4
        self.agreed = add_path
        self.is_mixed = False
        return self.renew(as4=as4, external=False, add_path=add_path)


@cython.no_gc_clear
cdef class MonitoringRun(Intake):
    """A run of Route Monitoring messages of one router.

    Args:
        rib: the stores.
        octets: whole BMP messages, headers included, each at least 6 octets, as the stream cutter checks.
        peers: {26 octets of a per-peer header: MonitoredRib}, of the router.
        find: called with a per-peer header (42 octets) that `peers` lacks and whether the UPDATE comes with what is
            needed to read it; returns its MonitoredRib, or None when the peer is not up.
        read_stateless: called with a per-peer header and the value of stateless parsing TLVs; returns (as4,
            guesses_as4, add_path) as `MonitoredRib.reread` has them, or None when it is malformed.

    `gone`: tables to be swept, as (MonitoredRib, family, table), because path identifiers came or went.
    """

    cdef dict peers
    cdef object find, read_stateless
    cdef dict readings                   # what stateless parsing TLVs came to; keys have peer type and flags in front
    cdef readonly list gone
    cdef list seen                       # MonitoredRib of stretches
    cdef list run_ends
    cdef MonitoredRib monitored          # of the last message
    cdef const uint8_t *key              # likewise
    cdef message *messages
    cdef size_t message_count, message_room, message_at
    cdef uint64_t orphans, malformed
    cdef bytes malformed_of, refused_of
    cdef uint8_t mark_text[MAX_MARKS]
    cdef uint32_t mark_steps             # left for the message at hand

    def __cinit__(self, Rib rib not None, bytes octets not None, dict peers not None, find, read_stateless):
        self.begin(rib, octets)
        self.peers = peers
        self.find, self.read_stateless = find, read_stateless
        self.readings = {}
        self.gone = []
        self.seen = []
        self.run_ends = []
        self.marks = self.mark_text
        self.space.r.external = False
        self.space.r.monitored = True

    def __dealloc__(self):
        free(self.messages)

    cdef size_t read(self) except? 0:
        """Read messages until the block is full; where the next block starts."""
        cdef reader *r = &self.space.r
        cdef size_t at = self.at, n
        cdef const uint8_t *header
        cdef body b
        self.message_count = self.message_at = 0
        self.seen.clear()
        self.key = NULL
        while at < self.end and self.message_count < BLOCK_MESSAGES and not self.is_full(r):
            header = r.run + at
            n = u32_at(header + LENGTH_AT)
            if n < COMMON_HEADER or n > self.end - at:
                r.cut = True             # our mistake, not the router's
                break
            find_update(header, header + n, &b)
            reading = self.reading_of(header, header + n) if b.update != NULL and b.is_stateless else None
            if b.update == NULL or (b.is_stateless and reading is None):
                self.complain(header, n)
                self.malformed += 1
                at += n
                continue
            if not self.is_known(header, b.is_stateless):
                self.orphans += 1
                at += n
                continue
            at = self.read_stretch(r, header, at, reading)
            if r.out_of_memory:
                break
        return at

    cdef inline bint is_full(self, reader *r) noexcept nogil:
        return r.operation_count >= BLOCK_OPERATIONS or r.scratch_used >= BLOCK_SCRATCH

    cdef bint is_known(self, const uint8_t *header, bint says_how) except -1:
        """Whether the peer of a message is up; `monitored` is its RIB then."""
        cdef const uint8_t *key = header + KEY_AT
        cdef bytes octets
        if self.key != NULL and not memcmp(key, self.key, KEY):
            return True
        octets = PyBytes_FromStringAndSize(<const char *>key, KEY)
        found = self.peers.get(octets)
        if found is None:
            found = self.find(PyBytes_FromStringAndSize(<const char *>key, PEER_HEADER), says_how)
            if found is None:
                return False
        self.key = key
        self.monitored = found
        self.seen.append(found)
        return True

    cdef object reading_of(self, const uint8_t *header, const uint8_t *end):
        """What the stateless parsing TLVs of a message say."""
        cdef bytes stateless = stateless_of(header, end)
        cdef bytes key = PyBytes_FromStringAndSize(<const char *>header + KEY_AT, 2) + stateless
        if key not in self.readings:
            octets = PyBytes_FromStringAndSize(<const char *>header + COMMON_HEADER, PEER_HEADER)
            self.readings[key] = self.read_stateless(octets, stateless)
        return self.readings[key]

    cdef int complain(self, const uint8_t *header, size_t n) except -1:
        """Remember whom the first message that cannot be read is about."""
        if self.malformed_of is None and n >= HEADERS:
            self.malformed_of = PyBytes_FromStringAndSize(<const char *>header + COMMON_HEADER, PEER_HEADER)
        return 0

    cdef size_t read_stretch(self, reader *r, const uint8_t *first, size_t at, reading) except? 0:
        """Read the message at `at` and those of the same peer behind it that need no look at anything else.

        `reading`: what the stateless parsing TLVs of that message say, None for one that has none.
        """
        cdef PathStore paths = self.paths
        cdef MonitoredRib monitored = self.monitored
        cdef bint as4 = monitored.as4, guesses = monitored.guesses_as4, alone = reading is not None, alike = True
        cdef uint32_t peer = <uint32_t>len(self.seen) - 1
        cdef unsigned int refusals = r.refusal_count
        cdef uint64_t malformed = self.malformed
        cdef size_t n, operations
        cdef const uint8_t *header
        cdef body b
        r.add_path = monitored.agreed
        if alone:
            as4, r.add_path = reading[0], reading[2]
            guesses = guesses or reading[1]
        with nogil:
            while alike:
                header = r.run + at
                n = u32_at(header + LENGTH_AT)
                find_update(header, header + n, &b)
                operations = r.operation_count
                r.as4 = has_as4(b.update, b.end, as4) if guesses else as4
                read_update(r, paths, b.update, b.end)
                if r.reset_subcode:
                    r.reset_subcode = 0
                    self.malformed += 1
                elif r.operation_count > operations and self.add_message(operations, peer, <uint32_t>at, b.marked):
                    r.out_of_memory = True
                at += n
                alike = not (
                    alone or r.out_of_memory or self.is_full(r) or self.message_count >= BLOCK_MESSAGES
                ) and goes_on(r.run + at, r.run + self.end, first)
        if self.malformed > malformed:
            self.complain(first, HEADERS)
        if r.refusal_count > refusals and self.refused_of is None:
            self.refused_of = PyBytes_FromStringAndSize(<const char *>first + COMMON_HEADER, PEER_HEADER)
        return at

    cdef int add_message(self, size_t operation, uint32_t peer, uint32_t at, bint marked) noexcept nogil:
        cdef void *wider
        cdef message *one
        if self.message_count == self.message_room:
            wider = widened(self.messages, &self.message_room, 256, sizeof(message))
            if wider == NULL:
                return -1
            self.messages = <message *>wider
        one = &self.messages[self.message_count]
        one.operation = operation
        one.peer = peer
        one.at = at
        one.add_path = self.space.r.add_path
        one.marked = marked
        self.message_count += 1
        return 0

    cdef size_t stretch(self, size_t at, Rows rows) except? 0:
        cdef reader *r = &self.space.r
        cdef message *one
        cdef size_t until
        cdef MonitoredRib monitored
        while self.end_of(self.message_at) <= at:
            self.message_at += 1
        one = &self.messages[self.message_at]
        monitored = self.seen[one.peer]
        until = at + 1 if one.marked else self.end_of(self.message_at if rows is not None else self.last_alike())
        self.peer = monitored
        self.ends = self.run_ends
        self.mark_octets = 0
        if one.add_path != monitored.add_path or monitored.is_mixed:
            self.change(monitored, one.add_path, at, until)
        if rows is not None:
            rows.source(monitored.keys, monitored.vpn_keys, monitored.tag, monitored.tagger, monitored.end)
            rows.own_as = monitored.own_as
            rows.stamp(u32_at(r.run + one.at + SECONDS_AT), u32_at(r.run + one.at + MICROSECONDS_AT))
        if one.marked:
            if at == one.operation:
                self.mark_steps = MARK_STEPS
            self.mark_octets = take_marks(
                r.run + one.at, r.run + one.at + u32_at(r.run + one.at + LENGTH_AT),
                <uint32_t>(at - one.operation) + 1, self.mark_text, &self.mark_steps,
            )
        return until

    cdef size_t last_alike(self) noexcept nogil:
        """The last message behind the one at hand to which the same holds but for its time."""
        cdef const message *one = &self.messages[self.message_at]
        cdef const message *next
        cdef size_t last = self.message_at
        while last + 1 < self.message_count:
            next = &self.messages[last + 1]
            if next.marked or next.peer != one.peer or next.add_path != one.add_path:
                break
            last += 1
        return last

    cdef int change(self, MonitoredRib monitored, unsigned int add_path, size_t at, size_t until) except -1:
        """Let operations be of routes with other path identifiers; tables of their families that differ go."""
        cdef reader *r = &self.space.r
        cdef Table table
        cdef size_t i
        cdef int family
        cdef unsigned int concerned = 0
        for i in range(at, until):
            if r.operations[i].family < FAMILIES:
                concerned |= 1 << r.operations[i].family
        monitored.add_path = add_path
        monitored.is_mixed = False
        for family in range(FAMILIES):
            table = monitored.tables[family]
            if table is None or table.view.add_path == (add_path >> family & 1):
                continue
            if concerned >> family & 1:
                table.begin_sweep()
                self.gone.append((monitored, family, table))
                monitored.tables[family] = None
            else:
                monitored.is_mixed = True
        return 0

    cdef inline size_t end_of(self, size_t message) noexcept nogil:
        """The operation behind those of a message."""
        if message + 1 < self.message_count:
            return self.messages[message + 1].operation
        return self.space.r.operation_count

    cdef object report(self):
        cdef reader *r = &self.space.r
        return Monitored(
            *tally_of(self.counts), len(self.run_ends), self.orphans, self.malformed, self.malformed_of,
            refusals_of(r), refused_by(r), self.refused_of, r.passed_over, other_families_of(r),
        )
