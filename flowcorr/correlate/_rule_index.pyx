# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rules by what they compare for equality, so that a map of many costs a flow as much as one of few.

Rules that compare the same columns, with prefixes of the same lengths, have one *shape*: a hash table of their values
gives the few of them that may match a row.  What else a rule asks is asked of those, in the order of the file, so the
answer is that of asking all rules one after the other.  Rules that compare nothing for equality, and those of shapes
that too few have, are asked so in fact.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cdef enum:
    FEW = 4                          # rules of a shape that are asked as quickly as looked up


cdef uint64_t HASH_OF_LINK = 0xFFFFFFFF00000000ULL


cdef class RuleIndex:
    def __cinit__(self, keys not None, size_t stride):
        """Of each rule the parts that it compares: (offset, value, mask), octets of one length."""
        cdef uint32_t at = 0, count = <uint32_t>len(keys)
        cdef bytes row
        by_shape = {}
        plain = []
        for rule, parts in enumerate(keys):
            parts = sorted(parts)[:MAX_PARTS]
            shape_key = tuple((offset, mask) for offset, _, mask in parts)
            by_shape.setdefault(shape_key, []).append((rule, parts))
        for shape_key in [one for one, rules in by_shape.items() if not one or len(rules) < FEW]:
            plain += [rule for rule, _ in by_shape.pop(shape_key)]
        self.next = <link *>calloc(count + 1, sizeof(link))
        self.shapes = <shape *>calloc(len(by_shape) + 1, sizeof(shape))
        if self.next == NULL or self.shapes == NULL:
            raise MemoryError
        for rule in sorted(plain, reverse=True):
            self.next[<uint32_t>rule], self.first_plain = self.first_plain, <link>rule + 1
        for shape_key, rules in by_shape.items():
            self.make_shape(&self.shapes[at], shape_key, len(rules))
            at += 1
            self.shape_count = at
            for rule, parts in reversed(rules):
                row = example(parts, stride)
                self.add(&self.shapes[at - 1], <uint32_t>rule, <const uint8_t *>PyBytes_AS_STRING(row))

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.shape_count):
            free(self.shapes[i].heads)
        free(self.shapes)
        free(self.next)

    cdef make_shape(self, shape *s, shape_key, uint32_t rules):
        cdef part *p
        cdef uint32_t slots = 8
        while slots < 2 * rules:
            slots *= 2
        s.heads = <link *>calloc(slots, sizeof(link))
        if s.heads == NULL:
            raise MemoryError
        s.mask, s.rule_count = slots - 1, rules
        for offset, mask in shape_key:
            p = &s.parts[s.part_count]
            p.at, p.width = offset, <uint32_t>len(mask)
            memcpy(&p.low, PyBytes_AS_STRING(mask), min(<size_t>8, <size_t>p.width))
            if p.width > 8:
                memcpy(&p.high, PyBytes_AS_STRING(mask) + 8, 8)
            s.part_count += 1

    cdef void add(self, shape *s, uint32_t rule, const uint8_t *row) noexcept:
        """Put a rule before those of the same hash."""
        cdef uint64_t hashed = hash_of(s, row)
        cdef link *head = place_of(s, hashed)
        self.next[rule] = head[0]
        head[0] = hashed & HASH_OF_LINK | rule + 1


cdef bytes example(parts, size_t stride):
    """A row that has the values of a rule."""
    row = bytearray(stride)
    for offset, value, _ in parts:
        row[offset:offset + len(value)] = value
    return bytes(row)
