# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The Prefix-SID attribute as members of a JSON record, as far as pmacct has no key for it.

Its TLVs were checked when it arrived, what is inside of services was not.  A TLV that is not told in full by the keys
of its kind, because parts of it are unknown or do not fit, is shown as octets as well.

No member needs more than `WORST` characters for each octet that it comes from, its key included: a SID of 24 octets
takes 200, with a structure of 9 octets 460, a label block of 6 octets 50, the octets of a TLV of n + 3 are 50 + 2n.

Sources: RFC 8669 sections 3.1 and 3.2, RFC 9252 sections 2 and 3; names of RFC 8986 section 10.2 and RFC 9800.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, strlen
from routed.rib._text cimport put, put_char, put_hex, put_ipv6, put_key, put_u32, u16_at, u32_at

cdef enum:                           # TLVs
    LABEL_INDEX = 1
    ORIGINATOR_SRGB = 3
    L3_SERVICE = 5
    L2_SERVICE = 6
    SID_INFORMATION = 1              # in a service
    SID_STRUCTURE = 1                # in the information on a SID

cdef enum:
    ADDRESS_OCTETS = 16
    LABEL_BITS = 20
    SID_OCTETS = 21                  # in front of what is known of the structure
    STRUCTURE_OCTETS = 6
    TRANSPOSITION_LENGTH = 4         # octets of a structure
    TRANSPOSITION_OFFSET = 5
    SERVICE_BEHAVIORS = 9            # in a row: of services, and the same again with NEXT-CSID
    FIRST_BEHAVIOR = 16
    FIRST_NEXT_CSID_BEHAVIOR = 60
    OPAQUE_BEHAVIOR = 0xFFFF

cdef const char *BEHAVIORS[SERVICE_BEHAVIORS]
BEHAVIORS[:] = [
    b"End.DX6", b"End.DX4", b"End.DT6", b"End.DT4", b"End.DT46", b"End.DX2", b"End.DX2V", b"End.DT2U", b"End.DT2M",
]

cdef const char *LENGTHS[STRUCTURE_OCTETS]
LENGTHS[:] = [
    b"locator_block_length", b"locator_node_length", b"function_length", b"argument_length", b"transposition_length",
    b"transposition_offset",
]

ctypedef struct tlv:                 # of any level: type u8, length u16, value
    const uint8_t *at                # the value
    const uint8_t *end
    uint8_t kind


cdef inline bint take(const uint8_t **at, const uint8_t *end, tlv *t) noexcept nogil:
    """Take a TLV; false at the end, and where it does not fit."""
    cdef size_t n
    if end - at[0] < 3:
        return False
    n = u16_at(at[0] + 1)
    if n > <size_t>(end - at[0] - 3):
        return False
    t.kind = at[0][0]
    t.at = at[0] + 3
    t.end = t.at + n
    at[0] = t.end
    return True


cdef inline bint is_service(const tlv *t) noexcept nogil:
    """Whether it may have SIDs; they stand behind a reserved octet."""
    return (t.kind == L3_SERVICE or t.kind == L2_SERVICE) and t.end > t.at


cdef inline bint has_sid(const tlv *sub) noexcept nogil:
    return sub.kind == SID_INFORMATION and sub.end - sub.at >= SID_OCTETS


cdef bint is_told(const tlv *t) noexcept nogil:
    """Whether the keys of its kind say everything that a TLV has."""
    cdef const uint8_t *at
    cdef const uint8_t *inner
    cdef tlv sub, part
    cdef int structures
    if not is_service(t):
        return t.kind == LABEL_INDEX or t.kind == ORIGINATOR_SRGB
    at = t.at + 1
    while take(&at, t.end, &sub):
        if not has_sid(&sub):
            return False
        inner = sub.at + SID_OCTETS
        structures = 0
        while take(&inner, sub.end, &part):
            structures += 1
            if part.kind != SID_STRUCTURE or part.end - part.at != STRUCTURE_OCTETS or structures > 1:
                return False
        if inner != sub.end:
            return False
    return at == t.end


# -- members -----------------------------------------------------------------------------------------------------------


cdef inline char *put_entry(char *to, const char *key, bint is_first) noexcept nogil:
    """Open an object of an array; before the first one, the array."""
    if is_first:
        return put(put_key(to, key), b"[{", 2)
    return put(to, b", {", 3)


cdef inline char *put_name(char *to, const char *name) noexcept nogil:
    """Begin the first member of an object."""
    to = put(put_char(to, c'"'), name, strlen(name))
    return put(to, b'": ', 3)


cdef char *put_behavior(char *to, uint16_t behavior) noexcept nogil:
    """The endpoint behavior, with its name where a service of BGP has it."""
    cdef bint next_csid = behavior >= FIRST_NEXT_CSID_BEHAVIOR
    cdef uint32_t number = behavior - (FIRST_NEXT_CSID_BEHAVIOR if next_csid else FIRST_BEHAVIOR)
    cdef const char *name = b"Opaque"
    to = put_u32(put_key(to, b"endpoint_behavior"), behavior)
    if number < SERVICE_BEHAVIORS:
        name = BEHAVIORS[number]
    elif behavior != OPAQUE_BEHAVIOR:
        return to
    to = put_char(put_key(to, b"endpoint_behavior_str"), c'"')
    to = put(to, name, strlen(name))
    if next_csid and behavior != OPAQUE_BEHAVIOR:
        to = put(to, b" with NEXT-CSID", 15)
    return put_char(to, c'"')


cdef const uint8_t *structure_of(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The first structure among the information on a SID (RFC 9252 section 3.2.1); NULL without one."""
    cdef tlv part
    while take(&at, end, &part):
        if part.kind == SID_STRUCTURE and part.end - part.at == STRUCTURE_OCTETS:
            return part.at
    return NULL


cdef char *put_structure(char *to, const uint8_t *structure) noexcept nogil:
    """How the bits of a SID divide."""
    cdef size_t i
    to = put_char(put_key(to, b"sid_structure"), c"{")
    for i in range(STRUCTURE_OCTETS):
        to = put_name(to, LENGTHS[i]) if not i else put_key(to, LENGTHS[i])
        to = put_u32(to, structure[i])
    return put_char(to, c"}")


cdef char *put_whole_sid(char *to, const uint8_t *sid, const uint8_t *structure, uint32_t label) noexcept nogil:
    """The SID with the bits that travel as the first ones of the route's label (RFC 9252 section 4)."""
    cdef uint8_t whole[ADDRESS_OCTETS]
    cdef unsigned int length = structure[TRANSPOSITION_LENGTH], first = structure[TRANSPOSITION_OFFSET], i, bit
    if not length or length > LABEL_BITS or first + length > 8 * ADDRESS_OCTETS:
        return to
    memcpy(whole, sid, ADDRESS_OCTETS)
    for i in range(length):
        bit = first + i
        whole[bit >> 3] &= ~(0x80 >> (bit & 7))
        whole[bit >> 3] |= (label >> (LABEL_BITS - 1 - i) & 1) << (7 - (bit & 7))
    return put_char(put_ipv6(put_char(put_key(to, b"whole_sid"), c'"'), whole), c'"')


cdef char *put_sids(char *to, const uint8_t *at, const uint8_t *end, uint32_t label) noexcept nogil:
    """The SIDs of services (RFC 9252 sections 2 and 3.1)."""
    cdef const uint8_t *inner
    cdef const uint8_t *structure
    cdef tlv service, sub
    cdef bint is_first = True
    while take(&at, end, &service):
        if not is_service(&service):
            continue
        inner = service.at + 1
        while take(&inner, service.end, &sub):
            if not has_sid(&sub):
                continue
            to = put_name(put_entry(to, b"srv6_sids", is_first), b"service")
            to = put(to, b'"l3"' if service.kind == L3_SERVICE else b'"l2"', 4)
            to = put_char(put_ipv6(put_char(put_key(to, b"sid"), c'"'), sub.at + 1), c'"')
            structure = structure_of(sub.at + SID_OCTETS, sub.end)
            if structure != NULL and label != NO_LABEL:
                to = put_whole_sid(to, sub.at + 1, structure, label)
            to = put_behavior(to, u16_at(sub.at + 18))
            if structure != NULL:
                to = put_structure(to, structure)
            to = put_char(to, c"}")
            is_first = False
    return to if is_first else put_char(to, c"]")


cdef char *put_label_blocks(char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The SRGB of the originator (RFC 8669 section 3.2): first labels of blocks and how many labels they have."""
    cdef const uint8_t *block
    cdef tlv t
    cdef bint is_first = True
    while take(&at, end, &t):
        if t.kind != ORIGINATOR_SRGB:
            continue
        block = t.at + 2
        while t.end - block >= 6:
            to = put_name(put_entry(to, b"srgb", is_first), b"base")
            to = put_u32(to, u32_at(block - 1) & 0xFFFFFF)
            to = put_char(put_u32(put_key(to, b"size"), u32_at(block + 2) & 0xFFFFFF), c"}")
            is_first = False
            block += 6
    return to if is_first else put_char(to, c"]")


cdef char *put_untold(char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """TLVs of which the other keys do not say everything."""
    cdef tlv t
    cdef bint is_first = True
    while take(&at, end, &t):
        if is_told(&t):
            continue
        to = put_name(put_entry(to, b"prefix_sid_tlvs", is_first), b"type")
        to = put_char(put_key(put_u32(to, t.kind), b"value"), c'"')
        to = put(put_hex(to, t.at, t.end - t.at), b'"}', 2)
        is_first = False
    return to if is_first else put_char(to, c"]")


cdef char *put_prefix_sid(char *to, const uint8_t *at, const uint8_t *end, uint32_t label) noexcept nogil:
    """What pmacct leaves out: also a label index of 0, for which it has a key that it leaves out then.

    Args:
        label: the one of the route, which may have bits of its SID, or NO_LABEL.
    """
    cdef const uint8_t *rest = at
    cdef tlv t
    while take(&rest, end, &t):
        if t.kind == LABEL_INDEX:
            if not u32_at(t.at + 3):
                to = put_char(put_key(to, b"psid_li"), c"0")
            break
    to = put_label_blocks(to, at, end)
    to = put_sids(to, at, end, label)
    return put_untold(to, at, end)
