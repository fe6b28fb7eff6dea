# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The entries of one time bin, as Python sees them.

A finished bin is only read, and may be read in another thread; the texts in its keys are held until it is released, in
slices, in the thread that they belong to.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.correlate._table cimport (
    ENTRY_PAGE_BITS, ENTRY_PAGE_MASK, SPELL, TOTALS, entry_of, free_slots, key_of, octets_of, spell, totals,
)
from libc.stdint cimport INT64_MAX, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy


@cython.no_gc_clear                      # its end needs the texts
cdef class Bin:
    def __cinit__(self, Keys keys not None, int64_t start, int64_t end, bint stitching=False):
        self.keys, self.texts = keys, keys.texts
        self.table = <table *>calloc(1, sizeof(table))
        if self.table == NULL:
            raise MemoryError
        self.table.start, self.table.end = start, end
        self.table.key_at = TOTALS + (SPELL if stitching else 0)
        self.table.key_octets = keys.octets
        self.table.entry_octets = self.table.key_at + keys.octets

    def __dealloc__(self):
        if self.table != NULL:
            self.release(self.table.count)
            free_slots(self.table)
            free(self.table.pages)
            free(self.table)

    def __len__(self):
        return self.table.count

    @property
    def left(self):
        return self.table.count - self.table.released

    @property
    def start(self):
        return self.table.start

    @property
    def end(self):
        return self.table.end

    @property
    def has_times(self):
        return self.table.end != INT64_MAX

    @property
    def octets(self):
        return octets_of(self.table)

    def release(self, size_t most):
        cdef table *t = self.table
        cdef size_t last = min(t.count, t.released + most), page
        while t.released < last:
            if self.keys.text_count:
                self.keys.release_texts(key_of(t, t.released))
            t.released += 1
            if not t.released & ENTRY_PAGE_MASK or t.released == t.count:
                page = (t.released - 1) >> ENTRY_PAGE_BITS
                free(t.pages[page])
                t.pages[page] = NULL
        return t.released == t.count

    def entries(self):
        cdef size_t i
        cdef const uint8_t *at
        cdef const totals *sums
        cdef spell times
        found = []
        for i in range(self.table.released, self.table.count):
            at = entry_of(self.table, i)
            sums = <const totals *>at
            times.first = times.last = 0
            if self.table.key_at > TOTALS:
                memcpy(&times, at + TOTALS, sizeof(times))
            key = PyBytes_FromStringAndSize(<const char *>at + self.table.key_at, self.table.key_octets)
            found.append((
                key, sums.packets, sums.bytes, sums.flows, sums.tcpflags, sums.tunnel_tcpflags, times.first, times.last,
            ))
        return found
