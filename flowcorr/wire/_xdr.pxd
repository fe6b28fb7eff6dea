"""Words, addresses and opaque octets of sFlow, which is XDR (RFC 4506): everything in units of four octets."""

from libc.stdint cimport uint8_t, uint32_t
from routed.octets._cursor cimport has, load32, span


cdef inline uint32_t take32(span *s) noexcept nogil:
    """The next word; 0 behind the end, where nothing that counts follows."""
    cdef uint32_t value = 0
    if has(s, 4):
        value = load32(s.at)
        s.at += 4
    else:
        s.at = s.end
    return value


cdef inline bint skip(span *s, size_t octets) noexcept nogil:
    """Pass octets; False when there are not so many, and then none is left."""
    if not has(s, octets):
        s.at = s.end
        return False
    s.at += octets
    return True


cdef inline bint skip_opaque(span *s, size_t length) noexcept nogil:
    """Pass octets and what fills their last word; False when there are not so many, and then none is left."""
    return skip(s, (length + 3) & ~<size_t>3)


cdef inline int take_address(span *s, const uint8_t **address) noexcept nogil:
    """An address: type u32, octets.  Its family, 0: none that is known."""
    cdef uint32_t kind = take32(s)
    cdef size_t octets = 4 if kind == 1 else 16 if kind == 2 else 0
    address[0] = s.at
    if not octets or not skip(s, octets):
        return 0
    return 4 if octets == 4 else 6
