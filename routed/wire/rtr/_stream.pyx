# cython: language_level=3, boundscheck=False, wraparound=False
"""Cut a TCP stream into PDUs of the RPKI to Router protocol; runs of prefixes stay together (RFC 8210 section 5).

Theory of operation: octets are collected in one buffer and consumed from its front, so each is copied twice however
TCP cuts the stream.  A run ends where the version changes or a length is not that of its type: the run is then right
in its form, and what is not comes alone.  Cutting stops for good at a length that cannot be: behind it no PDU can be
found.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t

from routed.octets import WireError
from routed.octets._cursor cimport has, load32, span
from routed.wire.rtr.codepoints import HEADER_OCTETS, LENGTHS, MAX_PDU, PduType

cdef enum:
    HEADER = 8
    LENGTH_AT = 4
    IPV4_PREFIX = 4
    IPV6_PREFIX = 6
    IPV4_OCTETS = 20
    IPV6_OCTETS = 32
    LONGEST = 65536

assert HEADER == HEADER_OCTETS and LONGEST == MAX_PDU
assert IPV4_PREFIX == PduType.IPV4_PREFIX and LENGTHS[PduType.IPV4_PREFIX] == (IPV4_OCTETS, IPV4_OCTETS)
assert IPV6_PREFIX == PduType.IPV6_PREFIX and LENGTHS[PduType.IPV6_PREFIX] == (IPV6_OCTETS, IPV6_OCTETS)


cdef inline uint32_t prefix_octets(const span *s, uint8_t version) noexcept nogil:
    """The length of the whole prefix PDU at the front; 0 when there is none."""
    cdef uint32_t length
    if not has(s, IPV4_OCTETS) or s.at[0] != version:
        return 0
    length = IPV4_OCTETS if s.at[1] == IPV4_PREFIX else IPV6_OCTETS
    if s.at[1] != IPV4_PREFIX and s.at[1] != IPV6_PREFIX:
        return 0
    return length if load32(s.at + LENGTH_AT) == length and has(s, length) else 0


cdef Py_ssize_t skip_prefixes(span *s) noexcept nogil:
    """Step over the prefix PDUs at the front; return how many there were."""
    cdef Py_ssize_t count = 0
    cdef uint8_t version = s.at[0]
    cdef uint32_t length = prefix_octets(s, version)
    while length:
        s.at += length
        count += 1
        length = prefix_octets(s, version)
    return count


cdef class Stream:
    """Cut the octets of one cache; see the module's theory of operation."""

    cdef bytearray waiting
    cdef readonly object error
    cdef readonly bytes bad              # the header that ended the stream

    def __cinit__(self):
        self.waiting = bytearray()

    def __len__(self):
        return len(self.waiting)

    def feed(self, bytes octets not None):
        cdef span s
        cdef const uint8_t *start
        cdef list pdus = []
        if self.error is not None:
            return pdus
        self.waiting += octets
        start = s.at = <const uint8_t *>PyByteArray_AS_STRING(self.waiting)
        s.end = s.at + PyByteArray_GET_SIZE(self.waiting)
        while self.cut(&s, pdus):
            pass
        del self.waiting[: s.at - start]
        return pdus

    cdef bint cut(self, span *s, list pdus) except -1:
        """Move one run of prefixes, or one other PDU, to the list; return whether there was one."""
        cdef const uint8_t *run = s.at
        cdef Py_ssize_t count
        cdef uint32_t length
        if not has(s, HEADER):
            return False
        with nogil:
            count = skip_prefixes(s)
        if not count:
            length = load32(s.at + LENGTH_AT)
            if length < HEADER or length > LONGEST:
                self.bad = PyBytes_FromStringAndSize(<const char *>s.at, HEADER)
                self.error = WireError(f"length {length} is not from {HEADER} to {LONGEST}", LENGTH_AT, "RFC 8210 5")
                return False
            if not has(s, length):
                return False
            s.at += length
        pdus.append((run[1], PyBytes_FromStringAndSize(<const char *>run, s.at - run), count))
        return True
