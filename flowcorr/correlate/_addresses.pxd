"""Addresses as columns have them: sixteen octets, IPv4 mapped into IPv6, all ones where there is none."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    ADDRESS = 16                     # octets


cdef inline uint64_t half_of(const uint8_t *at) noexcept nogil:
    """Eight octets as a number, the first one highest."""
    cdef uint64_t value = 0
    cdef int i
    for i in range(8):
        value = value << 8 | at[i]
    return value


cdef inline bint is_none(const uint8_t *address) noexcept nogil:
    """Whether there is no address."""
    return (half_of(address) & half_of(address + 8)) == ~<uint64_t>0


cdef inline bint is_ipv4(const uint8_t *address) noexcept nogil:
    """Whether an address is IPv4 (RFC 4291 section 2.5.5.2)."""
    return half_of(address) == 0 and half_of(address + 8) >> 32 == 0xFFFF


cdef inline void put_net(uint8_t *to, const uint8_t *address, unsigned int length) noexcept nogil:
    """The network of an address, of as many bits as its family has: its first bits."""
    cdef unsigned int at, bits = length
    if to != address:
        memcpy(to, address, ADDRESS)
    if is_none(address):
        return
    if is_ipv4(address):
        bits += 96
    bits = min(bits, <unsigned int>128)
    at = bits >> 3
    if at < ADDRESS:
        to[at] &= <uint8_t>(0xFF00 >> (bits & 7))
        memset(to + at + 1, 0, ADDRESS - 1 - at)
