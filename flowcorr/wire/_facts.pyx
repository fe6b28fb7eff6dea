# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What an exporter told about itself in options: rates of samplers, names, route distinguishers.

Kept as integers by integers, so that decoders ask in compiled code; texts are held.  One map has at most `MOST_FACTS`
entries, all of all exporters together as many as their room: more are refused and counted, those that stand may still
change.  Names take at most half of what texts may take, because flows need texts as well.
"""

cimport cython
from flowcorr.columns._texts cimport hold_text
from libc.stdlib cimport calloc, free

import secrets

cdef enum:
    MOST_FACTS = 65536               # of one kind: interfaces of the largest routers, some 16 times
    FIRST_ENTRIES = 16

KINDS = {
    "sampler": SAMPLER,
    "ingress_rd": INGRESS_RD,
    "egress_rd": EGRESS_RD,
    "uptime_began": UPTIME_BEGAN,
    "vrf_name": VRF_NAME,
    "interface_name": INTERFACE_NAME,
    "application": APPLICATION,
}


cdef inline bint is_text(int kind) noexcept nogil:
    return kind >= VRF_NAME


@cython.no_gc
cdef class FactsRoom:
    def __cinit__(self, uint64_t left):
        self.left = left


@cython.no_gc                            # it knows texts and room alone, and needs them up to its end
cdef class Facts:
    def __cinit__(self, Texts texts not None, FactsRoom room not None):
        self.texts, self.room = texts, room
        self.c.seed = secrets.randbits(64)

    def __dealloc__(self):
        cdef int kind
        cdef uint64_t i
        cdef fact_map *map
        for kind in range(FACT_KINDS):
            map = &self.c.maps[kind]
            self.room.left += map.count
            if map.entries != NULL and is_text(kind):
                for i in range(map.mask + 1):
                    if map.entries[i].used:
                        self.texts.let_go(<uint32_t>map.entries[i].value)
            free(map.entries)

    def set(self, str kind not None, uint64_t key, uint64_t value):
        cdef int number = KINDS[kind]
        cdef fact_map *map = &self.c.maps[number]
        cdef fact_entry *entry = find_fact(&self.c, <fact_kind>number, key)
        cdef uint64_t at
        if entry == NULL:
            if map.count == MOST_FACTS or not self.room.left:
                self.room.refused += 1
                return False
            if map.entries == NULL or 2 * <uint64_t>map.count > map.mask:
                self.widen(map)
            at = mix(key ^ self.c.seed, 0x9E3779B97F4A7C15ULL) & map.mask
            while map.entries[at].used:
                at = (at + 1) & map.mask
            entry = &map.entries[at]
            entry.key, entry.used = key, True
            map.count += 1
            self.room.left -= 1
        elif is_text(number):
            self.texts.let_go(<uint32_t>entry.value)     # rows of the batch may have it
        entry.value = value
        if is_text(number):
            hold_text(self.texts, <uint32_t>value)
        elif number == SAMPLER:
            self.c.last_rate, self.c.has_sampler = <uint32_t>value, True
        return True

    def set_text(self, str kind not None, uint64_t key, bytes octets not None):
        cdef uint32_t id = self.texts.id_of(octets) if 2 * self.texts.octets <= self.texts.most_octets else 0
        if not id and octets:
            self.room.refused += 1
            return False
        return self.set(kind, key, id)

    def get(self, str kind not None, uint64_t key):
        cdef fact_entry *entry = find_fact(&self.c, <fact_kind><int>KINDS[kind], key)
        return None if entry == NULL else entry.value

    def __len__(self):
        cdef int kind
        return sum([self.c.maps[kind].count for kind in range(FACT_KINDS)])

    cdef int widen(self, fact_map *map) except -1:
        cdef uint64_t room = FIRST_ENTRIES if map.entries == NULL else 2 * (map.mask + 1), i, at
        cdef fact_entry *wider = <fact_entry *>calloc(room, sizeof(fact_entry))
        if wider == NULL:
            raise MemoryError
        if map.entries != NULL:
            for i in range(map.mask + 1):
                if map.entries[i].used:
                    at = mix(map.entries[i].key ^ self.c.seed, 0x9E3779B97F4A7C15ULL) & (room - 1)
                    while wider[at].used:
                        at = (at + 1) & (room - 1)
                    wider[at] = map.entries[i]
        free(map.entries)
        map.entries = wider
        map.mask = room - 1
        return 0
