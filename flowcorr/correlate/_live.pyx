# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sums that are looked at while they go on: the table of the `memory` plugin.

A snapshot costs the pointers of a table's pages.  As long as it lives, a page that it shares with the table is copied
before the table writes to it, so a reader in another thread sees one moment, and counting goes on.  Keys never change,
and a snapshot keeps the entries that it was taken of, so the texts of its keys are held.
"""

cimport cython
import numpy
from flowcorr.columns._texts cimport hold_text
from flowcorr.correlate._groupby cimport (
    Bin,
    ENTRY_PAGE,
    ENTRY_PAGE_BITS,
    GroupBy,
    entry_of,
    insert,
    PART_SHIFT,
    same_key,
    slots,
    STOP_NO_MEMORY,
    sums,
    table,
    totals,
)
from libc.stdint cimport INT64_MAX, INT64_MIN, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from routed.octets._hash cimport hash_octets

cdef enum:
    CLEARED = 1                          # in `unused` of an entry: nothing was counted since it was set to zero
    FIRST_FOUND = 1024
    NOBODY = 0xFFFFFFFF

#: Different sets of compared octets in the queries of one search: each is a look at every entry.
MOST_SHAPES = 16


@cython.no_gc_clear
cdef class LiveGroupBy(GroupBy):
    """The sums of one plugin in one table, which is never finished but for being erased.

    A record that needs an entry when there are as many as may be is counted in `refused_*`, and the others go on.
    """

    cdef readonly uint64_t refused_records, refused_packets, refused_bytes
    cdef readonly uint64_t copied_pages
    cdef readonly bint has_cleared       # some entry was set to zero since the table was erased
    cdef list snapshots                  # that live, of the open table and of erased ones
    cdef uint8_t *shared                 # by page of the open table: 1 while a snapshot has it too
    cdef size_t shared_pages

    def __init__(self, *_, **__):
        self.snapshots = []
        self.open_bin(INT64_MIN, INT64_MAX)

    def __dealloc__(self):
        free(self.shared)

    @property
    def looked_at(self):
        """How many snapshots live."""
        return len(self.snapshots)

    def snapshot(self):
        """The table as it is now.  Raises: MemoryError."""
        cdef Bin origin = self.bins[0]
        cdef Snapshot made = Snapshot(self, INT64_MIN, INT64_MAX)
        cdef const table *t = origin.table
        cdef uint8_t *wider
        made.take(origin, self.has_cleared)
        if t.page_count > self.shared_pages:
            wider = <uint8_t *>realloc(self.shared, t.page_count)
            if wider == NULL:
                made.forget()
                raise MemoryError
            self.shared = wider
        if t.page_count:
            memset(self.shared, 1, t.page_count)
        self.shared_pages = t.page_count
        self.snapshots.append(made)
        return made

    def erase(self):
        """Begin anew; the entries so far, to be released once no snapshot of them is looked at; None without any."""
        finished = self.finish(INT64_MAX)
        self.shared_pages = 0
        self.has_cleared = False
        self.open_bin(INT64_MIN, INT64_MAX)
        return finished[0] if finished else None

    def is_seen(self, Bin origin not None):
        """Tell whether a snapshot of these entries is looked at."""
        cdef Snapshot one
        return any((<Snapshot>one).origin is origin for one in self.snapshots)

    def clear(self, Snapshot seen not None, const uint32_t[::1] numbers not None):
        """Set entries of a snapshot to zero in the table, unless that was erased since.  Raises: MemoryError."""
        cdef Bin now = self.bins[0]
        cdef table *t = now.table
        cdef totals *sum
        cdef Py_ssize_t i
        cdef size_t page
        if seen.origin is not now:
            return
        self.has_cleared = True
        for i in range(numbers.shape[0]):
            if numbers[i] >= t.count:
                raise IndexError(numbers[i])
            page = numbers[i] >> ENTRY_PAGE_BITS
            if page < self.shared_pages and self.shared[page] and self.own(t, page):
                raise MemoryError
            sum = <totals *>entry_of(t, numbers[i])
            memset(sum, 0, t.key_at)
            sum.unused = CLEARED

    cdef int own(self, table *t, size_t page) noexcept nogil:
        """Have a page of its own where a snapshot shares it; 0, or -1 without memory."""
        cdef uint8_t *copy = <uint8_t *>malloc(ENTRY_PAGE * t.entry_octets)
        if copy == NULL:
            return -1
        memcpy(copy, t.pages[page], ENTRY_PAGE * t.entry_octets)
        t.pages[page] = copy
        self.shared[page] = 0
        self.copied_pages += 1
        return 0

    cdef void let_go(self, Snapshot gone) except *:
        """Free the pages that only this snapshot has."""
        cdef Snapshot other
        cdef Bin now
        cdef const table *t = gone.origin.table
        cdef size_t page
        cdef uint8_t *at
        cdef bint is_shared
        if gone not in self.snapshots:
            return                       # the collector of garbage has been here
        now = self.bins[0]
        self.snapshots.remove(gone)
        others = [other for other in self.snapshots if (<Snapshot>other).origin is gone.origin]
        for page in range(gone.table.page_count):
            at = gone.table.pages[page]
            is_shared = False
            for other in others:
                if page < other.table.page_count and other.table.pages[page] == at:
                    is_shared = True
            if t.pages[page] == at:
                if now is gone.origin and not is_shared:
                    self.shared[page] = 0
            elif not is_shared:
                free(at)
        if now is gone.origin and not others:
            self.shared_pages = 0

    cdef int sum_up(self, table *t, const uint8_t *key, uint64_t hash, const sums *s, size_t most) noexcept nogil:
        """Count towards an entry, which is made when there is none and fewer than `most`; 0, or why that cannot be."""
        cdef uint32_t number = number_of(t, key, hash), id
        cdef uint8_t *entry
        cdef totals *sum
        cdef size_t i
        if number != <uint32_t>NOBODY:
            i = number >> ENTRY_PAGE_BITS
            if i < self.shared_pages and self.shared[i] and self.own(t, i):
                return STOP_NO_MEMORY
            entry = entry_of(t, number)
        elif self.open_entries >= most:
            self.refused_records += 1
            self.refused_packets += s.packets
            self.refused_bytes += s.bytes
            return 0
        else:                            # behind what any snapshot looks at
            entry = insert(t, key, hash)
            if entry == NULL:
                return STOP_NO_MEMORY
            for i in range(self.texts_count):
                memcpy(&id, key + self.text_at[i], sizeof(id))
                hold_text(self.texts, id)
            self.entries += 1
            self.open_entries += 1
        sum = <totals *>entry
        sum.packets += s.packets
        sum.bytes += s.bytes
        sum.flows += s.flows
        sum.tcpflags |= s.tcpflags
        sum.tunnel_tcpflags |= s.tunnel_tcpflags
        sum.unused = 0
        return 0


cdef inline uint32_t number_of(const table *t, const uint8_t *key, uint64_t hash) noexcept nogil:
    """The number of the entry of a key; NOBODY when it has none."""
    cdef const slots *part = &t.parts[hash >> PART_SHIFT]
    cdef uint32_t at = <uint32_t>hash & part.mask
    if part.at == NULL:
        return <uint32_t>NOBODY
    while part.at[at].entry:
        if part.at[at].hash == <uint32_t>hash:
            if same_key(entry_of(t, part.at[at].entry - 1) + t.key_at, key, t.key_octets):
                return part.at[at].entry - 1
        at = (at + 1) & part.mask
    return <uint32_t>NOBODY


ctypedef struct found:                   # pairs of a query and an entry
    uint32_t *at
    size_t count
    size_t room


cdef int note(found *f, uint32_t query, uint32_t entry) noexcept nogil:
    """Take note of a match; 0, or -1 without memory."""
    cdef uint32_t *wider
    if f.count == f.room:
        wider = <uint32_t *>realloc(f.at, (2 * f.room + FIRST_FOUND) * 2 * sizeof(uint32_t))
        if wider == NULL:
            return -1
        f.at, f.room = wider, 2 * f.room + FIRST_FOUND
    f.at[2 * f.count], f.at[2 * f.count + 1] = query, entry
    f.count += 1
    return 0


@cython.no_gc_clear
cdef class Snapshot(Bin):
    """A table at one moment, which may be read in another thread.  Made by `LiveGroupBy.snapshot`."""

    cdef Bin origin                      # that it was taken of; None once it is closed
    cdef bint has_cleared

    def __dealloc__(self):
        self.close()

    def close(self):
        """Let the table have its pages back, in the thread that counts; nobody may read it any more."""
        if self.origin is not None:
            (<LiveGroupBy>self.group_by).let_go(self)
            self.forget()

    cdef void take(self, Bin origin, bint has_cleared) except *:
        cdef table *mine = self.table
        cdef const table *t = origin.table
        mine.pages = <uint8_t **>malloc(max(1, t.page_count) * sizeof(uint8_t *))
        if mine.pages == NULL:
            raise MemoryError
        if t.page_count:
            memcpy(mine.pages, t.pages, t.page_count * sizeof(uint8_t *))
        mine.page_count = mine.page_room = t.page_count
        mine.count = t.count
        self.origin, self.has_cleared = origin, has_cleared

    cdef void forget(self):
        """Have no pages, for they are others'."""
        self.table.count = self.table.released = self.table.page_count = 0
        self.origin = None

    def release(self, size_t most):
        """Do nothing: texts are held by the table."""
        return True

    def listed(self):
        """Numbers of the entries that were counted for since they were cleared; None when these are all."""
        cdef const table *t = self.table
        cdef uint32_t[::1] numbers
        cdef size_t i, n = 0
        if not self.has_cleared:
            return None
        result = numpy.empty(t.count, numpy.uint32)
        numbers = result
        with nogil:
            for i in range(t.count):
                if (<const totals *>entry_of(t, i)).unused != CLEARED:
                    numbers[n] = <uint32_t>i
                    n += 1
        return result[:n]

    def counters(self, const uint32_t[::1] numbers=None):
        """Packets, bytes and flows of entries, or of all: three rows of an array of u64."""
        cdef const table *t = self.table
        cdef size_t i, n = t.count if numbers is None else <size_t>numbers.shape[0]
        cdef const totals *sum
        result = numpy.empty((3, n), numpy.uint64)
        cdef uint64_t[:, ::1] values = result
        if numbers is not None and n and numpy.asarray(numbers).max() >= t.count:
            raise IndexError("no such entry")
        with nogil:
            for i in range(n):
                sum = <const totals *>entry_of(t, i if numbers is None else numbers[i])
                values[0, i], values[1, i], values[2, i] = sum.packets, sum.bytes, sum.flows
        return result

    def matches(self, queries not None):
        """Look for the entries whose keys have given octets.

        Args:
            queries: pairs of a mask and a value, each as long as a key; a value has no bit that its mask has not.

        Returns: an array of u32 pairs, the number of a query and that of an entry, in the order of entries. Of equal
        queries only the first one is found.
        Raises: ValueError for octets of another length and more than `MOST_SHAPES` masks; MemoryError.
        """
        cdef const table *t = self.table
        cdef size_t octets = t.key_octets, shape, i, j, count = len(queries), room = 8
        cdef uint64_t hash, key_word, mask_word
        cdef uint32_t at
        cdef found f
        cdef const uint8_t *key
        cdef uint8_t *masks = NULL
        cdef uint8_t *values = NULL
        cdef uint8_t *masked = NULL
        cdef uint32_t *places = NULL
        cdef uint32_t *singles = NULL
        cdef int failed = 0
        cdef uint64_t seed = self.group_by.seed
        shapes = {}
        for number, (mask, value) in enumerate(queries):
            if len(mask) != octets or len(value) != octets:
                raise ValueError(f"{len(mask)} and {len(value)} octets for a key of {octets}")
            shapes.setdefault(bytes(mask), {}).setdefault(bytes(value), number)
        if len(shapes) > MOST_SHAPES:
            raise ValueError(f"{len(shapes)} different choices of what is compared; at most {MOST_SHAPES}")
        while room < 2 * max((len(one) for one in shapes.values()), default=0):
            room *= 2
        cdef size_t shape_count = len(shapes)
        f.at, f.count, f.room = NULL, 0, 0
        masks = <uint8_t *>calloc(max(1, shape_count), octets)
        values = <uint8_t *>calloc(max(1, count), octets)
        masked = <uint8_t *>calloc(1, octets)
        places = <uint32_t *>calloc(max(1, shape_count) * room, sizeof(uint32_t))
        singles = <uint32_t *>calloc(max(1, shape_count), sizeof(uint32_t))
        try:
            if masks == NULL or values == NULL or masked == NULL or places == NULL or singles == NULL:
                raise MemoryError
            for shape, (mask, numbers) in enumerate(shapes.items()):
                memcpy(masks + shape * octets, <const uint8_t *>(<bytes>mask), octets)
                for value, number in numbers.items():
                    i = number
                    memcpy(values + i * octets, <const uint8_t *>(<bytes>value), octets)
                    at = <uint32_t>(hash_octets(values + i * octets, octets, seed) & (room - 1))
                    while places[shape * room + at]:
                        at = (at + 1) & <uint32_t>(room - 1)
                    places[shape * room + at] = <uint32_t>(i + 1)
                    singles[shape] = <uint32_t>(i + 1) if len(numbers) == 1 else 0
            with nogil:
                for i in range(t.count):
                    if (<const totals *>entry_of(t, i)).unused == CLEARED:
                        continue
                    key = entry_of(t, i) + t.key_at
                    for shape in range(shape_count):
                        if singles[shape]:
                            if is_masked(key, masks + shape * octets, values + (singles[shape] - 1) * octets, octets):
                                failed = note(&f, singles[shape] - 1, <uint32_t>i)
                        else:
                            for j in range(0, octets, 8):
                                memcpy(&key_word, key + j, 8)
                                memcpy(&mask_word, masks + shape * octets + j, 8)
                                key_word &= mask_word
                                memcpy(masked + j, &key_word, 8)
                            hash = hash_octets(masked, octets, seed)
                            at = <uint32_t>(hash & (room - 1))
                            while places[shape * room + at]:
                                if same_key(values + (places[shape * room + at] - 1) * octets, masked, octets):
                                    failed = note(&f, places[shape * room + at] - 1, <uint32_t>i)
                                    break
                                at = (at + 1) & <uint32_t>(room - 1)
                        if failed:
                            break
                    if failed:
                        break
            if failed:
                raise MemoryError
            result = numpy.empty((f.count, 2), numpy.uint32)
            if f.count:
                copy_pairs(result, &f)
            return result
        finally:
            free(f.at)
            free(masks)
            free(values)
            free(masked)
            free(places)
            free(singles)


cdef void copy_pairs(uint32_t[:, ::1] to, const found *f) noexcept:
    memcpy(&to[0, 0], f.at, f.count * 2 * sizeof(uint32_t))


cdef inline bint is_masked(const uint8_t *key, const uint8_t *mask, const uint8_t *value, size_t octets) noexcept nogil:
    """Tell whether a key has the octets of a value where the mask has bits."""
    cdef uint64_t a, b, c
    cdef size_t i
    for i in range(0, octets, 8):
        memcpy(&a, key + i, 8)
        memcpy(&b, mask + i, 8)
        memcpy(&c, value + i, 8)
        if a & b != c:
            return False
    return True
