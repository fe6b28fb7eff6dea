# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One Route Monitoring message (RFC 7854 section 4.6): where its UPDATE stands, how to read it, what is said of its routes.

Version 4 (draft-ietf-grow-bmp-tlv) has the UPDATE in one of several indexed TLVs:

    type u16 (bit 15: an enterprise number starts the value), length u16, index u16, value[length]

TLVs that say something about routes are kept with them as marks, in the same form but without the index.  The stateless
parsing TLV says how the UPDATE of its own message is to be read, in place of what the OPENs of the peer agreed.

What is good is what `routed.wire.bmp.monitoring` decodes.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset
from routed.rib._attributes cimport valid_as_path
from routed.rib._block cimport SHORTEST_UPDATE
from routed.rib._codepoints cimport AS_PATH
from routed.rib._paths cimport MAX_MARKS
from routed.rib._text cimport u16_at, u32_at

cdef enum:
    TLV_HEADER = 6
    UPDATE = 2
    MARKER = 16                  # octets of a BGP header, all ones
    ENTERPRISE_OCTETS = 4
    MAX_STATELESS = 4096         # as `routed.wire.bmp.monitoring` has it

cdef enum:                       # types of indexed TLVs
    STATELESS_PARSING = 1
    GROUP = 2
    BGP_PDU = 4
    ENTERPRISE = 0x8000
    RESERVED = 0xFFFF            # no enterprise's
    IN_GROUP = 0x8000            # of an index


cdef bint is_update(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Whether octets are one BGP UPDATE with its header (RFC 4271 section 4.1)."""
    cdef int i
    if end - at < SHORTEST_UPDATE or u16_at(at + MARKER) != end - at or at[MARKER + 2] != UPDATE:
        return False
    for i in range(MARKER):
        if at[i] != 0xFF:
            return False
    return True


cdef bint are_capabilities(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Whether octets are whole capabilities (RFC 5492 section 4)."""
    while end - at >= 2 and at[1] <= end - at - 2:
        at += 2 + <size_t>at[1]
    return at == end


cdef bint is_good(uint16_t kind, const uint8_t *value, const uint8_t *end, const body *b) noexcept nogil:
    """Whether a TLV may stand behind those that were found."""
    if kind == BGP_PDU:
        return b.update == NULL and is_update(value, end)
    if kind == STATELESS_PARSING:
        return b.stateless_octets + (end - value) <= MAX_STATELESS and are_capabilities(value, end)
    return not kind & ENTERPRISE or kind == RESERVED or end - value >= ENTERPRISE_OCTETS


cdef void find_update(const uint8_t *header, const uint8_t *end, body *b) noexcept nogil:
    """Find the UPDATE of a message of either version."""
    cdef const uint8_t *at = header + HEADERS
    cdef const uint8_t *value
    cdef uint16_t kind, n
    memset(b, 0, sizeof(body))
    if end - header < HEADERS:
        return
    if header[0] == 3:
        if is_update(at, end):
            b.update, b.end = at, end
        return
    while end - at >= TLV_HEADER:
        kind = u16_at(at)
        n = u16_at(at + 2)
        value = at + TLV_HEADER
        if n > end - value or not is_good(kind, value, value + n, b):
            break
        at = value + n
        if kind == BGP_PDU:
            b.update, b.end = value, at
        elif kind == STATELESS_PARSING:
            b.is_stateless = True
            b.stateless_octets += n
        elif kind != GROUP:
            b.marked = True
    if at != end:
        b.update = NULL


cdef bytes stateless_of(const uint8_t *header, const uint8_t *end):
    """The values of the stateless parsing TLVs of a message whose TLVs fit: BGP capabilities as in an OPEN."""
    cdef const uint8_t *at = header + HEADERS
    cdef const uint8_t *value
    cdef bytes found = b""
    while end - at >= TLV_HEADER:
        value = at + TLV_HEADER
        at = value + u16_at(at + 2)
        if u16_at(value - TLV_HEADER) == STATELESS_PARSING:
            found += PyBytes_FromStringAndSize(<const char *>value, at - value)
    return found


cdef bint goes_on(const uint8_t *header, const uint8_t *end, const uint8_t *first) noexcept nogil:
    """Whether a message of version 3 with an UPDATE follows that is about the same RIB as the first one."""
    cdef body b
    if end - header < HEADERS + SHORTEST_UPDATE or header[0] != 3 or u32_at(header + LENGTH_AT) > end - header:
        return False
    if memcmp(header + KEY_AT, first + KEY_AT, KEY):
        return False
    find_update(header, header + u32_at(header + LENGTH_AT), &b)
    return b.update != NULL


cdef bint has_as4(const uint8_t *update, const uint8_t *end, bint otherwise) noexcept nogil:
    """Guess from its AS_PATH whether an UPDATE has AS numbers of four octets; `otherwise` when that does not tell."""
    cdef const uint8_t *at = update + 21 + u16_at(update + 19)
    cdef const uint8_t *value
    cdef size_t n
    if end - at < 2 or u16_at(at) > end - at - 2:
        return otherwise
    end = at + 2 + u16_at(at)
    at += 2
    while end - at >= 4:
        n = u16_at(at + 2) if at[0] & 0x10 else at[2]
        value = at + (4 if at[0] & 0x10 else 3)
        if n > <size_t>(end - value):
            break
        if at[1] == AS_PATH:
            if valid_as_path(value, value + n, 4) == valid_as_path(value, value + n, 2):
                return otherwise
            return valid_as_path(value, value + n, 4)
        at = value + n
    return otherwise


cdef bint concerns(
    const uint8_t *header, const uint8_t *end, uint16_t index, uint32_t route, uint32_t *steps,
) noexcept nogil:
    """Whether an index names a route of the UPDATE, counted from 1: itself, all of them, or a group that has it."""
    cdef const uint8_t *at = header + HEADERS
    cdef const uint8_t *value
    cdef bint found = False
    if not index & IN_GROUP:
        return not index or index == route
    while end - at >= TLV_HEADER and steps[0]:
        steps[0] -= 1
        value = at + TLV_HEADER
        at = value + u16_at(at + 2)
        if u16_at(value - TLV_HEADER) == GROUP and u16_at(value - 2) == index:
            found = False                # of a group that comes twice, the last one counts
            while at - value >= 2 and steps[0]:
                steps[0] -= 1
                found = found or u16_at(value) == route
                value += 2
    return found


cdef uint16_t take_marks(
    const uint8_t *header, const uint8_t *end, uint32_t route, uint8_t *to, uint32_t *steps,
) noexcept nogil:
    """Copy the TLVs about a route, as many as there is room for; how many octets.

    `steps`: how many TLVs may be looked at; it goes down.
    """
    cdef const uint8_t *at = header + HEADERS
    cdef const uint8_t *tlv
    cdef uint16_t kind, n, used = 0
    while end - at >= TLV_HEADER and steps[0]:
        steps[0] -= 1
        tlv = at
        kind = u16_at(tlv)
        n = u16_at(tlv + 2)
        at += TLV_HEADER + n
        if kind == BGP_PDU or kind == STATELESS_PARSING or kind == GROUP:
            continue
        if used + 4 + <uint32_t>n > MAX_MARKS or not concerns(header, end, u16_at(tlv + 4), route, steps):
            continue
        memcpy(to + used, tlv, 4)
        memcpy(to + used + 4, tlv + TLV_HEADER, n)
        used += 4 + n
    return used
