# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Path attributes as members of a JSON record: those that have a key in pmacct's records, and the others.

The attributes were checked when they arrived, so nothing here looks at a length twice.  An attribute of n octets never
needs more than `WORST * n` characters, whatever its octets are: that is how the caller makes room.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._codepoints cimport (
    AGGREGATOR, AIGP, AS_PATH, ATOMIC_AGGREGATE, CLUSTER_LIST, COMMUNITIES, EXTENDED_COMMUNITIES,
    IPV6_EXTENDED_COMMUNITIES, LARGE_COMMUNITY, LOCAL_PREF, MULTI_EXIT_DISC, ONLY_TO_CUSTOMER, ORIGIN, ORIGINATOR_ID,
    PREFIX_SID,
)
from routed.rib._prefix_sid cimport put_prefix_sid
from routed.rib._sorted_values cimport sorted_u32, sorted_u64, sorted_wide
from routed.rib._text cimport (
    put, put_char, put_hex, put_ipv4, put_ipv6, put_key, put_u32, put_u64, u16_at, u32_at, u64_at,
)

cdef const char *HEX = b"0123456789abcdef"


# -- lists -------------------------------------------------------------------------------------------------------------


cdef inline char *put_list(char *to, list_form form) noexcept nogil:
    """Open a list of values."""
    if form == LIST_BARE:
        return to
    return put(to, b'["', 2) if form == LIST_ARRAY else put_char(to, c'"')


cdef inline char *put_next(char *to, list_form form) noexcept nogil:
    """Between two values of a list."""
    return put(to, b'", "', 4) if form == LIST_ARRAY else put_char(to, c" ")


cdef inline char *put_list_end(char *to, list_form form) noexcept nogil:
    if form == LIST_BARE:
        return to
    return put(to, b'"]', 2) if form == LIST_ARRAY else put_char(to, c'"')


# -- values ------------------------------------------------------------------------------------------------------------


cdef char *put_as_set(char *to, const uint8_t *at, uint8_t n, char opening, char closing, uint32_t *room) noexcept nogil:
    cdef size_t i, kept = sorted_u32(at, n, room)
    to = put_char(to, opening)
    for i in range(kept):
        if i:
            to = put_char(to, c",")
        to = put_u32(to, room[i])
    return put_char(to, closing)


cdef char *put_as_path(char *to, const attribute *a, list_form form, uint32_t *room) noexcept nogil:
    """AS_PATH in asplain: sequences plain, {sets}, (confederation sequences), [confederation sets]."""
    cdef const uint8_t *at = a.at
    cdef const uint8_t *end = at + a.length
    cdef const uint8_t *start = at
    cdef uint8_t kind, n, i
    cdef uint8_t previous = 0
    if at == end and form == LIST_ARRAY:
        return put(to, b"[]", 2)
    to = put_list(to, form)
    while at < end:
        kind = at[0]
        n = at[1]
        if previous == 3:
            to = put_char(to, c")")
        if at != start:
            to = put_next(to, form)
        if kind == 1:
            to = put_as_set(to, at + 2, n, c"{", c"}", room)
        elif kind == 4:
            to = put_as_set(to, at + 2, n, c"[", c"]", room)
        else:
            if kind == 3:
                to = put_char(to, c"(")
            for i in range(n):
                if i:
                    to = put_next(to, form)
                to = put_u32(to, u32_at(at + 2 + 4 * <size_t>i))
        previous = kind
        at += 2 + 4 * <size_t>n
    if previous == 3:
        to = put_char(to, c")")
    return put_list_end(to, form)


cdef char *put_community(char *to, uint32_t value, bint numeric) noexcept nogil:
    if not numeric:
        if value == 0:
            return put(to, b"internet", 8)
        if value == 0xFFFFFF01U:
            return put(to, b"no-export", 9)
        if value == 0xFFFFFF02U:
            return put(to, b"no-advertise", 12)
        if value == 0xFFFFFF03U:
            return put(to, b"local-AS", 8)
    return put_u32(put_char(put_u32(to, value >> 16), c":"), value & 0xFFFF)


cdef char *put_administrator(char *to, uint64_t value) noexcept nogil:
    """The value of an extended community of type 0, 1 or 2 (RFC 4360 section 3, RFC 5668)."""
    cdef unsigned int kind = <unsigned int>(value >> 56) & 0x3F
    if kind == 0:
        to = put_char(put_u32(to, <uint32_t>(value >> 32) & 0xFFFF), c":")
        return put_u32(to, <uint32_t>value)
    if kind == 1:
        to = put_ipv4(to, <uint32_t>(value >> 16))
    else:
        to = put_u32(to, <uint32_t>(value >> 16))
    return put_u32(put_char(to, c":"), <uint32_t>value & 0xFFFF)


cdef char *put_extended(char *to, uint64_t value, bint numeric) noexcept nogil:
    cdef unsigned int kind = <unsigned int>(value >> 56) & 0xBF
    cdef unsigned int subtype = <unsigned int>(value >> 48) & 0xFF
    cdef int i
    if numeric:
        to = put_char(put_u32(to, <uint32_t>(value >> 56)), c":")
        to = put_char(put_u32(to, subtype), c":")
        if kind <= 2:
            return put_administrator(to, value)
        to = put(to, b"0x", 2)
        for i in range(44, -4, -4):
            to = put_char(to, HEX[(value >> i) & 15])
        return to
    if kind <= 2 and subtype == 2:
        return put_administrator(put(to, b"RT:", 3), value)
    if kind <= 2 and subtype == 3:
        return put_administrator(put(to, b"SoO:", 4), value)
    return put_char(to, c"?")


cdef char *put_large(char *to, const uint8_t *at) noexcept nogil:
    to = put_char(put_u32(to, u32_at(at)), c":")
    to = put_char(put_u32(to, u32_at(at + 4)), c":")
    return put_u32(to, u32_at(at + 8))


cdef bint aigp_of(const columns *c, uint64_t *metric) noexcept nogil:
    """The accumulated metric of the first AIGP TLV (RFC 7311 section 3), if there is one."""
    if not has(c, AIGP):
        return False
    cdef const uint8_t *at = c.found[AIGP].at
    cdef const uint8_t *end = at + c.found[AIGP].length
    cdef size_t n
    while end - at >= 3:
        n = u16_at(at + 1)
        if n < 3 or n > <size_t>(end - at):
            return False
        if at[0] == 1 and n == 11:
            metric[0] = u64_at(at + 3)
            return True
        at += n
    return False


cdef uint32_t label_index_of(const columns *c) noexcept nogil:
    """The label index of a BGP Prefix-SID attribute (RFC 8669 section 3.1), 0 when there is none."""
    if not has(c, PREFIX_SID):
        return 0
    cdef const uint8_t *at = c.found[PREFIX_SID].at
    cdef const uint8_t *end = at + c.found[PREFIX_SID].length
    cdef size_t n
    while end - at >= 3:
        n = u16_at(at + 1)
        if n + 3 > <size_t>(end - at):
            return 0
        if at[0] == 1 and n == 7:
            return u32_at(at + 6)
        at += 3 + n
    return 0


cdef char *put_origin(char *to, uint8_t origin, bint integer) noexcept nogil:
    if integer:
        return put_u32(put(to, b', "origin": ', 12), origin)
    to = put(to, b', "origin": "', 13)
    return put_char(put_char(to, b"ieu"[origin]), c'"')


# -- pmacct's columns ---------------------------------------------------------------------------------------------------


cdef char *put_communities(
    char *to, const attribute *a, list_form form, unsigned int style, uint8_t *room,
) noexcept nogil:
    """COMMUNITIES (RFC 1997) in ascending order, each once."""
    cdef uint32_t *values = <uint32_t *>room
    cdef size_t i, n = sorted_u32(a.at, a.length // 4, values)
    to = put_list(to, form)
    for i in range(n):
        if i:
            to = put_next(to, form)
        to = put_community(to, values[i], (style & COMMUNITIES_NUMERIC) != 0)
    return put_list_end(to, form)


cdef char *put_extended_communities(
    char *to, const attribute *a, list_form form, unsigned int style, uint8_t *room,
) noexcept nogil:
    cdef uint64_t *values = <uint64_t *>room
    cdef size_t i, n = sorted_u64(a.at, a.length // 8, values)
    to = put_list(to, form)
    for i in range(n):
        if i:
            to = put_next(to, form)
        to = put_extended(to, values[i], (style & COMMUNITIES_NUMERIC) != 0)
    return put_list_end(to, form)


cdef char *put_large_communities(char *to, const attribute *a, list_form form, uint8_t *room) noexcept nogil:
    cdef size_t i, n = sorted_wide(a.at, a.length // 12, 12, room)
    to = put_list(to, form)
    for i in range(n):
        if i:
            to = put_next(to, form)
        to = put_large(to, room + 12 * i)
    return put_list_end(to, form)


cdef void find_columns(columns *c, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Find the attributes of a block that have a key in pmacct's records; an absent AS_PATH is an empty one."""
    cdef uint8_t code = 0
    cdef attribute a
    c.present = 0
    c.found[AS_PATH].at = end
    c.found[AS_PATH].length = 0
    while at < end:
        at = step(at, &code, &a)
        if code <= PREFIX_SID:
            c.found[code] = a
            c.present |= <uint64_t>1 << code


cdef char *put_columns(
    char *to, const uint8_t *at, const uint8_t *end, unsigned int style, uint8_t *room,
) noexcept nogil:
    """The attributes that have a key in pmacct's records, in its order.

    Args:
        room: as many octets as the attributes have, aligned for 64-bit words, to sort communities in.
    """
    cdef list_form list = LIST_ARRAY if style & COMMUNITIES_ARRAY else LIST_TEXT
    cdef columns c
    cdef uint64_t metric = 0
    cdef uint32_t number
    find_columns(&c, at, end)
    to = put(to, b', "as_path": ', 13)
    to = put_as_path(to, &c.found[AS_PATH], LIST_ARRAY if style & AS_PATH_ARRAY else LIST_TEXT, <uint32_t *>room)
    if has(&c, COMMUNITIES):
        to = put_communities(put(to, b', "comms": ', 11), &c.found[COMMUNITIES], list, style, room)
    if has(&c, EXTENDED_COMMUNITIES):
        to = put(to, b', "ecomms": ', 12)
        to = put_extended_communities(to, &c.found[EXTENDED_COMMUNITIES], list, style, room)
    if has(&c, LARGE_COMMUNITY):
        to = put_large_communities(put(to, b', "lcomms": ', 12), &c.found[LARGE_COMMUNITY], list, room)
    if has(&c, ORIGIN):
        to = put_origin(to, c.found[ORIGIN].at[0], (style & ORIGIN_INTEGER) != 0)
    if has(&c, LOCAL_PREF):
        to = put_u32(put(to, b', "local_pref": ', 16), u32_at(c.found[LOCAL_PREF].at))
    if has(&c, MULTI_EXIT_DISC):
        to = put_u32(put(to, b', "med": ', 9), u32_at(c.found[MULTI_EXIT_DISC].at))
    if aigp_of(&c, &metric):
        to = put_u64(put(to, b', "aigp": ', 10), metric)
    number = label_index_of(&c)
    if number:
        to = put_u32(put(to, b', "psid_li": ', 13), number)
    if has(&c, ONLY_TO_CUSTOMER) and u32_at(c.found[ONLY_TO_CUSTOMER].at):
        to = put_u32(put(to, b', "otc": ', 9), u32_at(c.found[ONLY_TO_CUSTOMER].at))
    return to


# -- the attributes that pmacct leaves out ------------------------------------------------------------------------------


cdef char *put_addresses(char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
    to = put_char(to, c"[")
    while at < end:
        to = put_char(put_ipv4(put_char(to, c'"'), u32_at(at)), c'"')
        at += 4
        if at < end:
            to = put(to, b", ", 2)
    return put_char(to, c"]")


cdef char *put_ipv6_extended(char *to, const uint8_t *at, size_t n, uint8_t *room) noexcept nogil:
    """IPv6 address specific extended communities (RFC 5701): RT, SoO or type:subtype, address, number."""
    cdef size_t i, kept = sorted_wide(at, n, 20, room)
    cdef const uint8_t *one
    to = put_char(to, c"[")
    for i in range(kept):
        one = room + 20 * i
        to = put(to, b', "' if i else b'"', 3 if i else 1)
        if one[1] == 2:
            to = put(to, b"RT:", 3)
        elif one[1] == 3:
            to = put(to, b"SoO:", 4)
        else:
            to = put_char(put_u32(put_char(put_u32(to, one[0]), c":"), one[1]), c":")
        to = put_ipv6(to, one + 2)
        to = put_char(put_u32(put_char(to, c":"), u16_at(one + 18)), c'"')
    return put_char(to, c"]")


cdef char *put_other(
    char *to, uint8_t code, const uint8_t *at, size_t n, uint32_t label, uint8_t *room,
) noexcept nogil:
    """One attribute that has no column in pmacct's records."""
    if code == ATOMIC_AGGREGATE:
        return put(put_key(to, b"atomic_aggregate"), b"true", 4)
    if code == AGGREGATOR:
        to = put_char(put_key(to, b"aggregator"), c'"')
        to = put_u32(to, u32_at(at) if n == 8 else u16_at(at))
        to = put_ipv4(put_char(to, c" "), u32_at(at + n - 4))
        return put_char(to, c'"')
    if code == ORIGINATOR_ID:
        to = put_ipv4(put_char(put_key(to, b"originator_id"), c'"'), u32_at(at))
        return put_char(to, c'"')
    if code == CLUSTER_LIST:
        return put_addresses(put_key(to, b"cluster_list"), at, at + n)
    if code == IPV6_EXTENDED_COMMUNITIES:
        return put_ipv6_extended(put_key(to, b"ipv6_ecomms"), at, n // 20, room)
    if code == PREFIX_SID:
        return put_prefix_sid(to, at, at + n, label)
    to = put(to, b', "attribute_', 13)
    to = put(put_u32(to, code), b'": "', 4)
    return put_char(put_hex(to, at, n), c'"')


cdef inline bint has_column(uint8_t code) noexcept nogil:
    return code <= LOCAL_PREF or code == COMMUNITIES or (
        code == EXTENDED_COMMUNITIES or code == LARGE_COMMUNITY or code == AIGP or code == ONLY_TO_CUSTOMER
    )


cdef char *put_others(
    char *to, const uint8_t *at, const uint8_t *end, uint32_t label, uint8_t *room,
) noexcept nogil:
    """The attributes that pmacct has no key for, of a route with a label or NO_LABEL."""
    cdef attribute a
    cdef uint8_t code = 0
    while at < end:
        at = step(at, &code, &a)
        if not has_column(code):
            to = put_other(to, code, a.at, a.length, label, room)
    return to
