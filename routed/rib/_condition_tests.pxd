"""One test of an attribute set.  See `_condition_tests.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from routed.rib._aspa cimport attestation_view
from routed.rib._path_automaton cimport automaton
from routed.rib._paths cimport HAS_LOCAL_PREF, path_entry, path_set

cdef enum:                           # tests, of which the first read the entry alone
    TEST_ORIGIN_AS = 0
    TEST_NEIGHBOUR_AS = 1
    TEST_ORIGIN = 2
    TEST_LOCAL_PREF = 3
    TEST_PATH_LENGTH = 4
    READS_SET = 5
    TEST_NEXT_HOP = 5
    TEST_ATTRIBUTE = 6
    TEST_MED = 7
    TEST_COMMUNITY = 8
    TEST_EXTENDED_COMMUNITY = 9
    TEST_LARGE_COMMUNITY = 10
    TEST_ANY_AS = 11
    TEST_ASPA = 12
    TEST_PATH = 13

cdef enum:                           # comparisons
    LESS = 1
    EQUAL = 2
    MORE = 4

ctypedef struct test:                # one step of a condition
    uint16_t yes, no                 # the test that follows, or where the condition ends
    uint8_t kind
    uint8_t comparison               # which of less, equal, more hold
    uint8_t width                    # words of an address; bits in front of a verdict
    uint32_t value[4]
    uint32_t mask[4]                 # bits that count


cdef inline bint compares(const test *t, uint32_t value) noexcept nogil:
    cdef uint8_t found = LESS if value < t.value[0] else EQUAL if value == t.value[0] else MORE
    return (t.comparison & found) != 0


cdef inline bint entry_passes(const test *t, const path_entry *entry) noexcept nogil:
    """A test of the facts that the entry of a path has."""
    if t.kind == TEST_ORIGIN_AS:
        return entry.origin_as == t.value[0]
    if t.kind == TEST_NEIGHBOUR_AS:
        return entry.neighbour_as == t.value[0]
    if t.kind == TEST_ORIGIN:
        return entry.origin == t.value[0]
    if t.kind == TEST_LOCAL_PREF:
        return (entry.flags & HAS_LOCAL_PREF) != 0 and compares(t, entry.base)
    return compares(t, entry.path_length)


cdef bint set_passes(
    const test *t, const path_set *s, const automaton *machines, const attestation_view *providers
) noexcept nogil
