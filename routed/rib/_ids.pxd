"""Extendible hash of dense ids: no rehash pause, no duplicate of the keys.  See `_ids.pyx`."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #define routed_prefetch(at) __builtin_prefetch((const void *)(at))
    """
    void prefetch "routed_prefetch"(const void *at) noexcept nogil

cdef enum:
    BUCKET_SLOTS = 1280         # 2^k buckets split at 1044 x 2^k ids: a full table of today fills 1,024 of them
    ID_BITS = 28
    ID_MASK = 0x0FFFFFFF    # 268 million ids a store; the four bits above hold a tag

ctypedef uint64_t (*hash_of_id)(const void *store, uint32_t id) noexcept nogil

ctypedef struct bucket:
    uint32_t slots[BUCKET_SLOTS]     # 0 is empty; else tag << 28 | id
    uint32_t used
    uint32_t depth                   # leading hash bits that all its ids share

ctypedef struct id_hash:
    bucket **directory               # indexed by the leading `depth` bits of a hash
    uint32_t depth
    uint32_t buckets
    hash_of_id hash_of
    const void *store


cdef inline bucket *bucket_of(const id_hash *ids, uint64_t hash) noexcept nogil:
    return ids.directory[(hash >> 1) >> (63 - ids.depth)]    # two steps: a shift by 64 is undefined


cdef inline uint32_t home_of(uint64_t hash) noexcept nogil:
    """The slot where the search for a hash starts: its lower half, scaled."""
    return <uint32_t>(((hash & 0xFFFFFFFFU) * <uint64_t>BUCKET_SLOTS) >> 32)


cdef inline uint32_t after(uint32_t slot) noexcept nogil:
    return slot + 1 if slot + 1 < <uint32_t>BUCKET_SLOTS else 0


cdef inline uint32_t tag_of(uint64_t hash) noexcept nogil:
    return <uint32_t>hash << ID_BITS


cdef inline void prefetch_slot(const id_hash *ids, uint64_t hash) noexcept nogil:
    """Ask for the slot that a search will look at first."""
    prefetch(&bucket_of(ids, hash).slots[home_of(hash)])


cdef int ids_init(id_hash *ids, hash_of_id hash_of, const void *store) noexcept nogil
cdef void ids_free(id_hash *ids) noexcept nogil
cdef int ids_insert(id_hash *ids, uint64_t hash, uint32_t id) noexcept nogil
cdef void ids_remove(id_hash *ids, uint64_t hash, uint32_t id) noexcept nogil
cdef size_t ids_octets(const id_hash *ids) noexcept nogil
