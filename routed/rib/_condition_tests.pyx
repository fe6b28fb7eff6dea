# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The tests that conditions on attribute sets are made of; those of the facts in a path's entry alone are inlined."""

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._aspa cimport VERDICT_MASK, verdicts_of
from routed.rib._attribute_text cimport attribute
from routed.rib._codepoints cimport AS_PATH, COMMUNITIES, EXTENDED_COMMUNITIES, LARGE_COMMUNITY, MULTI_EXIT_DISC
from routed.rib._find cimport find
from routed.rib._path_automaton cimport path_matches
from routed.rib._paths cimport next_hop_of
from routed.rib._text cimport u32_at


cdef bint set_passes(
    const test *t, const path_set *s, const automaton *machines, const attestation_view *providers
) noexcept nogil:
    """Whether a test holds that reads the attributes."""
    cdef attribute a
    if t.kind == TEST_NEXT_HOP:
        return next_hop_passes(t, s)
    if t.kind == TEST_ATTRIBUTE:
        return find(s, <uint8_t>t.value[0], &a)
    if t.kind == TEST_MED:
        return find(s, MULTI_EXIT_DISC, &a) and compares(t, u32_at(a.at))
    if t.kind == TEST_COMMUNITY:
        return find(s, COMMUNITIES, &a) and among(&a, t, 1)
    if t.kind == TEST_EXTENDED_COMMUNITY:
        return find(s, EXTENDED_COMMUNITIES, &a) and among(&a, t, 2)
    if t.kind == TEST_LARGE_COMMUNITY:
        return find(s, LARGE_COMMUNITY, &a) and among(&a, t, 3)
    find(s, AS_PATH, &a)
    if t.kind == TEST_ANY_AS:
        return path_has(a.at, a.at + a.length, t.value[0])
    if t.kind == TEST_ASPA:
        return (verdicts_of(providers, a.at, a.at + a.length) >> t.width & VERDICT_MASK) == t.value[0]
    return path_matches(&machines[t.value[0]], a.at, a.at + a.length)


cdef inline bint among(const attribute *a, const test *t, size_t words) noexcept nogil:
    """Whether one of the values of an attribute, each of so many words, is the one that is looked for."""
    cdef const uint8_t *at = a.at
    cdef size_t i, n = a.length // (4 * words), word
    for i in range(n):
        word = 0
        while word < words and u32_at(at + 4 * word) & t.mask[word] == t.value[word]:
            word += 1
        if word == words:
            return True
        at += 4 * words
    return False


cdef bint next_hop_passes(const test *t, const path_set *s) noexcept nogil:
    """IPv4 next hops may be stored as IPv4-mapped IPv6 addresses; IPv6 ones may have a link-local one behind them."""
    cdef const uint8_t *at = next_hop_of(s)
    cdef bint mapped = s.next_hop_length == 16 and u32_at(at + 8) == 0xFFFF and not (
        u32_at(at) | u32_at(at + 4)
    )
    if t.width == 1:
        return (s.next_hop_length == 4 or mapped) and address_passes(t, at + 12 if mapped else at)
    if s.next_hop_length < 16 or mapped:
        return False
    return address_passes(t, at) or (s.next_hop_length == 32 and address_passes(t, at + 16))


cdef inline bint address_passes(const test *t, const uint8_t *at) noexcept nogil:
    cdef uint8_t i
    for i in range(t.width):
        if u32_at(at + 4 * i) & t.mask[i] != t.value[i]:
            return False
    return True


cdef bint path_has(const uint8_t *at, const uint8_t *end, uint32_t number) noexcept nogil:
    cdef size_t i
    while at < end:
        for i in range(at[1]):
            if u32_at(at + 2 + 4 * i) == number:
                return True
        at += 2 + 4 * <size_t>at[1]
    return False
