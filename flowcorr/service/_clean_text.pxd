"""Texts of the network, made safe.  See `_clean_text.pyx`."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memmove
from routed.rib._avro cimport put_long

cdef enum:
    TEXT_GROWTH = 10                     # characters that an octet of a text becomes at most, quotes of items included
    LENGTH_ROOM = 5                      # octets that the length of a text takes at most


cdef inline char *close_text(char *to, char *end) noexcept nogil:
    """Give the text that was written from `to + LENGTH_ROOM` to `end` its length, as Avro has it."""
    cdef char *written = to + LENGTH_ROOM
    cdef size_t n = end - written
    to = put_long(to, <int64_t>n)
    memmove(to, written, n)
    return to + n


cdef char *put_clean(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_item(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
