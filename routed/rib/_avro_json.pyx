# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Avro records from the binary to the JSON encoding (Apache Avro 1.11 specification, "JSON Encoding").

Both encodings of a row are so written by one writer.  Every octet of a record becomes at most `WORST` characters, each
field besides as many as its name and type have.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from routed.rib._text cimport put, put_char, put_u64

cdef enum:
    WORST = 20              # a number of one octet takes three at most, a text of one octet six with `\u00xx`

cdef enum:                  # types of fields, as `TYPES` names them
    STRING = 0
    NUMBER = 1
    TEXTS = 2
    TEXT_MAP = 3

#: What `AvroJson` wants for each type of a schema.
TYPES = {"string": STRING, "int": NUMBER, "long": NUMBER, "array": TEXTS, "map": TEXT_MAP}

cdef const char *HEX = b"0123456789abcdef"

ctypedef struct field:
    const char *lead        # what stands in front of a value: comma and name
    size_t lead_used
    const char *branch      # opens the value of a union; none where the field is no union
    size_t branch_used
    int kind

ctypedef struct source:
    const uint8_t *at
    const uint8_t *end
    bint broken             # the octets are no record


cdef class AvroJson:
    """Turns records of one schema into JSON.

    Args:
        fields: of each field name, type, and whether it may be null.
    """

    cdef field *fields
    cdef size_t field_count
    cdef size_t overhead             # characters of a record besides its values
    cdef list kept

    def __cinit__(self, fields):
        cdef bytes lead, branch
        cdef size_t i
        self.kept = []
        self.field_count = len(fields)
        self.fields = <field *>malloc((self.field_count + 1) * sizeof(field))
        if self.fields == NULL:
            raise MemoryError
        self.overhead = 8
        for i, (name, kind, is_nullable) in enumerate(fields):
            lead = b'%s"%s": ' % (b", " if i else b"{", name.encode())
            branch = b'{"%s": ' % kind.encode() if is_nullable else b""
            self.kept += [lead, branch]
            self.fields[i].lead, self.fields[i].lead_used = PyBytes_AS_STRING(lead), PyBytes_GET_SIZE(lead)
            self.fields[i].branch, self.fields[i].branch_used = PyBytes_AS_STRING(branch), PyBytes_GET_SIZE(branch)
            self.fields[i].kind = TYPES[kind]
            self.overhead += self.fields[i].lead_used + self.fields[i].branch_used + 8

    def __dealloc__(self):
        free(self.fields)

    def lines(self, bytes records not None, size_t count):
        """Return records as lines of JSON.

        Args:
            records: octets of `count` records, one behind the other.
        Raises: ValueError when they are not, which is our mistake.
        """
        cdef source s
        cdef char *room
        cdef char *to
        cdef size_t i
        s.at = <const uint8_t *>PyBytes_AS_STRING(records)
        s.end = s.at + PyBytes_GET_SIZE(records)
        s.broken = False
        if not self.field_count or count > <size_t>PyBytes_GET_SIZE(records):
            raise ValueError("not the records of this schema")
        room = <char *>malloc(count * self.overhead + WORST * <size_t>PyBytes_GET_SIZE(records) + 64)
        if room == NULL:
            raise MemoryError
        to = room
        with nogil:
            for i in range(count):
                to = self.put_record(to, &s)
        try:
            if s.broken or s.at != s.end:
                raise ValueError("not the records of this schema")
            return PyBytes_FromStringAndSize(room, to - room)
        finally:
            free(room)

    cdef char *put_record(self, char *to, source *s) noexcept nogil:
        cdef const field *f
        cdef size_t i
        for i in range(self.field_count):
            f = &self.fields[i]
            to = put(to, f.lead, f.lead_used)
            if not f.branch_used:
                to = put_value(to, f.kind, s)
            elif not take_long(s):
                to = put(to, b"null", 4)
            else:
                to = put_char(put_value(put(to, f.branch, f.branch_used), f.kind, s), c"}")
        return put(to, b"}\n", 2)


cdef uint64_t take_long(source *s) noexcept nogil:
    """A number as it is encoded, zigzag; 0 from octets that are no record."""
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t octet
    while s.at < s.end and shift < 64:
        octet = s.at[0]
        s.at += 1
        value |= <uint64_t>(octet & 127) << shift
        if octet < 128:
            return value
        shift += 7
    s.broken = True
    return 0


cdef size_t take_size(source *s) noexcept nogil:
    """A length or a count: never more than there are octets."""
    cdef uint64_t zigzag = take_long(s)
    if zigzag & 1 or zigzag >> 1 > <uint64_t>(s.end - s.at):
        s.broken = True
        return 0
    return <size_t>(zigzag >> 1)


cdef char *put_value(char *to, int kind, source *s) noexcept nogil:
    cdef size_t i, n
    cdef bint map = kind == TEXT_MAP
    if kind == NUMBER:
        return put_number(to, take_long(s))
    if kind == STRING:
        return put_text(to, s)
    to = put_char(to, c"{" if map else c"[")
    n = take_size(s)
    for i in range(n):
        to = put_text(put(to, b", ", 2) if i else to, s)
        if map:
            to = put_text(put(to, b": ", 2), s)
    if n and take_size(s):           # records of ours have one block
        s.broken = True
    return put_char(to, c"}" if map else c"]")


cdef char *put_number(char *to, uint64_t zigzag) noexcept nogil:
    if zigzag & 1:
        return put_u64(put_char(to, c"-"), (zigzag >> 1) + 1)
    return put_u64(to, zigzag >> 1)


cdef char *put_text(char *to, source *s) noexcept nogil:
    """A text in quotes; what JSON has to escape (RFC 8259 section 7) is."""
    cdef size_t n = take_size(s)
    cdef const uint8_t *at = s.at
    cdef uint8_t octet
    s.at += n
    to = put_char(to, c'"')
    while at < s.at:
        octet = at[0]
        at += 1
        if octet == c'"' or octet == c"\\":
            to = put_char(put_char(to, c"\\"), <char>octet)
        elif octet >= 32:
            to = put_char(to, <char>octet)
        else:
            to = put(to, b"\\u00", 4)
            to = put_char(put_char(to, HEX[octet >> 4]), HEX[octet & 15])
    return put_char(to, c'"')
