# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Extendible hash of dense ids.

The stores keep prefixes and attribute sets in pages and name them by dense ids; this hash finds the id of a
key.  It holds ids only: who looks up compares keys, and a tag of four hash bits in each slot spares nearly all
comparisons that would fail.  A directory, indexed by the leading bits of the hash, points to buckets of 1,280
slots; a bucket that fills is split in two, so growth costs microseconds at a time and never a rehash of all.
Inside a bucket probing is linear and removal shifts back, so there are no tombstones.

The hashes are keyed (each store has a secret seed), so a peer cannot choose prefixes that collide.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

cdef enum:
    SPLIT_AT = 1044     # 82 % of a bucket
    MERGE_AT = 320      # two neighbours that together fill a quarter become one
    MAX_DEPTH = 24


cdef int ids_init(id_hash *ids, hash_of_id hash_of, const void *store) noexcept nogil:
    """Make an empty hash; 0, or -1 without memory."""
    ids.depth = 0
    ids.buckets = 1
    ids.hash_of = hash_of
    ids.store = store
    ids.directory = <bucket **>malloc(sizeof(bucket *))
    if ids.directory == NULL:
        return -1
    ids.directory[0] = <bucket *>calloc(1, sizeof(bucket))
    if ids.directory[0] == NULL:
        free(ids.directory)
        ids.directory = NULL
        return -1
    return 0


cdef void ids_free(id_hash *ids) noexcept nogil:
    cdef size_t i = 0, n
    cdef bucket *b
    if ids.directory == NULL:
        return
    n = <size_t>1 << ids.depth
    while i < n:
        b = ids.directory[i]
        i += <size_t>1 << (ids.depth - b.depth)
        free(b)
    free(ids.directory)
    ids.directory = NULL


cdef inline void place(bucket *b, uint64_t hash, uint32_t id) noexcept nogil:
    cdef uint32_t i = home_of(hash)
    while b.slots[i]:
        i = after(i)
    b.slots[i] = tag_of(hash) | id
    b.used += 1


cdef int double_directory(id_hash *ids) noexcept nogil:
    cdef size_t i, n = <size_t>1 << ids.depth
    cdef bucket **wider
    if ids.depth >= MAX_DEPTH:
        return -1
    wider = <bucket **>realloc(ids.directory, 2 * n * sizeof(bucket *))
    if wider == NULL:
        return -1
    for i in range(n, 0, -1):
        wider[2 * i - 1] = wider[2 * i - 2] = wider[i - 1]
    ids.directory = wider
    ids.depth += 1
    return 0


cdef int split(id_hash *ids, uint64_t hash) noexcept nogil:
    """Split the bucket of `hash` by its next hash bit."""
    cdef bucket *b = bucket_of(ids, hash)
    cdef bucket *low
    cdef bucket *high
    cdef uint64_t h
    cdef uint32_t i, id
    cdef size_t first, span, k
    if b.depth == ids.depth and double_directory(ids):
        return -1
    low = <bucket *>calloc(1, sizeof(bucket))
    high = <bucket *>calloc(1, sizeof(bucket))
    if low == NULL or high == NULL:
        free(low)
        free(high)
        return -1
    low.depth = high.depth = b.depth + 1
    for i in range(BUCKET_SLOTS):
        if b.slots[i]:
            id = b.slots[i] & ID_MASK
            h = ids.hash_of(ids.store, id)
            place(high if (h >> (63 - b.depth)) & 1 else low, h, id)
    span = <size_t>1 << (ids.depth - b.depth)
    first = <size_t>((hash >> 1) >> (63 - ids.depth)) & ~(span - 1)
    for k in range(span // 2):
        ids.directory[first + k] = low
        ids.directory[first + span // 2 + k] = high
    ids.buckets += 1
    free(b)
    return 0


cdef int ids_insert(id_hash *ids, uint64_t hash, uint32_t id) noexcept nogil:
    """Add an id whose key is not in the hash; 0, or -1 without memory."""
    while bucket_of(ids, hash).used >= SPLIT_AT:
        if split(ids, hash):
            return -1
    place(bucket_of(ids, hash), hash, id)
    return 0


cdef inline uint32_t distance(uint32_t start, uint32_t end) noexcept nogil:
    """Slots from one to another, around the end of the bucket."""
    return end - start if end >= start else end + BUCKET_SLOTS - start


cdef void close_gap(id_hash *ids, bucket *b, uint32_t gap) noexcept nogil:
    """Shift back the slots behind a removed one until each is reachable from its home again."""
    cdef uint32_t i = gap, home
    while True:
        i = after(i)
        if not b.slots[i]:
            break
        home = home_of(ids.hash_of(ids.store, b.slots[i] & ID_MASK))
        if distance(home, i) >= distance(gap, i):
            b.slots[gap] = b.slots[i]
            gap = i
    b.slots[gap] = 0
    b.used -= 1


cdef void merge(id_hash *ids, bucket *b, uint64_t hash) noexcept nogil:
    """Join a bucket with its neighbour when both are nearly empty; without memory nothing happens."""
    cdef size_t span, first, k
    cdef bucket *other
    cdef bucket *joined
    cdef uint32_t i
    if b.depth == 0:
        return
    span = <size_t>1 << (ids.depth - b.depth)
    first = <size_t>((hash >> 1) >> (63 - ids.depth)) & ~(span - 1)
    other = ids.directory[first ^ span]
    if other.depth != b.depth or b.used + other.used > MERGE_AT:
        return
    joined = <bucket *>malloc(sizeof(bucket))
    if joined == NULL:
        return
    memcpy(joined, b, sizeof(bucket))
    joined.depth = b.depth - 1
    for i in range(BUCKET_SLOTS):
        if other.slots[i]:
            place(joined, ids.hash_of(ids.store, other.slots[i] & ID_MASK), other.slots[i] & ID_MASK)
    first &= ~span
    for k in range(2 * span):
        ids.directory[first + k] = joined
    ids.buckets -= 1
    free(b)
    free(other)


cdef void ids_remove(id_hash *ids, uint64_t hash, uint32_t id) noexcept nogil:
    """Remove an id that is in the hash.  Its key must still be readable."""
    cdef bucket *b = bucket_of(ids, hash)
    cdef uint32_t i = home_of(hash)
    while (b.slots[i] & ID_MASK) != id:
        i = after(i)
    close_gap(ids, b, i)
    if b.used < MERGE_AT // 4:
        merge(ids, b, hash)


cdef size_t ids_octets(const id_hash *ids) noexcept nogil:
    return ids.buckets * sizeof(bucket) + (sizeof(bucket *) << ids.depth)
