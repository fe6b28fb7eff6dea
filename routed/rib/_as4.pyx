# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The AS path of a speaker without four-octet AS numbers, as a four-octet one (RFC 6793 section 4.2.3).

Both attributes were checked.  AS4_PATH replaces the trailing part of AS_PATH that it describes; confederation
segments of AS4_PATH are dropped (section 6), and an AS4_PATH that is longer than AS_PATH is ignored.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy
from routed.rib._codepoints cimport AS_SEQUENCE, AS_SET


cdef inline size_t hops(const uint8_t *segment) noexcept nogil:
    """What a segment counts in the length of a path (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3)."""
    if segment[0] == AS_SEQUENCE:
        return segment[1]
    return segment[0] == AS_SET


cdef size_t length_of(const uint8_t *at, const uint8_t *end, size_t width) noexcept nogil:
    cdef size_t length = 0
    while at < end:
        length += hops(at)
        at += 2 + width * at[1]
    return length


cdef uint8_t *widen(uint8_t *to, const uint8_t *segment, uint8_t n) noexcept nogil:
    """The first n AS numbers of a two-octet segment as a four-octet one."""
    cdef size_t i
    to[0] = segment[0]
    to[1] = n
    for i in range(n):
        to[2 + 4 * i] = to[3 + 4 * i] = 0
        to[4 + 4 * i] = segment[2 + 2 * i]
        to[5 + 4 * i] = segment[3 + 2 * i]
    return to + 2 + 4 * <size_t>n


cdef size_t widest_as_path(size_t as_path, size_t as4_path) noexcept nogil:
    """Room that `put_merged_as_path` may need: header, doubled AS_PATH and AS4_PATH."""
    return 4 + 2 * as_path + as4_path


cdef uint8_t *put_merged_as_path(
    uint8_t *to, const uint8_t *at, size_t n, const uint8_t *as4_at, size_t as4_n,
) noexcept nogil:
    """Write AS_PATH as an attribute with an extended length; where the next one goes.

    Args:
        as4_at: AS4_PATH, NULL for none.
    """
    cdef const uint8_t *end = at + n
    cdef const uint8_t *as4_end = as4_at + as4_n
    cdef uint8_t *start = to
    cdef size_t own = length_of(at, end, 2), length
    cdef size_t described = 0
    if as4_at != NULL:
        described = length_of(as4_at, as4_end, 4)
    to += 4
    if not described or described > own:
        described = 0
    own -= described
    while at < end and (own or not described or not hops(at)):
        if at[0] == AS_SEQUENCE and described and own < at[1]:
            if own:
                to = widen(to, at, <uint8_t>own)
            break
        own -= hops(at) if described else 0
        to = widen(to, at, at[1])
        at += 2 + 2 * <size_t>at[1]
    while described and as4_at < as4_end:
        if as4_at[0] == AS_SET or as4_at[0] == AS_SEQUENCE:
            memcpy(to, as4_at, 2 + 4 * <size_t>as4_at[1])
            to += 2 + 4 * <size_t>as4_at[1]
        as4_at += 2 + 4 * <size_t>as4_at[1]
    length = to - start - 4
    start[0] = 0x50
    start[1] = 2
    start[2] = <uint8_t>(length >> 8)
    start[3] = <uint8_t>length
    return to
