# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Values that are no texts, as characters: addresses, MACs, numbers.

Every `put` writes without checks into room that the caller made, and returns where the next character goes.
"""

from routed.rib._text cimport put_char, put_hex, put_ipv4, put_ipv6, u32_at

cdef const char *HEX_DIGITS = b"0123456789abcdef"


cdef char *put_address(char *to, const uint8_t *address) noexcept nogil:
    """An address in sixteen octets; nothing for the one that means none."""
    cdef uint64_t halves[2]
    if is_mapped(address):
        return put_ipv4(to, u32_at(address + 12))
    memcpy(halves, address, 16)
    if halves[0] == halves[1] == <uint64_t>-1:
        return to
    return put_ipv6(to, address)


cdef inline bint is_mapped(const uint8_t *address) noexcept nogil:
    cdef uint64_t high
    cdef uint32_t middle
    memcpy(&high, address, 8)
    memcpy(&middle, address + 8, 4)
    return not high and middle == 0xFFFF0000U


cdef char *put_mac(char *to, const uint8_t *at) noexcept nogil:
    cdef int i
    for i in range(6):
        to = put_char(put_hex(to, at + i, 1), c":")
    return to - 1


cdef char *put_hex_number(char *to, uint64_t value) noexcept nogil:
    """A number in hexadecimal digits without zeros in front."""
    cdef int shift = 60
    while shift and not value >> shift & 15:
        shift -= 4
    while shift >= 0:
        to = put_char(to, HEX_DIGITS[value >> shift & 15])
        shift -= 4
    return to
