# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which prefixes a search looks for: those inside one, around one, or of a route distinguisher."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from routed.octets._growth cimport widened
from routed.rib._prefixes cimport length_of, prefix_view, words_of
from routed.rib._rows cimport FAMILIES
from routed.rib._text cimport u32_at

cdef enum:
    ALL_FAMILIES = 0xFF              # bits by family index
    VPN_FAMILIES = 0x88


cdef unsigned int take_net(net *wanted, within, around, bytes rd) except? 0:
    """Take over which prefixes are looked for, all of them by `None`; the families that can have them, as bits.

    Args:
        within: (family index, address, length): only prefixes that are this one or inside it.
        around: likewise, only prefixes that are this one or cover it.
        rd: a route distinguisher of 8 octets.
    """
    cdef unsigned int families = ALL_FAMILIES
    if within is not None:
        families &= 1U << take_prefix(within, wanted.within, &wanted.within_length)
        wanted.has_within = wanted.within_length > 0
    if around is not None:
        families &= 1U << take_prefix(around, wanted.around, &wanted.around_length)
        wanted.has_around = True
    if rd is not None:
        if len(rd) != 8:
            raise ValueError(f"route distinguisher of {len(rd)} octets")
        families &= VPN_FAMILIES
        wanted.rd[0] = u32_at(<const uint8_t *>PyBytes_AS_STRING(rd))
        wanted.rd[1] = u32_at(<const uint8_t *>PyBytes_AS_STRING(rd) + 4)
        wanted.has_rd = True
    return families


cdef int take_prefix(prefix, uint32_t *words, uint8_t *length) except -1:
    """Take over a prefix; the index of its family."""
    cdef int family, i
    cdef uint8_t octets[16]
    index, address, bits = prefix
    if not 0 <= index < FAMILIES or len(address) != (4 if index < 4 else 16) or not 0 <= bits <= 8 * len(address):
        raise ValueError(f"family {index} has no prefix {address!r}/{bits}")
    family = index
    length[0] = bits
    memset(octets, 0, sizeof(octets))
    for i in range(len(address)):
        octets[i] = address[i]
    for i in range(4):
        words[i] = u32_at(octets + 4 * i)
    return family


cdef uint32_t *fitting(const net *wanted, const prefix_view *prefixes, uint32_t limit, size_t *count) noexcept nogil:
    """The ids below a limit whose prefixes are looked for, ascending, for the caller to free; NULL without memory."""
    cdef uint32_t id
    cdef size_t n = 0, room = 1024
    cdef void *wider
    cdef uint32_t *ids = <uint32_t *>malloc(room * sizeof(uint32_t))
    if ids == NULL:
        return NULL
    for id in range(1, limit):
        if not fits(wanted, prefixes, id):
            continue
        if n == room:
            wider = widened(ids, &room, 0, sizeof(uint32_t))
            if wider == NULL:
                free(ids)
                return NULL
            ids = <uint32_t *>wider
        ids[n] = id
        n += 1
    count[0] = n
    return ids


cdef inline bint agree(const uint32_t *a, const uint32_t *b, uint8_t bits) noexcept nogil:
    """Whether two addresses begin with the same bits, at most 128."""
    cdef uint8_t i = 0
    while bits >= 32:
        if a[i] != b[i]:
            return False
        bits -= 32
        i += 1
    return not bits or (a[i] ^ b[i]) >> (32 - bits) == 0


cdef inline bint fits(const net *wanted, const prefix_view *prefixes, uint32_t id) noexcept nogil:
    """Whether a prefix is one that is looked for."""
    cdef const uint32_t *words = words_of(prefixes, id)
    cdef uint8_t length = length_of(prefixes, id)
    if wanted.has_within and (length < wanted.within_length or not agree(words, wanted.within, wanted.within_length)):
        return False
    if wanted.has_around and (length > wanted.around_length or not agree(words, wanted.around, length)):
        return False
    return not wanted.has_rd or (
        words[prefixes.address_words] == wanted.rd[0] and words[prefixes.address_words + 1] == wanted.rd[1]
    )
