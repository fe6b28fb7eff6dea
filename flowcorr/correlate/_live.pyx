# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sums that are looked at while they go on: the table of the `memory` plugin.

A snapshot costs the pointers of a table's pages.  As long as it lives, a page that it shares with the table is copied
before the table writes to it, so a reader in another thread sees one moment, and counting goes on.  Keys never change,
and a snapshot keeps the entries that it was taken of, so the texts of its keys are held.
"""

cimport cython
from flowcorr.correlate._bin cimport Bin
from flowcorr.correlate._groupby cimport STOP_DONE, STOP_NO_MEMORY, GroupBy, stop
from flowcorr.correlate._key_search cimport KeySearch
from flowcorr.correlate._keys cimport Keys
from flowcorr.correlate._table cimport (
    ENTRY_PAGE, ENTRY_PAGE_BITS, NO_ENTRY, add_sums, entry_of, find, sums, table, totals,
)
from libc.stdint cimport INT64_MAX, INT64_MIN, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

import numpy


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
        cdef Snapshot made = Snapshot(self.keys, INT64_MIN, INT64_MAX)
        cdef const table *t = origin.table
        cdef uint8_t *wider
        made.take(self, origin)
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
            if self.is_shared(page) and self.own(t, page):
                raise MemoryError
            sum = <totals *>entry_of(t, numbers[i])
            memset(sum, 0, t.key_at)
            sum.is_cleared = True

    cdef inline bint is_shared(self, size_t page) noexcept nogil:
        """Whether a snapshot has this page of the open table too."""
        return page < self.shared_pages and self.shared[page]

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
        cdef bint is_others
        if gone not in self.snapshots:
            return                       # the collector of garbage has been here
        now = self.bins[0]
        self.snapshots.remove(gone)
        others = [other for other in self.snapshots if (<Snapshot>other).origin is gone.origin]
        for page in range(gone.table.page_count):
            at = gone.table.pages[page]
            is_others = False
            for other in others:
                if page < other.table.page_count and other.table.pages[page] == at:
                    is_others = True
            if t.pages[page] == at:
                if now is gone.origin and not is_others:
                    self.shared[page] = 0
            elif not is_others:
                free(at)
        if now is gone.origin and not others:
            self.shared_pages = 0

    cdef stop sum_up(self, table *t, const uint8_t *key, uint64_t hash, const sums *s, size_t most) noexcept nogil:
        """Count towards an entry, which is made when there is none and fewer than `most`."""
        cdef uint32_t number = find(t, key, hash)
        cdef uint8_t *entry
        cdef size_t page
        if number != NO_ENTRY:
            page = number >> ENTRY_PAGE_BITS
            if self.is_shared(page) and self.own(t, page):
                return STOP_NO_MEMORY
            entry = entry_of(t, number)
        elif self.open_entries >= most:
            self.refused_records += 1
            self.refused_packets += s.packets
            self.refused_bytes += s.bytes
            return STOP_DONE
        else:                            # behind what any snapshot looks at
            entry = self.add_entry(t, key, hash)
            if entry == NULL:
                return STOP_NO_MEMORY
        add_sums(entry, s)
        return STOP_DONE


@cython.no_gc_clear
cdef class Snapshot(Bin):
    """A table at one moment, which may be read in another thread.  Made by `LiveGroupBy.snapshot`."""

    cdef LiveGroupBy owner
    cdef Bin origin                      # that it was taken of; None once it is closed
    cdef bint has_cleared

    def __dealloc__(self):
        self.close()

    def close(self):
        """Let the table have its pages back, in the thread that counts; nobody may read it any more."""
        if self.origin is not None:
            self.owner.let_go(self)
            self.forget()

    cdef void take(self, LiveGroupBy owner, Bin origin) except *:
        cdef table *mine = self.table
        cdef const table *t = origin.table
        mine.pages = <uint8_t **>malloc(max(1, t.page_count) * sizeof(uint8_t *))
        if mine.pages == NULL:
            raise MemoryError
        if t.page_count:
            memcpy(mine.pages, t.pages, t.page_count * sizeof(uint8_t *))
        mine.page_count = mine.page_room = t.page_count
        mine.count = t.count
        self.owner, self.origin, self.has_cleared = owner, origin, owner.has_cleared

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
                if not (<const totals *>entry_of(t, i)).is_cleared:
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
        cdef KeySearch search = KeySearch(queries, self.table.key_octets)
        return search.search(self.table)
