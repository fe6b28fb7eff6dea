# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rows of map files as matchers over the rows of a batch.

A rule is a list of tests over columns; the exporter that it is for is one of them.  `_rule_index` finds the rules that
may match a row, and the tests decide.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.columns._texts cimport Texts, hold_text, release_text
from flowcorr.correlate._addresses cimport is_ipv4, is_none
from flowcorr.correlate._packet_program cimport FRAME_ROOM, Frames, Program
from flowcorr.correlate._rule_index cimport RuleIndex, hash_of, link, place_of
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil

from enum import IntEnum
from sys import byteorder

import numpy as np

cdef enum:
    ADDRESS = 16
    MOST_OCTETS = 16
    EQUAL = 0
    MASKED = 1
    BELOW = 2
    PREFIX = 3
    OCTETS = 4
    TEXT = 5
    MULTICAST = 6
    PACKET = 7
    MAPPED_BITS = 96                 # in front of an IPv4 address
    TOGETHER = 8                     # tables whose memory is asked for before it is read
    REPLACE = 0
    SUM = 1
    OR = 2

Test = IntEnum(
    "Test",
    {
        "EQUAL": EQUAL, "MASKED": MASKED, "BELOW": BELOW, "PREFIX": PREFIX, "OCTETS": OCTETS, "TEXT": TEXT,
        "MULTICAST": MULTICAST, "PACKET": PACKET,
    },
)

cdef uint8_t[12] MAPPED
memset(MAPPED, 0, 10)
MAPPED[10] = MAPPED[11] = 0xFF

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


cdef bint has_prefix(const uint8_t *address, const uint8_t *prefix, unsigned int bits) noexcept nogil:
    """Whether a prefix holds an address; one of IPv6, such as ::/0, holds none of IPv4, and nothing holds no address."""
    cdef unsigned int whole = bits >> 3
    if memcmp(address, prefix, whole) or (bits < MAPPED_BITS and (is_ipv4(address) or is_none(address))):
        return False
    return not bits & 7 or not (address[whole] ^ prefix[whole]) >> (8 - (bits & 7))


cdef bint is_multicast(const uint8_t *address) noexcept nogil:
    """Whether packets to an address go to a group (RFC 5771, RFC 4291 section 2.7); all ones are no address."""
    if not memcmp(address, MAPPED, sizeof(MAPPED)):
        return address[12] >> 4 == 14
    return address[0] == 0xFF and address[2] != 0xFF


cdef uint64_t integer_at(const uint8_t *at, uint32_t width) noexcept nogil:
    cdef uint16_t two
    cdef uint32_t four
    cdef uint64_t eight
    if width == 1:
        return at[0]
    if width == 2:
        memcpy(&two, at, 2)
        return two
    if width == 4:
        memcpy(&four, at, 4)
        return four
    memcpy(&eight, at, 8)
    return eight


cdef class Rules:
    cdef object layout
    cdef Texts texts
    cdef test_t *tests
    cdef rule_t *rules
    cdef readonly uint32_t count
    cdef list callables
    cdef list answers                # of each callable: text id -> answer, for one batch
    cdef list programs
    cdef Frames frames
    cdef RuleIndex index
    cdef uint8_t frame[FRAME_ROOM]
    cdef const uint8_t *framed       # the row whose frame that is
    cdef uint32_t frame_length

    def __cinit__(self, layout not None, Texts texts not None, exporters, tests, resumes):
        cdef uint32_t number = 0, at = 0
        self.layout, self.texts = layout, texts
        self.callables, self.programs = [], []
        self.count = <uint32_t>len(exporters)
        if len(tests) != self.count or len(resumes) != self.count:
            raise ValueError("as many lists of tests and places to go on as rules")
        if "exporter_address" not in layout and any(one is not None for one in exporters):
            raise ValueError("rules ask for exporters, whose address has no column")
        each = [with_exporter(exporter, one) for exporter, one in zip(exporters, tests)]
        self.tests = <test_t *>calloc(sum(len(one) for one in each) + 1, sizeof(test_t))
        self.rules = <rule_t *>calloc(self.count + 1, sizeof(rule_t))
        if self.tests == NULL or self.rules == NULL:
            raise MemoryError
        for one, resume in zip(each, resumes):
            if resume >= 0 and not number < resume < self.count:
                raise ValueError(f"rule {number} goes on at {resume}, which is not behind it")
            self.rules[number].first_test = at
            for test in one:
                self.take_test(&self.tests[at], test)
                at += 1
            self.rules[number].end_test = at
            self.rules[number].resume = resume + 1
            number += 1
        self.answers = [{} for _ in self.callables]
        self.index = RuleIndex([self.key_of(number) for number in range(self.count)], layout.stride)

    def __dealloc__(self):
        free(self.tests)
        free(self.rules)

    def __len__(self):
        return self.count

    @property
    def shapes(self):
        return self.index.shape_count

    cdef take_test(self, test_t *t, test):
        kind, column, value, bits, negated = test
        t.kind, t.negated, t.bits = int(kind), negated, bits
        if t.kind == PACKET:
            self.frames = self.frames or Frames(self.layout)
            t.asks = <uint32_t>len(self.programs)
            self.programs.append(<Program?>value)
            return
        t.at, t.width = self.layout.offset(column), self.layout.columns[column].kind.width
        self.take_value(t, value)

    cdef take_value(self, test_t *t, value):
        cdef bytes octets
        if t.kind == MULTICAST:
            return
        if t.kind == TEXT:
            t.asks = <uint32_t>len(self.callables)
            self.callables.append(value)
        elif t.kind == PREFIX or t.kind == OCTETS:
            octets = value
            if len(octets) != <Py_ssize_t>t.width or len(octets) > MOST_OCTETS or t.bits > 8 * len(octets):
                raise ValueError(f"{value!r} is no value of {t.width} octets")
            memcpy(t.octets, PyBytes_AS_STRING(octets), t.width)
        else:
            t.value = value

    cdef list key_of(self, uint32_t rule):
        """What a rule compares for equality, as `RuleIndex` takes it: each column once."""
        cdef uint32_t at
        cdef const test_t *t
        found = {}
        for at in range(self.rules[rule].first_test, self.rules[rule].end_test):
            t = &self.tests[at]
            if t.negated or t.at in found:
                continue
            if t.kind == EQUAL:
                found[t.at] = (t.at, int(t.value).to_bytes(t.width, byteorder), b"\xff" * t.width)
            elif t.kind == OCTETS:
                found[t.at] = (t.at, (<const char *>t.octets)[:t.width], b"\xff" * t.width)
            elif t.kind == PREFIX and t.bits:
                found[t.at] = (t.at, (<const char *>t.octets)[:MOST_OCTETS], mask_of(t.bits))
        return list(found.values())

    def first(self, Batch batch not None):
        cdef size_t i
        cdef uint32_t rule
        numbers = np.zeros(batch.count, dtype=np.uint32)
        cdef uint32_t[::1] found = numbers
        self.begin(batch)
        for i in range(batch.count):
            rule = self.next_match(row_of(batch, i), 0)
            found[<Py_ssize_t>i] = 0 if rule == self.count else rule + 1
        return numbers

    def follow(self, Batch batch not None, matched):
        cdef size_t i
        cdef uint32_t rule, at
        self.begin(batch)
        for i in range(batch.count):
            at = 0
            while True:
                rule = self.next_match(row_of(batch, i), at)
                if rule == self.count:
                    break
                matched(i, rule)
                if not self.rules[rule].resume:
                    break
                at = self.rules[rule].resume - 1

    cdef begin(self, Batch batch):
        if batch.layout is not self.layout:
            raise ValueError("a batch of another layout")
        self.framed = NULL
        for answers in self.answers:
            answers.clear()

    cdef uint32_t next_match(self, const uint8_t *row, uint32_t start) except? 0xFFFFFFFF:
        """The first rule from `start` on that matches a row; the number of all rules when none does."""
        cdef uint32_t i, best = self.first_of(self.index.first_plain, 0, row, start, self.count)
        cdef uint64_t hashed
        cdef uint64_t hashes[TOGETHER]
        for i in range(min(self.index.shape_count, <uint32_t>TOGETHER)):
            hashes[i] = hash_of(&self.index.shapes[i], row)
            __builtin_prefetch(place_of(&self.index.shapes[i], hashes[i]))
        for i in range(self.index.shape_count):
            hashed = hashes[i] if i < TOGETHER else hash_of(&self.index.shapes[i], row)
            best = self.first_of(place_of(&self.index.shapes[i], hashed)[0], hashed >> 32, row, start, best)
        return best

    cdef uint32_t first_of(
        self, link head, uint64_t hashed, const uint8_t *row, uint32_t start, uint32_t best
    ) except? 0xFFFFFFFF:
        """The first rule of a chain, from `start` on and before `best`, that matches a row; else `best`."""
        cdef uint32_t rule
        while <uint32_t>head and <uint32_t>head <= best:
            rule = <uint32_t>head - 1
            if head >> 32 == hashed and rule >= start and self.matches(rule, row):
                return rule
            head = self.index.next[rule]
        return best

    cdef bint matches(self, uint32_t rule, const uint8_t *row) except -1:
        cdef uint32_t at
        for at in range(self.rules[rule].first_test, self.rules[rule].end_test):
            if self.holds(&self.tests[at], row) == self.tests[at].negated:
                return False
        return True

    cdef bint holds(self, const test_t *t, const uint8_t *row) except -1:
        cdef const uint8_t *at = row + t.at
        if t.kind == EQUAL:
            return integer_at(at, t.width) == t.value
        if t.kind == MASKED:
            return integer_at(at, t.width) & t.bits == t.value
        if t.kind == BELOW:
            return integer_at(at, t.width) < t.value
        if t.kind == PREFIX:
            return has_prefix(at, t.octets, <unsigned int>t.bits)
        if t.kind == OCTETS:
            return not memcmp(at, t.octets, t.width)
        if t.kind == MULTICAST:
            return is_multicast(at)
        if t.kind == PACKET:
            return self.lets_through(t.asks, row)
        text = <uint32_t>integer_at(at, 4)
        answer = self.answers[t.asks].get(text)
        if answer is None:
            answer = self.answers[t.asks][text] = bool(self.callables[t.asks](self.texts.octets_of(text)))
        return answer

    cdef bint lets_through(self, uint32_t asks, const uint8_t *row) except -1:
        """Whether a program wants the frame of a row, which is made once for all programs."""
        if self.framed != row:
            self.frame_length = self.frames.write(row, self.frame)
            self.framed = row
        return (<Program>self.programs[asks]).passes(self.frame, self.frame_length)


cdef list with_exporter(exporter, tests):
    """The tests of a rule, that for its exporter first."""
    own = [] if exporter is None else [(Test.PREFIX, "exporter_address", exporter[0], exporter[1], False)]
    return [*own, *tests]


cdef bytes mask_of(uint64_t bits):
    """The first bits of an address."""
    return (((1 << int(bits)) - 1) << (8 * MOST_OCTETS - int(bits))).to_bytes(MOST_OCTETS, "big")


ctypedef struct tag_t:
    bint is_set, counts
    int stack
    uint64_t value

ctypedef struct action_t:
    tag_t tag, tag2
    uint32_t label                   # text, held
    int tos


cdef class Tagger:
    cdef Rules rules
    cdef Texts texts
    cdef action_t *actions
    cdef Py_ssize_t tag_at, tag2_at, label_at, tos_at
    cdef dict joined                 # (label so far, label of a rule) -> both, held
    cdef uint64_t *hit_counts

    def __cinit__(self, Rules rules not None, Texts texts not None, actions):
        cdef uint32_t i = 0
        cdef action_t *a
        self.rules, self.texts, self.joined = rules, texts, {}
        layout = rules.layout
        self.tag_at, self.tag2_at = layout.offset("tag"), layout.offset("tag2")
        self.label_at, self.tos_at = layout.offset("label"), layout.offset("tos")
        if len(actions) != rules.count:
            raise ValueError("as many actions as rules")
        self.actions = <action_t *>calloc(rules.count + 1, sizeof(action_t))
        self.hit_counts = <uint64_t *>calloc(rules.count + 1, sizeof(uint64_t))
        if self.actions == NULL or self.hit_counts == NULL:
            raise MemoryError
        for tag, tag2, label, tos in actions:
            a = &self.actions[i]
            take_tag(&a.tag, tag)
            take_tag(&a.tag2, tag2)
            a.label, a.tos = self.texts.id_of(label), tos
            hold_text(self.texts, a.label)
            i += 1

    def __dealloc__(self):
        free(self.actions)
        free(self.hit_counts)

    def close(self):
        cdef uint32_t i
        for i in range(self.rules.count):
            release_text(self.texts, self.actions[i].label)
            self.actions[i].label = 0
        for text in self.joined.values():
            release_text(self.texts, text)
        self.joined.clear()

    @property
    def hits(self):
        cdef uint32_t i
        return [self.hit_counts[i] for i in range(self.rules.count)]

    def __call__(self, Batch batch not None):
        cdef size_t i
        cdef uint32_t rule, at, label
        cdef uint64_t tag, tag2
        cdef uint8_t *row
        cdef action_t *a
        self.rules.begin(batch)
        for i in range(batch.count):
            row = row_of(batch, i)
            at = label = 0
            tag = tag2 = 0
            while True:
                rule = self.rules.next_match(row, at)
                if rule == self.rules.count:
                    break
                a = &self.actions[rule]
                self.hit_counts[rule] += 1
                tag, tag2 = tagged(&a.tag, tag), tagged(&a.tag2, tag2)
                label = self.labelled(label, a.label)
                if a.tos >= 0 and self.tos_at >= 0:
                    row[self.tos_at] = <uint8_t>a.tos
                    self.rules.framed = NULL
                if not self.rules.rules[rule].resume:
                    break
                at = self.rules.rules[rule].resume - 1
            if tag and self.tag_at >= 0:
                memcpy(row + self.tag_at, &tag, 8)
            if tag2 and self.tag2_at >= 0:
                memcpy(row + self.tag2_at, &tag2, 8)
            if label and self.label_at >= 0:
                memcpy(row + self.label_at, &label, 4)

    cdef uint32_t labelled(self, uint32_t before, uint32_t label) except? 0xFFFFFFFF:
        """The label so far and that of one more rule, joined by a comma."""
        if not before or not label:
            return before or label
        text = self.joined.get((before, label))
        if text is None:
            text = self.texts.id_of(self.texts.octets_of(before) + b"," + self.texts.octets_of(label))
            hold_text(self.texts, text)
            self.joined[before, label] = text
        return text


cdef take_tag(tag_t *to, tag):
    if tag is not None:
        to.is_set = True
        to.value, to.counts, to.stack = tag


cdef uint64_t tagged(tag_t *action, uint64_t before) noexcept nogil:
    """The tag after a match, from the one before it; a tag that counts on takes the next number."""
    cdef uint64_t value = action.value
    if not action.is_set:
        return before
    if action.counts:
        action.value += 1
    if action.stack == SUM:
        return before + value
    return before | value if action.stack == OR else value
