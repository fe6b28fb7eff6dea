# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Texts of numbers, addresses and prefixes.

Every `put` writes without checks into room that the caller made, and returns where the next one goes.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen
from routed.rib._prefixes cimport length_of, prefix_view, words_of

cdef const char *DIGIT_PAIRS = (
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    b"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
)
cdef const char *HEX = b"0123456789abcdef"
cdef char DOTTED[256][4]             # every octet of a dotted quad with its dot, and how long that is
cdef uint8_t DOTTED_USED[256]


cdef void make_dotted() noexcept:
    cdef uint32_t octet
    for octet in range(256):
        DOTTED_USED[octet] = <uint8_t>(put_char(put_u32(DOTTED[octet], octet), c".") - DOTTED[octet])


make_dotted()


cdef inline int digits_of(uint32_t value) noexcept nogil:
    """How many decimal digits a number has."""
    cdef int n = 1 + (value >= 10) + (value >= 100) + (value >= 1000) + (value >= 10000)
    if value >= 100000:
        n += 1 + (value >= 1000000) + (value >= 10000000) + (value >= 100000000) + (value >= 1000000000)
    return n


cdef char *put_u32(char *to, uint32_t value) noexcept nogil:
    cdef char *end = to + digits_of(value)
    cdef char *at = end
    while value >= 100:
        at -= 2
        memcpy(at, DIGIT_PAIRS + 2 * (value % 100), 2)
        value //= 100
    if value >= 10:
        memcpy(to, DIGIT_PAIRS + 2 * value, 2)
    else:
        to[0] = <char>(48 + value)
    return end


cdef char *put_u64(char *to, uint64_t value) noexcept nogil:
    cdef char digits[20]
    cdef int at = 20
    if value <= 0xFFFFFFFFU:
        return put_u32(to, <uint32_t>value)
    while True:
        at -= 1
        digits[at] = <char>(48 + value % 10)
        value //= 10
        if not value:
            break
    memcpy(to, digits + at, 20 - at)
    return to + 20 - at


cdef char *put_key(char *to, const char *key) noexcept nogil:
    """The name of a member that is not the first of its object."""
    to = put(to, b', "', 3)
    to = put(to, key, strlen(key))
    return put(to, b'": ', 3)


cdef char *put_hex(char *to, const uint8_t *at, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(n):
        to[2 * i] = HEX[at[i] >> 4]
        to[2 * i + 1] = HEX[at[i] & 15]
    return to + 2 * n


cdef inline char *put_octet(char *to, uint8_t octet) noexcept nogil:
    """An octet of a dotted quad with the dot behind it; writes four characters, whatever it needs."""
    memcpy(to, DOTTED[octet], 4)
    return to + DOTTED_USED[octet]


cdef char *put_ipv4(char *to, uint32_t address) noexcept nogil:
    to = put_octet(to, <uint8_t>(address >> 24))
    to = put_octet(to, <uint8_t>(address >> 16))
    to = put_octet(to, <uint8_t>(address >> 8))
    return put_octet(to, <uint8_t>address) - 1


cdef inline char *put_hextet(char *to, uint32_t value) noexcept nogil:
    if value >= 0x1000:
        to = put_char(to, HEX[value >> 12])
    if value >= 0x100:
        to = put_char(to, HEX[value >> 8 & 15])
    if value >= 0x10:
        to = put_char(to, HEX[value >> 4 & 15])
    return put_char(to, HEX[value & 15])


cdef char *put_ipv6(char *to, const uint8_t *address) noexcept nogil:
    """An IPv6 address as RFC 5952 has it; v4-mapped and v4-compatible ones end in dotted quads (section 5)."""
    cdef int i, zeros = 0, first = 8, run = 0    # the longest run of two or more zero hextets, the first of them
    cdef uint32_t hextets[8]
    for i in range(8):
        hextets[i] = u16_at(address + 2 * i)
        zeros = zeros + 1 if hextets[i] == 0 else 0
        if zeros > run and zeros > 1:
            run = zeros
            first = i - zeros + 1
    if first == 0 and (run == 6 or (run == 5 and hextets[5] == 0xFFFF)):
        to = put(to, b"::", 2) if run == 6 else put(to, b"::ffff:", 7)
        return put_ipv4(to, u32_at(address + 12))
    i = 0
    while i < 8:
        if i == first:
            to = put(to, b"::", 2)
            i += run
            continue
        if i and i != first + run:
            to = put_char(to, c":")
        to = put_hextet(to, hextets[i])
        i += 1
    return to


cdef char *put_prefix(char *to, const prefix_view *view, uint32_t id) noexcept nogil:
    cdef const uint32_t *words = words_of(view, id)
    cdef uint8_t octets[16]
    cdef int i
    if view.address_words == 1:
        to = put_ipv4(to, words[0])
    else:
        for i in range(16):
            octets[i] = <uint8_t>(words[i >> 2] >> (24 - 8 * (i & 3)))
        to = put_ipv6(to, octets)
    return put_u32(put_char(to, c"/"), length_of(view, id))


cdef char *put_rd(char *to, uint32_t high, uint32_t low) noexcept nogil:
    """A route distinguisher as type:administrator:number (RFC 4364 section 4.2); other types are opaque."""
    cdef uint32_t kind = high >> 16
    if kind == 0:
        to = put_char(put_u32(put(to, b"0:", 2), high & 0xFFFF), c":")
        return put_u32(to, low)
    if kind == 1 or kind == 2:
        to = put_char(put_u32(to, kind), c":")
        if kind == 1:
            to = put_ipv4(to, high << 16 | low >> 16)
        else:
            to = put_u32(to, high << 16 | low >> 16)
        return put_u32(put_char(to, c":"), low & 0xFFFF)
    if kind == 0x0800:                   # a VRF id in the place of an RD (vendors)
        return put_u32(put(to, b"vrfid:", 6), low)
    return put(to, b"unknown", 7)
