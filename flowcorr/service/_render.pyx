# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Finished bins as rows of text or of Avro, in bulk.

A row is a list of pieces: what stands in front, a value of the entry, what stands behind.  All that a style decides is
decided when the pieces are made; here they are written one after another, without the interpreter, so that rows can be
written in a thread while records go on being summed.

Texts come from the network.  Whatever they hold, JSON and Avro get valid UTF-8 (octets that are none become U+FFFD) and
escaped control characters, CSV is quoted where a reader would stumble, formatted columns show no control character.

What a row needs is known before it is written, so the writers need no checks.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from flowcorr.columns._texts cimport Texts, text_entry, text_of
from flowcorr.correlate._groupby cimport Bin, entry_of, table, totals
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset
from routed.rib._text cimport put, put_char, put_hex, put_ipv4, put_ipv6, put_rd, put_u32, put_u64, u32_at

from collections import namedtuple

cdef extern from "time.h" nogil:
    ctypedef int64_t time_t
    cdef struct tm:
        long tm_gmtoff
    tm *localtime_r(const time_t *when, tm *result)

cdef enum:                               # operations; those from DO_TEXT on read a text
    DO_LITERAL, DO_NUMBER, DO_HEX, DO_ADDRESS, DO_MAC, DO_NAME, DO_CHARACTER, DO_TIME, DO_RD, DO_STAMP, DO_NOW, DO_FLAGS
    DO_TEXT, DO_LIST, DO_LABELS, DO_STACK, DO_STACK_LIST, DO_SEGMENTS, DO_SEGMENTS_LIST, DO_OCTETS

cdef enum:
    AS_JSON, AS_CSV, AS_FORMATTED, AS_AVRO

cdef enum:
    LAYOUT_PLAIN, LAYOUT_RFC9557, LAYOUT_EPOCH

cdef enum:
    OF_PACKETS, OF_BYTES, OF_FLOWS, OF_BYTES_A_PACKET, OF_PACKETS_A_FLOW

(
    LITERAL, NUMBER, HEX, ADDRESS, MAC, NAME, CHARACTER, TIME, RD, STAMP, NOW, FLAGS,
    TEXT, LIST, LABELS, STACK, STACK_LIST, SEGMENTS, SEGMENTS_LIST, OCTETS,
) = range(20)
JSON, CSV, FORMATTED, AVRO = range(4)
PLAIN, RFC9557, SINCE_EPOCH = range(3)
PACKETS, BYTES, FLOWS, BYTES_A_PACKET, PACKETS_A_FLOW = range(5)
PACKETS_AT, BYTES_AT, FLOWS_AT, TCPFLAGS_AT, TUNNEL_TCPFLAGS_AT, FIRST_AT, LAST_AT = 0, 8, 16, 24, 26, 32, 40

Piece = namedtuple(
    "Piece", "operation at octets lead tail width in_key is_text is_counter absent names",
    defaults=(0, 0, b"", b"", 0, True, False, False, b"", ()),
)
Check = namedtuple("Check", "what bound is_maximum", defaults=(False,))

cdef enum:
    FULL_ROWS = 262144                   # octets from which on a buffer is full: some milliseconds of work
    KEPT_ROOM = 4194304                  # a larger buffer is given back once it is empty
    SHORT = 64                           # no value but a text or a list takes more characters
    FLAGS_ROOM = 96                      # ... and a list of flags no more
    TEXT_GROWTH = 10                     # characters that an octet of a text becomes at most, quotes of items included
    LENGTH_ROOM = 5                      # octets that the length of a text takes at most
    MOST_DISTINCT = 64                   # labels among which a later one of the same key wins
    ZONE_STEP = 900                      # clocks are put forward and back at multiples of this. Units: seconds
    DAY = 86400
    SECOND = 1000000

cdef const char *HEX_DIGITS = b"0123456789abcdef"
cdef const char *UPPER_DIGITS = b"0123456789ABCDEF"
cdef const char *FLAG_NAMES[8]
FLAG_NAMES[:] = [b"CWR", b"ECE", b"URG", b"ACK", b"PSH", b"RST", b"SYN", b"FIN"]

ctypedef struct text:
    const uint8_t *at
    size_t used

ctypedef struct piece:
    int operation
    uint32_t at                          # in the entry, without what stands in front of its key where `in_key`
    uint32_t octets
    uint32_t width
    bint in_key, is_text, is_counter, may_need_quotes
    text lead, tail, absent
    text *names
    uint32_t names_count

ctypedef struct check:
    int what
    uint64_t bound
    bint is_maximum


cdef inline char *put_text(char *to, const text *t) noexcept nogil:
    return put(to, <const char *>t.at, t.used)


cdef inline char *put_long(char *to, int64_t value) noexcept nogil:
    """A number of Avro: zigzag and seven bits an octet, the lowest first (Avro 1.11, "Binary Encoding")."""
    cdef uint64_t zigzag = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    while zigzag >= 128:
        to = put_char(to, <char>(zigzag & 127 | 128))
        zigzag >>= 7
    return put_char(to, <char>zigzag)


cdef inline char *close_text(char *to, char *end) noexcept nogil:
    """Give the text that was written from `to + LENGTH_ROOM` to `end` its length, as Avro has it."""
    cdef char *written = to + LENGTH_ROOM
    cdef size_t n = end - written
    to = put_long(to, <int64_t>n)
    memmove(to, written, n)
    return to + n


cdef inline size_t utf8_octets(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Octets of the character that starts here (RFC 3629 section 4); 0 when it is none."""
    cdef uint32_t lead = at[0]
    cdef size_t n = end - at
    if lead < 0x80:
        return 1
    if lead < 0xC2 or lead > 0xF4 or n < 2 or (at[1] & 0xC0) != 0x80:
        return 0
    if lead < 0xE0:
        return 2
    if n < 3 or (at[2] & 0xC0) != 0x80:
        return 0
    if lead < 0xF0:
        return 0 if (lead == 0xE0 and at[1] < 0xA0) or (lead == 0xED and at[1] >= 0xA0) else 3
    if n < 4 or (at[3] & 0xC0) != 0x80:
        return 0
    return 0 if (lead == 0xF0 and at[1] < 0x90) or (lead == 0xF4 and at[1] >= 0x90) else 4


cdef char *put_control(char *to, uint8_t octet) noexcept nogil:
    """A character that JSON does not take as it is (RFC 8259 section 7)."""
    to = put_char(to, c"\\")
    if octet == c'"' or octet == c"\\":
        return put_char(to, <char>octet)
    if octet == c"\n":
        return put_char(to, c"n")
    if octet == c"\t":
        return put_char(to, c"t")
    if octet == c"\r":
        return put_char(to, c"r")
    to = put(to, b"u00", 3)
    return put_char(put_char(to, HEX_DIGITS[octet >> 4]), HEX_DIGITS[octet & 15])


cdef char *put_clean(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """A text of the network as a style has it."""
    cdef const uint8_t *end = at + n
    cdef size_t octets
    while at < end:
        if 0x20 <= at[0] < 0x7F and (style != AS_JSON or (at[0] != c'"' and at[0] != c"\\")):
            to = put_char(to, <char>at[0])
            at += 1
            continue
        octets = utf8_octets(at, end)
        if octets > 1:
            to = put(to, <const char *>at, octets)
            at += octets
            continue
        if not octets:
            to = put(to, b"\xef\xbf\xbd", 3)
        elif style == AS_FORMATTED:
            to = put_char(to, c"?")
        elif style == AS_JSON and at[0] != 0x7F:
            to = put_control(to, at[0])
        else:
            to = put_char(to, <char>at[0])
        at += 1
    return to


cdef char *put_item(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """A text of a list or a map."""
    if style == AS_AVRO:
        return close_text(to, put_clean(to + LENGTH_ROOM, at, n, style))
    return put_char(put_clean(put_char(to, c'"'), at, n, style), c'"')


cdef inline const uint8_t *part_end(const uint8_t *at, const uint8_t *end, char separator) noexcept nogil:
    """Where a part of a text ends."""
    cdef const void *found = memchr(at, separator, end - at) if end > at else NULL
    return <const uint8_t *>found if found != NULL else end


cdef int64_t count_parts(const uint8_t *at, const uint8_t *end, char separator) noexcept nogil:
    """How many parts a text has that are not empty."""
    cdef int64_t n = 0
    cdef const uint8_t *stop
    while at < end:
        stop = part_end(at, end, separator)
        n += stop > at
        at = stop + 1
    return n


cdef char *put_list(char *to, const uint8_t *at, const uint8_t *end, int style) noexcept nogil:
    """A text of parts with `_` between them as a list."""
    cdef const uint8_t *stop
    cdef bint first = True
    cdef int64_t n
    if style == AS_AVRO:
        n = count_parts(at, end, c"_")
        if n:                            # a block of none is the end of them
            to = put_long(to, n)
    while at < end:
        stop = part_end(at, end, c"_")
        if stop > at:
            if not first and style == AS_JSON:
                to = put(to, b", ", 2)
            to = put_item(to, at, stop - at, style)
            first = False
        at = stop + 1
    return to


cdef bint comes_again(const uint8_t *key, const uint8_t *key_end, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Whether one of the labels that follow has the same key."""
    cdef const uint8_t *stop
    cdef const uint8_t *mark
    while at < end:
        stop = part_end(at, end, c",")
        mark = part_end(at, stop, c"%")
        if stop > at and mark - at == key_end - key and not memcmp(at, key, key_end - key):
            return True
        at = stop + 1
    return False


cdef char *put_labels(char *to, const uint8_t *at, const uint8_t *end, int style) noexcept nogil:
    """Labels as a map: of each the text before the first `%` and the text behind it; of equal keys the last one."""
    cdef const uint8_t *stop
    cdef const uint8_t *mark
    cdef const uint8_t *label = at
    cdef bint first = True, distinct = count_parts(at, end, c",") <= MOST_DISTINCT
    cdef int64_t n = 0
    if style == AS_AVRO:
        while label < end:
            stop = part_end(label, end, c",")
            if stop > label and not (distinct and comes_again(label, part_end(label, stop, c"%"), stop + 1, end)):
                n += 1
            label = stop + 1
        if n:
            to = put_long(to, n)
    while at < end:
        stop = part_end(at, end, c",")
        mark = part_end(at, stop, c"%")
        if stop > at and not (distinct and comes_again(at, mark, stop + 1, end)):
            if not first and style == AS_JSON:
                to = put(to, b", ", 2)
            to = put_item(to, at, mark - at, style)
            if style == AS_JSON:
                to = put(to, b": ", 2)
            to = put_item(to, min(mark + 1, stop), stop - min(mark + 1, stop), style)
            first = False
        at = stop + 1
    return to


cdef char *put_numbered(char *to, const uint8_t *at, size_t n, size_t octets, bint as_list, int style) noexcept nogil:
    """Labels of 4 octets or addresses of 16: with `_` between them, or as a list of which each has its number."""
    cdef size_t i
    cdef char *start = to
    if as_list and style == AS_AVRO and n >= octets:
        to = put_long(to, <int64_t>(n // octets))
    for i in range(n // octets):
        if as_list:
            if i and style == AS_JSON:
                to = put(to, b", ", 2)
            start = to
            to = to + 1                  # a quote, or the length
            to = put_char(put_u32(to, <uint32_t>i), c"-")
        elif i:
            to = put_char(to, c"_")
        to = put_u32(to, u32_at(at)) if octets == 4 else put_address(to, at)
        if as_list and style == AS_AVRO:
            start[0] = <char>((to - start - 1) << 1)
        elif as_list:
            start[0] = c'"'
            to = put_char(to, c'"')
        at += octets
    return to


cdef char *put_octets(char *to, const uint8_t *at, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(n):
        if i:
            to = put_char(to, c"-")
        to = put_char(put_char(to, UPPER_DIGITS[at[i] >> 4]), UPPER_DIGITS[at[i] & 15])
    return to


cdef inline bint is_mapped(const uint8_t *address) noexcept nogil:
    cdef uint64_t high
    cdef uint32_t middle
    memcpy(&high, address, 8)
    memcpy(&middle, address + 8, 4)
    return not high and middle == 0xFFFF0000U


cdef char *put_address(char *to, const uint8_t *address) noexcept nogil:
    """An address in sixteen octets; nothing for the one that means none."""
    cdef uint64_t halves[2]
    if is_mapped(address):
        return put_ipv4(to, u32_at(address + 12))
    memcpy(halves, address, 16)
    if halves[0] == halves[1] == <uint64_t>-1:
        return to
    return put_ipv6(to, address)


cdef char *put_mac(char *to, const uint8_t *at) noexcept nogil:
    cdef int i
    for i in range(6):
        to = put_char(put_hex(to, at + i, 1), c":")
    return to - 1


cdef char *put_hex_number(char *to, uint64_t value) noexcept nogil:
    """A number in hexadecimal digits without zeros in front."""
    cdef int shift = 60
    while shift and not value >> shift & 15:
        shift -= 4
    while shift >= 0:
        to = put_char(to, HEX_DIGITS[value >> shift & 15])
        shift -= 4
    return to


cdef inline char *put_digits(char *to, uint64_t value, int digits) noexcept nogil:
    """A number with zeros in front."""
    cdef int i
    for i in range(digits - 1, -1, -1):
        to[i] = <char>(48 + value % 10)
        value //= 10
    return to + digits


cdef inline uint64_t number_at(const uint8_t *at, uint32_t octets) noexcept nogil:
    cdef uint64_t value = 0
    memcpy(&value, at, octets)           # integers are in the order of this machine, which is little-endian
    return value


cdef class Renderer:
    cdef piece *pieces
    cdef size_t piece_count
    cdef check *checks
    cdef size_t check_count
    cdef bint all_checks
    cdef list kept                       # what keeps octets of pieces alive
    cdef int style, layout
    cdef bint utc, whole_seconds
    cdef char separator
    cdef uint32_t flag_at
    cdef size_t fixed                    # characters of a row without its texts
    cdef char *buffer
    cdef size_t used, room
    cdef uint32_t *row_ends
    cdef size_t ends_room
    cdef readonly size_t rows
    cdef readonly uint64_t left_out
    cdef int64_t second                  # whose text `date` holds
    cdef char date[64]
    cdef size_t date_used
    cdef int64_t zone_block              # of time, in which clocks are `zone_offset` seconds ahead of UTC
    cdef int64_t zone_offset
    cdef int64_t bin_start, now          # seconds

    def __cinit__(
        self, pieces not None, *, int style, bytes separator=b",", int layout=LAYOUT_PLAIN, bint utc=False, bint whole_seconds=False,
        uint32_t flag_at=0, checks=(), bint all_checks=False,
    ):
        cdef size_t i
        cdef piece *p
        self.style, self.layout, self.utc, self.flag_at, self.all_checks = style, layout, utc, flag_at, all_checks
        self.whole_seconds = whole_seconds
        self.separator = separator[0]
        self.second, self.zone_block = -1, -1
        self.kept = []
        self.piece_count, self.check_count = len(pieces), len(checks)
        self.pieces = <piece *>calloc(self.piece_count + 1, sizeof(piece))
        self.checks = <check *>calloc(self.check_count + 1, sizeof(check))
        if self.pieces == NULL or self.checks == NULL:
            raise MemoryError
        self.fixed = 16
        for i, made in enumerate(pieces):
            p = &self.pieces[i]
            p.operation, p.at, p.octets, p.width = made.operation, made.at, made.octets, made.width
            p.in_key, p.is_text, p.is_counter = made.in_key, made.is_text, made.is_counter
            p.lead, p.tail, p.absent = self.keep(made.lead), self.keep(made.tail), self.keep(made.absent)
            p.may_need_quotes = made.operation >= DO_TEXT or separator not in b",;|\t"
            p.names_count = len(made.names)
            if p.names_count:
                p.names = <text *>calloc(p.names_count, sizeof(text))
                if p.names == NULL:
                    raise MemoryError
                for number, name in enumerate(made.names):
                    p.names[<uint32_t>number] = self.keep(name)
            longest = max((len(name) for name in made.names), default=0) + SHORT + FLAGS_ROOM
            self.fixed += len(made.lead) + len(made.tail) + len(made.absent) + 2 * longest + made.width + 16
        for i, made in enumerate(checks):
            self.checks[i] = check(made.what, made.bound, made.is_maximum)

    cdef text keep(self, bytes octets):
        cdef text t
        self.kept.append(octets)
        t.at, t.used = <const uint8_t *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets)
        return t

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.piece_count):
            free(self.pieces[i].names)
        free(self.pieces)
        free(self.checks)
        free(self.buffer)
        free(self.row_ends)

    def __len__(self):
        return self.used

    def render(self, Bin bin not None, size_t at, int64_t now, *, size_t full_at=FULL_ROWS, const uint32_t[::1] order=None):
        cdef const table *t = bin.table
        cdef size_t last = t.count if order is None else <size_t>order.shape[0]
        cdef size_t number
        cdef const uint8_t *entry
        cdef bint failed = False
        if t.released:
            raise ValueError("the bin is being released")
        self.bin_start = t.start // SECOND if bin.has_times else 0
        self.now = now
        with nogil:
            while at < last and self.used < full_at:
                number = at if order is None else order[at]
                if number >= t.count:
                    failed = True
                    break
                entry = entry_of(t, number)
                at += 1
                if not self.passes(<const totals *>entry):
                    self.left_out += 1
                elif self.row(entry, entry + t.key_at, bin.texts):
                    failed = True
                    break
        if failed:
            raise MemoryError("no memory for a row, or an entry that is not there")
        return at

    def take(self):
        cdef bytes rows = PyBytes_FromStringAndSize(self.buffer, self.used)
        self.used = self.rows = 0
        if self.room > KEPT_ROOM:
            free(self.buffer)
            self.buffer = NULL
            self.room = 0
        return rows

    def ends(self):
        return PyBytes_FromStringAndSize(<const char *>self.row_ends, self.rows * sizeof(uint32_t))

    cdef bint passes(self, const totals *sums) noexcept nogil:
        """Whether a row is one of those to be written."""
        cdef size_t i
        cdef bint passed
        for i in range(self.check_count):
            passed = self.passes_one(&self.checks[i], sums)
            if passed != self.all_checks:
                return passed
        return self.all_checks or not self.check_count

    cdef bint passes_one(self, const check *c, const totals *sums) noexcept nogil:
        cdef uint64_t value = 0, of = 1
        if c.what == OF_PACKETS or c.what == OF_PACKETS_A_FLOW:
            value = sums.packets
        elif c.what == OF_BYTES or c.what == OF_BYTES_A_PACKET:
            value = sums.bytes
        else:
            value = sums.flows
        if c.what == OF_BYTES_A_PACKET:
            of = sums.packets
        elif c.what == OF_PACKETS_A_FLOW:
            of = sums.flows
        if not of:
            return False                 # of nothing there is no mean
        return value // of < c.bound if c.is_maximum else value // of >= c.bound

    cdef int need(self, size_t octets) noexcept nogil:
        """Room for so many characters and the end of one more row; 0, or -1 without memory."""
        cdef size_t room = self.room
        cdef char *wider
        cdef uint32_t *ends
        if self.rows == self.ends_room:
            ends = <uint32_t *>realloc(self.row_ends, (2 * self.ends_room + 1024) * sizeof(uint32_t))
            if ends == NULL:
                return -1
            self.row_ends, self.ends_room = ends, 2 * self.ends_room + 1024
        if self.room - self.used >= octets:
            return 0
        while room - self.used < octets:
            room = 2 * room + 65536
        wider = <char *>realloc(self.buffer, room)
        if wider == NULL:
            return -1
        self.buffer, self.room = wider, room
        return 0

    cdef int row(self, const uint8_t *entry, const uint8_t *key, Texts texts) noexcept nogil:
        """Write a row; 0, or -1 without memory."""
        cdef size_t i, octets = self.fixed
        cdef piece *p
        cdef uint32_t id
        cdef bint without_counters = key[self.flag_at]
        cdef char *to
        cdef const uint8_t *value
        for i in range(self.piece_count):
            p = &self.pieces[i]
            if p.operation >= DO_TEXT:
                memcpy(&id, (key if p.in_key else entry) + p.at, sizeof(id))
                if id:
                    octets += <size_t>text_of(texts, id).length * TEXT_GROWTH + 16
        if self.need(octets):
            return -1
        to = self.buffer + self.used
        for i in range(self.piece_count):
            p = &self.pieces[i]
            if p.is_counter and without_counters:
                to = self.no_counter(to, p)
                continue
            value = (key if p.in_key else entry) + p.at
            to = put_text(to, &p.lead)
            if self.style == AS_JSON:
                to = self.value(to, p, value, texts)
            elif self.style == AS_CSV:
                to = self.csv_value(to, p, value, texts)
            elif self.style == AS_FORMATTED:
                to = self.padded(to, p, value, texts)
            else:
                to = self.avro_value(to, p, value, texts)
            to = put_text(to, &p.tail)
        if self.style == AS_CSV or self.style == AS_FORMATTED:
            to = put_char(to, c"\n")
        self.used = to - self.buffer
        self.row_ends[self.rows] = <uint32_t>self.used
        self.rows += 1
        return 0

    cdef char *no_counter(self, char *to, const piece *p) noexcept nogil:
        """What stands for a counter where there is none; a column keeps its place."""
        if self.style == AS_JSON or self.style == AS_AVRO:
            return put_text(to, &p.absent)
        to = put_text(to, &p.lead)
        memset(to, c" ", p.width)
        return put_text(to + p.width, &p.tail)

    cdef char *csv_value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value as CSV has it: quoted when it holds what a reader would take for an end (RFC 4180 section 2)."""
        cdef char *end = self.value(to, p, at, texts)
        cdef char *c = to
        cdef size_t quotes = 0
        if not p.may_need_quotes:
            return end
        while c < end and c[0] != self.separator and c[0] != c'"' and c[0] != c"\n" and c[0] != c"\r":
            c += 1
        if c == end:
            return end
        c = to
        while c < end:
            quotes += c[0] == c'"'
            c += 1
        return self.quoted(to, end, quotes)

    cdef char *quoted(self, char *to, char *end, size_t quotes) noexcept nogil:
        """Put quotes around a value and double those in it, from its end to its start."""
        cdef char *source = end
        cdef char *target = end + quotes + 2
        cdef char *last = target
        target -= 1
        target[0] = c'"'
        while source > to:
            source -= 1
            target -= 1
            target[0] = source[0]
            if source[0] == c'"':
                target -= 1
                target[0] = c'"'
        to[0] = c'"'
        return last

    cdef char *padded(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value in a column; one that is too long is followed by a blank all the same."""
        cdef char *end = self.value(to, p, at, texts)
        if p.operation == DO_ADDRESS and end == to:
            end = put(to, b"::", 2)
        if end - to < p.width:
            memset(end, c" ", p.width - (end - to))
            return to + p.width
        return put_char(end, c" ") if p.width else end

    cdef char *avro_value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value in the binary encoding of Avro."""
        cdef char *end
        cdef uint64_t number
        if p.operation == DO_LITERAL:
            return to
        if p.operation == DO_NUMBER and not p.is_text:
            number = number_at(at, p.octets)
            return put_long(to, <int64_t>min(number, 0x7FFFFFFFFFFFFFFFULL))
        if (
            p.operation == DO_FLAGS or p.operation == DO_LIST or p.operation == DO_LABELS
            or p.operation == DO_STACK_LIST or p.operation == DO_SEGMENTS_LIST
        ):
            end = self.value(to, p, at, texts)
            return put_char(end, 0)      # the end of the blocks, of which there is one or none
        return close_text(to, self.value(to + LENGTH_ROOM, p, at, texts))

    cdef char *value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value without what stands around it."""
        cdef uint64_t number
        cdef int64_t when
        cdef char *end
        if p.operation >= DO_TEXT:
            return self.text_value(to, p, at, texts)
        if p.operation == DO_NUMBER:
            if p.octets <= 4:
                return put_u32(to, <uint32_t>number_at(at, p.octets))
            return put_u64(to, number_at(at, p.octets))
        if p.operation == DO_ADDRESS:
            end = put_address(to, at)
            return put_text(to, &p.names[0]) if end == to and p.names_count else end
        if p.operation == DO_NAME:
            number = min(number_at(at, p.octets), p.names_count - 1)
            return put_text(to, &p.names[number])
        if p.operation == DO_TIME:
            memcpy(&when, at, 8)
            return self.time(to, when)
        if p.operation == DO_MAC:
            return put_mac(to, at)
        if p.operation == DO_HEX:
            return put_hex_number(to, number_at(at, p.octets))
        if p.operation == DO_CHARACTER:
            return put_char(to, <char>at[0] if c"A" <= at[0] <= c"z" else c"u")
        if p.operation == DO_RD:
            return put_rd(to, u32_at(at), u32_at(at + 4))
        if p.operation == DO_STAMP:
            return self.moment(to, self.bin_start, -1)
        if p.operation == DO_NOW:
            return self.moment(to, self.now, -1)
        if p.operation == DO_FLAGS:
            return self.flags(to, <uint32_t>number_at(at, p.octets))
        return to

    cdef char *text_value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value that is a text."""
        cdef uint32_t id
        cdef text t
        memcpy(&id, at, sizeof(id))
        if not id:
            return put_text(to, &p.names[0]) if p.names_count else to
        t.at, t.used = text_of(texts, id).octets, text_of(texts, id).length
        if p.operation == DO_TEXT:
            return put_clean(to, t.at, t.used, self.style)
        if p.operation == DO_LIST:
            return put_list(to, t.at, t.at + t.used, self.style)
        if p.operation == DO_LABELS:
            return put_labels(to, t.at, t.at + t.used, self.style)
        if p.operation == DO_STACK or p.operation == DO_STACK_LIST:
            return put_numbered(to, t.at, t.used, 4, p.operation == DO_STACK_LIST, self.style)
        if p.operation == DO_SEGMENTS or p.operation == DO_SEGMENTS_LIST:
            return put_numbered(to, t.at, t.used, 16, p.operation == DO_SEGMENTS_LIST, self.style)
        return put_octets(to, t.at, t.used)

    cdef char *flags(self, char *to, uint32_t value) noexcept nogil:
        """The names of TCP flags that are set (RFC 9293 section 3.1), as a list."""
        cdef int i
        cdef uint32_t n = 0
        if self.style == AS_AVRO:
            for i in range(8):
                n += value >> i & 1
            if n:
                to = put_long(to, n)
        n = 0
        for i in range(8):
            if value >> (7 - i) & 1:
                if n and self.style == AS_JSON:
                    to = put(to, b", ", 2)
                to = put_item(to, <const uint8_t *>FLAG_NAMES[i], 3, self.style)
                n += 1
        return to

    cdef char *time(self, char *to, int64_t when) noexcept nogil:
        """A time in microseconds; one before 1970 is none."""
        if when <= 0:
            return self.moment(to, 0, 0)
        return self.moment(to, when // SECOND, 0 if self.whole_seconds else when % SECOND)

    cdef char *moment(self, char *to, int64_t second, int64_t microseconds) noexcept nogil:
        """A second with its fraction, without one when that is -1."""
        cdef int64_t minutes
        if self.layout == LAYOUT_EPOCH:
            to = put_u64(to, <uint64_t>second)
        elif not second:
            to = put(to, b"0000-00-00T00:00:00" if self.layout == LAYOUT_RFC9557 else b"0000-00-00 00:00:00", 19)
        else:
            if second != self.second:
                self.set_date(second)
            to = put(to, self.date, self.date_used)
        if microseconds >= 0:
            to = put_digits(put_char(to, c"."), <uint64_t>microseconds, 6)
        if self.layout == LAYOUT_RFC9557:
            minutes = self.zone_offset // 60 if second else 0
            to = put_char(to, c"-" if minutes < 0 else c"+")
            minutes = -minutes if minutes < 0 else minutes
            to = put_digits(to, <uint64_t>(minutes // 60), 2)
            to = put_digits(put_char(to, c":"), <uint64_t>(minutes % 60), 2)
        return to

    cdef void set_date(self, int64_t second) noexcept nogil:
        """Write the text of a second, on the clock of the zone."""
        cdef int64_t wall, days, era, year, month
        cdef uint64_t of_era, of_year
        cdef tm local
        cdef time_t when = second
        cdef char *to = self.date
        if second // ZONE_STEP != self.zone_block:
            self.zone_block = second // ZONE_STEP
            self.zone_offset = local.tm_gmtoff if not self.utc and localtime_r(&when, &local) != NULL else 0
        wall = second + self.zone_offset + DAY   # a day more: west of Greenwich the first hours of 1970 are in 1969
        days = wall // DAY - 1 + 719468      # from 0000-03-01: a leap day ends a year
        era = days // 146097
        of_era = <uint64_t>(days - era * 146097)
        year = <int64_t>((of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365)
        of_year = of_era - <uint64_t>(365 * year + year // 4 - year // 100)
        month = <int64_t>((5 * of_year + 2) // 153)
        days = <int64_t>of_year - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        year += era * 400 + (month <= 2)
        if year > 9999:
            to = put_u64(to, <uint64_t>year)
        else:
            to = put_digits(to, <uint64_t>year, 4)
        to = put_digits(put_char(to, c"-"), <uint64_t>month, 2)
        to = put_digits(put_char(to, c"-"), <uint64_t>days, 2)
        to = put_char(to, c"T" if self.layout == LAYOUT_RFC9557 else c" ")
        wall %= DAY
        to = put_digits(to, <uint64_t>(wall // 3600), 2)
        to = put_digits(put_char(to, c":"), <uint64_t>(wall // 60 % 60), 2)
        to = put_digits(put_char(to, c":"), <uint64_t>(wall % 60), 2)
        self.second, self.date_used = second, to - self.date
