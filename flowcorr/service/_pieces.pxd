"""What rows are made of.  See `_pieces.pyx`."""

from flowcorr.service._moments cimport clock
from libc.stdint cimport int64_t, uint8_t, uint32_t
from routed.rib._text cimport put

cdef enum:                               # operations; those from DO_TEXT on read a text
    DO_LITERAL, DO_NUMBER, DO_HEX, DO_ADDRESS, DO_MAC, DO_NAME, DO_CHARACTER, DO_TIME, DO_RD, DO_STAMP, DO_NOW, DO_FLAGS
    DO_TEXT, DO_LIST, DO_LABELS, DO_STACK, DO_STACK_LIST, DO_SEGMENTS, DO_SEGMENTS_LIST, DO_OCTETS
    OPERATIONS

ctypedef struct text:
    const uint8_t *at
    size_t used

ctypedef struct moment:                  # around a row
    int style
    clock clock
    int64_t bin_start, now               # Units: seconds

cdef struct piece

# a value without what stands around it, of an entry or of a text; where the next character goes
ctypedef char *(*value_writer)(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil
ctypedef char *(*text_writer)(char *to, const uint8_t *at, size_t n, int style) noexcept nogil

cdef struct piece:
    int operation
    value_writer write                   # NULL where the value is a text
    text_writer write_text
    uint32_t at                          # in the entry, without what stands in front of its key where `in_key`
    uint32_t octets
    uint32_t width
    bint in_key, is_text, is_counter, is_collection, may_need_quotes
    text lead, tail, absent
    text *names
    uint32_t names_count

cdef inline char *put_text(char *to, const text *t) noexcept nogil:
    return put(to, <const char *>t.at, t.used)


cdef class Pieces:
    cdef piece *items
    cdef size_t count
    cdef size_t fixed                    # characters of a row without its texts, at most
    cdef list kept                       # what keeps octets alive

    cdef text keep(self, bytes octets)
