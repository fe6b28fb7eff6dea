"""The validated payloads of one address family.  See `_vrp_tree.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    FEW = 4                          # prefixes that a look-up compares one by one; as many stand behind the last one
    DEEPEST = 129                    # prefixes around each other
    MOST = 1 << 23                   # payloads of a family: ten times what there is, so that no cache can take all memory

ctypedef struct origin:
    uint32_t asn
    uint16_t lengths                 # of the prefix << 8 | the maximum

ctypedef struct prefix_node:
    uint64_t high                    # the first 64 bits of the address, from the left
    uint32_t parent                  # the next shorter prefix around, counted from 1
    uint32_t more                    # where its origins begin that have no place here
    origin own                       # the first of its origins

ctypedef struct tree:
    uint32_t words                   # of 32 bits in an address
    uint32_t count                   # of prefixes
    uint32_t payload_count
    uint32_t more_count              # of origins behind the first ones of their prefixes
    uint32_t cell_count
    prefix_node *prefixes            # by address, the shorter first; FEW more at the end
    uint64_t *lows                   # IPv6: the other bits of their addresses
    origin *more
    uint32_t *cells                  # how the prefixes are found: see `_vrp_index.pyx`

ctypedef struct maker:               # a tree that grows
    tree *t
    uint32_t around[DEEPEST]         # the prefixes around the last one, outermost first, counted from 1
    uint32_t depth
    uint64_t low                     # of the last prefix


cdef inline uint8_t length_at(const tree *t, uint32_t at) noexcept nogil:
    return t.prefixes[at].own.lengths >> 8


cdef inline uint64_t low_at(const tree *t, uint32_t at) noexcept nogil:
    return 0 if t.lows == NULL else t.lows[at]


cdef inline bint inside(uint64_t high, uint64_t low, uint64_t around_high, uint64_t around_low, uint8_t length) noexcept nogil:
    """Whether an address is in a prefix."""
    if not length:
        return True
    if length <= 64:
        return not (high ^ around_high) >> (64 - length)
    return high == around_high and not (low ^ around_low) >> (128 - length)


cdef inline bint covers(const tree *t, uint32_t at, uint64_t high, uint64_t low, uint8_t length) noexcept nogil:
    """Whether a prefix, counted from 0, is this one or around it."""
    cdef uint8_t own = length_at(t, at)
    return own <= length and inside(high, low, t.prefixes[at].high, low_at(t, at) if own > 64 else 0, own)


cdef inline uint32_t origins_of(const tree *t, uint32_t at) noexcept nogil:
    """How many origins a prefix has."""
    return 1 + t.prefixes[at + 1].more - t.prefixes[at].more


cdef inline const origin *origin_at(const tree *t, uint32_t at, uint32_t i) noexcept nogil:
    """One of the origins of a prefix."""
    return &t.more[t.prefixes[at].more + i - 1] if i else &t.prefixes[at].own


cdef int make_room(tree *t, uint32_t words, size_t payloads) noexcept nogil
cdef void add_payload(maker *m, uint64_t high, uint64_t low, uint16_t lengths, uint32_t asn) noexcept nogil
cdef void close_tree(tree *t) noexcept nogil
cdef void *settled(void *memory, size_t octets) noexcept nogil
cdef void free_tree(tree *t) noexcept nogil
cdef size_t octets_held(const tree *t) noexcept nogil
