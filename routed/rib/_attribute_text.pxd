"""Path attributes as members of a JSON record.  See `_attribute_text.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._codepoints cimport PREFIX_SID

cdef enum:                           # styles
    AS_PATH_ARRAY = 1
    COMMUNITIES_ARRAY = 2
    COMMUNITIES_NUMERIC = 4
    ORIGIN_INTEGER = 8
    ALL_ATTRIBUTES = 16

cdef enum:
    WORST = 16                       # characters that an octet of an attribute may become, names of keys included

ctypedef enum list_form:             # lists of values
    LIST_TEXT                        # one JSON text
    LIST_ARRAY                       # a JSON array of texts
    LIST_BARE                        # one text without quotes

ctypedef struct attribute:           # one attribute of a checked attribute block
    const uint8_t *at
    size_t length

ctypedef struct columns:             # the attributes that have a key in pmacct's records
    attribute found[PREFIX_SID + 1]  # by code, of which that is the last one
    uint64_t present                 # bit by code


cdef inline bint has(const columns *c, unsigned int code) noexcept nogil:
    return c.present >> code & 1


cdef inline const uint8_t *step(const uint8_t *at, uint8_t *code, attribute *a) noexcept nogil:
    """One attribute of a checked attribute block; where the next one starts."""
    code[0] = at[1]
    if at[0] & 0x10:
        a.length = <size_t>at[2] << 8 | at[3]
        a.at = at + 4
    else:
        a.length = at[2]
        a.at = at + 3
    return a.at + a.length


cdef char *put_community(char *to, uint32_t value, bint numeric) noexcept nogil
cdef char *put_extended(char *to, uint64_t value, bint numeric) noexcept nogil
cdef char *put_large(char *to, const uint8_t *at) noexcept nogil
cdef void find_columns(columns *c, const uint8_t *at, const uint8_t *end) noexcept nogil
cdef bint aigp_of(const columns *c, uint64_t *metric) noexcept nogil
cdef uint32_t label_index_of(const columns *c) noexcept nogil
cdef char *put_as_path(char *to, const attribute *a, list_form form, uint32_t *room) noexcept nogil
cdef char *put_communities(
    char *to, const attribute *a, list_form form, unsigned int style, uint8_t *room,
) noexcept nogil
cdef char *put_extended_communities(
    char *to, const attribute *a, list_form form, unsigned int style, uint8_t *room,
) noexcept nogil
cdef char *put_large_communities(char *to, const attribute *a, list_form form, uint8_t *room) noexcept nogil
cdef char *put_columns(
    char *to, const uint8_t *at, const uint8_t *end, unsigned int style, uint8_t *room,
) noexcept nogil
cdef char *put_others(
    char *to, const uint8_t *at, const uint8_t *end, uint32_t label, uint8_t *room,
) noexcept nogil
