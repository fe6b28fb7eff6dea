"""Which prefixes a search looks for: those inside one, around one, or of a route distinguisher."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset
from routed.rib._prefixes cimport length_of, prefix_view, words_of
from routed.rib._rows cimport FAMILIES
from routed.rib._text cimport u32_at

ctypedef struct net:
    bint has_within, has_around, has_rd
    uint32_t within[4]
    uint8_t within_length
    uint32_t around[4]
    uint8_t around_length
    uint32_t rd[2]


cdef inline int take_net(prefix, uint32_t *words, uint8_t *length) except -1:
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
