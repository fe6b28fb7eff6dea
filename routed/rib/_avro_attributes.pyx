# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Path attributes as fields of an Avro record: the columns of pmacct's records, each in its place, absent ones null.

The values are those of the JSON rows, written by the same functions; lists are one text or an array of texts, and an empty
array is the same octet as null.  As there an attribute of n octets never needs more than `WORST * n` octets.
"""

from libc.stdint cimport INT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memmove
from routed.rib._attribute_text cimport (
    AS_PATH_ARRAY, COMMUNITIES_ARRAY, LIST_BARE, ORIGIN_INTEGER, aigp_of, attribute, columns, has, label_index_of,
    put_as_path, put_communities, put_extended_communities, put_large_communities,
)
from routed.rib._avro cimport (
    LENGTH_ROOM, LONG_OCTETS, close_string, put_long, put_null, put_some, put_string,
)
from routed.rib._codepoints cimport (
    AS_PATH, COMMUNITIES, EXTENDED_COMMUNITIES, LARGE_COMMUNITY, LOCAL_PREF, MULTI_EXIT_DISC, ONLY_TO_CUSTOMER, ORIGIN,
)
from routed.rib._text cimport put_char, u32_at

cdef const char *ORIGINS = b"ieu"


cdef inline size_t gap_of(const attribute *a) noexcept nogil:
    """Octets by which the text of a list is put off, so that it can be turned into an array where it stands.

    The blank behind a value makes room for its length, which takes a second octet when the value is long; that many
    characters are a set of at least six ASNs.
    """
    return LONG_OCTETS + a.length // 16


cdef char *put_array(char *to, const char *at, const char *end) noexcept nogil:
    """An array of the texts between the blanks of a text, in one block."""
    cdef const char *next
    cdef size_t n
    cdef int count = 1
    if at == end:
        return put_char(to, 0)
    next = <const char *>memchr(at, c" ", end - at)
    while next != NULL:
        count += 1
        next = <const char *>memchr(next + 1, c" ", end - next - 1)
    to = put_long(to, count)
    while at <= end:
        next = <const char *>memchr(at, c" ", end - at)
        n = (end if next == NULL else next) - at
        to = put_long(to, n)
        memmove(to, at, n)
        to += n
        at += n + 1
    return put_char(to, 0)


cdef inline char *text_of(char *to, const attribute *a, bint array) noexcept nogil:
    """Where the text of a list is to be written."""
    return to + gap_of(a) if array else put_some(to) + LENGTH_ROOM


cdef inline char *close_list(char *to, const attribute *a, char *end, bint array) noexcept nogil:
    """Turn the text of a list that was written up to `end` into its field."""
    return put_array(to, to + gap_of(a), end) if array else close_string(to + 1, end)


cdef inline char *put_number(char *to, bint is_there, uint64_t value) noexcept nogil:
    if not is_there:
        return put_null(to)
    return put_long(put_some(to), <long long>min(value, <uint64_t>INT64_MAX))


cdef char *put_path(char *to, const columns *c, unsigned int style, uint8_t *room) noexcept nogil:
    """Write `as_path`."""
    cdef const attribute *a = &c.found[AS_PATH]
    cdef bint array = (style & AS_PATH_ARRAY) != 0
    return close_list(to, a, put_as_path(text_of(to, a, array), a, LIST_BARE, <uint32_t *>room), array)


cdef char *put_fields(char *to, const columns *c, unsigned int style, uint8_t *room) noexcept nogil:
    """Write the fields from `comms` to `otc`.

    Args:
        room: as many octets as the attributes have, aligned for 64-bit words, to sort communities in.
    """
    cdef bint array = (style & COMMUNITIES_ARRAY) != 0
    cdef const attribute *a = &c.found[COMMUNITIES]
    cdef uint64_t metric = 0
    cdef bint is_metric
    cdef uint32_t number
    if has(c, COMMUNITIES):
        to = close_list(to, a, put_communities(text_of(to, a, array), a, LIST_BARE, style, room), array)
    else:
        to = put_null(to)
    a = &c.found[EXTENDED_COMMUNITIES]
    if has(c, EXTENDED_COMMUNITIES):
        to = close_list(to, a, put_extended_communities(text_of(to, a, array), a, LIST_BARE, style, room), array)
    else:
        to = put_null(to)
    a = &c.found[LARGE_COMMUNITY]
    if has(c, LARGE_COMMUNITY):
        to = close_list(to, a, put_large_communities(text_of(to, a, array), a, LIST_BARE, room), array)
    else:
        to = put_null(to)
    if not has(c, ORIGIN):
        to = put_null(to)
    elif style & ORIGIN_INTEGER:
        to = put_long(put_some(to), c.found[ORIGIN].at[0])
    else:
        to = put_string(put_some(to), ORIGINS + c.found[ORIGIN].at[0], 1)
    to = put_number(to, has(c, LOCAL_PREF), u32_at(c.found[LOCAL_PREF].at) if has(c, LOCAL_PREF) else 0)
    to = put_number(to, has(c, MULTI_EXIT_DISC), u32_at(c.found[MULTI_EXIT_DISC].at) if has(c, MULTI_EXIT_DISC) else 0)
    is_metric = aigp_of(c, &metric)
    to = put_number(to, is_metric, metric)
    number = label_index_of(c)
    to = put_number(to, number != 0, number)
    number = u32_at(c.found[ONLY_TO_CUSTOMER].at) if has(c, ONLY_TO_CUSTOMER) else 0
    return put_number(to, number != 0, number)
