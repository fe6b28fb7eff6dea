"""Interned attribute sets.  See `_paths.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from routed.rib._ids cimport id_hash

cdef enum:
    PATH_PAGE_BITS = 12
    PATH_PAGE = 4096
    PATH_PAGE_MASK = 4095
    SEGMENT_BITS = 18                # an arena segment of 256 KiB, addressed in units of 8 octets
    SEGMENT_OCTETS = 262144
    UNIT_BITS = 15
    UNIT_MASK = 32767
    MAX_MARKS = 512                  # octets that a route may have

ctypedef enum path_flag:
    HAS_LOCAL_PREF = 1
    IS_LABELLED = 2                     # labels and marks over another path: `base` names it
    HAS_NO_LLGR = 4                  # carries the community NO_LLGR (RFC 9494 section 4.2)
    ENDS_IN_SET = 8                  # the last segment is an AS_SET: the path has no origin (RFC 6811 section 2)

ctypedef struct path_entry:          # 32 octets
    uint64_t hash
    uint32_t references              # of a free id, the next free id
    uint32_t where                   # in the arena: segment << 15 | unit
    uint32_t origin_as               # 0: none, or the path ends in an AS_SET
    uint32_t neighbour_as
    uint32_t base                    # of a layer; else LOCAL_PREF
    uint16_t path_length             # RFC 4271 section 9.1.2.2 a: a set counts one, a confederation none
    uint8_t origin
    uint8_t flags

ctypedef struct path_set:            # in the arena; the octets follow
    uint32_t id                      # 0: dead
    uint16_t length                  # of the attributes
    uint8_t next_hop_length          # 0, 4, 16 or 32 (global and link-local, RFC 2545 section 3)
    uint8_t label_count
    # octets: next hop, labels (3 octets each), attributes as on the wire without NEXT_HOP and MP_(UN)REACH_NLRI;
    # in a layer there is no next hop, and the id of the base and the marks stand for the attributes

ctypedef struct path_view:           # what a reader needs; a snapshot has a copy of its own
    path_entry **pages
    uint8_t **segments


cdef inline path_entry *entry_of(const path_view *view, uint32_t id) noexcept nogil:
    return &view.pages[id >> PATH_PAGE_BITS][id & PATH_PAGE_MASK]


cdef inline const path_set *set_of(const path_view *view, uint32_t id) noexcept nogil:
    cdef uint32_t where = entry_of(view, id).where
    return <const path_set *>(view.segments[where >> UNIT_BITS] + (<size_t>(where & UNIT_MASK) << 3))


cdef inline uint32_t base_of(const path_view *paths, uint32_t path) noexcept nogil:
    """The path that holds the attributes: the path itself, or the one below a layer."""
    cdef const path_entry *entry = entry_of(paths, path)
    return entry.base if entry.flags & IS_LABELLED else path


cdef inline uint32_t origin_of(const path_view *paths, uint32_t path, uint32_t own_as) noexcept nogil:
    """The AS that originated a path, 0 for none; one that did not leave our AS is `own_as` (RFC 6811 section 2)."""
    cdef const path_entry *entry = entry_of(paths, path)
    if entry.origin_as or entry.flags & ENDS_IN_SET:
        return entry.origin_as
    return own_as


cdef inline const uint8_t *next_hop_of(const path_set *s) noexcept nogil:
    return <const uint8_t *>s + sizeof(path_set)


cdef inline const uint8_t *labels_of(const path_set *s) noexcept nogil:
    return next_hop_of(s) + s.next_hop_length


cdef inline const uint8_t *attributes_of(const path_set *s) noexcept nogil:
    return labels_of(s) + 3 * <size_t>s.label_count


cdef inline const uint8_t *marks_of(const path_set *layer) noexcept nogil:
    return attributes_of(layer) + 4


cdef inline uint16_t mark_octets_of(const path_set *layer) noexcept nogil:
    return layer.length - 4


cdef inline size_t octets_of(const path_set *s) noexcept nogil:
    return sizeof(path_set) + s.next_hop_length + 3 * <size_t>s.label_count + s.length


cdef class PathStore:
    cdef path_view view
    cdef id_hash ids
    cdef uint64_t seed
    cdef bint folds                          # an IPv4 next hop is the same in four octets and mapped into sixteen
    cdef uint32_t page_count, page_room
    cdef uint32_t next_id, free_id
    cdef uint32_t limbo_id, limbo_last       # gone, but an open snapshot may read them
    cdef uint32_t buried_id                  # gone, to be freed by `drain`
    cdef uint32_t segment_count, segment_room, current
    cdef uint32_t *used                      # octets of each segment that are written
    cdef uint32_t *dead                      # ... and whose set is gone
    cdef uint32_t free_segment_hint
    cdef readonly uint32_t count
    cdef readonly size_t live_octets, dead_octets
    cdef size_t held_segments
    cdef int pins

    cdef uint64_t hash(self, path_set *candidate, bint classic) noexcept nogil
    cdef uint32_t intern(self, path_set *candidate, uint64_t hash) noexcept nogil
    cdef uint32_t intern_layer(
        self, uint32_t base, const uint8_t *labels, uint8_t label_count, const uint8_t *marks, uint16_t mark_octets,
    ) noexcept nogil
    cdef bint has(self, uint32_t id) noexcept nogil
    cdef void hold(self, uint32_t id) noexcept nogil
    cdef void release(self, uint32_t id) noexcept nogil
    cdef void pin(self) noexcept
    cdef void unpin(self) noexcept
    cdef size_t drain(self, size_t ids) noexcept nogil
    cpdef size_t compact(self, size_t octets)

    cdef uint32_t find(self, const path_set *candidate, uint64_t hash) noexcept nogil
    cdef uint32_t add(self, path_set *candidate, uint64_t hash) noexcept nogil
    cdef uint32_t take_id(self) noexcept nogil
    cdef void give_id(self, uint32_t id) noexcept nogil
    cdef int add_page(self) noexcept nogil
    cdef uint8_t *room_for(self, size_t octets, uint32_t *where) noexcept nogil
    cdef int open_segment(self) noexcept nogil
    cdef int widen(self) noexcept nogil
    cdef void empty_segment(self, uint32_t segment) noexcept nogil
    cdef void free_segment(self, uint32_t segment) noexcept nogil
    cdef void bury(self, uint32_t id) noexcept nogil
    cdef void free_all(self) noexcept nogil
