# cython: language_level=3, boundscheck=False, wraparound=False
"""Cut a TCP stream into BGP messages; runs of UPDATEs stay together (RFC 4271 section 4.1).

Theory of operation: messages are measured where they lie in the received octets. An incomplete message
at the end is copied to a tail, which later octets complete; so an octet is copied at most twice, however
TCP cuts the stream. Cutting stops behind an OPEN, because what it agrees decides how long the messages
behind it may be (RFC 8654), and stops for good at the first bad header.

The lengths of each message type are those of `header.LENGTHS`; the verdict on a bad header is `header.check_header`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from routed.octets._cursor cimport has, left, load16, span

from routed.wire.bgp.codepoints import MessageType
from routed.wire.bgp.header import HEADER_OCTETS, LENGTHS, MARKER, MAX_MESSAGE, check_header

cdef enum:
    HEADER = 19
    LENGTH_AT = 16
    TYPE_AT = 18
    OPEN = 1
    UPDATE = 2

cdef uint8_t ONES[16]
cdef uint32_t LEAST[256]  # an unknown type has a least length no message can have
cdef uint32_t MOST[256]


def _load_limits():
    assert HEADER == HEADER_OCTETS and OPEN == MessageType.OPEN and UPDATE == MessageType.UPDATE
    cdef int kind
    for kind in range(256):
        LEAST[kind], MOST[kind] = LENGTHS.get(kind, (0x10000, 0))
    for kind in range(16):
        ONES[kind] = MARKER[kind]


_load_limits()


cdef uint32_t measure(const uint8_t *header, uint32_t max_length) noexcept nogil:
    """Return the length of the message that this header opens, or 0 when the header is bad."""
    cdef uint32_t length = load16(header + LENGTH_AT)
    cdef uint8_t kind = header[TYPE_AT]
    if memcmp(header, ONES, sizeof(ONES)) != 0:
        return 0
    if length < LEAST[kind] or length > MOST[kind] or length > max_length:
        return 0
    return length


cdef uint32_t whole(const span *s, uint32_t max_length) noexcept nogil:
    """Return the length of the message at the front, or 0 when it is incomplete or its header is bad."""
    cdef uint32_t length
    if not has(s, HEADER):
        return 0
    length = measure(s.at, max_length)
    return length if has(s, length) else 0


cdef int skip_updates(span *s, uint32_t max_length) noexcept nogil:
    """Step over the whole UPDATEs at the front; return how many there were."""
    cdef int count = 0
    cdef uint32_t length = whole(s, max_length)
    while length and s.at[TYPE_AT] == UPDATE:
        s.at += length
        count += 1
        length = whole(s, max_length)
    return count


cdef class Stream:
    """Cut the octets of one peer; see the module's theory of operation."""

    cdef uint8_t *_tail             # the beginning of a message whose end has not come
    cdef uint32_t _tail_octets
    cdef bytes _held                # what lies behind an OPEN
    cdef public uint32_t max_length
    cdef readonly object error

    def __cinit__(self, uint32_t max_length=MAX_MESSAGE):
        self.max_length = max_length
        self._held = b""

    def __dealloc__(self):
        free(self._tail)

    @property
    def is_held(self):
        return len(self._held) > 0

    def feed(self, bytes octets not None):
        cdef span s
        cdef list messages = []
        cdef int kind
        if self.error is not None:
            return messages
        if self._held:
            octets, self._held = self._held + octets, b""
        s.at = <const uint8_t *>PyBytes_AS_STRING(octets)
        s.end = s.at + PyBytes_GET_SIZE(octets)
        kind = self._complete(&s, messages) if self._tail_octets else UPDATE
        while kind and kind != OPEN:
            kind = self._cut(&s, messages)
        if kind == OPEN:
            self._held = PyBytes_FromStringAndSize(<const char *>s.at, left(&s))
        elif self.error is None:
            self._keep(&s)
        return messages

    cdef int _cut(self, span *s, list messages) except -1:
        """Move one run of UPDATEs, or one other message, to the list; return its type, or 0 for none."""
        cdef const uint8_t *run = s.at
        cdef int count = skip_updates(s, self.max_length)
        if count == 0:
            s.at += whole(s, self.max_length)
            count = 1
        if s.at == run:
            return 0
        messages.append((run[TYPE_AT], PyBytes_FromStringAndSize(<const char *>run, s.at - run), count))
        return run[TYPE_AT]

    cdef int _complete(self, span *s, list messages) except -1:
        """Complete the message in the tail and move it to the list; return its type, or 0 for not yet."""
        cdef uint32_t length
        cdef int kind
        if self._tail_octets < HEADER:
            self._append(s, HEADER - self._tail_octets)
            if self._tail_octets < HEADER:
                return 0
        length = measure(self._tail, self.max_length)
        if length == 0:
            self._refuse(self._tail)
            return 0
        self._append(s, length - self._tail_octets)
        if self._tail_octets < length:
            return 0
        kind = self._tail[TYPE_AT]
        messages.append((kind, PyBytes_FromStringAndSize(<const char *>self._tail, length), 1))
        free(self._tail)            # an idle session holds nothing
        self._tail, self._tail_octets = NULL, 0
        return kind

    cdef int _keep(self, span *s) except -1:
        """Keep the message that is still incomplete; a bad header ends the stream."""
        if has(s, HEADER) and measure(s.at, self.max_length) == 0:
            self._refuse(s.at)
        else:
            self._append(s, left(s))
        return 0

    cdef int _append(self, span *s, size_t wanted) except -1:
        """Move at most so many octets to the tail, which has room for the longest message after the first move."""
        cdef size_t octets = min(wanted, left(s))
        cdef size_t room = HEADER if self._tail_octets + octets <= HEADER else self.max_length
        cdef uint8_t *tail
        if octets == 0:
            return 0
        tail = <uint8_t *>realloc(self._tail, room)
        if tail == NULL:
            raise MemoryError
        self._tail = tail
        memcpy(tail + self._tail_octets, s.at, octets)
        self._tail_octets += octets
        s.at += octets
        return 0

    cdef int _refuse(self, const uint8_t *header) except -1:
        self.error = check_header(PyBytes_FromStringAndSize(<const char *>header, HEADER), self.max_length)
        assert self.error is not None
        return 0
