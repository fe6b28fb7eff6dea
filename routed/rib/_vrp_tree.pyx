# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The validated payloads of one address family: made once, in order, and never changed.

The prefixes are an array in the order of their addresses, the shorter first, and each knows the next shorter one
around it.  All prefixes that cover an address are then found from the last one that does not begin behind it: it or
the prefixes around it, in one chain.  A prefix keeps its first origin with it, so that a look-up that ends there
touches one place of memory; most prefixes have no other.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset


cdef int make_room(tree *t, uint32_t words, size_t payloads) noexcept nogil:
    """Get the memory for so many payloads, each with a prefix of its own; 0, or -1 without memory."""
    memset(t, 0, sizeof(tree))
    t.words = words
    t.prefixes = <prefix_node *>malloc((payloads + FEW) * sizeof(prefix_node))
    t.more = <origin *>malloc((payloads + 1) * sizeof(origin))
    if words > 1:
        t.lows = <uint64_t *>malloc((payloads + 1) * sizeof(uint64_t))
    if t.prefixes == NULL or t.more == NULL or (words > 1 and t.lows == NULL):
        free_tree(t)
        return -1
    return 0


cdef void free_tree(tree *t) noexcept nogil:
    free(t.prefixes)
    free(t.lows)
    free(t.more)
    free(t.cells)
    memset(t, 0, sizeof(tree))


cdef void add_payload(maker *m, uint64_t high, uint64_t low, uint16_t lengths, uint32_t asn) noexcept nogil:
    """Add the next payload of a tree; they come in order, and there is room."""
    cdef tree *t = m.t
    cdef uint32_t last = t.count - 1
    cdef origin *new
    if t.count and high == t.prefixes[last].high and low == m.low and lengths >> 8 == length_at(t, last):
        new = &t.more[t.more_count]
        t.more_count += 1
    else:
        new = &add_prefix(m, high, low, lengths >> 8).own
    new.asn, new.lengths = asn, lengths
    t.payload_count += 1


cdef prefix_node *add_prefix(maker *m, uint64_t high, uint64_t low, uint8_t length) noexcept nogil:
    """Add the next prefix of a tree, and find the one around it."""
    cdef tree *t = m.t
    cdef prefix_node *new = &t.prefixes[t.count]
    while m.depth and not covers(t, m.around[m.depth - 1] - 1, high, low, length):
        m.depth -= 1
    new.high, new.more = high, t.more_count
    new.parent = m.around[m.depth - 1] if m.depth else 0
    if t.lows != NULL:
        t.lows[t.count] = low
    t.count += 1
    m.around[m.depth] = t.count
    m.depth += 1
    m.low = low
    return new


cdef void *settled(void *memory, size_t octets) noexcept nogil:
    """Keep so many octets of what was got."""
    cdef void *kept = realloc(memory, octets)
    return memory if kept == NULL else kept


cdef void close_tree(tree *t) noexcept nogil:
    """Give back what is not needed, and put behind the last prefix what stands there."""
    cdef uint32_t i
    for i in range(t.count, t.count + FEW):
        memset(&t.prefixes[i], 0, sizeof(prefix_node))
        t.prefixes[i].high = ~<uint64_t>0
        t.prefixes[i].more = t.more_count
    t.prefixes = <prefix_node *>settled(t.prefixes, (<size_t>t.count + FEW) * sizeof(prefix_node))
    t.more = <origin *>settled(t.more, (<size_t>t.more_count + 1) * sizeof(origin))
    if t.lows != NULL:
        t.lows = <uint64_t *>settled(t.lows, (<size_t>t.count + 1) * sizeof(uint64_t))


cdef size_t octets_held(const tree *t) noexcept nogil:
    """The memory of a tree."""
    cdef size_t a_prefix = sizeof(prefix_node) + (sizeof(uint64_t) if t.lows != NULL else 0)
    return t.count * a_prefix + t.more_count * sizeof(origin) + t.cell_count * sizeof(uint32_t)
