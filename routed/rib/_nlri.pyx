# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The routes of NLRI fields as operations: prefixes with path identifiers, label stacks and route distinguishers.

Hashes are taken here, and the processor is asked for the places that the second pass will touch.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset
from routed.rib._block cimport add_operation, field, operation, reader
from routed.rib._ids cimport prefetch_slot
from routed.rib._prefixes cimport hash_words
from routed.rib._text cimport u32_at


cdef int family_of(uint16_t afi, uint8_t safi) noexcept nogil:
    """The index of a family that is stored, or -1."""
    if afi != 1 and afi != 2:
        return -1
    if safi == 1 or safi == 2:
        return 4 * (afi - 1) + safi - 1
    if safi == 4:
        return 4 * (afi - 1) + 2
    if safi == 128:
        return 4 * (afi - 1) + 3
    return -1


cdef inline void take_address(operation *o, const uint8_t *at, unsigned int bits, bint wide) noexcept nogil:
    """Address words of a prefix, bits behind its length cleared (RFC 4271 section 4.3)."""
    cdef uint8_t octets[16]
    cdef unsigned int n = (bits + 7) >> 3, i
    memset(octets, 0, 16)
    for i in range(n):
        octets[i] = at[i]
    if bits & 7:
        octets[n - 1] &= <uint8_t>(0xFF00 >> (bits & 7))
    o.words[0] = u32_at(octets)
    if wide:
        o.words[1] = u32_at(octets + 4)
        o.words[2] = u32_at(octets + 8)
        o.words[3] = u32_at(octets + 12)


cdef int take_stack(const uint8_t *at, unsigned int bits) noexcept nogil:
    """Labels up to the bottom of a stack (RFC 8277 section 2): how many, or -1 when there is no bottom.

    The values 0x800000 and 0x000000 stand for a withdrawn label (section 2.4) and end a stack too.
    """
    cdef int n = 0
    cdef uint32_t label
    while bits >= 24:
        label = <uint32_t>at[3 * n] << 16 | <uint32_t>at[3 * n + 1] << 8 | at[3 * n + 2]
        n += 1
        bits -= 24
        if label & 1 or label == 0x800000 or label == 0:
            return n
    return -1


cdef int take_labels(const uint8_t *at, unsigned int bits, unsigned int needed, bint withdrawn) noexcept nogil:
    """Labels in front of a prefix that needs at least `needed` bits more; -1 when there is none.

    A withdrawal has one field of three octets whose value means nothing (RFC 8277 section 2.4), but there are speakers
    that withdraw with the stack they announced: it is read as a stack where it can be one.
    """
    cdef int n = take_stack(at, bits)
    if withdrawn and (n < 0 or 24 * <unsigned int>n + needed > bits):
        return 1 if bits >= 24 else -1
    return n


cdef int read_nlri(
    reader *r, const field *f, int family, uint8_t kind, uint32_t set, bint withdrawn,
) noexcept nogil:
    """List the routes of an NLRI field as operations; 0, or -1 when it is not well formed.

    `withdrawn`: the field has the form of withdrawals; `kind`: what becomes of its routes, which an error may change.
    """
    cdef const uint8_t *at = f.at
    cdef const uint8_t *end = f.end
    cdef bint add_path = r.add_path >> family & 1, wide = family >= 4, vpn = family & 3 == 3, labelled = family & 2
    cdef unsigned int bits, most = 128 if wide else 32, address_words = 4 if wide else 1, octets
    cdef uint32_t words = address_words + (2 if vpn else 0)
    cdef operation *o
    cdef int labels
    while at < end:
        o = add_operation(r)
        if o == NULL:
            return 0
        o.path_identifier = 0
        o.label_count = 0
        o.set = set
        o.kind = kind
        o.family = <uint8_t>family
        if add_path:
            if end - at < 5:
                return -1
            o.path_identifier = u32_at(at)
            at += 4
        bits = at[0]
        at += 1
        octets = (bits + 7) >> 3
        if octets > <size_t>(end - at):
            return -1
        if labelled:
            labels = take_labels(at, bits, 64 if vpn else 0, withdrawn)
            if labels < 0:
                return -1
            o.labels = <uint32_t>(at - r.run)
            o.label_count = <uint8_t>labels
            at += 3 * labels
            bits -= 24 * labels
            octets -= 3 * labels
        if vpn:
            if bits < 64:
                return -1
            o.words[address_words] = u32_at(at)
            o.words[address_words + 1] = u32_at(at + 4)
            at += 8
            bits -= 64
            octets -= 8
        if bits > most:
            return -1
        take_address(o, at, bits, wide)
        o.length = <uint8_t>bits
        at += octets
        o.hash = hash_words(o.words, words, o.length, r.seed)
        prefetch_slot(r.prefix_ids[family], o.hash)
    return 0
