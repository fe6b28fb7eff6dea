# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Longest-prefix match of IPv6 addresses; `_lpm.pyx` has what both families share.

A trie with a stride of one octet.  A place with few prefixes inside is a *bucket*, a list of them, longest
first; one with more than MAX_BUCKET is a *node* (`_runs.pxd`).  So a node takes memory only where prefixes are
many, and a long common part of many prefixes costs 14 small nodes at worst.  A bucket whose every prefix misses
the address answers what is around its shortest one; an empty place holds the id of what is around it.
"""

cimport cython
from cpython cimport array
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, realloc
from routed.rib._lpm cimport LANES, Column, Nesting, __builtin_prefetch, check_ids, column_view, grow, narrow
from routed.rib._lpm cimport relink, room_for
from routed.rib._runs cimport (
    BUCKET, NODE, SLOTS, cut, fuse, id_of, new_node, node_of, node_t, octets_of, prefix_slot, run_of, slot_t,
    value_at, values_of,
)

import array

cdef enum:
    MAX_BUCKET = 8             # a longer list becomes a node
    MIN_POPULATION = 4         # a node with as few prefixes becomes a bucket again
    MAX_LEVELS = 16

cdef array.array IDS = array.array("I")


cdef inline uint64_t load64(const uint8_t *octets) noexcept nogil:
    return (
        <uint64_t>octets[0] << 56 | <uint64_t>octets[1] << 48 | <uint64_t>octets[2] << 40 | <uint64_t>octets[3] << 32
        | <uint64_t>octets[4] << 24 | <uint64_t>octets[5] << 16 | <uint64_t>octets[6] << 8 | <uint64_t>octets[7]
    )


cdef inline bint covers(const key_t *key, uint64_t high, uint64_t low) noexcept nogil:
    """Whether a prefix of one bit or more covers an address."""
    if key.length <= 64:
        return (key.high ^ high) >> (64 - key.length) == 0
    return key.high == high and (key.low ^ low) >> (128 - key.length) == 0


cdef inline size_t slot_of(const key_t *key, size_t level) noexcept nogil:
    """Octet `level` of a prefix: its first slot in a node of that level."""
    return ((key.high if level < 8 else key.low) >> (56 - 8 * (level & 7))) & (SLOTS - 1)


cdef inline size_t slots_of(const key_t *key, size_t level) noexcept nogil:
    """How many slots of a node of that level a prefix spans, or part of one."""
    return <size_t>1 << (8 * (level + 1) - key.length) if key.length < 8 * (level + 1) else 1


@cython.final
cdef class Lpm6(Nesting):
    """Longest match of IPv6 addresses."""

    def __cinit__(self):
        cdef node_t *root = new_node(8, prefix_slot(0))
        if root == NULL:
            raise MemoryError
        self.node_octets = octets_of(8)
        self.root = <slot_t><uintptr_t>root | NODE

    def __dealloc__(self):
        if self.root:
            self.dissolve(self.root)
        free(self.keys)

    @property
    def memory(self):
        return self.node_octets + self.capacity * (sizeof(uint32_t) + sizeof(key_t))

    cdef int insert(self, const uint8_t *address, uint8_t length, uint32_t id) except -1:
        """Store a prefix that is not stored yet, under an id that is not in use."""
        cdef slot_t *path[MAX_LEVELS]
        cdef size_t level = self.descend(address, length, path), i
        cdef uint32_t parent
        cdef key_t *key
        self.reserve(id)
        if self.make_room(path[level], 2):
            raise MemoryError
        parent = self.cover(address, length)
        key = self.keys + id
        key.high, key.low, key.length = load64(address), load64(address + 8), length
        self.around[id] = parent
        self.count += 1
        for i in range(level + 1):
            node_of(path[i][0]).population += 1
        self.place(node_of(path[level][0]), id, parent, level)
        return 0

    cdef void remove(self, const uint8_t *address, uint8_t length, uint32_t id) noexcept:
        """Forget a stored prefix."""
        cdef slot_t *path[MAX_LEVELS]
        cdef size_t level = self.descend(address, length, path), i
        self.displace(node_of(path[level][0]), id, level)
        self.around[id] = 0
        for i in range(level + 1):
            node_of(path[i][0]).population -= 1
        for i in range(1, level + 1):
            if node_of(path[i][0]).population <= MIN_POPULATION:
                self.collapse(path[i], i)
                level = i - 1
                break
        self.trim(path[level])
        self.count -= 1
        if self.count == 0:
            self.release()

    cdef void match(self, const uint8_t *addresses, uint32_t *ids, size_t n) noexcept nogil:
        """Find the most specific stored prefix of each address, 0 for none."""
        cdef size_t start = 0
        while start < n:
            self.match_lanes(addresses + 16 * start, ids + start, min(<size_t>LANES, n - start))
            start += LANES

    cdef void match_in(
        self, const uint8_t *addresses, uint32_t *ids, size_t n, const column_view *column
    ) noexcept nogil:
        """Find the most specific prefix of each address that has a route in the column, 0 for none."""
        cdef size_t start = 0, lanes
        while start < n:
            lanes = min(<size_t>LANES, n - start)
            self.match_lanes(addresses + 16 * start, ids + start, lanes)
            narrow(self.around, ids + start, lanes, column)
            start += LANES

    cdef void match_lanes(self, const uint8_t *addresses, uint32_t *ids, size_t lanes) noexcept nogil:
        """Descend through the nodes, one octet a round, then through the buckets where that ended."""
        cdef slot_t slots[LANES]
        cdef uint8_t active[LANES]
        cdef size_t count = lanes, kept, level = 0, lane, i
        cdef slot_t value
        for lane in range(lanes):
            slots[lane] = self.root
            active[lane] = <uint8_t>lane
        while count:
            kept = 0
            for i in range(count):
                lane = active[i]
                value = value_at(node_of(slots[lane]), addresses[16 * lane + level])[0]
                slots[lane] = value
                __builtin_prefetch(<void *>node_of(value) if value & NODE else <void *>(self.keys + id_of(value)))
                active[kept] = <uint8_t>lane
                kept += value >> 1 & 1
            count = kept
            level += 1
        for lane in range(lanes):
            ids[lane] = id_of(slots[lane])
            active[count] = <uint8_t>lane
            count += slots[lane] & BUCKET
        self.match_buckets(addresses, ids, active, count)

    cdef void match_buckets(
        self, const uint8_t *addresses, uint32_t *ids, uint8_t *active, size_t count
    ) noexcept nogil:
        """Walk each list to the first prefix that covers the address, or else to the one around all of it."""
        cdef size_t kept, lane, i
        cdef const key_t *key
        while count:
            kept = 0
            for i in range(count):
                lane = active[i]
                key = self.keys + ids[lane]
                if covers(key, load64(addresses + 16 * lane), load64(addresses + 16 * lane + 8)):
                    continue
                if key.next == 0:
                    ids[lane] = self.around[ids[lane]]
                    continue
                ids[lane] = key.next
                __builtin_prefetch(self.keys + key.next)
                active[kept] = <uint8_t>lane
                kept += 1
            count = kept

    cdef uint32_t cover(self, const uint8_t *address, unsigned int below) noexcept nogil:
        """Find the most specific stored prefix of less than `below` bits that covers an address."""
        cdef uint32_t id
        self.match_lanes(address, &id, 1)
        while id and self.keys[id].length >= below:
            id = self.around[id]
        return id

    cdef uint32_t stored(self, const uint8_t *address, unsigned int length) noexcept nogil:
        """The id of a prefix, 0 when it is not stored."""
        cdef uint32_t id = self.cover(address, length + 1)
        return id if id and self.keys[id].length == length else 0

    cdef size_t descend(self, const uint8_t *address, uint8_t length, slot_t **path) noexcept nogil:
        """Find the nodes around a prefix, down to the one that stores it; return the level of that one."""
        cdef size_t level = 0
        cdef slot_t *at = &self.root
        path[0] = at
        while length > 8 * (level + 1):
            at = value_at(node_of(at[0]), address[level])
            if not at[0] & NODE:
                break
            level += 1
            path[level] = at
        return level

    cdef int reserve(self, uint32_t id) except -1:
        """Get the memory that storing an id takes."""
        cdef size_t room
        if id >= self.capacity:
            room = room_for(self.capacity, id)
            if grow(<void **>&self.around, self.capacity, room, sizeof(uint32_t)):
                raise MemoryError
            if grow(<void **>&self.keys, self.capacity, room, sizeof(key_t)):
                raise MemoryError
            self.capacity = <uint32_t>room
        return 0

    cdef int resize(self, slot_t *at, size_t capacity) noexcept nogil:
        """Give the node of a slot another capacity; -1, and all as it was, without memory."""
        cdef size_t held = node_of(at[0]).capacity
        cdef node_t *node = <node_t *>realloc(node_of(at[0]), octets_of(capacity))
        if node == NULL:
            return -1
        node.capacity = <uint16_t>capacity
        self.node_octets = self.node_octets - octets_of(held) + octets_of(capacity)
        at[0] = <slot_t><uintptr_t>node | NODE
        return 0

    cdef int make_room(self, slot_t *at, size_t runs) noexcept nogil:
        cdef size_t needed = node_of(at[0]).runs + runs
        return self.resize(at, (needed + 7) & ~<size_t>7) if needed > node_of(at[0]).capacity else 0

    cdef void trim(self, slot_t *at) noexcept nogil:
        """Return what a node no longer needs; one that cannot be moved stays as it is."""
        cdef size_t runs = node_of(at[0]).runs
        if runs + 8 < node_of(at[0]).capacity:
            self.resize(at, (runs + 9) & ~<size_t>7)

    cdef void place(self, node_t *node, uint32_t id, uint32_t parent, size_t level) noexcept nogil:
        """Store a prefix in its node, which has room for two more runs, and link it with those around it."""
        cdef const key_t *key = self.keys + id
        cdef size_t first = slot_of(key, level), end = first + slots_of(key, level), run
        cdef slot_t *at
        cut(node, first)
        cut(node, end)
        if key.length <= 8 * (level + 1):
            for run in range(run_of(node, first), run_of(node, end - 1) + 1):
                self.replace(values_of(node) + run, parent, id)
            return
        at = value_at(node, first)
        self.adopt(at[0], id, parent)
        self.enlist(at, id)
        self.split(at, id, level + 1)

    cdef void displace(self, node_t *node, uint32_t id, size_t level) noexcept nogil:
        """Take a prefix out of its node and link those inside it to the one around it."""
        cdef const key_t *key = self.keys + id
        cdef size_t first = slot_of(key, level), end = first + slots_of(key, level), run
        cdef uint32_t parent = self.around[id]
        if key.length <= 8 * (level + 1):
            for run in range(run_of(node, first), run_of(node, end - 1) + 1):
                self.replace(values_of(node) + run, id, parent)
        else:
            self.delist(value_at(node, first), id, parent)
        fuse(node, first)
        fuse(node, end)

    cdef void replace(self, slot_t *at, uint32_t old, uint32_t new) noexcept nogil:
        """Push `new` where `old` was, and link what is more specific to it."""
        cdef uint32_t id = id_of(at[0])
        cdef size_t run
        if at[0] & NODE:
            for run in range(node_of(at[0]).runs):
                self.replace(values_of(node_of(at[0])) + run, old, new)
        elif at[0] & BUCKET:
            while id:
                relink(self.around, id, old, new)
                id = self.keys[id].next
        elif id == old:
            at[0] = prefix_slot(new)
        else:
            relink(self.around, id, old, new)

    cdef void adopt(self, slot_t value, uint32_t id, uint32_t parent) noexcept nogil:
        """Link those prefixes of a bucket that are inside a new one, and had its parent around them, to it."""
        cdef const key_t *key = self.keys + id
        cdef uint32_t other = id_of(value) if value & BUCKET else 0
        while other and self.keys[other].length > key.length:
            if self.around[other] == parent and covers(key, self.keys[other].high, self.keys[other].low):
                self.around[other] = id
            other = self.keys[other].next

    cdef void enlist(self, slot_t *at, uint32_t id) noexcept nogil:
        """Put a prefix into the bucket of a slot, longest first."""
        cdef uint32_t head = id_of(at[0]) if at[0] & BUCKET else 0
        cdef uint32_t *link = &head
        while link[0] and self.keys[link[0]].length > self.keys[id].length:
            link = &self.keys[link[0]].next
        self.keys[id].next = link[0]
        link[0] = id
        at[0] = <slot_t>head << 2 | BUCKET

    cdef void delist(self, slot_t *at, uint32_t id, uint32_t parent) noexcept nogil:
        """Take a prefix out of its bucket; an empty one becomes what is around it."""
        cdef uint32_t head = id_of(at[0])
        cdef uint32_t *link = &head
        while link[0] != id:
            if self.around[link[0]] == id:
                self.around[link[0]] = parent
            link = &self.keys[link[0]].next
        link[0] = self.keys[id].next
        at[0] = <slot_t>head << 2 | BUCKET if head else prefix_slot(parent)

    cdef void split(self, slot_t *at, uint32_t newest, size_t level) noexcept nogil:
        """Make a bucket with too many prefixes a node of `level`, and again the one the newest prefix is in.

        Without memory a bucket stays what it is, longer than it should be, until the next prefix comes.
        """
        cdef size_t size, capacity
        cdef uint32_t id, next
        cdef node_t *node
        while at[0] & BUCKET:
            size = self.size_of(id_of(at[0]))
            if size <= MAX_BUCKET:
                return
            capacity = min(2 * size + 1, <size_t>SLOTS)
            node = new_node(capacity, prefix_slot(0))
            if node == NULL:
                return
            self.node_octets += octets_of(capacity)
            node.population = <uint32_t>size
            id = self.reverse(id_of(at[0]))
            values_of(node)[0] = prefix_slot(self.around[id])
            at[0] = <slot_t><uintptr_t>node | NODE
            while id:
                next = self.keys[id].next
                self.settle(node, id, level)
                id = next
            self.resize(at, node.runs)
            at = value_at(node_of(at[0]), slot_of(self.keys + newest, level))
            level += 1

    cdef void settle(self, node_t *node, uint32_t id, size_t level) noexcept nogil:
        """Move a prefix that is linked already into a new node, after the shorter ones of its bucket."""
        cdef const key_t *key = self.keys + id
        cdef size_t first = slot_of(key, level), end = first + slots_of(key, level)
        cut(node, first)
        cut(node, end)
        if key.length <= 8 * (level + 1):
            value_at(node, first)[0] = prefix_slot(id)
        else:
            self.enlist(value_at(node, first), id)

    cdef size_t size_of(self, uint32_t head) noexcept nogil:
        cdef size_t size = 0
        while head:
            head = self.keys[head].next
            size += 1
        return size

    cdef uint32_t reverse(self, uint32_t head) noexcept nogil:
        """Turn a list round, so that the shortest prefix comes first."""
        cdef uint32_t last = 0, next
        while head:
            next = self.keys[head].next
            self.keys[head].next = last
            last = head
            head = next
        return last

    cdef void collapse(self, slot_t *at, size_t level) noexcept nogil:
        """Make a node with few prefixes, and the nodes in it, one bucket."""
        cdef uint32_t found[MIN_POPULATION]
        cdef size_t count = self.gather(at[0], level, found, 0), i
        self.dissolve(at[0])
        at[0] = prefix_slot(0)
        for i in range(count):
            self.enlist(at, found[i])

    cdef size_t gather(self, slot_t value, size_t level, uint32_t *found, size_t count) noexcept nogil:
        """Append the prefixes stored at `level` and below to those found already; return how many there are."""
        cdef uint32_t id
        cdef size_t run
        if value & NODE:
            for run in range(node_of(value).runs):
                count = self.gather(values_of(node_of(value))[run], level, found, count)
            return count
        id = id_of(value)
        while value & BUCKET and id:
            count = self.gather_chain(id, level, found, count)
            id = self.keys[id].next
        return self.gather_chain(id, level, found, count)

    cdef size_t gather_chain(self, uint32_t id, size_t level, uint32_t *found, size_t count) noexcept nogil:
        """Append a prefix and those around it; chains meet, so stop at the first that is there already."""
        cdef size_t i
        while self.keys[id].length > 8 * level:
            for i in range(count):
                if found[i] == id:
                    return count
            found[count] = id
            count += 1
            id = self.around[id]
        return count

    cdef void dissolve(self, slot_t value) noexcept nogil:
        """Free a node and those in it."""
        cdef size_t run
        if value & NODE:
            for run in range(node_of(value).runs):
                self.dissolve(values_of(node_of(value))[run])
            self.node_octets -= octets_of(node_of(value).capacity)
            free(node_of(value))

    cdef void release(self) noexcept:
        """Return what an empty table does not need; the root is one run by now."""
        free(self.around)
        free(self.keys)
        self.around, self.keys = NULL, NULL
        self.capacity = 0

    def add(self, const uint8_t[::1] addresses, const uint8_t[::1] lengths, const uint32_t[::1] ids):
        cdef Py_ssize_t i
        check_ids(lengths, ids, count_of(addresses), 128)
        for i in range(ids.shape[0]):
            if self.stored(&addresses[16 * i], lengths[i]):
                raise ValueError(f"prefix {i} is stored already")
            self.insert(&addresses[16 * i], lengths[i], ids[i])

    def discard(self, const uint8_t[::1] addresses, const uint8_t[::1] lengths, const uint32_t[::1] ids):
        cdef Py_ssize_t i
        check_ids(lengths, ids, count_of(addresses), 128)
        for i in range(ids.shape[0]):
            if self.stored(&addresses[16 * i], lengths[i]) != ids[i]:
                raise KeyError(ids[i])
            self.remove(&addresses[16 * i], lengths[i], ids[i])

    def longest_match(self, const uint8_t[::1] addresses):
        cdef size_t n = <size_t>count_of(addresses)
        cdef array.array found = array.clone(IDS, n, zero=False)
        cdef uint32_t *ids = found.data.as_uints
        if n:
            with nogil:
                self.match(&addresses[0], ids, n)
        return found

    def longest_match_in(self, const uint8_t[::1] addresses, Column column not None):
        cdef size_t n = <size_t>count_of(addresses)
        cdef array.array found = array.clone(IDS, n, zero=False)
        cdef uint32_t *ids = found.data.as_uints
        if n:
            with nogil:
                self.match_in(&addresses[0], ids, n, &column.view)
        return found


cdef Py_ssize_t count_of(const uint8_t[::1] addresses) except -1:
    if addresses.shape[0] % 16:
        raise ValueError(f"{addresses.shape[0]} octets are no whole number of IPv6 addresses")
    return addresses.shape[0] // 16
