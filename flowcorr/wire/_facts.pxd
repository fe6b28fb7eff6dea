"""What an exporter told about itself in options.  See `_facts.pyx`."""

from flowcorr.columns._texts cimport Texts
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.octets._hash cimport mix

cdef enum fact_kind:
    SAMPLER                          # sampler id to packets that one counted packet stands for
    INGRESS_RD                       # VRF id to route distinguisher (its octets)
    EGRESS_RD
    UPTIME_BEGAN                     # 0 to milliseconds since 1970
    VRF_NAME                         # VRF id to text
    INTERFACE_NAME                   # ifIndex to text
    APPLICATION                      # engine << 56 | selector to text
    FACT_KINDS

ctypedef struct fact_entry:
    uint64_t key
    uint64_t value
    bint used

ctypedef struct fact_map:
    fact_entry *entries              # by hash of the key; NULL: none
    uint64_t mask
    uint32_t count

ctypedef struct facts:
    fact_map maps[FACT_KINDS]
    uint64_t seed
    uint32_t last_rate               # of the sampler that was defined last
    bint has_sampler


cdef class FactsRoom:
    cdef readonly uint64_t left      # facts that there may be besides those that are
    cdef readonly uint64_t refused


cdef class Facts:
    cdef facts c
    cdef Texts texts
    cdef FactsRoom room

    cdef int widen(self, fact_map *map) except -1


cdef inline fact_entry *find_fact(const facts *known, fact_kind kind, uint64_t key) noexcept nogil:
    """The entry of a key, NULL without one."""
    cdef const fact_map *map
    cdef uint64_t at
    if known == NULL:
        return NULL
    map = &known.maps[<int>kind]
    if map.entries == NULL:
        return NULL
    at = mix(key ^ known.seed, 0x9E3779B97F4A7C15ULL) & map.mask
    while map.entries[at].used:
        if map.entries[at].key == key:
            return &map.entries[at]
        at = (at + 1) & map.mask
    return NULL


cdef inline fact_entry *find_in_both(const facts *near, const facts *far, fact_kind kind, uint64_t key) noexcept nogil:
    """What a domain told, or else what its exporter told of all domains."""
    cdef fact_entry *entry = find_fact(near, kind, key)
    return entry if entry != NULL else find_fact(far, kind, key)
