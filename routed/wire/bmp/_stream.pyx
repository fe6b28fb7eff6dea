# cython: language_level=3, boundscheck=False, wraparound=False
"""Cut a TCP stream into BMP messages; runs of Route Monitoring messages stay together (RFC 7854 section 4.1).

Theory of operation: messages are measured where they lie in the received octets. An incomplete message at the end is
copied to a tail, which later octets complete; so an octet is copied at most twice, however TCP cuts the stream. Of a
message longer than the limit only the beginning goes to the tail, and the rest is stepped over: it costs no memory
however long it is, and is reported when its end has passed. Cutting stops for good at the first bad header, whose
verdict is that of `header.check_header`: behind another version or an impossible length no message can be found.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from routed.octets._cursor cimport has, left, load32, span

from routed.wire.bmp.codepoints import MessageType
from routed.wire.bmp.header import HEADER_OCTETS, LENGTH_OFFSET, MAX_MESSAGE, TYPE_OFFSET, VERSIONS, check_header

cdef enum:
    HEADER = 6
    LENGTH_AT = 1
    TYPE_AT = 5
    ROUTE_MONITORING = 0
    SAMPLE = 48                     # the common and the per-peer header

assert HEADER == HEADER_OCTETS and LENGTH_AT == LENGTH_OFFSET and TYPE_AT == TYPE_OFFSET
assert ROUTE_MONITORING == MessageType.ROUTE_MONITORING and VERSIONS == (3, 4)

SKIPPED = -1
SAMPLE_OCTETS = SAMPLE


cdef inline uint32_t measure(const uint8_t *header) noexcept nogil:
    """Return the length of the message that this header opens, or 0 when the header is bad."""
    cdef uint32_t length = load32(header + LENGTH_AT)
    if header[0] != 3 and header[0] != 4:
        return 0
    return length if length >= HEADER else 0


cdef inline uint32_t whole(const span *s, uint32_t max_length) noexcept nogil:
    """Return the length of the message at the front; 0 when it is incomplete or too long, or its header is bad."""
    cdef uint32_t length
    if not has(s, HEADER):
        return 0
    length = measure(s.at)
    return length if length <= max_length and has(s, length) else 0


cdef Py_ssize_t skip_monitoring(span *s, uint32_t max_length) noexcept nogil:
    """Step over the whole Route Monitoring messages at the front; return how many there were."""
    cdef Py_ssize_t count = 0
    cdef uint32_t length = whole(s, max_length)
    while length and s.at[TYPE_AT] == ROUTE_MONITORING:
        s.at += length
        count += 1
        length = whole(s, max_length)
    return count


cdef class Stream:
    """Cut the octets of one router; see the module's theory of operation."""

    cdef uint8_t *_tail             # the beginning of a message whose end has not come
    cdef size_t _tail_octets
    cdef uint32_t _to_skip          # octets still to come of a message that is too long
    cdef readonly uint32_t max_length
    cdef readonly object error

    def __cinit__(self, uint32_t max_length=MAX_MESSAGE):
        self.max_length = max_length

    def __dealloc__(self):
        free(self._tail)

    def feed(self, bytes octets not None):
        cdef span s
        cdef list messages = []
        if self.error is not None:
            return messages
        s.at = <const uint8_t *>PyBytes_AS_STRING(octets)
        s.end = s.at + PyBytes_GET_SIZE(octets)
        while left(&s) and self.error is None:
            if self._tail_octets or not self._cut(&s, messages):
                self._complete(&s, messages)
        return messages

    cdef bint _cut(self, span *s, list messages) except -1:
        """Move one run of Route Monitoring, or one other message, to the list; return whether there was one."""
        cdef const uint8_t *run = s.at
        cdef Py_ssize_t count
        with nogil:
            count = skip_monitoring(s, self.max_length)
        if count == 0:
            s.at += whole(s, self.max_length)
            count = 1
        if s.at == run:
            return False
        messages.append((run[TYPE_AT], PyBytes_FromStringAndSize(<const char *>run, s.at - run), count))
        return True

    cdef int _complete(self, span *s, list messages) except -1:
        """Go on with the message in the tail, or begin one there; when it is whole, move it to the list."""
        cdef uint32_t length
        if not self._fill(s, HEADER, SAMPLE):
            return 0
        length = measure(self._tail)
        if length == 0:
            self._refuse()
        elif length > self.max_length:
            self._skip(s, messages, length)
        elif self._fill(s, length, length):
            self._move(messages, self._tail[TYPE_AT], 1)
        return 0

    cdef int _skip(self, span *s, list messages, uint32_t length) except -1:
        """Step over a message that is too long, but for its first octets; report it when its end has passed."""
        cdef uint32_t sample = min(length, <uint32_t>SAMPLE)
        cdef uint32_t step
        if self._tail_octets <= HEADER:
            self._to_skip = length - sample
        if not self._fill(s, sample, SAMPLE):
            return 0
        step = <uint32_t>min(<size_t>self._to_skip, left(s))
        s.at += step
        self._to_skip -= step
        if self._to_skip == 0:
            self._move(messages, SKIPPED, length)
        return 0

    cdef bint _fill(self, span *s, size_t wanted, size_t room) except -1:
        """Fill the tail, which gets this room, up to the octets wanted; return whether it has them."""
        cdef size_t octets
        cdef uint8_t *tail
        if self._tail_octets >= wanted:
            return True
        octets = min(wanted - self._tail_octets, left(s))
        tail = <uint8_t *>realloc(self._tail, room)
        if tail == NULL:
            raise MemoryError
        self._tail = tail
        memcpy(tail + self._tail_octets, s.at, octets)
        self._tail_octets += octets
        s.at += octets
        return self._tail_octets == wanted

    cdef int _move(self, list messages, int kind, uint32_t count) except -1:
        """Move the tail to the list; an idle session holds nothing."""
        messages.append((kind, PyBytes_FromStringAndSize(<const char *>self._tail, self._tail_octets), count))
        free(self._tail)
        self._tail, self._tail_octets = NULL, 0
        return 0

    cdef int _refuse(self) except -1:
        self.error = check_header(PyBytes_FromStringAndSize(<const char *>self._tail, HEADER))
        assert self.error is not None
        return 0
