# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rules by what they compare for equality, so that a map of many costs a flow as much as one of few.

Rules that compare the same columns, with prefixes of the same lengths, have one *shape*: a hash table of their values
gives the few of them that may match a row.  What else a rule asks is asked of those, in the order of the file, so the
answer is that of asking all rules one after the other.  Rules that compare nothing for equality, and those of shapes
that too few have, are asked so in fact.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

cdef enum:
    FEW = 4                          # rules of a shape that are asked as quickly as looked up


cdef uint64_t HASH_OF_LINK = 0xFFFFFFFF00000000ULL


cdef class RuleIndex:
    def __cinit__(self, size_t stride):
        self.numbers = {}
        self.example = <uint8_t *>calloc(1, stride)
        if self.example == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.shape_count):
            free(self.shapes[i].heads)
        free(self.shapes)
        free(self.next)
        free(self.places)
        free(self.parts)
        free(self.example)

    cdef add(self, const key_part *parts, uint32_t count):
        """Add the next rule, by what it compares for equality: parts in the order of their columns."""
        cdef part key[MAX_PARTS]
        cdef uint32_t i
        cdef size_t at = self.part_count
        count = min(count, <uint32_t>MAX_PARTS)
        if self.rule_count == self.rule_room:
            self.rule_room = 2 * self.rule_room + 16
            self.places = <rule_place *>grown(self.places, self.rule_room * sizeof(rule_place))
        if at + count > self.part_room:
            self.part_room = 2 * (at + count)
            self.parts = <key_part *>grown(self.parts, self.part_room * sizeof(key_part))
        memset(key, 0, sizeof(key))
        for i in range(count):
            key[i] = parts[i].p
            self.parts[at + i] = parts[i]
        number = self.numbers.setdefault(
            PyBytes_FromStringAndSize(<const char *>key, count * sizeof(part)), len(self.numbers))
        self.places[self.rule_count].shape, self.places[self.rule_count].first_part = number, at
        self.rule_count += 1
        self.part_count += count

    cdef finish(self):
        """Make the tables; no rule is added from then on."""
        cdef uint32_t rule, at = 0, number
        cdef uint32_t *sizes = <uint32_t *>calloc(len(self.numbers) + 1, sizeof(uint32_t))
        cdef shape **tables = <shape **>calloc(len(self.numbers) + 1, sizeof(shape *))
        try:
            self.next = <link *>calloc(self.rule_count + 1, sizeof(link))
            self.shapes = <shape *>calloc(len(self.numbers) + 1, sizeof(shape))
            if sizes == NULL or tables == NULL or self.next == NULL or self.shapes == NULL:
                raise MemoryError
            for rule in range(self.rule_count):
                sizes[self.places[rule].shape] += 1
            for key, number in self.numbers.items():
                if key and sizes[number] >= <uint32_t>FEW:
                    tables[number] = &self.shapes[self.shape_count]
                    make_shape(tables[number], key, sizes[number])
                    self.shape_count += 1
            with nogil:
                for at in range(self.rule_count, 0, -1):
                    self.place(at - 1, tables[self.places[at - 1].shape])
        finally:
            free(sizes)
            free(tables)
            free(self.parts)
            free(self.places)
            self.parts, self.places = NULL, NULL
        self.numbers = {}

    cdef void place(self, uint32_t rule, shape *s) noexcept nogil:
        """Put a rule before those of the same hash; without a table, before those that are asked one by one."""
        cdef uint32_t i
        cdef uint64_t hashed
        cdef const key_part *one
        cdef link *head
        if s == NULL:
            self.next[rule], self.first_plain = self.first_plain, <link>rule + 1
            return
        for i in range(s.part_count):
            one = &self.parts[self.places[rule].first_part + i]
            memcpy(self.example + one.p.at, one.value, one.p.width)
        hashed = hash_of(s, self.example)
        head = place_of(s, hashed)
        self.next[rule] = head[0]
        head[0] = hashed & HASH_OF_LINK | rule + 1


cdef make_shape(shape *s, bytes key, uint32_t rules):
    cdef uint32_t slots = 8
    while slots < 2 * rules:
        slots *= 2
    s.heads = <link *>calloc(slots, sizeof(link))
    if s.heads == NULL:
        raise MemoryError
    s.mask, s.rule_count = slots - 1, rules
    s.part_count = <uint32_t>(len(key) // sizeof(part))
    memcpy(s.parts, PyBytes_AS_STRING(key), len(key))


cdef void *grown(void *array, size_t octets) except NULL:
    cdef void *longer = realloc(array, octets)
    if longer == NULL:
        raise MemoryError
    return longer
