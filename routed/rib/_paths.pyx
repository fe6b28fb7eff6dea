# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The path store: each attribute set is stored once, for all routes that carry it, and named by a dense id.

An attribute set is a next hop and the path attributes as on the wire (four-octet AS paths; the next hop folded
in, NLRI left out).  What else a route has, a label stack and the marks that a router puts on paths (BMP), is a layer
over another path, so that routes which differ only by that still share their attributes.  Ids are reference-counted.

The octets live in an arena of segments that are filled from the front.  A set that goes leaves a hole; a segment
of holes alone is freed, and `compact` moves the last sets out of segments that are mostly holes.  Moving is safe
because everybody else knows ids, never addresses.  While a snapshot is open nothing moves and no id is reused.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset
from routed.octets._hash cimport hash_octets
from routed.rib._codepoints cimport AS_PATH, AS_SEQUENCE, AS_SET, COMMUNITIES, LOCAL_PREF, ORIGIN
from routed.rib._ids cimport (
    ID_MASK, after, bucket, bucket_of, home_of, ids_free, ids_init, ids_insert, ids_octets, ids_remove, tag_of,
)
from routed.rib._text cimport u32_at

cdef enum:
    NO_LLGR = 0xFFFF0007
    NO_SEGMENT = 0xFFFFFFFF
    LAYER_OCTETS = 780 + MAX_MARKS   # a path_set with 255 labels, the id of its base and marks

cdef uint64_t CLASSIC = 0xA0761D6478BD642FULL
cdef uint8_t[12] MAPPED
memset(MAPPED, 0, 10)
MAPPED[10] = MAPPED[11] = 0xFF


cdef inline bint is_mapped(const path_set *s) noexcept nogil:
    """Whether the next hop is an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2)."""
    return s.next_hop_length == 16 and not memcmp(next_hop_of(s), MAPPED, sizeof(MAPPED))


cdef bint alike(const path_set *a, const path_set *b) noexcept nogil:
    """Whether two sets are the same; an IPv4 next hop is the same in four octets and mapped into sixteen."""
    cdef const uint8_t *x
    cdef const uint8_t *y
    if a.next_hop_length == b.next_hop_length:
        return octets_of(a) == octets_of(b) and not memcmp(
            <const uint8_t *>a + 4, <const uint8_t *>b + 4, octets_of(a) - 4
        )
    if a.length != b.length or a.label_count != b.label_count:
        return False
    x, y = next_hop_of(a), next_hop_of(b)
    if is_mapped(a) and b.next_hop_length == 4:
        x += sizeof(MAPPED)
    elif is_mapped(b) and a.next_hop_length == 4:
        y += sizeof(MAPPED)
    else:
        return False
    return not memcmp(x, y, 4 + 3 * <size_t>a.label_count + a.length)


cdef uint64_t hash_of_path(const void *store, uint32_t id) noexcept nogil:
    return entry_of(<const path_view *>store, id).hash


cdef void learn(path_entry *entry, const path_set *s) noexcept nogil:
    """Read the facts that look-ups need often.  The attributes were checked when they arrived."""
    cdef const uint8_t *at = attributes_of(s)
    cdef const uint8_t *end = at + s.length
    cdef size_t length
    cdef uint8_t code
    while at < end:
        code = at[1]
        if at[0] & 0x10:
            length = <size_t>at[2] << 8 | at[3]
            at += 4
        else:
            length = at[2]
            at += 3
        if code == ORIGIN:
            entry.origin = at[0]
        elif code == AS_PATH:
            learn_as_path(entry, at, at + length)
        elif code == LOCAL_PREF:
            entry.base = u32_at(at)
            entry.flags |= HAS_LOCAL_PREF
        elif code == COMMUNITIES and has_no_llgr(at, at + length):
            entry.flags |= HAS_NO_LLGR
        at += length


cdef void learn_as_path(path_entry *entry, const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef uint32_t length = 0
    cdef uint8_t n
    while at < end:
        n = at[1]
        if at[0] == AS_SEQUENCE:
            if not length:
                entry.neighbour_as = u32_at(at + 2)
            entry.origin_as = u32_at(at + 2 + 4 * (n - 1))
            entry.flags &= ~<unsigned>ENDS_IN_SET
            length += n
        elif at[0] == AS_SET:
            entry.origin_as = 0
            entry.flags |= ENDS_IN_SET
            length += 1
        at += 2 + 4 * <size_t>n
    entry.path_length = <uint16_t>length if length < 0xFFFF else 0xFFFF


cdef bint has_no_llgr(const uint8_t *at, const uint8_t *end) noexcept nogil:
    while at < end:
        if u32_at(at) == <uint32_t>NO_LLGR:
            return True
        at += 4
    return False


cdef class PathStore:
    """All attribute sets of one daemon.

    Args:
        seed: 64 secret bits that key the hash.
        folds: whether an IPv4 next hop that MP_REACH_NLRI has mapped into IPv6 is the same as the plain one: whichever
            comes first is stored then, and shown for both.
    """

    def __cinit__(self, seed, *, bint folds=False):
        self.seed = seed
        self.folds = folds
        self.next_id = 1
        self.current = <uint32_t>NO_SEGMENT
        if ids_init(&self.ids, hash_of_path, &self.view):
            raise MemoryError

    def __dealloc__(self):
        self.free_all()
        free(self.view.pages)
        free(self.view.segments)
        free(self.used)
        free(self.dead)
        ids_free(&self.ids)

    def __len__(self):
        return self.count

    @property
    def memory(self):
        """Octets that the store holds."""
        return (
            self.page_count * PATH_PAGE * sizeof(path_entry)
            + self.held_segments * SEGMENT_OCTETS
            + ids_octets(&self.ids)
        )

    cdef uint64_t hash(self, path_set *candidate, bint classic) noexcept nogil:
        """The hash of a set; `classic` sets, whose next hop is that of NEXT_HOP, are never the same as others."""
        cdef uint8_t *shifted
        cdef uint64_t hash
        if classic:
            return hash_octets(<const uint8_t *>candidate + 4, octets_of(candidate) - 4, self.seed ^ CLASSIC)
        if not self.folds or not is_mapped(candidate):
            return hash_octets(<const uint8_t *>candidate + 4, octets_of(candidate) - 4, self.seed)
        shifted = <uint8_t *>candidate + sizeof(MAPPED)      # as the IPv4 address that it is
        memcpy(shifted, candidate, sizeof(path_set))
        (<path_set *>shifted).next_hop_length = 4
        hash = hash_octets(shifted + 4, octets_of(<path_set *>shifted) - 4, self.seed)
        memcpy(<uint8_t *>candidate + sizeof(path_set), MAPPED, sizeof(MAPPED))
        return hash

    cdef uint32_t find(self, const path_set *candidate, uint64_t hash) noexcept nogil:
        cdef const bucket *b = bucket_of(&self.ids, hash)
        cdef uint32_t i = home_of(hash)
        cdef uint32_t tag = tag_of(hash), slot, id
        while True:
            slot = b.slots[i]
            if not slot:
                return 0
            if (slot ^ tag) <= ID_MASK:
                id = slot & ID_MASK
                if entry_of(&self.view, id).hash == hash and alike(set_of(&self.view, id), candidate):
                    return id
            i = after(i)

    cdef uint32_t intern(self, path_set *candidate, uint64_t hash) noexcept nogil:
        """The id of an attribute set with one more reference; 0 without memory or ids."""
        cdef uint32_t id = self.find(candidate, hash)
        if not id:
            id = self.add(candidate, hash)
            if id:
                learn(entry_of(&self.view, id), candidate)
        if id:
            self.hold(id)
        return id

    cdef uint32_t intern_layer(
        self, uint32_t base, const uint8_t *labels, uint8_t label_count, const uint8_t *marks, uint16_t mark_octets,
    ) noexcept nogil:
        """The id of a label stack (3 octets a label) and at most `MAX_MARKS` octets of marks over a path.

        It has one more reference; 0 without memory.
        """
        cdef uint8_t octets[LAYER_OCTETS]
        cdef path_set *candidate = <path_set *>octets
        cdef uint8_t *to = octets + sizeof(path_set)
        cdef uint64_t hash
        cdef uint32_t id
        cdef path_entry *entry
        memset(octets, 0, sizeof(path_set))
        candidate.label_count = label_count
        candidate.length = 4 + mark_octets
        if label_count:
            memcpy(to, labels, 3 * <size_t>label_count)
            to += 3 * <size_t>label_count
        memcpy(to, &base, 4)
        if mark_octets:
            memcpy(to + 4, marks, mark_octets)
        hash = self.hash(candidate, False)
        id = self.find(candidate, hash)
        if not id:
            id = self.add(candidate, hash)
            if not id:
                return 0
            entry = entry_of(&self.view, id)
            memcpy(&entry.origin_as, &entry_of(&self.view, base).origin_as, sizeof(path_entry) - 16)
            entry.base = base
            entry.flags = (entry.flags & ~<unsigned>HAS_LOCAL_PREF) | IS_LABELLED
            self.hold(base)
        self.hold(id)
        return id

    cdef uint32_t add(self, path_set *candidate, uint64_t hash) noexcept nogil:
        """Store a set that is not there yet, with no reference."""
        cdef uint32_t where = 0, id = self.take_id()
        cdef path_entry *entry
        cdef uint8_t *room
        if not id:
            return 0
        entry = entry_of(&self.view, id)
        entry.hash = hash
        if ids_insert(&self.ids, hash, id):
            self.give_id(id)
            return 0
        room = self.room_for(octets_of(candidate), &where)
        if room == NULL:
            ids_remove(&self.ids, hash, id)
            self.give_id(id)
            return 0
        candidate.id = id
        memcpy(room, candidate, octets_of(candidate))
        entry.where = where
        self.count += 1
        return id

    cdef bint has(self, uint32_t id) noexcept nogil:
        """Whether an id names a set: the hash leads back to it."""
        cdef const bucket *b
        cdef uint64_t hash
        cdef uint32_t i
        if not 0 < id < self.next_id:
            return False
        hash = entry_of(&self.view, id).hash
        b = bucket_of(&self.ids, hash)
        i = home_of(hash)
        while b.slots[i] and b.slots[i] & ID_MASK != id:
            i = after(i)
        return b.slots[i] != 0

    cdef void hold(self, uint32_t id) noexcept nogil:
        entry_of(&self.view, id).references += 1

    cdef void release(self, uint32_t id) noexcept nogil:
        """Drop one reference; the set goes with the last."""
        cdef path_entry *entry = entry_of(&self.view, id)
        cdef uint32_t base
        entry.references -= 1
        if entry.references:
            return
        base = entry.base if entry.flags & IS_LABELLED else 0
        ids_remove(&self.ids, entry.hash, id)
        self.count -= 1
        if self.pins:
            if not self.limbo_id:
                self.limbo_last = id
            entry.references = self.limbo_id
            self.limbo_id = id
        else:
            self.bury(id)
        if base:
            self.release(base)

    cdef void bury(self, uint32_t id) noexcept nogil:
        """Free the octets of a set that nobody refers to, and its id."""
        cdef uint32_t where = entry_of(&self.view, id).where, segment = where >> UNIT_BITS
        cdef path_set *s = <path_set *>set_of(&self.view, id)
        cdef size_t octets = (octets_of(s) + 7) & ~<size_t>7
        s.id = 0
        self.dead[segment] += <uint32_t>octets
        self.dead_octets += octets
        self.live_octets -= octets
        if self.dead[segment] == self.used[segment] and segment != self.current:
            self.free_segment(segment)
        self.give_id(id)

    cdef uint32_t take_id(self) noexcept nogil:
        cdef uint32_t id = self.free_id
        if id:
            self.free_id = entry_of(&self.view, id).references
        else:
            if self.next_id > ID_MASK or (self.next_id >> PATH_PAGE_BITS >= self.page_count and self.add_page()):
                return 0
            id = self.next_id
            self.next_id += 1
        memset(entry_of(&self.view, id), 0, sizeof(path_entry))
        return id

    cdef void give_id(self, uint32_t id) noexcept nogil:
        entry_of(&self.view, id).references = self.free_id
        self.free_id = id
        if not self.count and not self.pins and not self.limbo_id and not self.buried_id:
            self.free_all()

    cdef void free_all(self) noexcept nogil:
        """Nothing is stored: give pages and segments back."""
        cdef uint32_t i
        for i in range(self.segment_count):
            if self.view.segments[i] != NULL:
                self.free_segment(i)
        for i in range(self.page_count):
            free(self.view.pages[i])
        self.current = <uint32_t>NO_SEGMENT
        self.page_count = 0
        self.next_id = 1
        self.free_id = 0

    cdef int add_page(self) noexcept nogil:
        cdef path_entry **wider
        cdef path_entry *page
        if self.page_count == self.page_room:
            wider = <path_entry **>realloc(self.view.pages, (self.page_room + 64) * sizeof(path_entry *))
            if wider == NULL:
                return -1
            self.view.pages = wider
            self.page_room += 64
        page = <path_entry *>malloc(PATH_PAGE * sizeof(path_entry))
        if page == NULL:
            return -1
        self.view.pages[self.page_count] = page
        self.page_count += 1
        return 0

    cdef uint8_t *room_for(self, size_t octets, uint32_t *where) noexcept nogil:
        """Take octets at the end of the current segment; NULL without memory."""
        cdef size_t rounded = (octets + 7) & ~<size_t>7
        cdef uint32_t segment = self.current
        if segment == <uint32_t>NO_SEGMENT or self.used[segment] + rounded > SEGMENT_OCTETS:
            if self.open_segment():
                return NULL
            segment = self.current
        where[0] = segment << UNIT_BITS | self.used[segment] >> 3
        self.used[segment] += <uint32_t>rounded
        self.live_octets += rounded
        return self.view.segments[segment] + (<size_t>(where[0] & UNIT_MASK) << 3)

    cdef int open_segment(self) noexcept nogil:
        """Make a fresh segment the current one."""
        cdef uint32_t previous = self.current, segment = self.free_segment_hint
        cdef uint8_t *octets
        while segment < self.segment_count and self.view.segments[segment] != NULL:
            segment += 1
        if segment >= 1 << (32 - UNIT_BITS) or (segment == self.segment_room and self.widen()):
            return -1
        octets = <uint8_t *>malloc(SEGMENT_OCTETS)
        if octets == NULL:
            return -1
        self.view.segments[segment] = octets
        self.used[segment] = self.dead[segment] = 0
        self.segment_count = max(self.segment_count, segment + 1)
        self.held_segments += 1
        self.free_segment_hint = segment + 1
        self.current = segment
        if previous != <uint32_t>NO_SEGMENT and self.dead[previous] == self.used[previous] and not self.pins:
            self.free_segment(previous)
        return 0

    cdef int widen(self) noexcept nogil:
        """More room in the list of segments."""
        cdef uint32_t room = self.segment_room + 256
        cdef uint8_t **segments = <uint8_t **>realloc(self.view.segments, room * sizeof(uint8_t *))
        cdef uint32_t *used
        cdef uint32_t *dead
        if segments == NULL:
            return -1
        self.view.segments = segments
        used = <uint32_t *>realloc(self.used, room * sizeof(uint32_t))
        if used == NULL:
            return -1
        self.used = used
        dead = <uint32_t *>realloc(self.dead, room * sizeof(uint32_t))
        if dead == NULL:
            return -1
        self.dead = dead
        self.segment_room = room
        return 0

    cdef void free_segment(self, uint32_t segment) noexcept nogil:
        self.dead_octets -= self.dead[segment]
        free(self.view.segments[segment])
        self.view.segments[segment] = NULL
        self.held_segments -= 1
        self.free_segment_hint = min(self.free_segment_hint, segment)
        if segment == self.current:
            self.current = <uint32_t>NO_SEGMENT

    cdef void pin(self) noexcept:
        """A snapshot opens: from now on nothing moves and no id is used again."""
        self.pins += 1

    cdef void unpin(self) noexcept:
        """A snapshot closes; with the last one, what went meanwhile waits for `drain`."""
        self.pins -= 1
        if self.pins or not self.limbo_id:
            return
        entry_of(&self.view, self.limbo_last).references = self.buried_id
        self.buried_id = self.limbo_id
        self.limbo_id = 0

    cdef size_t drain(self, size_t ids) noexcept nogil:
        """Free at most so many of the sets that went while snapshots were open; how many it were.

        No snapshot that is open now can read them, so this may go on beside one.
        """
        cdef size_t n = 0
        cdef uint32_t id
        while self.buried_id and n < ids:
            id = self.buried_id
            self.buried_id = entry_of(&self.view, id).references
            self.bury(id)
            n += 1
        return n

    cpdef size_t compact(self, size_t octets):
        """Move sets out of segments that are mostly holes, and free those.

        Args:
            octets: how much of the arena may be looked at, about.
        Returns: octets that were looked at; 0 when there is nothing to gain.
        """
        cdef uint32_t segment
        cdef size_t looked = 0
        if self.pins or self.dead_octets < 4 * SEGMENT_OCTETS or self.dead_octets * 3 < self.live_octets:
            return 0
        for segment in range(self.segment_count):
            if looked >= octets:
                break
            if self.view.segments[segment] == NULL or segment == self.current:
                continue
            if 2 * self.dead[segment] >= self.used[segment]:
                looked += self.used[segment]
                self.empty_segment(segment)
        return looked

    cdef void empty_segment(self, uint32_t segment) noexcept nogil:
        """Copy what lives in a segment to the current one and free it; without memory it stays."""
        cdef uint8_t *at = self.view.segments[segment]
        cdef const uint8_t *end = at + self.used[segment]
        cdef uint8_t *room
        cdef path_set *s
        cdef uint32_t where = 0
        cdef size_t rounded
        while at < end:
            s = <path_set *>at
            rounded = (octets_of(s) + 7) & ~<size_t>7
            if s.id:
                room = self.room_for(octets_of(s), &where)
                if room == NULL:
                    return
                memcpy(room, s, octets_of(s))
                entry_of(&self.view, s.id).where = where
                s.id = 0
                self.dead[segment] += <uint32_t>rounded
                self.dead_octets += rounded
                self.live_octets -= rounded
            at += rounded
        self.free_segment(segment)

