"""Records summed by key, one table for each time bin.  See `_groupby.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.correlate._keys cimport Keys, item
from flowcorr.correlate._table cimport sums, table
from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum stop:                          # why `add` returned
    STOP_DONE
    STOP_FULL
    STOP_NO_BIN
    STOP_NO_MEMORY


cdef class GroupBy:
    cdef readonly object layout
    cdef readonly Texts texts
    cdef readonly Keys keys
    cdef readonly bint stitching, pro_rating
    cdef readonly size_t open_entries    # of bins that are open
    cdef readonly size_t most_entries    # of open bins
    cdef readonly uint64_t unsplit       # records over too many bins to be pro-rated
    cdef readonly uint64_t misdated      # records that were counted in another bin than that of their time
    cdef public bint crowded             # no more bins: records of times that have none count when they come
    cdef readonly int stopped            # why `add` returned early
    cdef readonly int64_t wanted         # a time that has no open bin
    cdef list bins                       # open, by their start
    cdef list finished                   # bins that may not be released yet
    cdef table **tables                  # of `bins`
    cdef size_t table_count
    cdef table *recent                   # that took the last record
    cdef Py_ssize_t packets_at, bytes_at, flows_at, tcpflags_at, tunnel_tcpflags_at
    cdef int tcpflags_octets, tunnel_tcpflags_octets
    cdef Py_ssize_t bin_time_at, end_at
    cdef uint8_t *packed                 # keys of a block
    cdef item *items

    cdef table *table_of(self, int64_t when) noexcept nogil
    cdef int64_t start_of(self, const uint8_t *row, int64_t now) noexcept nogil
    cdef size_t place(self, size_t n, int64_t now) noexcept nogil
    cdef sums sums_of(self, const item *it, int64_t now) noexcept nogil
    cdef stop sum_up(self, table *t, const uint8_t *key, uint64_t hash, const sums *s, size_t most) noexcept nogil
    cdef uint8_t *add_entry(self, table *t, const uint8_t *key, uint64_t hash) noexcept nogil
    cdef stop spread(self, const item *it, const uint8_t *key, int64_t now) noexcept nogil
