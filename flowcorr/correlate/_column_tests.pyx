# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Packet filters over flows as tests of their columns: a walk of each row through the graph of `frame_tests`."""

from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.correlate._addresses cimport is_ipv4, is_none
from flowcorr.correlate._packet_program cimport JEQ, JGE, JGT
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from routed.octets._cursor cimport load16, load32

import numpy as np

from flowcorr.correlate.flow_frame import FAMILIES, PROTOCOLS, SHAPES, Labels, Load
from flowcorr.correlate.frame_tests import FIRST_TEST, YES

cdef enum:
    # as `flow_frame.Load`
    NUMBER = 0
    OCTETS = 1
    IPV4 = 2
    IPV6 = 3
    LABEL = 4
    BOTTOM = 5
    CLASS = 6
    # as `flow_frame.Labels`
    OF_BOTTOM = 1
    OF_TOP = 2
    BOTH = 3
    MOST_PROTOCOLS = 256
    IS_BOTTOM = 1 << 8               # of an entry of a label stack (RFC 3032 section 2.1)
    VERSION_6 = 6 << 12              # of the first half word of an IPv6 header

assert [*map(int, Load)] == [NUMBER, OCTETS, IPV4, IPV6, LABEL, BOTTOM, CLASS]
assert [*map(int, Labels)] == [0, OF_BOTTOM, OF_TOP, BOTH]

ctypedef struct test_t:
    uint32_t column, at              # in a row: where the column is, and what is read of it
    uint8_t load, octets, shift, operation
    uint32_t mask, number
    uint32_t if_true, if_false


cdef class ColumnTests:
    cdef object layout
    cdef test_t *tests
    cdef uint32_t *entries
    cdef uint32_t first, accepts
    cdef uint32_t of_vlan, of_label, of_family       # shapes from one value of a trait to the next
    cdef uint8_t[MOST_PROTOCOLS] kinds               # the place of each protocol among PROTOCOLS
    cdef Py_ssize_t vlan, label_top, label_bottom, family, proto

    def __cinit__(self, layout not None, graph not None):
        missing = sorted(name for name in graph.columns if name not in layout)
        if missing:
            raise ValueError(f"tests need {', '.join(missing)}")
        self.layout, self.first, self.accepts = layout, FIRST_TEST, YES
        self.vlan, self.label_top, self.label_bottom, self.family, self.proto = (
            layout.offset(name) for name in ("vlan", "mpls_label_top", "mpls_label_bottom", "family", "proto")
        )
        self.of_family = <uint32_t>len(PROTOCOLS)
        self.of_label = 1 + <uint32_t>len(FAMILIES) * self.of_family
        self.of_vlan = <uint32_t>len(Labels) * self.of_label
        memset(self.kinds, 0, MOST_PROTOCOLS)
        for kind, protocol in enumerate(PROTOCOLS):
            self.kinds[<uint8_t>protocol] = kind
        self.tests = <test_t *>malloc((self.first + <size_t>len(graph.tests)) * sizeof(test_t))
        self.entries = <uint32_t *>malloc(<size_t>len(SHAPES) * sizeof(uint32_t))
        if self.tests == NULL or self.entries == NULL:
            raise MemoryError
        for number, (test, if_true, if_false) in enumerate(graph.tests, FIRST_TEST):
            if not (if_true < number and if_false < number):
                raise ValueError(f"test {number} leads to {if_true} and {if_false}")
            self.take(&self.tests[<size_t>number], test, if_true, if_false)
        for number, entry in zip(range(len(SHAPES)), graph.entries, strict=True):
            if not entry < FIRST_TEST + len(graph.tests):
                raise ValueError(f"shape {number} begins at {entry}")
            self.entries[<size_t>number] = entry

    def __dealloc__(self):
        free(self.tests)
        free(self.entries)

    cdef take(self, test_t *t, test, uint32_t if_true, uint32_t if_false):
        bits, t.operation, t.number = test
        field, t.shift, t.mask = bits
        t.column, t.load, t.octets = self.layout.offset(field.column), field.load, field.octets
        t.at = t.column + <uint32_t>field.at
        t.if_true, t.if_false = if_true, if_false

    def passes(self, Batch batch not None):
        cdef size_t i, n = batch.count
        if batch.layout is not self.layout:
            raise ValueError("a batch of another layout")
        passing = np.empty(n, dtype=np.bool_)
        cdef uint8_t[::1] passed = passing.view(np.uint8)
        with nogil:
            for i in range(n):
                passed[<Py_ssize_t>i] = self.wants(row_of(batch, i))
        return passing

    cdef bint wants(self, const uint8_t *row) noexcept nogil:
        cdef uint32_t at = self.entries[self.shape_of(row)], value
        cdef const test_t *t
        while at >= self.first:
            t = &self.tests[at]
            value = read(t, row) >> t.shift & t.mask
            if t.operation == JEQ:
                at = t.if_true if value == t.number else t.if_false
            elif t.operation == JGT:
                at = t.if_true if value > t.number else t.if_false
            elif t.operation == JGE:
                at = t.if_true if value >= t.number else t.if_false
            else:
                at = t.if_true if value & t.number else t.if_false
        return at == self.accepts

    cdef inline uint32_t shape_of(self, const uint8_t *row) noexcept nogil:
        """The number of a row's shape among SHAPES; traits that decide nothing may be without their columns."""
        cdef uint32_t shape = 0, top, bottom
        if row[self.family]:
            shape = 1 if row[self.family] == 4 else 1 + self.of_family
            if self.proto >= 0:
                shape += self.kinds[row[self.proto]]
        if self.label_top >= 0 and self.label_bottom >= 0:
            top, bottom = number_at(row + self.label_top, 4), number_at(row + self.label_bottom, 4)
            if top or bottom:
                shape += self.of_label * (BOTH if top and bottom and top != bottom else OF_BOTTOM if bottom else OF_TOP)
        if self.vlan >= 0 and number_at(row + self.vlan, 2):
            shape += self.of_vlan
        return shape


cdef inline uint32_t number_at(const uint8_t *at, int octets) noexcept nogil:
    """An integer of one, two or four octets, in the order of this machine."""
    cdef uint16_t two
    cdef uint32_t four
    if octets == 2:
        memcpy(&two, at, 2)
        return two
    if octets == 1:
        return at[0]
    memcpy(&four, at, 4)
    return four


cdef inline uint32_t read(const test_t *t, const uint8_t *row) noexcept nogil:
    """The number of a field."""
    if t.load == NUMBER:
        return number_at(row + t.at, t.octets)
    if t.load == IPV4:
        return load32(row + t.at) if is_ipv4(row + t.column) else 0
    if t.load == IPV6:
        return 0 if is_none(row + t.column) else load32(row + t.at)
    if t.load == OCTETS:
        return load16(row + t.at) if t.octets == 2 else load32(row + t.at)
    if t.load == CLASS:
        return VERSION_6 | <uint32_t>row[t.at] << 4
    return number_at(row + t.at, 4) << 12 | (IS_BOTTOM if t.load == BOTTOM else 0)
