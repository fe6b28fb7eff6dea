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
from routed.rib._aspa cimport VERDICT_BITS, VERDICT_MASK, Attestations, attestation_view, verdicts_of
from routed.rib._attribute_text cimport attribute, sorted_u32, step
from routed.rib._paths cimport (
    HAS_LOCAL_PREF, attributes_of, entry_of, next_hop_of, path_entry, path_set, path_view, set_of,
)
from routed.rib._text cimport u32_at

cdef enum:                           # where a condition ends
    ACCEPT = 0xFFFF
    REJECT = 0xFFFE

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

cdef enum:                           # attributes
    AS_PATH = 2
    NEXT_HOP = 3
    MED = 4
    COMMUNITIES = 8
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    LARGE_COMMUNITIES = 32

cdef enum:                           # segments of a path
    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4

cdef enum:                           # symbols of a path's text, behind the digits: a row of a table has one state each
    BLANK = 10
    COMMA = 11
    SET_START = 12
    SET_END = 13
    CONFED_START = 14
    CONFED_END = 15
    CONFED_SET_START = 16
    CONFED_SET_END = 17
    SYMBOLS = 18
    DEAD = 0                         # states in which the rest of the text makes no difference
    MATCHED = SYMBOLS

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


cdef tuple checked(expression):
    """The parts of an automaton, whose states all lead to states."""
    cdef bytes table = expression.table, ends = expression.ends
    cdef const uint16_t *states = <const uint16_t *>PyBytes_AS_STRING(table)
    cdef size_t i, n = SYMBOLS * len(ends), start = expression.start
    if len(table) != 2 * n or start >= n or start % SYMBOLS:
        raise ValueError(f"automaton of {len(ends)} states, {len(table)} octets, start {start}")
    for i in range(n):
        if states[i] >= n or states[i] % SYMBOLS:
            raise ValueError(f"state {states[i]} of an automaton of {len(ends)} states")
    return table, ends, start


# -- tests -------------------------------------------------------------------------------------------------------------


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
) noexcept nogil:
    """A test of the attributes."""
    cdef attribute a
    if t.kind == TEST_NEXT_HOP:
        return next_hop_passes(t, s)
    if t.kind == TEST_ATTRIBUTE:
        return find(s, <uint8_t>t.value[0], &a)
    if t.kind == TEST_MED:
        return find(s, MED, &a) and compares(t, u32_at(a.at))
    if t.kind == TEST_COMMUNITY:
        return find(s, COMMUNITIES, &a) and among(&a, t, 1)
    if t.kind == TEST_EXTENDED_COMMUNITY:
        return find(s, EXTENDED_COMMUNITIES, &a) and among(&a, t, 2)
    if t.kind == TEST_LARGE_COMMUNITY:
        return find(s, LARGE_COMMUNITIES, &a) and among(&a, t, 3)
    find(s, AS_PATH, &a)
    if t.kind == TEST_ANY_AS:
        return path_has(a.at, a.at + a.length, t.value[0])
    if t.kind == TEST_ASPA:
        return (verdicts_of(providers, a.at, a.at + a.length) >> t.width & VERDICT_MASK) == t.value[0]
    return path_matches(&machines[t.value[0]], a.at, a.at + a.length)


cdef inline bint find(const path_set *s, uint8_t wanted, attribute *a) noexcept nogil:
    """Whether a set has an attribute, and where; an empty one where it has not."""
    cdef const uint8_t *at = attributes_of(s)
    cdef const uint8_t *end = at + s.length
    cdef uint8_t code = 0
    while at < end:
        at = step(at, &code, a)
        if code == wanted:
            return True
    a.at = end
    a.length = 0
    return False


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


# -- path expressions --------------------------------------------------------------------------------------------------


cdef inline uint32_t with_number(const uint16_t *table, uint32_t state, uint32_t number) noexcept nogil:
    """The state after the digits of a number."""
    cdef uint8_t digits[10]
    cdef unsigned int at = 10
    while True:
        at -= 1
        digits[at] = number % 10
        number //= 10
        if not number:
            break
    while at < 10:
        state = table[state + digits[at]]
        at += 1
    return state


cdef bint path_matches(const automaton *machine, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Run an automaton over the text of a path, as records have it."""
    cdef const uint16_t *table = machine.table
    cdef const uint8_t *start = at
    cdef uint32_t state = machine.start
    cdef size_t i
    while at < end and state > MATCHED:
        if at != start:
            state = table[state + BLANK]
        if at[0] == AS_SEQUENCE:
            for i in range(at[1]):
                if i:
                    state = table[state + BLANK]
                state = with_number(table, state, u32_at(at + 2 + 4 * i))
                if state <= MATCHED:
                    break
        else:
            state = with_segment(table, state, at)
        at += 2 + 4 * <size_t>at[1]
    return state == MATCHED or machine.ends[state // SYMBOLS]


cdef uint32_t with_segment(const uint16_t *table, uint32_t state, const uint8_t *at) noexcept nogil:
    """The state after a set, in ascending order, or a confederation segment."""
    cdef uint32_t numbers[255]
    cdef size_t i, n
    if at[0] == AS_CONFED_SEQUENCE:
        state = table[state + CONFED_START]
        for i in range(at[1]):
            if i:
                state = table[state + BLANK]
            state = with_number(table, state, u32_at(at + 2 + 4 * i))
        return table[state + CONFED_END]
    n = sorted_u32(at + 2, at[1], numbers)
    state = table[state + (SET_START if at[0] == AS_SET else CONFED_SET_START)]
    for i in range(n):
        if i:
            state = table[state + COMMA]
        state = with_number(table, state, numbers[i])
    return table[state + (SET_END if at[0] == AS_SET else CONFED_SET_END)]
