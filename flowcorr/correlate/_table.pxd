"""Entries by key: packets, octets and flags summed.  See `_table.pyx`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    PARTS = 64                           # of a table's slots, by the highest bits of the hash: each grows on its own
    PART_SHIFT = 58
    ENTRY_PAGE_BITS = 7
    ENTRY_PAGE = 128                     # entries of a page
    ENTRY_PAGE_MASK = 127
    NO_ENTRY = 0xFFFFFFFF
    MOST_ENTRIES = 2147483648            # slots number entries in 32 bits
    TOTALS = 32                          # octets
    SPELL = 16

ctypedef struct totals:                  # what an entry begins with; its key follows
    uint64_t packets
    uint64_t bytes
    uint64_t flows
    uint16_t tcpflags                    # OR of all
    uint16_t tunnel_tcpflags
    uint32_t is_cleared                  # set to zero on request, and nothing was counted since

ctypedef struct spell:                   # behind the totals where records are stitched. Units: microseconds
    int64_t first
    int64_t last

ctypedef struct sums:                    # what a record counts for
    uint64_t packets
    uint64_t bytes
    uint64_t flows
    int64_t first
    int64_t last
    uint16_t tcpflags
    uint16_t tunnel_tcpflags

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


cdef inline uint8_t *entry_of(const table *t, size_t number) noexcept nogil:
    return t.pages[number >> ENTRY_PAGE_BITS] + (number & ENTRY_PAGE_MASK) * t.entry_octets


cdef inline uint8_t *key_of(const table *t, size_t number) noexcept nogil:
    return entry_of(t, number) + t.key_at


cdef inline bint same_key(const uint8_t *a, const uint8_t *b, size_t octets) noexcept nogil:
    cdef uint64_t x, y
    cdef size_t i
    for i in range(0, octets, 8):
        memcpy(&x, a + i, 8)
        memcpy(&y, b + i, 8)
        if x != y:
            return False
    return True


cdef inline slot *home_of(const table *t, uint64_t hash) noexcept nogil:
    """Where the search for a key begins; NULL while its part has none."""
    cdef const slots *part = &t.parts[hash >> PART_SHIFT]
    return &part.at[<uint32_t>hash & part.mask] if part.at != NULL else NULL


cdef inline uint32_t find(const table *t, const uint8_t *key, uint64_t hash) noexcept nogil:
    """The number of the entry of a key; NO_ENTRY when it has none."""
    cdef const slots *part = &t.parts[hash >> PART_SHIFT]
    cdef uint32_t at = <uint32_t>hash & part.mask
    if part.at == NULL:
        return <uint32_t>NO_ENTRY
    while part.at[at].entry:
        if part.at[at].hash == <uint32_t>hash and same_key(key_of(t, part.at[at].entry - 1), key, t.key_octets):
            return part.at[at].entry - 1
        at = (at + 1) & part.mask
    return <uint32_t>NO_ENTRY


cdef inline void add_sums(uint8_t *entry, const sums *s) noexcept nogil:
    """Add a record to an entry."""
    cdef totals *sum = <totals *>entry
    sum.packets += s.packets
    sum.bytes += s.bytes
    sum.flows += s.flows
    sum.tcpflags |= s.tcpflags
    sum.tunnel_tcpflags |= s.tunnel_tcpflags
    sum.is_cleared = False


cdef inline void stitch(uint8_t *entry, const sums *s) noexcept nogil:
    """Let the spell of an entry last from the first start to the last end."""
    cdef spell *times = <spell *>(entry + TOTALS)
    if not times.first or s.first < times.first:
        times.first = s.first
    if s.last > times.last:
        times.last = s.last


cdef uint8_t *insert(table *t, const uint8_t *key, uint64_t hash) noexcept nogil
cdef void free_slots(table *t) noexcept nogil
cdef size_t octets_of(const table *t) noexcept nogil
