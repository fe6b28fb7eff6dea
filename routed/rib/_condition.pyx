# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Conditions on attribute sets: tests joined by and, or and not, to be asked of millions.

A condition is a list of tests, each of which names the one that follows if it holds and the one if it does not: so
joining two is putting their lists together, `not` is the exchange of both ends, and asking stops where the answer is
known.  What costs less is asked first: the facts in a path's entry, then its attributes, then the text of its path.

Labels and marks are no part of an attribute set: a layer has the answer of its base.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from routed.rib._aspa cimport VERDICT_BITS, Attestations
from routed.rib._codepoints cimport MP_REACH_NLRI, MP_UNREACH_NLRI, NEXT_HOP
from routed.rib._condition_tests cimport (
    EQUAL, LESS, MORE, READS_SET, TEST_ANY_AS, TEST_ASPA, TEST_ATTRIBUTE, TEST_COMMUNITY, TEST_EXTENDED_COMMUNITY,
    TEST_LARGE_COMMUNITY, TEST_LOCAL_PREF, TEST_MED, TEST_NEIGHBOUR_AS, TEST_NEXT_HOP, TEST_ORIGIN, TEST_ORIGIN_AS,
    TEST_PATH, TEST_PATH_LENGTH, entry_passes, set_passes, test,
)
from routed.rib._path_automaton cimport automaton, checked
from routed.rib._paths cimport entry_of, path_entry, path_set, path_view, set_of

cdef enum:                           # where a condition ends
    ACCEPT = 0xFFFF
    REJECT = 0xFFFE

VERDICTS = {"valid": 0, "invalid": 1, "unknown": 2}
COMPARISONS = {"<": LESS, "<=": LESS | EQUAL, "=": EQUAL, "!=": LESS | MORE, ">=": MORE | EQUAL, ">": MORE}
MAPPED = bytes(10) + b"\xff\xff"


cdef class Condition:
    """A condition; made by the static methods, joined by `&`, `|` and `~`.

    An AS_SET at the end of a path leaves it without origin AS, one at its start without neighbour AS.  A comparison
    with LOCAL_PREF or MED does not hold where the attribute is absent.
    """

    def __dealloc__(self):
        free(self.tests)
        free(self.machines)

    def __and__(self, Condition other not None):
        return joined(self, other, True)

    def __or__(self, Condition other not None):
        return joined(self, other, False)

    def __invert__(self):
        cdef Condition inverse = empty(self.count, list(self.automata), self.attestations)
        cdef size_t i
        memcpy(inverse.tests, self.tests, self.count * sizeof(test))
        for i in range(self.count):
            inverse.tests[i].yes = inverted(self.tests[i].yes)
            inverse.tests[i].no = inverted(self.tests[i].no)
        inverse.cost = self.cost
        inverse.reads_sets = self.reads_sets
        return inverse

    @staticmethod
    def origin_as(uint32_t number):
        """The last AS of the path."""
        return single(TEST_ORIGIN_AS, number)

    @staticmethod
    def neighbour_as(uint32_t number):
        """The first AS of the path."""
        return single(TEST_NEIGHBOUR_AS, number)

    @staticmethod
    def any_as(uint32_t number):
        """An AS anywhere in the path, sets and confederations included."""
        return single(TEST_ANY_AS, number)

    @staticmethod
    def path(automaton):
        """An expression that the text of the path matches, compiled by `routed.query.path_expression`."""
        return single(TEST_PATH, 0, "=", [checked(automaton)])

    @staticmethod
    def aspa(Attestations attestations not None, verdict, *, bint is_upstream):
        """A path of which the providers of its ASes make this, seen from a customer or lateral peer, or a provider."""
        cdef Condition condition
        if verdict not in VERDICTS:
            raise ValueError(f"no verdict {verdict!r}")
        condition = single(TEST_ASPA, VERDICTS[verdict], "=", (), attestations)
        condition.tests[0].width = 0 if is_upstream else VERDICT_BITS
        return condition

    @staticmethod
    def path_length(comparison, uint32_t value):
        """The length of the path as RFC 4271 section 9.1.2.2 counts it."""
        return single(TEST_PATH_LENGTH, value, comparison)

    @staticmethod
    def next_hop(bytes address not None, length=None):
        """A next hop, global or link-local, in a prefix; the whole address without `length`."""
        cdef Condition condition
        cdef unsigned int bits, i
        if len(address) == 16 and address.startswith(MAPPED) and (length is None or length >= 96):
            address = address[12:]
            length = None if length is None else length - 96
        if len(address) not in (4, 16):
            raise ValueError(f"next hop of {len(address)} octets")
        bits = 8 * len(address) if length is None else length
        if bits > 8 * len(address):
            raise ValueError(f"length {bits} is above {8 * len(address)}")
        condition = single(TEST_NEXT_HOP, 0)
        condition.tests[0].width = <uint8_t>(len(address) // 4)
        for i in range(condition.tests[0].width):
            condition.tests[0].mask[i] = leading(bits - min(bits, 32 * i))
            condition.tests[0].value[i] = int.from_bytes(address[4 * i:4 * i + 4], "big") & condition.tests[0].mask[i]
        return condition

    @staticmethod
    def community(high, low):
        """A standard community (RFC 1997); None is any value."""
        cdef Condition condition = single(TEST_COMMUNITY, 0)
        condition.tests[0].value[0] = half(high, "community") << 16 | half(low, "community")
        condition.tests[0].mask[0] = (0 if high is None else 0xFFFF0000) | (0 if low is None else 0xFFFF)
        return condition

    @staticmethod
    def extended_community(bytes value not None, bytes mask=b"\xff" * 8):
        """An extended community (RFC 4360), as far as the bits of the mask say."""
        cdef Condition condition
        if len(value) != 8 or len(mask) != 8:
            raise ValueError(f"extended community of {len(value)} octets, mask of {len(mask)}")
        condition = single(TEST_EXTENDED_COMMUNITY, 0)
        for i in range(2):
            condition.tests[0].mask[i] = int.from_bytes(mask[4 * i:4 * i + 4], "big")
            condition.tests[0].value[i] = int.from_bytes(value[4 * i:4 * i + 4], "big") & condition.tests[0].mask[i]
        return condition

    @staticmethod
    def large_community(administrator, first, second):
        """A large community (RFC 8092); None is any value."""
        cdef Condition condition = single(TEST_LARGE_COMMUNITY, 0)
        for i, part in enumerate((administrator, first, second)):
            condition.tests[0].value[i] = part or 0
            condition.tests[0].mask[i] = 0 if part is None else 0xFFFFFFFF
        return condition

    @staticmethod
    def origin(uint8_t code):
        """ORIGIN (RFC 4271 section 4.3)."""
        return single(TEST_ORIGIN, code)

    @staticmethod
    def local_pref(comparison, uint32_t value):
        return single(TEST_LOCAL_PREF, value, comparison)

    @staticmethod
    def med(comparison, uint32_t value):
        return single(TEST_MED, value, comparison)

    @staticmethod
    def has_attribute(uint8_t code):
        """An attribute of this type.

        Raises: ValueError for those that the store does not keep as attributes: next hop and NLRI.
        """
        if code in (NEXT_HOP, MP_REACH_NLRI, MP_UNREACH_NLRI):
            raise ValueError(f"attribute {code} is not kept")
        return single(TEST_ATTRIBUTE, code)

    cdef bint holds(self, const path_view *paths, uint32_t path) noexcept nogil:
        """Whether the condition holds for a path that is no layer."""
        cdef const path_entry *entry = entry_of(paths, path)
        cdef const path_set *s = NULL
        cdef const test *t
        cdef uint32_t at = 0
        while at < REJECT:
            t = &self.tests[at]
            if t.kind < READS_SET:
                at = t.yes if entry_passes(t, entry) else t.no
                continue
            if s == NULL:
                s = set_of(paths, path)
            at = t.yes if set_passes(t, s, self.machines, self.providers) else t.no
        return at == ACCEPT


# -- lists of tests ----------------------------------------------------------------------------------------------------


cdef Condition empty(size_t count, list automata, Attestations attestations):
    """A condition with room for so many tests."""
    cdef Condition condition
    cdef size_t i
    if not count <= MAX_TESTS:
        raise ValueError(f"condition of {count} tests, more than {MAX_TESTS}")
    condition = Condition.__new__(Condition)
    condition.automata = automata
    condition.attestations = attestations
    condition.providers = NULL if attestations is None else &attestations.view
    condition.count = count
    condition.tests = <test *>malloc(count * sizeof(test))
    condition.machines = <automaton *>malloc((len(automata) + 1) * sizeof(automaton))
    if condition.tests == NULL or condition.machines == NULL:
        raise MemoryError
    memset(condition.tests, 0, count * sizeof(test))
    for i, (table, ends, start) in enumerate(automata):
        condition.machines[i].table = <const uint16_t *>PyBytes_AS_STRING(table)
        condition.machines[i].ends = <const uint8_t *>PyBytes_AS_STRING(ends)
        condition.machines[i].start = start
    return condition


cdef Condition single(uint8_t kind, uint32_t value, comparison="=", automata=(), Attestations attestations=None):
    """A condition of one test."""
    cdef Condition condition = empty(1, list(automata), attestations)
    if comparison not in COMPARISONS:
        raise ValueError(f"no comparison {comparison!r}")
    condition.tests[0].kind = kind
    condition.tests[0].comparison = COMPARISONS[comparison]
    condition.tests[0].value[0] = value
    condition.tests[0].yes = ACCEPT
    condition.tests[0].no = REJECT
    condition.reads_sets = kind >= READS_SET
    condition.cost = kind
    return condition


cdef Condition joined(Condition first, Condition second, bint both):
    """One condition that both of two, or either, make true."""
    cdef Condition condition
    cdef size_t i
    cdef uint16_t undecided = ACCEPT if both else REJECT
    if second.cost < first.cost:
        first, second = second, first
    cdef Attestations attestations = second.attestations if first.attestations is None else first.attestations
    if second.attestations not in (None, attestations):
        raise ValueError("verdicts by different attestations")
    condition = empty(first.count + second.count, first.automata + second.automata, attestations)
    condition.cost = second.cost
    condition.reads_sets = first.reads_sets or second.reads_sets
    memcpy(condition.tests, first.tests, first.count * sizeof(test))
    memcpy(condition.tests + first.count, second.tests, second.count * sizeof(test))
    for i in range(first.count):
        if condition.tests[i].yes == undecided:
            condition.tests[i].yes = <uint16_t>first.count
        if condition.tests[i].no == undecided:
            condition.tests[i].no = <uint16_t>first.count
    for i in range(first.count, condition.count):
        condition.tests[i].yes = moved(condition.tests[i].yes, first.count)
        condition.tests[i].no = moved(condition.tests[i].no, first.count)
        if condition.tests[i].kind == TEST_PATH:
            condition.tests[i].value[0] += <uint32_t>len(first.automata)
    return condition


cdef inline uint16_t moved(uint16_t at, size_t by) noexcept nogil:
    return at if at >= REJECT else <uint16_t>(at + by)


cdef inline uint16_t inverted(uint16_t at) noexcept nogil:
    return at if at < REJECT else ACCEPT ^ REJECT ^ at


cdef inline uint32_t leading(unsigned int bits) noexcept nogil:
    """A word whose first bits, at most all of them, are set."""
    return 0xFFFFFFFFU if bits >= 32 else ~(0xFFFFFFFFU >> bits)


cdef uint32_t half(value, name) except? 0xFFFFFFFF:
    """Half of a standard community; None, which is any, as 0."""
    if value is None:
        return 0
    if not 0 <= value <= 0xFFFF:
        raise ValueError(f"{value} is no half of a {name}")
    return value
