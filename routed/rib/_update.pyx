# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""UPDATE octets into the stores: the hot path.

A run of UPDATEs is taken in blocks of a few hundred routes, in two passes.  The first (`_reading`) checks each UPDATE
and lists what it does as operations.  The second interns the attribute sets and carries out the operations in order.
So the cache misses of a block overlap, and an UPDATE that must be refused leaves nothing behind.
"""

from collections import namedtuple

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset
from routed.rib._block cimport ANNOUNCE, operation, reader
from routed.rib._paths cimport PathStore, path_set
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._reading cimport read_block
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._routes cimport NO_MEMORY, TOO_MANY_PATHS, UNCHANGED, announce, withdraw
from routed.rib._rows cimport FAMILIES, ROW_UPDATE, ROW_WITHDRAW, Rows
from routed.rib._table cimport Table

from routed.rib._attributes import REASONS, VERDICTS

cdef enum:
    STEP_OPERATIONS = 1024       # a fraction of a millisecond

#: An attribute (or NLRI field: code 0) that was refused. `offset`: octets from the start of the run.
Refusal = namedtuple("Refusal", "offset attribute verdict reason")

#: What a run did. `refused`: {(attribute, verdict): UPDATEs}; `refusals`: the first ones in full; `end_of_rib`:
#: the (AFI, SAFI) of each marker; `reset`: the subcode of the UPDATE error that must end the session, or None;
#: `dropped`: routes that found no memory or were too many paths of one prefix; `passed_over`: UPDATEs with routes of
#: families that are not stored, `other_families`: the first of those as (AFI, SAFI).
Applied = namedtuple(
    "Applied",
    "announced unchanged withdrawn unknown dropped end_of_rib refusals refused reset passed_over other_families",
)


cdef void intern_sets(reader *r, PathStore paths) noexcept nogil:
    """Intern the block's attribute sets; each holds a reference until `release_sets`."""
    cdef size_t i
    for i in range(r.set_count):
        r.sets[i].path = paths.intern(<path_set *>(r.scratch + r.sets[i].at), r.sets[i].hash)


cdef void release_sets(reader *r, PathStore paths) noexcept nogil:
    cdef size_t i
    for i in range(r.set_count):
        if r.sets[i].path:
            paths.release(r.sets[i].path)


cdef int announce_one(
    Intake run, reader *r, PathStore paths, PrefixIndex prefixes, Table table, const operation *o, Rows rows,
) noexcept nogil:
    cdef uint32_t path = r.sets[o.set].path, prefix
    cdef bint is_layered = o.label_count or run.mark_octets
    cdef int result = NO_MEMORY
    if not path:
        return NO_MEMORY
    if is_layered:
        path = paths.intern_layer(path, r.run + o.labels, o.label_count, run.marks, run.mark_octets)
        if not path:
            return NO_MEMORY
    prefix = prefixes.intern(o.words, o.length, o.hash)
    if prefix:
        result = announce(paths, prefixes, table, prefix, path, o.path_identifier)
        if rows is not None and result < NO_MEMORY and not (result == UNCHANGED and rows.skips_unchanged):
            rows.route(
                ROW_UPDATE, o.family, &prefixes.view, prefix, &paths.view, path, table.view.add_path, o.path_identifier
            )
    if is_layered:
        paths.release(path)
    return result


cdef int withdraw_one(PathStore paths, PrefixIndex prefixes, Table table, const operation *o, Rows rows) noexcept nogil:
    cdef uint32_t prefix = prefixes.find(o.words, o.length, o.hash)
    return withdraw(paths, prefixes, table, prefix, o.path_identifier, rows, ROW_WITHDRAW, o.family)


cdef size_t carry_out(
    Intake run, reader *r, size_t at, size_t end, PathStore paths, PrefixIndex prefixes, Table table, Rows rows,
) noexcept nogil:
    """Carry out operations of one family from `at` on; where another family starts, or the rows are many."""
    cdef uint8_t family = r.operations[at].family
    cdef uint64_t *outcomes = run.peer.outcomes[family]
    cdef operation *o
    cdef int result
    while at < end and r.operations[at].family == family and (rows is None or rows.used < rows.full_at):
        o = &r.operations[at]
        if o.kind == ANNOUNCE:
            result = announce_one(run, r, paths, prefixes, table, o, rows)
        else:
            result = withdraw_one(paths, prefixes, table, o, rows)
        run.counts[result] += 1
        outcomes[result] += 1
        at += 1
    return at


cdef class Workspace:
    """The buffers of one run; they go from run to run."""

    def __dealloc__(self):
        free(self.r.operations)
        free(self.r.sets)
        free(self.r.scratch)


@cython.no_gc_clear                  # a run that is given up still has to let its references go
cdef class Intake:
    """UPDATEs on their way into tables, in steps of bounded work and output.

    What the octets are besides UPDATEs, and whose they are, is up to the kinds of intakes.
    """

    cdef int begin(self, Rib rib, bytes octets) except -1:
        cdef reader *r
        self.rib = rib
        self.paths = rib.paths
        self.octets = octets
        self.end = len(octets)
        self.space = rib.workspaces.pop() if rib.workspaces else Workspace()
        r = &self.space.r
        r.run = octets
        r.seed = rib.seed
        r.prefix_ids = rib.prefix_ids
        r.refusal_count = r.operation_count = r.set_count = 0
        r.passed_over = r.other_family_count = 0
        r.reset_subcode = 0
        r.out_of_memory = r.cut = False
        if r.any_refused:
            memset(r.refused, 0, sizeof(r.refused))
            r.any_refused = False
        return 0

    def __dealloc__(self):
        if self.space is not None and self.in_block:
            release_sets(&self.space.r, self.paths)

    cdef size_t read(self) except? 0:
        """Read the next block; where the one after it starts."""
        raise NotImplementedError

    cdef size_t stretch(self, size_t at, Rows rows) except? 0:
        """Set `peer`, `ends` and `marks`, and the rows' source, for the operation `at`; up to which."""
        raise NotImplementedError

    cdef object report(self):
        """What the run came to."""
        raise NotImplementedError

    @property
    def is_over(self):
        """Whether the last step came to the end."""
        return self.space is None

    def step(self, Rows rows=None):
        """Go on until the run is over, `STEP_OPERATIONS` routes are done, or the rows fill their buffer.

        Args:
            rows: where message-log rows go, or None; to be emptied before the next step.
        Returns: what the whole run came to when it is over, else None.
        Raises: MemoryError, ValueError for octets that are no whole messages; what was carried out stays.
        """
        cdef reader *r = &self.space.r
        cdef size_t left = STEP_OPERATIONS, before
        while left and (rows is None or rows.used < rows.full_at):
            if self.operation == r.operation_count:
                if not self.next_block(rows):
                    return self.finish()
                continue
            before = self.operation
            self.carry_out(rows, min(r.operation_count, before + left))
            left -= self.operation - before
        if rows is not None:
            rows.forget_tail()           # by the next step its path may be gone, and its id used again
            self.filled_rows = rows.used >= rows.full_at
        return None

    cdef bint next_block(self, Rows rows) except -1:
        """Let the block that is done go and read the next one; whether there is one."""
        cdef reader *r = &self.space.r
        cdef PathStore paths = self.paths
        if self.in_block:
            self.in_block = False
            with nogil:
                release_sets(r, paths)
            if rows is not None:
                rows.forget_tail()
        if self.at >= self.end or r.reset_subcode:
            return False
        self.operation = r.operation_count = r.set_count = r.scratch_used = 0
        self.at = self.read()
        if r.out_of_memory:
            raise MemoryError
        if r.cut:
            raise ValueError(f"octet {self.at} starts no whole UPDATE")
        with nogil:
            intern_sets(r, paths)
        self.in_block = True
        return True

    cdef int carry_out(self, Rows rows, size_t end) except -1:
        """Carry out operations of the block up to `end`, or until the rows fill their buffer."""
        cdef reader *r = &self.space.r
        cdef size_t at = self.operation, until = at
        cdef uint8_t family
        cdef uint32_t marker
        cdef PathStore paths = self.paths
        cdef PrefixIndex prefixes
        cdef Table table
        while at < end and (rows is None or rows.used < rows.full_at):
            if at == until:
                until = min(end, self.stretch(at, rows))
            family = r.operations[at].family
            if family == FAMILIES:
                marker = r.operations[at].path_identifier
                self.ends.append((marker >> 8, marker & 0xFF))
                if rows is not None:
                    rows.end_of_rib(marker >> 8, marker & 0xFF)
                at += 1
            else:
                prefixes = self.rib.prefixes[family]
                table = self.peer.table(family)
                with nogil:
                    at = carry_out(self, r, at, until, paths, prefixes, table, rows)
            self.operation = at
        return 0

    cdef object finish(self):
        """What the run came to; its buffers are for the next one."""
        result = self.report()
        self.rib.workspaces.append(self.space)
        self.space = None
        return result


@cython.no_gc_clear
cdef class Run(Intake):
    """A run of UPDATE messages of one peer.

    Args:
        peer: whose UPDATEs they are.
        octets: whole messages, headers included; each at least 23 octets, as the stream cutter checks.
    """

    def __cinit__(self, PeerRib peer not None, bytes octets not None):
        cdef reader *r
        self.begin(peer.rib, octets)
        self.peer = peer
        self.ends = []
        r = &self.space.r
        r.add_path = peer.add_path
        r.as4, r.external, r.monitored = peer.as4, peer.external, False

    cdef size_t read(self) except? 0:
        cdef reader *r = &self.space.r
        cdef PathStore paths = self.paths
        cdef size_t at
        with nogil:
            at = read_block(r, paths, self.at, self.end)
        return at

    cdef size_t stretch(self, size_t at, Rows rows) except? 0:
        return self.space.r.operation_count

    cdef object report(self):
        cdef reader *r = &self.space.r
        return Applied(
            *tally_of(self.counts), self.ends, refusals_of(r), refused_by(r), r.reset_subcode or None,
            r.passed_over, other_families_of(r),
        )


cdef tuple tally_of(const uint64_t *outcomes):
    """Routes announced, announced again unchanged, withdrawn, unknown withdrawals, and routes dropped."""
    return (
        outcomes[0], outcomes[1], outcomes[2], outcomes[3],
        outcomes[<int>NO_MEMORY] + outcomes[<int>TOO_MANY_PATHS],
    )


cdef object refusals_of(reader *r):
    """The first refusals of a run, in full."""
    return [
        Refusal(one.offset, one.code, VERDICTS[one.verdict], REASONS[one.reason])
        for one in r.refusals[:r.refusal_count]
    ]


cdef dict refused_by(reader *r):
    """How many UPDATEs of a run were refused by (attribute, verdict)."""
    if not r.any_refused:
        return {}
    return {(i & 0xFF, VERDICTS[1 + (i >> 8)]): r.refused[i] for i in range(3 * 256) if r.refused[i]}


cdef list other_families_of(reader *r):
    """The first families of a run that are not stored, as (AFI, SAFI)."""
    return [(family >> 8, family & 0xFF) for family in r.other_families[:r.other_family_count]]


def apply(PeerRib peer not None, bytes octets not None, Rows rows=None):
    """Take a whole run into the tables of a peer at once; its rows may be many.

    Returns: an `Applied`.
    Raises: MemoryError, ValueError as `Run.step`.
    """
    cdef Run run = Run(peer, octets)
    cdef size_t full_at = 0
    applied = None
    if rows is not None:
        full_at = rows.full_at
        rows.full_at = <size_t>-1
    try:
        while applied is None:
            applied = run.step(rows)
    finally:
        if rows is not None:
            rows.full_at = full_at
    return applied
