"""Records summed by key, one table for each time bin.  See `_groupby.pyx`."""

from flowcorr.columns._texts cimport Texts
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    PARTS = 64                           # of a table's slots, by the highest bits of the hash: each grows on its own
    PART_SHIFT = 58
    ENTRY_PAGE_BITS = 7
    ENTRY_PAGE = 128                     # entries of a page
    ENTRY_PAGE_MASK = 127

cdef enum:                               # why `add` stopped
    STOP_FULL = 1
    STOP_NO_BIN = 2
    STOP_NO_MEMORY = 3

ctypedef struct totals:                  # what an entry begins with; its key follows
    uint64_t packets
    uint64_t bytes
    uint64_t flows
    uint16_t tcpflags                    # OR of all
    uint16_t tunnel_tcpflags
    uint32_t unused

ctypedef struct spell:                   # behind the totals where records are stitched. Units: microseconds
    int64_t first
    int64_t last

ctypedef struct slot:
    uint32_t hash                        # the lowest bits of it
    uint32_t entry                       # 0: none, else its number + 1

ctypedef struct slots:
    slot *at                             # NULL before the first key
    uint32_t mask
    uint32_t used

ctypedef struct table:
    int64_t start                        # of the bin, and behind its end. Units: microseconds since 1970
    int64_t end
    size_t count                         # entries
    size_t released                      # of these, from the first one, those whose texts are let go
    size_t entry_octets
    size_t key_at                        # octets in front of the key
    size_t key_octets                    # a multiple of 8
    uint8_t **pages
    size_t page_count
    size_t page_room
    slots parts[PARTS]


cdef class Bin:
    cdef table *table
    cdef readonly Texts texts
    cdef GroupBy group_by                # whose entries are counted together
    cdef uint32_t *text_at               # where texts are in a key
    cdef size_t texts_count


ctypedef struct step:                    # octets of a row that become octets of the key
    uint32_t from_row
    uint32_t to_key
    uint32_t octets                      # 1, 2, 4, 8, 16; 0: a time of which whole seconds remain; 3: DSCP

ctypedef struct item:                    # a record on its way into a table
    const uint8_t *row
    table *table
    uint64_t hash
    size_t variant

ctypedef struct sums:                    # what a record counts for
    uint64_t packets
    uint64_t bytes
    uint64_t flows
    int64_t first
    int64_t last
    uint16_t tcpflags
    uint16_t tunnel_tcpflags


cdef class GroupBy:
    cdef readonly object layout
    cdef readonly Texts texts
    cdef readonly bint stitching, pro_rating
    cdef readonly size_t entries         # of all its bins that are not released
    cdef readonly size_t open_entries    # ... of those that are open
    cdef readonly size_t most_entries    # of open bins
    cdef readonly uint64_t unsplit       # records over too many bins to be pro-rated
    cdef readonly int stopped            # why `add` returned early
    cdef readonly int64_t wanted         # a time that has no open bin
    cdef list bins                       # open, by their start
    cdef table **tables                  # of `bins`
    cdef size_t table_count
    cdef table *recent                   # that took the last record
    cdef uint64_t seed
    cdef size_t key_octets
    cdef size_t variants                 # keys that a record counts for
    cdef step *steps                     # of each variant
    cdef size_t step_count
    cdef uint32_t flag_at                # in a key: 1 for a record without counters
    cdef uint32_t *text_at
    cdef size_t texts_count
    cdef Py_ssize_t packets_at, bytes_at, flows_at, record_type_at, tcpflags_at, tunnel_tcpflags_at
    cdef int tcpflags_octets, tunnel_tcpflags_octets
    cdef Py_ssize_t bin_time_at, end_at
    cdef uint8_t *keys                   # of a block
    cdef item *items

    cdef void pack(self, size_t n) noexcept nogil
    cdef table *table_of(self, int64_t when) noexcept nogil
    cdef int64_t start_of(self, const uint8_t *row, int64_t now) noexcept nogil
    cdef size_t place(self, size_t n, int64_t now) noexcept nogil
    cdef sums sums_of(self, const item *it, int64_t now) noexcept nogil
    cdef int sum_up(self, table *t, const uint8_t *key, uint64_t hash, const sums *s, size_t most) noexcept nogil
    cdef int spread(self, const item *it, const uint8_t *key, int64_t now) noexcept nogil


cdef inline uint8_t *entry_of(const table *t, size_t number) noexcept nogil:
    return t.pages[number >> ENTRY_PAGE_BITS] + (number & ENTRY_PAGE_MASK) * t.entry_octets


cdef inline bint same_key(const uint8_t *a, const uint8_t *b, size_t octets) noexcept nogil:
    cdef uint64_t x, y
    cdef size_t i
    for i in range(0, octets, 8):
        memcpy(&x, a + i, 8)
        memcpy(&y, b + i, 8)
        if x != y:
            return False
    return True


cdef uint8_t *insert(table *t, const uint8_t *key, uint64_t hash) noexcept nogil
