"""A node of the IPv6 trie: 256 slots, of which neighbours with the same value share a run.

The values of the runs follow the node in memory.  The value of a slot is found by counting the runs that begin
up to it: a bit for each slot says where one does, and one count for each 64 slots saves most of the counting.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport malloc
from libc.string cimport memmove, memset

ctypedef uint64_t slot_t

cdef enum:                              # what a slot holds, by its low bits
    PREFIX = 0                          # id << 2: the most specific prefix in all of the slot, or 0
    BUCKET = 1                          # id << 2 | 1: head of a list of prefixes inside the slot
    NODE = 2                            # address | 2: the node for the next octet

cdef enum:
    SLOTS = 256

cdef struct node_t:
    uint64_t starts[4]                  # bit s: a run begins at slot s; bit 0 is always set
    uint8_t before[4]                   # runs that begin in earlier words of `starts`
    uint16_t runs
    uint16_t capacity                   # runs that there is room for
    uint32_t population                 # prefixes stored in this node and below


cdef inline slot_t *values_of(node_t *node) noexcept nogil:
    return <slot_t *>(node + 1)


cdef inline node_t *node_of(slot_t value) noexcept nogil:
    return <node_t *><uintptr_t>(value ^ NODE)


cdef inline slot_t prefix_slot(uint32_t id) noexcept nogil:
    return <slot_t>id << 2


cdef inline uint32_t id_of(slot_t value) noexcept nogil:
    return <uint32_t>(value >> 2)


cdef inline size_t octets_of(size_t capacity) noexcept nogil:
    return sizeof(node_t) + capacity * sizeof(slot_t)


cdef inline size_t ones(uint64_t word) noexcept nogil:
    """Count the set bits; plain arithmetic, since not every x86-64 has the instruction."""
    word -= (word >> 1) & 0x5555555555555555ULL
    word = (word & 0x3333333333333333ULL) + ((word >> 2) & 0x3333333333333333ULL)
    return (((word + (word >> 4)) & 0x0F0F0F0F0F0F0F0FULL) * 0x0101010101010101ULL) >> 56


cdef inline size_t run_of(const node_t *node, size_t slot) noexcept nogil:
    cdef uint64_t up_to_slot = ~<uint64_t>0 >> (63 - (slot & 63))
    return node.before[slot >> 6] + ones(node.starts[slot >> 6] & up_to_slot) - 1


cdef inline slot_t *value_at(node_t *node, size_t slot) noexcept nogil:
    return values_of(node) + run_of(node, slot)


cdef inline bint begins_run(const node_t *node, size_t slot) noexcept nogil:
    return node.starts[slot >> 6] >> (slot & 63) & 1


cdef inline node_t *new_node(size_t capacity, slot_t value) noexcept nogil:
    """Make a node with one value in all slots; NULL without memory."""
    cdef node_t *node = <node_t *>malloc(octets_of(capacity))
    if node != NULL:
        memset(node, 0, sizeof(node_t))
        node.capacity = <uint16_t>capacity
        node.runs = 1
        node.starts[0] = 1
        node.before[1] = node.before[2] = node.before[3] = 1
        values_of(node)[0] = value
    return node


cdef inline void cut(node_t *node, size_t slot) noexcept nogil:
    """Let a run begin at `slot`; the node has room for one more."""
    cdef size_t word
    cdef slot_t *value
    if slot == SLOTS or begins_run(node, slot):
        return
    value = value_at(node, slot)
    memmove(value + 1, value, <size_t>(values_of(node) + node.runs - value) * sizeof(slot_t))
    node.runs += 1
    node.starts[slot >> 6] |= <uint64_t>1 << (slot & 63)
    for word in range((slot >> 6) + 1, 4):
        node.before[word] += 1


cdef inline void fuse(node_t *node, size_t slot) noexcept nogil:
    """Let no run begin at `slot` when the one before it has the same value."""
    cdef size_t word
    cdef slot_t *value
    if slot == 0 or slot == SLOTS or not begins_run(node, slot):
        return
    value = value_at(node, slot)
    if value[0] != (value - 1)[0]:
        return
    node.runs -= 1
    memmove(value, value + 1, <size_t>(values_of(node) + node.runs - value) * sizeof(slot_t))
    node.starts[slot >> 6] ^= <uint64_t>1 << (slot & 63)
    for word in range((slot >> 6) + 1, 4):
        node.before[word] -= 1
