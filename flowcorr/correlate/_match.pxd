"""What rules over flows and other look-ups share.  See `_match.pyx`."""

from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.correlate._packet_program cimport FRAME_ROOM, Frames
from flowcorr.correlate._rule_index cimport MOST_OCTETS, RuleIndex, link
from libc.stdint cimport uint8_t, uint32_t, uint64_t

ctypedef struct test_t:
    int kind
    bint negated
    Py_ssize_t at                    # of the column in a row
    uint32_t width                   # octets of the column, or of the value
    uint64_t value, bits
    uint8_t octets[MOST_OCTETS]
    uint32_t asks                    # which callable

ctypedef struct rule_t:
    uint32_t first_test, end_test
    uint32_t resume                  # 1 + the rule to go on at; 0: the search ends


cdef class Rules:
    cdef readonly object layout
    cdef Texts texts
    cdef test_t *tests
    cdef rule_t *rules
    cdef readonly uint32_t count
    cdef uint32_t test_count
    cdef size_t test_room, rule_room
    cdef dict places                 # by column: offset and width
    cdef list callables
    cdef list answers                # of each callable: text id -> answer, for one batch
    cdef list programs
    cdef Frames frames
    cdef RuleIndex index
    cdef uint8_t frame[FRAME_ROOM]
    cdef const uint8_t *framed       # the row whose frame that is
    cdef uint32_t frame_length

    cdef add_rule(self, exporter, tests)
    cdef take_resumes(self, resumes)
    cdef take_test(self, int kind, column, value, uint64_t bits, bint negated)
    cdef take_value(self, test_t *t, value)
    cdef begin(self, Batch batch)
    cdef uint32_t next_match(self, const uint8_t *row, uint32_t start) except? 0xFFFFFFFF
    cdef uint32_t first_of(
        self, link head, uint64_t hashed, const uint8_t *row, uint32_t start, uint32_t best) except? 0xFFFFFFFF
    cdef bint matches(self, uint32_t rule, const uint8_t *row) except -1
    cdef bint holds(self, const test_t *t, const uint8_t *row) except -1
    cdef bint lets_through(self, uint32_t asks, const uint8_t *row) except -1


cdef bint has_prefix(const uint8_t *address, const uint8_t *prefix, unsigned int bits) noexcept nogil
