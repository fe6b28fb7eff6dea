# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Values that are lists or maps: texts with separators in them, stacks of labels and segments, flags.

JSON has them with commas between the items, Avro as one block of so many (Apache Avro 1.11, "Binary Encoding"), whose
end the caller writes.  Every `put` writes without checks into room that the caller made.
"""

from flowcorr.service._clean_text cimport put_item
from flowcorr.service._style cimport AS_AVRO, AS_JSON
from flowcorr.service._values cimport put_address
from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp
from routed.rib._avro cimport close_short, put_long
from routed.rib._text cimport put, put_char, put_u32, u32_at

cdef enum:
    LABEL = 4                            # octets
    SEGMENT = 16
    FLAGS = 8
    MOST_DISTINCT = 64                   # labels among which a later one of the same key wins

# writes one item of a stack
ctypedef char *(*item_writer)(char *to, const uint8_t *at) noexcept nogil

cdef const char *UPPER_DIGITS = b"0123456789ABCDEF"
cdef const char *FLAG_NAMES[FLAGS]
FLAG_NAMES[:] = [b"CWR", b"ECE", b"URG", b"ACK", b"PSH", b"RST", b"SYN", b"FIN"]


cdef inline char *put_count(char *to, int64_t count) noexcept nogil:
    """How many items a block has; a block of none would be the end of them."""
    return put_long(to, count) if count else to


# texts with separators

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


cdef char *put_list(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """A text of parts with `_` between them as a list."""
    cdef const uint8_t *end = at + n
    cdef const uint8_t *stop
    cdef bint first = True
    if style == AS_AVRO:
        to = put_count(to, count_parts(at, end, c"_"))
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


cdef char *put_labels(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """Labels as a map: of each the text before the first `%` and the text behind it; of equal keys the last one."""
    cdef const uint8_t *end = at + n
    cdef const uint8_t *stop
    cdef const uint8_t *mark
    cdef const uint8_t *label = at
    cdef bint first = True, distinct = count_parts(at, end, c",") <= MOST_DISTINCT
    cdef int64_t count = 0
    if style == AS_AVRO:
        while label < end:
            stop = part_end(label, end, c",")
            if stop > label and not (distinct and comes_again(label, part_end(label, stop, c"%"), stop + 1, end)):
                count += 1
            label = stop + 1
        to = put_count(to, count)
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


# stacks, which are items of one length side by side

cdef inline char *put_label(char *to, const uint8_t *at) noexcept nogil:
    return put_u32(to, u32_at(at))


cdef inline char *put_joined(char *to, const uint8_t *at, size_t n, size_t octets, item_writer put_one) noexcept nogil:
    """Items with `_` between them."""
    cdef size_t i
    for i in range(n // octets):
        if i:
            to = put_char(to, c"_")
        to = put_one(to, at + i * octets)
    return to


cdef inline char *put_numbered(
    char *to, const uint8_t *at, size_t n, size_t octets, int style, item_writer put_one,
) noexcept nogil:
    """Items as a list, each with its number in front."""
    cdef size_t i
    cdef char *item
    cdef char *end
    if style == AS_AVRO:
        to = put_count(to, <int64_t>(n // octets))
    for i in range(n // octets):
        item = put(to, b", ", 2) if i and style == AS_JSON else to
        end = put_char(put_u32(item + 1, <uint32_t>i), c"-")     # behind the room for a quote or a length
        to = close_item(item, put_one(end, at + i * octets), style)
    return to


cdef inline char *close_item(char *item, char *end, int style) noexcept nogil:
    """Put the length in front of an item, or quotes around it."""
    if style == AS_AVRO:
        return close_short(item, end)
    item[0] = c'"'
    return put_char(end, c'"')


cdef char *put_stack(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """MPLS labels with `_` between them."""
    return put_joined(to, at, n, LABEL, put_label)


cdef char *put_segments(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """Addresses with `_` between them."""
    return put_joined(to, at, n, SEGMENT, put_address)


cdef char *put_stack_list(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """MPLS labels as a list, each with its number."""
    return put_numbered(to, at, n, LABEL, style, put_label)


cdef char *put_segments_list(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """Addresses as a list, each with its number."""
    return put_numbered(to, at, n, SEGMENT, style, put_address)


# others

cdef char *put_octets(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """Octets in hexadecimal digits with `-` between them."""
    cdef size_t i
    for i in range(n):
        if i:
            to = put_char(to, c"-")
        to = put_char(put_char(to, UPPER_DIGITS[at[i] >> 4]), UPPER_DIGITS[at[i] & 15])
    return to


cdef char *put_flags(char *to, uint32_t flags, int style) noexcept nogil:
    """The names of TCP flags that are set (RFC 9293 section 3.1), as a list."""
    cdef int i, count = 0
    for i in range(FLAGS):
        count += flags >> i & 1
    if style == AS_AVRO:
        to = put_count(to, count)
    for i in range(FLAGS):
        if flags >> (FLAGS - 1 - i) & 1:
            to = put_item(to, <const uint8_t *>FLAG_NAMES[i], 3, style)
            count -= 1
            if count and style == AS_JSON:
                to = put(to, b", ", 2)
    return to
