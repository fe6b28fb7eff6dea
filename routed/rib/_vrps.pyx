# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Validated payloads: which AS may originate which prefixes (RFC 6811), a million of them in some twenty megabytes.

A `Vrps` never changes once it is made, so any thread may read it without a lock, and a dump judges all of its routes
by the same payloads however long it takes.  A change makes another one: one pass merges what is there with what is
announced and withdrawn, about ten nanoseconds a payload, without the interpreter.

The prefixes of a family are an array in the order of their addresses, the shorter first, and each knows the next
shorter one around it.  All prefixes that cover an address are then found from the last one that does not begin behind
it: it or the prefixes around it, in one chain.  A table by the first bits of an address, and a binary search
without branches in the few prefixes that share them, find that one.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

import array

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil

cdef enum:
    IPV4_BUCKETS = 65536         # by the first 16 bits
    IPV6_BUCKETS = 262144        # by the 18 bits behind the first three, which are 001 (RFC 4291 section 2.4)
    DEEPEST = 129                # prefixes around each other
    DIGIT_BITS = 11
    DIGITS = 2048
    IPV4_PREFIX = 4
    IPV4_OCTETS = 20
    IPV6_OCTETS = 32
    MOST = 1 << 23               # payloads of a family: ten times what there is, so that no cache can take all memory

MAX_PAYLOADS = MOST

ctypedef enum trouble:
    NONE = 0
    NO_MEMORY = 1
    DUPLICATE = 2
    UNKNOWN_RECORD = 3
    TOO_MANY = 4

ctypedef struct maker:               # a tree that grows
    tree *t
    uint32_t around[DEEPEST]         # the prefixes around the last one, outermost first, counted from 1
    uint32_t depth
    uint64_t high, low               # of the last prefix
    uint8_t length


class PayloadError(ValueError):
    """A payload is announced twice, or one that is not there is withdrawn, or there are too many.

    `kind` is "duplicate", "unknown" or "too many"; `payload` is (address octets, length, maximum length, AS number).
    """

    def __init__(self, kind, payload):
        super().__init__(kind, payload)
        self.kind, self.payload = kind, payload


# -- a tree ------------------------------------------------------------------------------------------------------------

cdef void free_tree(tree *t) noexcept nogil:
    free(t.short_keys)
    free(t.highs)
    free(t.lows)
    free(t.nodes)
    free(t.origins)
    free(t.starts)
    memset(t, 0, sizeof(tree))


cdef int make_room(tree *t, uint32_t words, size_t payloads) noexcept nogil:
    """Get the memory for so many payloads, each with a prefix of its own; 0, or -1 without memory."""
    cdef size_t n = payloads + 1
    memset(t, 0, sizeof(tree))
    t.words = words
    if words == 1:
        t.short_keys = <uint32_t *>malloc(n * sizeof(uint32_t))
    else:
        t.highs = <uint64_t *>malloc(n * sizeof(uint64_t))
        t.lows = <uint64_t *>malloc(n * sizeof(uint64_t))
    t.nodes = <prefix_node *>malloc(n * sizeof(prefix_node))
    t.origins = <origin *>malloc(n * sizeof(origin))
    t.starts = <uint32_t *>malloc((buckets_of(t) + 1) * sizeof(uint32_t))
    if (
        (t.short_keys == NULL and (t.highs == NULL or t.lows == NULL)) or t.nodes == NULL
        or t.origins == NULL or t.starts == NULL
    ):
        free_tree(t)
        return -1
    return 0


cdef void *trimmed(void *memory, size_t octets) noexcept nogil:
    cdef void *less = realloc(memory, octets)
    return memory if less == NULL else less


cdef inline uint64_t high_at(const tree *t, uint32_t at) noexcept nogil:
    return <uint64_t>t.short_keys[at] << 32 if t.words == 1 else t.highs[at]


cdef inline uint64_t low_at(const tree *t, uint32_t at) noexcept nogil:
    return 0 if t.words == 1 else t.lows[at]


cdef inline uint32_t buckets_of(const tree *t) noexcept nogil:
    return IPV4_BUCKETS if t.words == 1 else IPV6_BUCKETS


cdef inline uint32_t bucket_of(const tree *t, uint64_t high) noexcept nogil:
    """Where in the table an address is; what is outside of 2000::/3 is in the first or last place."""
    if t.words == 1:
        return <uint32_t>(high >> 48)
    high = (high >> 43) - (1U << 18) if high >> 61 else 0
    return <uint32_t>high if high < IPV6_BUCKETS else IPV6_BUCKETS - 1


cdef inline bint inside(uint64_t high, uint64_t low, uint64_t around_high, uint64_t around_low, uint8_t length) noexcept nogil:
    """Whether an address is in a prefix."""
    if not length:
        return True
    if length <= 64:
        return not (high ^ around_high) >> (64 - length)
    return high == around_high and not (low ^ around_low) >> (128 - length)


cdef void add_payload(maker *m, uint64_t high, uint64_t low, uint16_t lengths, uint32_t asn) noexcept nogil:
    """Add the next payload of a tree; they come in order, and there is room."""
    cdef tree *t = m.t
    cdef uint8_t length = lengths >> 8
    cdef uint32_t at = t.count
    if not at or high != m.high or low != m.low or length != m.length:
        while m.depth and not inside(
            high, low, high_at(t, m.around[m.depth - 1] - 1), low_at(t, m.around[m.depth - 1] - 1),
            t.nodes[m.around[m.depth - 1] - 1].length,
        ):
            m.depth -= 1
        t.nodes[at].parent = m.around[m.depth - 1] if m.depth else 0
        if t.words == 1:
            t.short_keys[at] = <uint32_t>(high >> 32)
        else:
            t.highs[at] = high
            t.lows[at] = low
        t.nodes[at].length = length
        t.nodes[at].first = t.payload_count
        t.count += 1
        m.around[m.depth] = t.count
        m.depth += 1
        m.high, m.low, m.length = high, low, length
    t.origins[t.payload_count].asn = asn
    t.origins[t.payload_count].max_length = lengths & 0xFF
    t.payload_count += 1


cdef void finish(tree *t) noexcept nogil:
    """Give back what is not needed, and make the table by the first bits."""
    cdef uint32_t at = 0, bucket
    t.nodes[t.count].first = t.payload_count
    if t.words == 1:
        t.short_keys = <uint32_t *>trimmed(t.short_keys, (t.count + 1) * sizeof(uint32_t))
    else:
        t.highs = <uint64_t *>trimmed(t.highs, (<size_t>t.count + 1) * sizeof(uint64_t))
        t.lows = <uint64_t *>trimmed(t.lows, (<size_t>t.count + 1) * sizeof(uint64_t))
    t.nodes = <prefix_node *>trimmed(t.nodes, (<size_t>t.count + 1) * sizeof(prefix_node))
    t.origins = <origin *>trimmed(t.origins, (<size_t>t.payload_count + 1) * sizeof(origin))
    for bucket in range(buckets_of(t)):
        while at < t.count and bucket_of(t, high_at(t, at)) < bucket:
            at += 1
        t.starts[bucket] = at
    t.starts[buckets_of(t)] = t.count


# -- look-ups ----------------------------------------------------------------------------------------------------------

cdef uint32_t last_before(const tree *t, uint64_t high, uint64_t low) noexcept nogil:
    """The last prefix that does not begin behind an address, counted from 1; 0 for none."""
    cdef uint32_t bucket = bucket_of(t, high), n, half, base, wanted
    if not t.count:
        return 0
    base = t.starts[bucket]
    n = t.starts[bucket + 1] - base
    if t.words == 1:
        wanted = <uint32_t>(high >> 32)
        while n:
            half = (n + 1) >> 1
            base += half if t.short_keys[base + half - 1] <= wanted else 0
            n -= half
        return base
    while n:
        half = (n + 1) >> 1
        base += half if t.highs[base + half - 1] <= high else 0
        n -= half
    return last_of_high(t, base, high, low)


cdef uint32_t last_of_high(const tree *t, uint32_t base, uint64_t high, uint64_t low) noexcept nogil:
    """The same from the last prefix that does not begin behind the first 64 bits of the address."""
    cdef uint32_t least = 0, middle
    if not base or t.highs[base - 1] != high or t.lows[base - 1] <= low:
        return base
    while least < base:                  # more than 64 bits are rare; so many that steps would be too slow, a nuisance
        middle = (least + base) >> 1
        if t.highs[middle] < high or (t.highs[middle] == high and t.lows[middle] <= low):
            least = middle + 1
        else:
            base = middle
    return base


cdef bint covers(const tree *t, uint32_t at, uint64_t high, uint64_t low, uint8_t length) noexcept nogil:
    """Whether a prefix, counted from 0, is this one or around it."""
    return t.nodes[at].length <= length and inside(high, low, high_at(t, at), low_at(t, at), t.nodes[at].length)


cdef char judge(
    const tree *t, uint32_t at, uint64_t high, uint64_t low, uint8_t length, uint32_t origin_as
) noexcept nogil:
    """The status of a route, from the last prefix that does not begin behind it (RFC 6811 section 2)."""
    cdef char status = UNKNOWN
    cdef uint32_t i
    while at:
        if status == INVALID or covers(t, at - 1, high, low, length):
            status = INVALID
            for i in range(t.nodes[at - 1].first, t.nodes[at].first):
                if t.origins[i].asn == origin_as and t.origins[i].max_length >= length and origin_as:
                    return VALID
        at = t.nodes[at - 1].parent
    return status


cdef char status_of(const tree *t, const uint32_t *words, uint8_t length, uint32_t origin_as) noexcept nogil:
    """The status of a route alone: u, i or v.

    Args:
        words: the address in host order, as the prefix index has it.
        origin_as: 0 for none: valid for nobody (RFC 6811 section 2, RFC 7607).
    """
    cdef uint64_t high = <uint64_t>words[0] << 32, low = 0
    if t.words > 1:
        high |= words[1]
        low = <uint64_t>words[2] << 32 | words[3]
    return judge(t, last_before(t, high, low), high, low, length, origin_as)


cdef inline uint32_t load32(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef inline uint64_t load64(const uint8_t *at) noexcept nogil:
    return <uint64_t>load32(at) << 32 | load32(at + 4)


cdef void load_address(const uint8_t *at, size_t octets, uint64_t *high, uint64_t *low) noexcept nogil:
    if octets == 4:
        high[0], low[0] = <uint64_t>load32(at) << 32, 0
    else:
        high[0], low[0] = load64(at), load64(at + 8)


cdef void clear_host(uint64_t *high, uint64_t *low, uint8_t length) noexcept nogil:
    """Clear the bits behind a prefix: what they are does not matter."""
    if length <= 64:
        low[0] = 0
        high[0] = 0 if not length else high[0] & ~<uint64_t>0 << (64 - length)
    elif length < 128:
        low[0] &= ~<uint64_t>0 << (128 - length)


cdef class Vrps:
    """Validated payloads that never change; empty when made without more."""

    def __cinit__(self):
        if make_room(&self.trees[0], 1, 0) or make_room(&self.trees[1], 4, 0):
            raise MemoryError
        finish(&self.trees[0])
        finish(&self.trees[1])

    def __dealloc__(self):
        free_tree(&self.trees[0])
        free_tree(&self.trees[1])

    def __len__(self):
        return self.trees[0].payload_count + self.trees[1].payload_count

    @property
    def counts(self):
        """Payloads of IPv4 and of IPv6."""
        return self.trees[0].payload_count, self.trees[1].payload_count

    @property
    def memory(self):
        """Octets that it holds."""
        cdef size_t octets = 0
        for t in range(2):
            octets += self.trees[t].count * (4 * self.trees[t].words + sizeof(prefix_node))
            octets += self.trees[t].payload_count * sizeof(origin)
            octets += (buckets_of(&self.trees[t]) + 1) * sizeof(uint32_t)
        return octets

    cdef const tree *of_words(self, uint32_t address_words) noexcept nogil:
        return &self.trees[0] if address_words == 1 else &self.trees[1]

    def status(self, const uint8_t[::1] address, unsigned int length, uint32_t origin):
        """The status of a route alone: "u", "i" or "v"."""
        return chr(self.statuses(address, bytes([length]), array.array("I", [origin]))[0])

    def statuses(self, const uint8_t[::1] addresses, const uint8_t[::1] lengths, const uint32_t[::1] origins):
        """The statuses of many routes, each alone.

        Args:
            addresses: n x 4 or 16 octets in network order.
            origins: AS numbers; 0 for none.
        Returns: n octets, each u, i or v.
        """
        cdef size_t n = lengths.shape[0], width
        cdef bytes found = PyBytes_FromStringAndSize(NULL, n)
        cdef char *to = PyBytes_AS_STRING(found)
        if not n:
            return found
        width = addresses.shape[0] // n
        if width not in (4, 16) or addresses.shape[0] != <Py_ssize_t>(n * width) or origins.shape[0] != <Py_ssize_t>n:
            raise ValueError(f"{addresses.shape[0]} octets of addresses, {n} lengths, {origins.shape[0]} origins")
        for i in range(n):
            if lengths[i] > 8 * width:
                raise ValueError(f"length {lengths[i]} is above {8 * width}")
        with nogil:
            judge_all(self.of_words(<uint32_t>(width >> 2)), &addresses[0], width, &lengths[0], &origins[0], to, n)
        return found

    def covering(self, const uint8_t[::1] address, unsigned int length):
        """The payloads that cover a prefix: a list of (length, maximum length, AS number), the longest first."""
        cdef const tree *t = self.of_words(address.shape[0] >> 2)
        cdef uint64_t high, low
        cdef uint32_t at, i
        if address.shape[0] not in (4, 16) or length > 8 * address.shape[0]:
            raise ValueError(f"no prefix of {address.shape[0]} octets and {length} bits")
        load_address(&address[0], address.shape[0], &high, &low)
        clear_host(&high, &low, <uint8_t>length)
        found = []
        at = last_before(t, high, low)
        while at:
            if covers(t, at - 1, high, low, <uint8_t>length):
                for i in range(t.nodes[at - 1].first, t.nodes[at].first):
                    found.append((t.nodes[at - 1].length, t.origins[i].max_length, t.origins[i].asn))
            at = t.nodes[at - 1].parent
        return found

    def payloads(self):
        """All payloads in order: tuples of (address octets, length, maximum length, AS number)."""
        cdef uint32_t at, i
        cdef size_t which
        for which in range(2):
            for at in range(self.trees[which].count):
                address = octets_of(&self.trees[which], at)
                for i in range(self.trees[which].nodes[at].first, self.trees[which].nodes[at + 1].first):
                    yield (
                        address, self.trees[which].nodes[at].length, self.trees[which].origins[i].max_length,
                        self.trees[which].origins[i].asn,
                    )

    def without(self, Vrps filters not None):
        """Leave out what filters name (RFC 8416 section 3.3.1).

        Args:
            filters: a maximum length of 0 stands for any AS; payloads inside the prefix are left out.
        """
        cdef Vrps left = Vrps.__new__(Vrps)
        cdef int failed = 0, which
        with nogil:
            for which in range(2):
                failed |= sift(&self.trees[which], &filters.trees[which], &left.trees[which])
        if failed:
            raise MemoryError
        return left


cdef bytes octets_of(const tree *t, uint32_t at):
    return put_address(high_at(t, at), low_at(t, at), 4 * t.words)


cdef bytes put_address(uint64_t high, uint64_t low, uint32_t octets):
    return ((<object>high).to_bytes(8, "big") + (<object>low).to_bytes(8, "big"))[:octets]


cdef void judge_all(
    const tree *t, const uint8_t *addresses, size_t width, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t n,
) noexcept nogil:
    """Judge routes in groups, in steps: what a step will read is asked for in the one before."""
    cdef uint64_t high[LANES]
    cdef uint64_t low[LANES]
    cdef size_t start = 0, i, lanes
    while start < n:
        lanes = min(<size_t>LANES, n - start)
        for i in range(lanes):
            load_address(addresses + (start + i) * width, width, &high[i], &low[i])
            clear_host(&high[i], &low[i], lengths[start + i])
        judge_lanes(t, high, low, lengths + start, origins + start, to + start, lanes)
        start += lanes


cdef void judge_lanes(
    const tree *t, const uint64_t *high, const uint64_t *low, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t lanes,
) noexcept nogil:
    """Judge a group, of `LANES` routes at most, by prefixes without host bits."""
    cdef uint32_t at[LANES]
    cdef size_t i
    find_lanes(t, high, low, at, lanes)
    for i in range(lanes):
        if at[i]:
            __builtin_prefetch(&t.nodes[at[i] - 1])
    for i in range(lanes):
        if at[i]:
            __builtin_prefetch(&t.origins[t.nodes[at[i] - 1].first])
    for i in range(lanes):
        to[i] = judge(t, at[i], high[i], low[i], lengths[i], origins[i])


cdef void find_lanes(
    const tree *t, const uint64_t *high, const uint64_t *low, uint32_t *at, size_t lanes
) noexcept nogil:
    """`last_before` of a group of addresses, in lockstep; who is through takes steps of nothing."""
    cdef uint32_t left[LANES]
    cdef uint32_t most = 0, half, i
    if not t.count:
        memset(at, 0, lanes * sizeof(uint32_t))
        return
    for i in range(lanes):
        half = bucket_of(t, high[i])
        at[i] = t.starts[half]
        left[i] = t.starts[half + 1] - at[i]
        most = max(most, left[i])
    while most:                          # there is room for one more key behind the last
        most -= (most + 1) >> 1
        if t.words == 1:
            for i in range(lanes):
                half = (left[i] + 1) >> 1
                left[i] -= half
                at[i] += half if t.short_keys[at[i] + half - (half > 0)] <= <uint32_t>(high[i] >> 32) else 0
        else:
            for i in range(lanes):
                half = (left[i] + 1) >> 1
                left[i] -= half
                at[i] += half if t.highs[at[i] + half - (half > 0)] <= high[i] else 0
    if t.words > 1:
        for i in range(lanes):
            at[i] = last_of_high(t, at[i], high[i], low[i])


cdef int sift(const tree *source, const tree *filters, tree *target) noexcept nogil:
    """Copy the payloads that no filter names; 0, or -1 without memory."""
    cdef maker m
    cdef uint32_t at, i
    cdef uint64_t high, low
    free_tree(target)
    if make_room(target, source.words, source.payload_count):
        return -1
    memset(&m, 0, sizeof(m))
    m.t = target
    for at in range(source.count):
        high, low = high_at(source, at), low_at(source, at)
        for i in range(source.nodes[at].first, source.nodes[at + 1].first):
            if not is_named(filters, high, low, source.nodes[at].length, source.origins[i].asn):
                add_payload(&m, high, low, source.nodes[at].length << 8 | source.origins[i].max_length, source.origins[i].asn)
    finish(target)
    return 0


cdef bint is_named(const tree *filters, uint64_t high, uint64_t low, uint8_t length, uint32_t asn) noexcept nogil:
    cdef uint32_t at = last_before(filters, high, low), i
    while at:
        if covers(filters, at - 1, high, low, length):
            for i in range(filters.nodes[at - 1].first, filters.nodes[at].first):
                if not filters.origins[i].max_length or filters.origins[i].asn == asn:
                    return True
        at = filters.nodes[at - 1].parent
    return False


# -- changes -----------------------------------------------------------------------------------------------------------

ctypedef struct pile:                # records of one family
    record *at
    size_t count, room


cdef class Payloads:
    """Payloads that are announced and withdrawn, in the order in which that happens, until they are applied."""

    cdef pile piles[2]

    def __dealloc__(self):
        free(self.piles[0].at)
        free(self.piles[1].at)

    def __len__(self):
        return self.piles[0].count + self.piles[1].count

    def add(self, const uint8_t[::1] address, unsigned int length, unsigned int max_length, uint32_t asn):
        """Announce one payload.

        Args:
            max_length: is not compared with `length`; who reads a file says what he thinks of it.
        """
        cdef record r
        cdef Py_ssize_t octets = address.shape[0]
        if octets not in (4, 16) or length > 8 * octets or max_length > 255:
            raise ValueError(f"no payload: {octets} octets, {length} to {max_length} bits")
        load_address(&address[0], octets, &r.high, &r.low)
        clear_host(&r.high, &r.low, <uint8_t>length)
        r.lengths, r.asn, r.is_withdrawn = length << 8 | max_length, asn, 0
        if push(&self.piles[octets == 16], &r):
            raise MemoryError if self.piles[octets == 16].count < 2 * MOST else PayloadError("too many", None)

    def add_pdus(self, bytes run not None):
        """Take IPv4 and IPv6 Prefix PDUs over, of the right lengths (RFC 8210 sections 5.6 and 5.7).

        Returns: -1, or where the first PDU begins whose flags or lengths cannot be; those before are taken.
        Raises: PayloadError when there are too many.
        """
        cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(run)
        cdef Py_ssize_t at
        cdef Py_ssize_t octets = PyBytes_GET_SIZE(run)
        cdef trouble failed = NONE
        with nogil:
            at = take_pdus(&self.piles[0], start, octets, &failed)
        if failed == NO_MEMORY:
            raise MemoryError
        if failed:
            raise PayloadError("too many", None)
        return at if at < octets else -1

    def applied_to(self, Vrps base not None, *, bint strict):
        """What the payloads of `base` become.

        Args:
            strict: what a cache may not do is an error: announce what is there, withdraw what is not (RFC 8210
                section 12, errors 6 and 7). Otherwise it is nothing.
        Raises: PayloadError; nothing has changed then.
        """
        cdef Vrps result = Vrps.__new__(Vrps)
        cdef trouble failed = NONE
        cdef record culprit
        cdef int which = 0
        with nogil:
            for which in range(2):
                failed = apply(&base.trees[which], &self.piles[which], &result.trees[which], strict, &culprit)
                if failed:
                    break
        if failed == NO_MEMORY:
            raise MemoryError
        if failed:
            address = put_address(culprit.high, culprit.low, 16 if which else 4)
            kind = {DUPLICATE: "duplicate", UNKNOWN_RECORD: "unknown"}.get(failed, "too many")
            raise PayloadError(kind, (address, culprit.lengths >> 8, culprit.lengths & 0xFF, culprit.asn))
        return result


cdef int push(pile *p, const record *r) noexcept nogil:
    """Add a record; 0, or -1 without memory or when there are too many."""
    cdef record *wider
    if p.count == p.room:
        if p.count >= 2 * MOST:
            return -1
        wider = <record *>realloc(p.at, (2 * p.room + 256) * sizeof(record))
        if wider == NULL:
            return -1
        p.at = wider
        p.room = 2 * p.room + 256
    p.at[p.count] = r[0]
    p.count += 1
    return 0


cdef Py_ssize_t take_pdus(pile *piles, const uint8_t *run, Py_ssize_t octets, trouble *failed) noexcept nogil:
    """Read prefix PDUs up to the first bad one; where it begins, or the end."""
    cdef Py_ssize_t at = 0
    cdef const uint8_t *pdu
    cdef record r
    cdef bint is_ipv4
    while at < octets:
        pdu = run + at
        is_ipv4 = pdu[1] == IPV4_PREFIX
        if pdu[8] > 1 or pdu[9] > pdu[10] or pdu[10] > (32 if is_ipv4 else 128):
            return at
        load_address(pdu + 12, 4 if is_ipv4 else 16, &r.high, &r.low)
        clear_host(&r.high, &r.low, pdu[9])
        r.asn = load32(pdu + (16 if is_ipv4 else 28))
        r.lengths = <uint16_t>(pdu[9] << 8 | pdu[10])
        r.is_withdrawn = not pdu[8]
        if push(&piles[not is_ipv4], &r):
            failed[0] = NO_MEMORY if piles[not is_ipv4].count < 2 * MOST else TOO_MANY
            return at
        at += IPV4_OCTETS if is_ipv4 else IPV6_OCTETS
    return at


cdef inline int compare(const record *a, const record *b) noexcept nogil:
    if a.high != b.high:
        return -1 if a.high < b.high else 1
    if a.low != b.low:
        return -1 if a.low < b.low else 1
    if a.lengths != b.lengths:
        return -1 if a.lengths < b.lengths else 1
    return (a.asn > b.asn) - (a.asn < b.asn)


cdef bint is_sorted(const record *records, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(1, n):
        if compare(&records[i - 1], &records[i]) > 0:
            return False
    return True


cdef int sort(record *records, size_t n) noexcept nogil:
    """Put records in order; what happens to one payload stays in its order.  0, or -1 without memory."""
    cdef record *other
    cdef size_t i = 0, end
    if is_sorted(records, n):
        return 0
    other = <record *>malloc(n * sizeof(record))
    if other == NULL:
        return -1
    sort_by_address(records, other, n)
    while i < n:
        end = i + 1
        while end < n and records[end].high == records[i].high:
            end += 1
        if not is_sorted(records + i, end - i):
            merge_sort(records + i, other, end - i)
        i = end
    free(other)
    return 0


cdef void sort_by_address(record *records, record *other, size_t n) noexcept nogil:
    """Radix sort by the first 64 bits of addresses, without the passes that would change nothing."""
    cdef record *source = records
    cdef record *target = other
    cdef size_t starts[DIGITS]
    cdef size_t i, sum, count
    cdef unsigned int shift = 0
    cdef uint64_t differing = 0
    for i in range(n):
        differing |= records[i].high ^ records[0].high
    while shift < 64:
        if not (differing >> shift) & (DIGITS - 1):
            shift += DIGIT_BITS
            continue
        memset(starts, 0, sizeof(starts))
        for i in range(n):
            starts[(source[i].high >> shift) & (DIGITS - 1)] += 1
        sum = 0
        for i in range(DIGITS):
            count = starts[i]
            starts[i] = sum
            sum += count
        for i in range(n):
            count = (source[i].high >> shift) & (DIGITS - 1)
            target[starts[count]] = source[i]
            starts[count] += 1
        source, target = target, source
        shift += DIGIT_BITS
    if source != records:
        memcpy(records, source, n * sizeof(record))


cdef void merge_sort(record *records, record *other, size_t n) noexcept nogil:
    """Merge ever longer stretches; stable, and n log n whatever the order was."""
    cdef size_t width = 1, start, middle, end, a, b, to
    cdef record *source = records
    cdef record *target = other
    while width < n:
        start = 0
        while start < n:
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            a, b, to = start, middle, start
            while to < end:
                if b >= end or (a < middle and compare(&source[a], &source[b]) <= 0):
                    target[to] = source[a]
                    a += 1
                else:
                    target[to] = source[b]
                    b += 1
                to += 1
            start = end
        source, target = target, source
        width *= 2
    if source != records:
        memcpy(records, source, n * sizeof(record))


cdef trouble apply(const tree *base, pile *p, tree *target, bint strict, record *culprit) noexcept nogil:
    """Merge a tree with sorted records into another one."""
    cdef maker m
    cdef uint32_t at = 0, i = 0
    cdef size_t next_record = 0
    cdef record old
    cdef trouble failed
    cdef bint is_there = False
    if sort(p.at, p.count):
        return NO_MEMORY
    free_tree(target)
    if make_room(target, base.words, base.payload_count + p.count):
        return NO_MEMORY
    memset(&m, 0, sizeof(m))
    memset(&old, 0, sizeof(old))
    m.t = target
    while at < base.count:
        old.high, old.low = high_at(base, at), low_at(base, at)
        while i < base.nodes[at + 1].first:
            old.lengths = <uint16_t>(base.nodes[at].length << 8 | base.origins[i].max_length)
            old.asn = base.origins[i].asn
            while next_record < p.count and compare(&p.at[next_record], &old) < 0:
                failed = settle(p, &next_record, False, strict, culprit, &m)
                if failed:
                    return failed
            if next_record < p.count and not compare(&p.at[next_record], &old):
                failed = settle(p, &next_record, True, strict, culprit, &m)
                if failed:
                    return failed
            else:
                add_payload(&m, old.high, old.low, old.lengths, old.asn)
            i += 1
        at += 1
    while next_record < p.count:
        failed = settle(p, &next_record, False, strict, culprit, &m)
        if failed:
            return failed
    if target.payload_count > MOST:
        culprit[0] = p.at[p.count - 1]
        return TOO_MANY
    finish(target)
    return NONE


cdef trouble settle(
    pile *p, size_t *next_record, bint is_there, bint strict, record *culprit, maker *m
) noexcept nogil:
    """Carry out all that happens to one payload, and add it if it is there in the end."""
    cdef record *first = &p.at[next_record[0]]
    while next_record[0] < p.count and not compare(&p.at[next_record[0]], first):
        if strict and is_there != p.at[next_record[0]].is_withdrawn:
            culprit[0] = first[0]
            return DUPLICATE if is_there else UNKNOWN_RECORD
        is_there = not p.at[next_record[0]].is_withdrawn
        next_record[0] += 1
    if is_there:
        add_payload(m, first.high, first.low, first.lengths, first.asn)
    return NONE


def difference(Vrps one not None, Vrps other not None):
    """The payloads that only one of two has."""
    cdef Vrps result = Vrps.__new__(Vrps)
    cdef int failed = 0, which
    with nogil:
        for which in range(2):
            failed |= differ(&one.trees[which], &other.trees[which], &result.trees[which])
    if failed:
        raise MemoryError
    return result


cdef void read_payload(const tree *t, uint32_t at, uint32_t i, record *r) noexcept nogil:
    r.high, r.low = high_at(t, at), low_at(t, at)
    r.lengths = <uint16_t>(t.nodes[at].length << 8 | t.origins[i].max_length)
    r.asn = t.origins[i].asn


cdef int differ(const tree *a, const tree *b, tree *target) noexcept nogil:
    """Walk two trees side by side; 0, or -1 without memory."""
    cdef pile found
    cdef maker m
    cdef uint32_t x = 0, y = 0, i = 0, j = 0
    cdef size_t n
    cdef record one, two
    cdef int order
    memset(&found, 0, sizeof(found))
    memset(&one, 0, sizeof(one))
    memset(&two, 0, sizeof(two))
    while i < a.payload_count or j < b.payload_count:
        if i < a.payload_count:
            x += i >= a.nodes[x + 1].first
            read_payload(a, x, i, &one)
        if j < b.payload_count:
            y += j >= b.nodes[y + 1].first
            read_payload(b, y, j, &two)
        order = 1 if i >= a.payload_count else -1 if j >= b.payload_count else compare(&one, &two)
        if order and push(&found, &one if order < 0 else &two):
            free(found.at)
            return -1
        i += order <= 0
        j += order >= 0
    free_tree(target)
    if make_room(target, a.words, found.count):
        free(found.at)
        return -1
    memset(&m, 0, sizeof(m))
    m.t = target
    for n in range(found.count):
        add_payload(&m, found.at[n].high, found.at[n].low, found.at[n].lengths, found.at[n].asn)
    free(found.at)
    finish(target)
    return 0
