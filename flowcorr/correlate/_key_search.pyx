# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Entries whose keys have given octets: many queries in one walk over a table.

Queries that compare the same octets are of one shape.  A key is masked once for each shape, and what remains is looked
up among the values of the queries; a shape of one query is compared in place.
"""

cimport cython
from flowcorr.correlate._table cimport entry_of, key_of, same_key, totals
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy
from routed.octets._hash cimport hash_octets

import secrets

import numpy

cdef enum:
    FIRST_SLOTS = 8
    FIRST_FOUND = 1024

#: Different sets of compared octets in the queries of one search: each is a look at every entry.
MOST_SHAPES = 16


@cython.final
cdef class KeySearch:
    def __cinit__(self, queries not None, size_t octets):
        cdef size_t i, slots = FIRST_SLOTS
        self.octets, self.seed = octets, secrets.randbits(64)
        shapes = {}
        for number, (mask, value) in enumerate(queries):
            if len(mask) != octets or len(value) != octets:
                raise ValueError(f"{len(mask)} and {len(value)} octets for a key of {octets}")
            shapes.setdefault(bytes(mask), {}).setdefault(bytes(value), number)
        if len(shapes) > MOST_SHAPES:
            raise ValueError(f"{len(shapes)} different choices of what is compared; at most {MOST_SHAPES}")
        while slots < 2 * max((len(numbers) for numbers in shapes.values()), default=0):
            slots *= 2
        self.slot_mask = <uint32_t>(slots - 1)
        self.shapes = <shape *>calloc(max(1, len(shapes)), sizeof(shape))
        self.values = <uint8_t *>calloc(max(1, len(queries)), octets)
        self.masked = <uint8_t *>calloc(1, octets)
        if self.shapes == NULL or self.values == NULL or self.masked == NULL:
            raise MemoryError
        self.shape_count = len(shapes)
        for i, (mask, numbers) in enumerate(shapes.items()):
            self.fill(&self.shapes[i], mask, numbers)

    def __dealloc__(self):
        cdef size_t i
        if self.shapes != NULL:
            for i in range(self.shape_count):
                free(self.shapes[i].mask)
                free(self.shapes[i].slots)
        free(self.shapes)
        free(self.values)
        free(self.masked)
        free(self.pairs)

    cdef int fill(self, shape *s, bytes mask, dict numbers) except -1:
        """Make a shape of the queries, by their values, that have its mask."""
        cdef uint32_t at, number
        cdef uint8_t *octets
        s.mask = <uint8_t *>calloc(1, self.octets)
        s.slots = <uint32_t *>calloc(<size_t>self.slot_mask + 1, sizeof(uint32_t))
        if s.mask == NULL or s.slots == NULL:
            raise MemoryError
        memcpy(s.mask, <const uint8_t *>mask, self.octets)
        for value, number in numbers.items():
            octets = self.values + number * self.octets
            memcpy(octets, <const uint8_t *>(<bytes>value), self.octets)
            at = <uint32_t>hash_octets(octets, self.octets, self.seed) & self.slot_mask
            while s.slots[at]:
                at = (at + 1) & self.slot_mask
            s.slots[at] = number + 1
            s.only = number + 1 if len(numbers) == 1 else 0
        return 0

    cdef search(self, const table *t):
        """Find the pairs of a query and an entry, in the order of entries, as an array of u32."""
        cdef uint32_t[:, ::1] found
        cdef size_t i
        cdef int failed = 0
        self.count = 0
        with nogil:
            for i in range(t.count):
                if not (<const totals *>entry_of(t, i)).is_cleared:
                    failed = self.look_at(key_of(t, i), <uint32_t>i)
                    if failed:
                        break
        if failed:
            raise MemoryError
        result = numpy.empty((self.count, 2), numpy.uint32)
        if self.count:
            found = result
            memcpy(&found[0, 0], self.pairs, self.count * 2 * sizeof(uint32_t))
        return result

    cdef int look_at(self, const uint8_t *key, uint32_t entry) noexcept nogil:
        """Take note of the queries that an entry answers; 0, or -1 without memory."""
        cdef size_t i
        cdef uint32_t query
        for i in range(self.shape_count):
            query = self.query_of(&self.shapes[i], key)
            if query and self.take_note(query - 1, entry):
                return -1
        return 0

    cdef uint32_t query_of(self, const shape *s, const uint8_t *key) noexcept nogil:
        """The number + 1 of the query of a shape that a key answers; 0 when there is none."""
        cdef uint32_t at
        if s.only:
            return s.only if is_masked(key, s.mask, self.values + (s.only - 1) * self.octets, self.octets) else 0
        put_masked(self.masked, key, s.mask, self.octets)
        at = <uint32_t>hash_octets(self.masked, self.octets, self.seed) & self.slot_mask
        while s.slots[at]:
            if same_key(self.values + (s.slots[at] - 1) * self.octets, self.masked, self.octets):
                break
            at = (at + 1) & self.slot_mask
        return s.slots[at]

    cdef int take_note(self, uint32_t query, uint32_t entry) noexcept nogil:
        cdef uint32_t *wider
        if self.count == self.room:
            wider = <uint32_t *>realloc(self.pairs, (2 * self.room + FIRST_FOUND) * 2 * sizeof(uint32_t))
            if wider == NULL:
                return -1
            self.pairs, self.room = wider, 2 * self.room + FIRST_FOUND
        self.pairs[2 * self.count], self.pairs[2 * self.count + 1] = query, entry
        self.count += 1
        return 0


cdef inline void put_masked(uint8_t *to, const uint8_t *key, const uint8_t *mask, size_t octets) noexcept nogil:
    """Of a key the bits that a mask has."""
    cdef uint64_t a, b
    cdef size_t i
    for i in range(0, octets, 8):
        memcpy(&a, key + i, 8)
        memcpy(&b, mask + i, 8)
        a &= b
        memcpy(to + i, &a, 8)


cdef inline bint is_masked(const uint8_t *key, const uint8_t *mask, const uint8_t *value, size_t octets) noexcept nogil:
    """Tell whether a key has the octets of a value where the mask has bits."""
    cdef uint64_t a, b, c
    cdef size_t i
    for i in range(0, octets, 8):
        memcpy(&a, key + i, 8)
        memcpy(&b, mask + i, 8)
        memcpy(&c, value + i, 8)
        if a & b != c:
            return False
    return True
