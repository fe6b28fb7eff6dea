"""Texts of numbers, addresses and prefixes, and the loads they start from.  See `_text.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from routed.rib._prefixes cimport prefix_view


cdef inline char *put(char *to, const char *text, size_t n) noexcept nogil:
    memcpy(to, text, n)
    return to + n


cdef inline char *put_char(char *to, char c) noexcept nogil:
    to[0] = c
    return to + 1


cdef inline uint16_t u16_at(const uint8_t *at) noexcept nogil:
    return <uint16_t>(at[0] << 8 | at[1])


cdef inline uint32_t u32_at(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef inline uint64_t u64_at(const uint8_t *at) noexcept nogil:
    return <uint64_t>u32_at(at) << 32 | u32_at(at + 4)


cdef char *put_u32(char *to, uint32_t value) noexcept nogil
cdef char *put_u64(char *to, uint64_t value) noexcept nogil
cdef char *put_key(char *to, const char *key) noexcept nogil
cdef char *put_hex(char *to, const uint8_t *at, size_t n) noexcept nogil
cdef char *put_ipv4(char *to, uint32_t address) noexcept nogil
cdef char *put_ipv6(char *to, const uint8_t *address) noexcept nogil
cdef char *put_prefix(char *to, const prefix_view *view, uint32_t id) noexcept nogil
cdef char *put_rd(char *to, uint32_t high, uint32_t low) noexcept nogil
