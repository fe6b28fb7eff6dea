# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What caches and files announce and withdraw, and what a store of payloads becomes by it.

Payloads are taken from runs of PDUs, piled up, sorted once when they are complete, and merged with the store that was
there: a cache's answer counts whole, at its end.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memset
from routed.rib._vrp_index cimport finish
from routed.rib._vrp_records cimport compare, pile, push, record, sort
from routed.rib._vrp_status cimport clear_host, load32, load_address
from routed.rib._vrp_tree cimport (
    MOST, add_payload, free_tree, low_at, make_room, maker, origin, origin_at, origins_of, tree,
)
from routed.rib._vrps cimport Vrps, put_address

cdef enum:
    IPV4_PREFIX = 4                  # of the types of PDUs
    IPV4_OCTETS = 20
    IPV6_OCTETS = 32

MAX_PAYLOADS = MOST

ctypedef enum trouble:
    NONE = 0
    NO_MEMORY = 1
    DUPLICATE = 2
    UNKNOWN_RECORD = 3
    TOO_MANY = 4


class PayloadError(ValueError):
    """A payload is announced twice, or one that is not there is withdrawn, or there are too many.

    `kind` is "duplicate", "unknown" or "too many"; `payload` is (address octets, length, maximum length, AS number).
    """

    def __init__(self, kind, payload):
        super().__init__(kind, payload)
        self.kind, self.payload = kind, payload


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


# -- changes -----------------------------------------------------------------------------------------------------------

cdef trouble apply(const tree *base, pile *p, tree *target, bint strict, record *culprit) noexcept nogil:
    """Merge a tree with records into another one."""
    cdef maker m
    cdef uint32_t at, i
    cdef size_t next_record = 0
    cdef record old
    cdef const origin *o
    cdef trouble failed = NONE
    if sort(p.at, p.count):
        return NO_MEMORY
    free_tree(target)
    if make_room(target, base.words, base.payload_count + p.count):
        return NO_MEMORY
    memset(&m, 0, sizeof(m))
    memset(&old, 0, sizeof(old))
    m.t = target
    for at in range(base.count):
        old.high, old.low = base.prefixes[at].high, low_at(base, at)
        for i in range(origins_of(base, at)):
            o = origin_at(base, at, i)
            old.lengths, old.asn = o.lengths, o.asn
            while next_record < p.count and compare(&p.at[next_record], &old) < 0 and not failed:
                failed = settle(p, &next_record, False, strict, culprit, &m)
            if next_record < p.count and not failed and not compare(&p.at[next_record], &old):
                failed = settle(p, &next_record, True, strict, culprit, &m)
            elif not failed:
                add_payload(&m, old.high, old.low, old.lengths, old.asn)
            if failed:
                return failed
    while next_record < p.count and not failed:
        failed = settle(p, &next_record, False, strict, culprit, &m)
    if failed:
        return failed
    if target.payload_count > MOST:
        culprit[0] = p.at[p.count - 1]
        return TOO_MANY
    return NO_MEMORY if finish(target) else NONE


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
