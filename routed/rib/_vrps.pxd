"""Validated payloads of origins.  See `_vrps.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    LANES = 32                       # look-ups in lockstep, so that their misses overlap

cdef enum:                           # origin validation, as records write it
    UNKNOWN = 117                    # u
    INVALID = 105                    # i
    VALID = 118                      # v
    OVERLAPPED_UNKNOWN = 85          # U
    OVERLAPPED_VALID = 86            # V

ctypedef struct record:              # a payload that is announced or withdrawn
    uint64_t high, low               # the address, from the left
    uint32_t asn
    uint16_t lengths                 # of the prefix << 8 | the maximum
    uint8_t is_withdrawn

ctypedef struct prefix_node:
    uint32_t parent                  # the next shorter prefix around, counted from 1
    uint32_t first                   # where its origins begin
    uint8_t length

ctypedef struct origin:
    uint32_t asn
    uint8_t max_length

ctypedef struct tree:                # the payloads of one address family, by address, the shorter prefix first
    uint32_t words                   # of an address
    uint32_t count                   # of prefixes
    uint32_t payload_count
    uint32_t *short_keys             # IPv4: the addresses
    uint64_t *highs                  # IPv6: their first 64 bits
    uint64_t *lows                   # ... and the others
    prefix_node *nodes               # ... what goes with them; one more at the end
    origin *origins                  # of all prefixes
    uint32_t *starts                 # by the first bits of an address: the first prefix with them


cdef class Vrps:
    cdef tree trees[2]

    cdef const tree *of_words(self, uint32_t address_words) noexcept nogil


cdef uint32_t last_before(const tree *t, uint64_t high, uint64_t low) noexcept nogil
cdef bint covers(const tree *t, uint32_t at, uint64_t high, uint64_t low, uint8_t length) noexcept nogil
cdef char judge(const tree *t, uint32_t at, uint64_t high, uint64_t low, uint8_t length, uint32_t origin_as) noexcept nogil
cdef char status_of(const tree *t, const uint32_t *words, uint8_t length, uint32_t origin_as) noexcept nogil
cdef void judge_lanes(
    const tree *t, const uint64_t *high, const uint64_t *low, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t lanes,
) noexcept nogil
