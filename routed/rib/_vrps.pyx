# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Validated payloads: which AS may originate which prefixes (RFC 6811), a million of them in some thirty megabytes.

A `Vrps` never changes once it is made, so any thread may read it without a lock, and a dump judges all of its routes
by the same payloads however long it takes.  A change makes another one (`_payloads.pyx`): one pass merges what is
there with what is announced and withdrawn, about ten nanoseconds a payload, without the interpreter.

`_vrp_tree.pyx` says how payloads are kept, `_vrp_index.pyx` how they are found, `_vrp_status.pyx` what they mean.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset
from routed.rib._vrp_index cimport finish, last_before
from routed.rib._vrp_records cimport compare, pile, push, record
from routed.rib._vrp_status cimport clear_host, judge_all, load_address
from routed.rib._vrp_tree cimport (
    add_payload, covers, free_tree, length_at, low_at, make_room, maker, octets_held, origin, origin_at,
    origins_of, tree,
)

import array


cdef class Vrps:
    """Validated payloads that never change; empty when made without more."""

    def __cinit__(self):
        if make_room(&self.trees[0], 1, 0) or make_room(&self.trees[1], 4, 0):
            raise MemoryError
        if finish(&self.trees[0]) or finish(&self.trees[1]):
            raise MemoryError

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
        return octets_held(&self.trees[0]) + octets_held(&self.trees[1])

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
        cdef const origin *o
        if address.shape[0] not in (4, 16) or length > 8 * address.shape[0]:
            raise ValueError(f"no prefix of {address.shape[0]} octets and {length} bits")
        load_address(&address[0], address.shape[0], &high, &low)
        clear_host(&high, &low, <uint8_t>length)
        found = []
        at = last_before(t, high, low)
        while at:
            if covers(t, at - 1, high, low, <uint8_t>length):
                for i in range(origins_of(t, at - 1)):
                    o = origin_at(t, at - 1, i)
                    found.append((o.lengths >> 8, o.lengths & 0xFF, o.asn))
            at = t.prefixes[at - 1].parent
        return found

    def payloads(self):
        """All payloads in order: tuples of (address octets, length, maximum length, AS number)."""
        cdef const tree *t
        cdef const origin *o
        cdef uint32_t at, i
        cdef size_t which
        for which in range(2):
            t = &self.trees[which]
            for at in range(t.count):
                address = put_address(t.prefixes[at].high, low_at(t, at), 4 * t.words)
                for i in range(origins_of(t, at)):
                    o = origin_at(t, at, i)
                    yield address, o.lengths >> 8, o.lengths & 0xFF, o.asn

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


cdef bytes put_address(uint64_t high, uint64_t low, uint32_t octets):
    return ((<object>high).to_bytes(8, "big") + (<object>low).to_bytes(8, "big"))[:octets]


# -- filters -----------------------------------------------------------------------------------------------------------

cdef int sift(const tree *source, const tree *filters, tree *target) noexcept nogil:
    """Copy the payloads that no filter names; 0, or -1 without memory."""
    cdef maker m
    cdef uint32_t at, i
    cdef const origin *o
    free_tree(target)
    if make_room(target, source.words, source.payload_count):
        return -1
    memset(&m, 0, sizeof(m))
    m.t = target
    for at in range(source.count):
        for i in range(origins_of(source, at)):
            o = origin_at(source, at, i)
            if not is_named(filters, source.prefixes[at].high, low_at(source, at), length_at(source, at), o.asn):
                add_payload(&m, source.prefixes[at].high, low_at(source, at), o.lengths, o.asn)
    return finish(target)


cdef bint is_named(const tree *filters, uint64_t high, uint64_t low, uint8_t length, uint32_t asn) noexcept nogil:
    cdef uint32_t at = last_before(filters, high, low), i
    cdef const origin *o
    while at:
        if covers(filters, at - 1, high, low, length):
            for i in range(origins_of(filters, at - 1)):
                o = origin_at(filters, at - 1, i)
                if not o.lengths & 0xFF or o.asn == asn:
                    return True
        at = filters.prefixes[at - 1].parent
    return False


# -- differences -------------------------------------------------------------------------------------------------------

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


ctypedef struct walk:                # through the payloads of a tree, in order
    const tree *t
    uint32_t at, i, done
    record now


cdef void begin(walk *w, const tree *t) noexcept nogil:
    memset(w, 0, sizeof(walk))
    w.t = t
    read_payload(w)


cdef inline bint is_over(const walk *w) noexcept nogil:
    return w.done == w.t.payload_count


cdef inline void advance(walk *w) noexcept nogil:
    """Go to the next payload."""
    w.done += 1
    w.i += 1
    if w.i == origins_of(w.t, w.at):
        w.at += 1
        w.i = 0
    read_payload(w)


cdef inline void read_payload(walk *w) noexcept nogil:
    cdef const origin *o
    if is_over(w):
        return
    o = origin_at(w.t, w.at, w.i)
    w.now.high, w.now.low = w.t.prefixes[w.at].high, low_at(w.t, w.at)
    w.now.lengths, w.now.asn = o.lengths, o.asn


cdef int differ(const tree *a, const tree *b, tree *target) noexcept nogil:
    """Walk two trees side by side; 0, or -1 without memory."""
    cdef pile found
    cdef walk one, two
    cdef int order, failed = 0
    memset(&found, 0, sizeof(found))
    begin(&one, a)
    begin(&two, b)
    while not failed and not (is_over(&one) and is_over(&two)):
        order = 1 if is_over(&one) else -1 if is_over(&two) else compare(&one.now, &two.now)
        if order:
            failed = push(&found, &one.now if order < 0 else &two.now)
        if order <= 0:
            advance(&one)
        if order >= 0:
            advance(&two)
    failed = failed or put_records(&found, a.words, target)
    free(found.at)
    return failed


cdef int put_records(const pile *p, uint32_t words, tree *target) noexcept nogil:
    """Make a tree of sorted records; 0, or -1 without memory."""
    cdef maker m
    cdef size_t n
    free_tree(target)
    if make_room(target, words, p.count):
        return -1
    memset(&m, 0, sizeof(m))
    m.t = target
    for n in range(p.count):
        add_payload(&m, p.at[n].high, p.at[n].low, p.at[n].lengths, p.at[n].asn)
    return finish(target)
