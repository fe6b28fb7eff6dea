# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rows of map files as matchers over the rows of a batch.

A rule is a list of tests over columns; the exporter that it is for is one of them.  `_rule_index` finds the rules that
may match a row, and the tests decide.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.columns._texts cimport Texts
from flowcorr.correlate._addresses cimport is_ipv4, is_none
from flowcorr.correlate._packet_program cimport Frames, Program
from flowcorr.correlate._rule_index cimport grown, hash_of, key_part, link, part, place_of
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil

from enum import IntEnum

import numpy as np

cdef enum:
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
    MOST_TESTS = 128                 # of a rule; no row has as many keys

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
    def __cinit__(self, layout not None, Texts texts not None, rows not None, resumes not None):
        self.layout, self.texts = layout, texts
        self.callables, self.programs, self.answers, self.places = [], [], [], {}
        self.index = RuleIndex(layout.stride)
        for exporter, tests in rows:
            self.add_rule(exporter, tests)
        if len(resumes) != self.count:
            raise ValueError("as many places to go on as rules")
        self.take_resumes(resumes)
        self.answers = [{} for _ in self.callables]
        self.index.finish()

    def __dealloc__(self):
        free(self.tests)
        free(self.rules)

    def __len__(self):
        return self.count

    @property
    def shapes(self):
        return self.index.shape_count

    cdef add_rule(self, exporter, tests):
        """Add a rule at the end: that of its exporter is its first test."""
        cdef key_part parts[MOST_TESTS]
        cdef size_t first = self.test_count, wanted = first + len(tests) + 1
        if len(tests) >= <size_t>MOST_TESTS:
            raise ValueError(f"a rule of {len(tests)} tests, {MOST_TESTS - 1} may be")
        if wanted > self.test_room:
            self.test_room = 2 * wanted
            self.tests = <test_t *>grown(self.tests, self.test_room * sizeof(test_t))
        if self.count == self.rule_room:
            self.rule_room = 2 * self.rule_room + 16
            self.rules = <rule_t *>grown(self.rules, self.rule_room * sizeof(rule_t))
        if exporter is not None:
            self.take_test(PREFIX, "exporter_address", exporter[0], exporter[1], False)
        for kind, column, value, bits, negated in tests:
            self.take_test(kind, column, value, bits, negated)
        self.rules[self.count].first_test, self.rules[self.count].end_test = <uint32_t>first, self.test_count
        self.rules[self.count].resume = 0
        self.count += 1
        self.index.add(parts, key_of(self.tests + first, self.test_count - first, parts))

    cdef take_resumes(self, resumes):
        cdef uint32_t number
        for number in range(self.count):
            resume = resumes[number]
            if resume >= 0 and not number < resume < self.count:
                raise ValueError(f"rule {number} goes on at {resume}, which is not behind it")
            self.rules[number].resume = resume + 1

    cdef take_test(self, int kind, column, value, uint64_t bits, bint negated):
        cdef test_t *t = &self.tests[self.test_count]
        memset(t, 0, sizeof(test_t))
        t.kind, t.negated, t.bits = kind, negated, bits
        self.test_count += 1
        if kind == PACKET:
            self.frames = self.frames or Frames(self.layout)
            t.asks = <uint32_t>len(self.programs)
            self.programs.append(<Program?>value)
            return
        place = self.places.get(column)
        if place is None:
            if column not in self.layout:
                raise ValueError(f"rules ask for {column}, which has no column")
            place = self.places[column] = (self.layout.offset(column), self.layout.columns[column].kind.width)
        t.at, t.width = place
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


cdef uint32_t key_of(const test_t *tests, uint32_t count, key_part *parts) noexcept nogil:
    """What a rule compares for equality, in the order of its columns, each of them once."""
    cdef uint32_t i, j, found = 0
    cdef const test_t *t
    cdef key_part one
    for i in range(count):
        t = &tests[i]
        if t.negated or t.kind != EQUAL and t.kind != OCTETS and (t.kind != PREFIX or not t.bits):
            continue
        for j in range(found):
            if parts[j].p.at == t.at:
                break
        else:
            memset(&one, 0, sizeof(key_part))
            one.p.at, one.p.width = t.at, t.width
            if t.kind == EQUAL:
                memcpy(one.value, &t.value, t.width)
            else:
                memcpy(one.value, t.octets, t.width)
            mask_of(&one.p, t.bits if t.kind == PREFIX else 8 * t.width)
            j = found
            while j and parts[j - 1].p.at > one.p.at:
                parts[j] = parts[j - 1]
                j -= 1
            parts[j] = one
            found += 1
    return found


cdef void mask_of(part *p, uint64_t bits) noexcept nogil:
    """The first bits of a column count."""
    cdef uint8_t octets[MOST_OCTETS]
    cdef uint32_t whole = <uint32_t>(bits >> 3)
    memset(octets, 0, MOST_OCTETS)
    memset(octets, 0xFF, whole)
    if bits & 7:
        octets[whole] = <uint8_t>(0xFF00 >> (bits & 7))
    memcpy(&p.low, octets, 8)
    memcpy(&p.high, octets + 8, 8)
