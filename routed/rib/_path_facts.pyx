# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What one attribute set says, as flow records show it: numbers, and texts whose values are joined by `_`.

A path is the one that holds the attributes (`base_of`).  The attributes were checked when they arrived.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from routed.rib._attribute_text cimport (
    LIST_TEXT, WORST, attribute, put_as_path, put_community, put_extended, put_large,
)
from routed.rib._codepoints cimport (
    AS_CONFED_SEQUENCE, AS_PATH, AS_SEQUENCE, AS_SET, COMMUNITIES, EXTENDED_COMMUNITIES, LARGE_COMMUNITY, LOCAL_PREF,
    MULTI_EXIT_DISC,
)
from routed.rib._find cimport find
from routed.rib._paths cimport next_hop_of, path_set, set_of
from routed.rib._sorted_values cimport sorted_u32, sorted_u64, sorted_wide
from routed.rib._text cimport put_char, u32_at


cdef void read_next_hop(const path_view *paths, uint32_t path, uint8_t *octets) noexcept nogil:
    """The global next hop in sixteen octets, IPv4 mapped; all ones where there is none."""
    cdef const path_set *s = set_of(paths, path)
    if s.next_hop_length == 4:
        memset(octets, 0, 10)
        memset(octets + 10, 0xFF, 2)
        memcpy(octets + 12, next_hop_of(s), 4)
    elif s.next_hop_length >= 16:
        memcpy(octets, next_hop_of(s), 16)
    else:
        memset(octets, 0xFF, 16)


cdef void read_as_path(const attribute *a, bint outside, path_facts *facts) noexcept nogil:
    """The ends of an AS path.

    Args:
        outside: a confederation in front does not count, unless there is nothing behind it.
    """
    cdef const uint8_t *at = a.at
    cdef const uint8_t *end = at + a.length
    cdef uint32_t inside = 0
    cdef bint is_first = True
    while at < end:
        if at[1]:
            facts.origin_as = u32_at(at + 2 + 4 * (<size_t>at[1] - 1))
            if is_first and at[0] == AS_CONFED_SEQUENCE and outside:
                inside = inside if inside else u32_at(at + 2)
            elif is_first:
                is_first = False
                if at[0] == AS_SEQUENCE or at[0] == AS_CONFED_SEQUENCE:
                    facts.neighbour_as = u32_at(at + 2)
        at += 2 + 4 * <size_t>at[1]
    if is_first:
        facts.neighbour_as = inside


cdef void read_facts(const path_view *paths, uint32_t path, bint outside, path_facts *facts) noexcept nogil:
    """What flow records take from a path as numbers."""
    cdef attribute a
    memset(facts, 0, sizeof(path_facts))
    read_next_hop(paths, path, facts.next_hop)
    if find(set_of(paths, path), AS_PATH, &a):
        read_as_path(&a, outside, facts)
    if find(set_of(paths, path), MULTI_EXIT_DISC, &a):
        facts.med = u32_at(a.at)
    if find(set_of(paths, path), LOCAL_PREF, &a):
        facts.local_pref = u32_at(a.at)


cdef size_t text_room(const path_view *paths, uint32_t path) noexcept nogil:
    """Octets that any text of a path needs at most; as many, aligned, are enough to sort its values in."""
    return WORST * (<size_t>set_of(paths, path).length + 1)


cdef size_t joined(char *text, size_t n) noexcept nogil:
    """Take the quotes off a list of values and join them by `_`; its length."""
    cdef size_t i
    for i in range(2, n):
        text[i - 2] = c"_" if text[i - 1] == c" " else text[i - 1]
    return n - 2


cdef size_t shortened(char *text, size_t n, uint32_t radius) noexcept nogil:
    """Cut a joined AS path behind so many AS numbers; its length."""
    cdef size_t i
    cdef uint32_t numbers = 0
    for i in range(n):
        if text[i] == c"_":
            numbers += 1
            if numbers == radius:
                return i
    return n


cdef size_t as_path_text(
    const path_view *paths, uint32_t path, uint32_t radius, char *to, uint8_t *room,
) noexcept nogil:
    """The AS path.

    Args:
        radius: AS numbers that are kept, each prepended one counted; 0: all.
        to, room: as long as `text_room` says.
    """
    cdef attribute a
    cdef size_t n
    if not find(set_of(paths, path), AS_PATH, &a):
        return 0
    n = joined(to, <size_t>(put_as_path(to, &a, LIST_TEXT, <uint32_t *>room) - to))
    return shortened(to, n, radius) if radius else n


cdef size_t communities_text(
    const path_view *paths, uint32_t path, int which, bint numeric, char *to, uint8_t *room,
) noexcept nogil:
    """The communities of one kind, in ascending order as in all other records."""
    cdef attribute a
    cdef char *at = to
    cdef size_t i, n
    cdef uint8_t code = COMMUNITIES
    if which == EXTENDED_LIST:
        code = EXTENDED_COMMUNITIES
    elif which == LARGE_LIST:
        code = LARGE_COMMUNITY
    if not find(set_of(paths, path), code, &a):
        return 0
    if which == STANDARD_LIST:
        n = sorted_u32(a.at, a.length // 4, <uint32_t *>room)
    elif which == EXTENDED_LIST:
        n = sorted_u64(a.at, a.length // 8, <uint64_t *>room)
    else:
        n = sorted_wide(a.at, a.length // 12, 12, room)
    for i in range(n):
        if i:
            at = put_char(at, c"_")
        if which == STANDARD_LIST:
            at = put_community(at, (<uint32_t *>room)[i], numeric)
        elif which == EXTENDED_LIST:
            at = put_extended(at, (<uint64_t *>room)[i], numeric)
        else:
            at = put_large(at, room + 12 * i)
    return <size_t>(at - to)
