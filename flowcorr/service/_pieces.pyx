# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What rows are made of: pieces, each of them what stands in front, a value of the entry, what stands behind.

All that a style decides is decided when the pieces are made; what becomes of a value is a function in one of two tables.
Every `put` writes without checks into room that the caller made, and returns where the next character goes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from flowcorr.service._clean_text cimport put_clean
from flowcorr.service._lists cimport (
    put_flags, put_labels, put_list, put_octets, put_segments, put_segments_list, put_stack, put_stack_list,
)
from flowcorr.service._moments cimport (
    LAYOUT_EPOCH, LAYOUT_PLAIN, LAYOUT_RFC9557, NO_FRACTION, put_moment, put_time,
)
from flowcorr.service._style cimport AS_AVRO, AS_CSV, AS_FORMATTED, AS_JSON
from flowcorr.service._values cimport number_at, put_address, put_hex_number, put_mac
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from routed.rib._text cimport put_char, put_rd, put_u32, put_u64, u32_at

from collections import namedtuple

cdef enum:
    SHORT = 64                           # no value but a text or a list takes more characters
    FLAGS_ROOM = 96                      # ... and a list of flags no more

(
    LITERAL, NUMBER, HEX, ADDRESS, MAC, NAME, CHARACTER, TIME, RD, STAMP, NOW, FLAGS,
    TEXT, LIST, LABELS, STACK, STACK_LIST, SEGMENTS, SEGMENTS_LIST, OCTETS,
) = range(OPERATIONS)
JSON, CSV, FORMATTED, AVRO = AS_JSON, AS_CSV, AS_FORMATTED, AS_AVRO
PLAIN, RFC9557, SINCE_EPOCH = LAYOUT_PLAIN, LAYOUT_RFC9557, LAYOUT_EPOCH
PACKETS_AT, BYTES_AT, FLOWS_AT, TCPFLAGS_AT, TUNNEL_TCPFLAGS_AT, FIRST_AT, LAST_AT = 0, 8, 16, 24, 26, 32, 40

COLLECTIONS = {FLAGS, LIST, LABELS, STACK_LIST, SEGMENTS_LIST}

Piece = namedtuple(
    "Piece", "operation at octets lead tail width in_key is_text is_counter absent names",
    defaults=(0, 0, b"", b"", 0, True, False, False, b"", ()),
)


# values that are no texts, by their operation

cdef char *put_nothing(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return to


cdef char *put_number(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    if p.octets <= 4:
        return put_u32(to, <uint32_t>number_at(at, p.octets))
    return put_u64(to, number_at(at, p.octets))


cdef char *put_hexadecimal(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_hex_number(to, number_at(at, p.octets))


cdef char *put_known_address(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    """An address, or what stands for an unknown one."""
    cdef char *end = put_address(to, at)
    return put_text(to, &p.names[0]) if end == to and p.names_count else end


cdef char *put_mac_address(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_mac(to, at)


cdef char *put_name(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    """The name of a number; larger ones have the last name."""
    return put_text(to, &p.names[min(number_at(at, p.octets), <uint64_t>p.names_count - 1)])


cdef char *put_character(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_char(to, <char>at[0] if c"A" <= at[0] <= c"z" else c"u")


cdef char *put_time_of_record(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    cdef int64_t when
    memcpy(&when, at, sizeof(when))
    return put_time(to, when, &m.clock)


cdef char *put_distinguisher(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_rd(to, u32_at(at), u32_at(at + 4))


cdef char *put_stamp(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_moment(to, m.bin_start, NO_FRACTION, &m.clock)


cdef char *put_now(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_moment(to, m.now, NO_FRACTION, &m.clock)


cdef char *put_flag_names(char *to, const piece *p, const uint8_t *at, moment *m) noexcept nogil:
    return put_flags(to, <uint32_t>number_at(at, p.octets), m.style)


cdef value_writer VALUES[OPERATIONS]
VALUES[<int>DO_LITERAL] = put_nothing
VALUES[<int>DO_NUMBER] = put_number
VALUES[<int>DO_HEX] = put_hexadecimal
VALUES[<int>DO_ADDRESS] = put_known_address
VALUES[<int>DO_MAC] = put_mac_address
VALUES[<int>DO_NAME] = put_name
VALUES[<int>DO_CHARACTER] = put_character
VALUES[<int>DO_TIME] = put_time_of_record
VALUES[<int>DO_RD] = put_distinguisher
VALUES[<int>DO_STAMP] = put_stamp
VALUES[<int>DO_NOW] = put_now
VALUES[<int>DO_FLAGS] = put_flag_names


# texts, by their operation

cdef text_writer TEXTS[OPERATIONS]
TEXTS[<int>DO_TEXT] = put_clean
TEXTS[<int>DO_LIST] = put_list
TEXTS[<int>DO_LABELS] = put_labels
TEXTS[<int>DO_STACK] = put_stack
TEXTS[<int>DO_STACK_LIST] = put_stack_list
TEXTS[<int>DO_SEGMENTS] = put_segments
TEXTS[<int>DO_SEGMENTS_LIST] = put_segments_list
TEXTS[<int>DO_OCTETS] = put_octets


@cython.final
cdef class Pieces:
    """Pieces as compiled code has them.

    Args:
        may_need_quotes: the separator of columns is one that values which are no texts may hold.
    """

    def __cinit__(self, pieces not None, *, bint may_need_quotes=False):
        cdef size_t i
        cdef uint32_t number
        cdef piece *p
        self.kept = []
        self.items = <piece *>calloc(len(pieces) + 1, sizeof(piece))
        if self.items == NULL:
            raise MemoryError
        self.count = len(pieces)
        for i, made in enumerate(pieces):
            p = &self.items[i]
            p.operation, p.at, p.octets, p.width = made.operation, made.at, made.octets, made.width
            p.write, p.write_text = VALUES[p.operation], TEXTS[p.operation]
            p.in_key, p.is_text, p.is_counter = made.in_key, made.is_text, made.is_counter
            p.is_collection = made.operation in COLLECTIONS
            p.may_need_quotes = may_need_quotes or made.operation >= DO_TEXT
            p.lead, p.tail, p.absent = self.keep(made.lead), self.keep(made.tail), self.keep(made.absent)
            if made.names:
                p.names = <text *>calloc(len(made.names), sizeof(text))
                if p.names == NULL:
                    raise MemoryError
                p.names_count = len(made.names)
                for number, name in enumerate(made.names):
                    p.names[number] = self.keep(name)
            longest = max((len(name) for name in made.names), default=0) + SHORT + FLAGS_ROOM
            self.fixed += len(made.lead) + len(made.tail) + len(made.absent) + 2 * longest + made.width + 16

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.count):
            free(self.items[i].names)
        free(self.items)

    cdef text keep(self, bytes octets):
        cdef text t
        self.kept.append(octets)
        t.at, t.used = <const uint8_t *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets)
        return t
