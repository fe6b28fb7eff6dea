# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Finished bins as rows of text or of Avro, in bulk.

The pieces of a row are written one after another, without the interpreter, so that rows can be written in a thread
while records go on being summed.  What a row needs is known before it is written, so the writers need no checks.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.columns._texts cimport Texts, text_entry, text_of
from flowcorr.correlate._bin cimport Bin
from flowcorr.correlate._table cimport entry_of, table, totals
from flowcorr.service._checks cimport check, passes
from flowcorr.service._clean_text cimport LENGTH_ROOM, TEXT_GROWTH, close_text
from flowcorr.service._moments cimport LAYOUT_PLAIN, SECOND, start_clock
from flowcorr.service._pieces cimport (
    DO_ADDRESS, DO_LITERAL, DO_NUMBER, DO_TEXT, Pieces, moment, piece, put_text,
)
from flowcorr.service._style cimport AS_AVRO, AS_CSV, AS_FORMATTED, AS_JSON
from flowcorr.service._values cimport number_at
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset
from routed.rib._avro cimport put_long
from routed.rib._text cimport put, put_char

cdef enum:
    FULL_ROWS = 262144                   # octets from which on a buffer is full: some milliseconds of work
    KEPT_ROOM = 4194304                  # a larger buffer is given back once it is empty
    ROOM_OF_TEXT = 16                    # characters of a text beside its own: quotes, a length

#: Separators that no value holds but a text.
PLAIN_SEPARATORS = b",;|\t"


@cython.final
cdef class Renderer:
    cdef Pieces pieces
    cdef check *checks
    cdef size_t check_count
    cdef bint all_checks
    cdef moment moment
    cdef char separator
    cdef uint32_t flag_at
    cdef char *buffer
    cdef size_t used, room
    cdef uint32_t *row_ends
    cdef size_t ends_room
    cdef readonly size_t rows
    cdef readonly uint64_t left_out

    def __cinit__(
        self, pieces not None, *, int style, bytes separator=b",", int layout=LAYOUT_PLAIN, bint utc=False,
        bint whole_seconds=False, uint32_t flag_at=0, checks=(), bint all_checks=False,
    ):
        cdef size_t i
        self.pieces = Pieces(pieces, may_need_quotes=separator not in PLAIN_SEPARATORS)
        self.moment.style = style
        start_clock(&self.moment.clock, layout, utc, whole_seconds)
        self.separator, self.flag_at = separator[0], flag_at
        self.check_count, self.all_checks = len(checks), all_checks
        self.checks = <check *>calloc(self.check_count + 1, sizeof(check))
        if self.checks == NULL:
            raise MemoryError
        for i, made in enumerate(checks):
            self.checks[i] = check(made.what, made.bound, made.is_maximum)

    def __dealloc__(self):
        free(self.checks)
        free(self.buffer)
        free(self.row_ends)

    def __len__(self):
        return self.used

    def render(
        self, Bin bin not None, size_t at, int64_t now, *, size_t full_at=FULL_ROWS, const uint32_t[::1] order=None,
    ):
        cdef const table *t = bin.table
        cdef size_t last = t.count if order is None else <size_t>order.shape[0]
        cdef size_t number
        cdef const uint8_t *entry
        cdef bint failed = False
        if t.released:
            raise ValueError("the bin is being released")
        self.moment.bin_start = t.start // SECOND if bin.has_times else 0
        self.moment.now = now
        with nogil:
            while at < last and self.used < full_at:
                number = at if order is None else order[at]
                if number >= t.count:
                    failed = True
                    break
                entry = entry_of(t, number)
                at += 1
                if not passes(self.checks, self.check_count, self.all_checks, <const totals *>entry):
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
        cdef size_t i
        cdef const piece *p
        cdef bint without_counters = key[self.flag_at]
        cdef char *to
        if self.need(self.row_room(entry, key, texts)):
            return -1
        to = self.buffer + self.used
        for i in range(self.pieces.count):
            p = &self.pieces.items[i]
            if p.is_counter and without_counters:
                to = self.no_counter(to, p)
                continue
            to = put_text(to, &p.lead)
            to = self.styled_value(to, p, (key if p.in_key else entry) + p.at, texts)
            to = put_text(to, &p.tail)
        if self.moment.style == AS_CSV or self.moment.style == AS_FORMATTED:
            to = put_char(to, c"\n")
        self.used = to - self.buffer
        self.row_ends[self.rows] = <uint32_t>self.used
        self.rows += 1
        return 0

    cdef size_t row_room(self, const uint8_t *entry, const uint8_t *key, Texts texts) noexcept nogil:
        """The characters of a row, at most."""
        cdef size_t i, octets = self.pieces.fixed + ROOM_OF_TEXT
        cdef const piece *p
        cdef uint32_t id
        for i in range(self.pieces.count):
            p = &self.pieces.items[i]
            if p.operation >= DO_TEXT:
                memcpy(&id, (key if p.in_key else entry) + p.at, sizeof(id))
                if id:
                    octets += <size_t>text_of(texts, id).length * TEXT_GROWTH + ROOM_OF_TEXT
        return octets

    # values

    cdef char *styled_value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value as the style has it."""
        if self.moment.style == AS_AVRO:
            return self.avro_value(to, p, at, texts)
        cdef char *end = self.value(to, p, at, texts)
        if self.moment.style == AS_JSON:
            return end
        if self.moment.style == AS_FORMATTED:
            return padded(to, end, p)
        return quoted(to, end, self.separator) if p.may_need_quotes else end

    cdef inline char *value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value without what stands around it."""
        cdef uint32_t id
        cdef const text_entry *entry
        if p.write != NULL:
            return p.write(to, p, at, &self.moment)
        memcpy(&id, at, sizeof(id))
        if not id:                       # what stands for an empty text
            return put_text(to, &p.names[0]) if p.names_count else to
        entry = text_of(texts, id)
        return p.write_text(to, entry.octets, entry.length, self.moment.style)

    cdef char *avro_value(self, char *to, const piece *p, const uint8_t *at, Texts texts) noexcept nogil:
        """A value in the binary encoding of Avro."""
        if p.operation == DO_LITERAL:
            return to
        if p.operation == DO_NUMBER and not p.is_text:
            return put_long(to, <int64_t>min(number_at(at, p.octets), <uint64_t>INT64_MAX))
        if p.is_collection:
            return put_char(self.value(to, p, at, texts), 0)      # the end of the blocks, of which there is one or none
        return close_text(to, self.value(to + LENGTH_ROOM, p, at, texts))

    cdef char *no_counter(self, char *to, const piece *p) noexcept nogil:
        """What stands for a counter where there is none; a column keeps its place."""
        if self.moment.style == AS_JSON or self.moment.style == AS_AVRO:
            return put_text(to, &p.absent)
        to = put_text(to, &p.lead)
        memset(to, c" ", p.width)
        return put_text(to + p.width, &p.tail)


cdef char *padded(char *to, char *end, const piece *p) noexcept nogil:
    """A value in a column; one that is too long is followed by a blank all the same."""
    if p.operation == DO_ADDRESS and end == to:
        end = put(to, b"::", 2)
    if end - to < p.width:
        memset(end, c" ", p.width - (end - to))
        return to + p.width
    return put_char(end, c" ") if p.width else end


cdef char *quoted(char *to, char *end, char separator) noexcept nogil:
    """A value as CSV has it: quoted when it holds what a reader would take for an end (RFC 4180 section 2)."""
    cdef char *c = to
    cdef size_t quotes = 0
    while c < end and c[0] != separator and c[0] != c'"' and c[0] != c"\n" and c[0] != c"\r":
        c += 1
    if c == end:
        return end
    c = to
    while c < end:
        quotes += c[0] == c'"'
        c += 1
    return put_quotes(to, end, quotes)


cdef char *put_quotes(char *to, char *end, size_t quotes) noexcept nogil:
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
