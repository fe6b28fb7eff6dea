"""Values of Avro's binary encoding (Apache Avro 1.11 specification, "Binary Encoding").

Every `put` writes without checks into room that the caller made, and returns where the next one goes.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memmove
from routed.rib._text cimport put, put_char

cdef enum:
    SHORT = 64                       # texts of fewer octets have a length of one octet
    LONG_OCTETS = 10                 # at most
    LENGTH_ROOM = 3                  # octets that the length of an attribute's text takes at most


cdef inline char *put_null(char *to) noexcept nogil:
    """The first branch of a union with null: nothing."""
    return put_char(to, 0)


cdef inline char *put_some(char *to) noexcept nogil:
    """The second branch of a union with null: a value follows."""
    return put_char(to, 2)


cdef inline char *put_long(char *to, int64_t value) noexcept nogil:
    """A number, zigzag and seven bits an octet, the lowest first."""
    cdef uint64_t zigzag = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    while zigzag >= 128:
        to = put_char(to, <char>(zigzag & 127 | 128))
        zigzag >>= 7
    return put_char(to, <char>zigzag)


cdef inline char *put_string(char *to, const char *at, size_t n) noexcept nogil:
    return put(put_long(to, <int64_t>n), at, n)


cdef inline char *close_short(char *to, char *end) noexcept nogil:
    """Give the text that was written from `to + 1` to `end`, fewer than `SHORT` octets, its length."""
    to[0] = <char>((end - to - 1) << 1)
    return end


cdef inline char *close_string(char *to, char *end) noexcept nogil:
    """Give the text that was written from `to + LENGTH_ROOM` to `end` its length; where the next value goes."""
    cdef char *text = to + LENGTH_ROOM
    cdef size_t n = end - text
    to = put_long(to, <int64_t>n)
    if to < text:
        memmove(to, text, n)
    return to + n
