"""Write values into a row; a column at -1 is one that nobody asked for."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset


cdef inline void put_u8(uint8_t *row, int32_t at, uint8_t value) noexcept nogil:
    if at >= 0:
        row[at] = value


cdef inline void put_u16(uint8_t *row, int32_t at, uint16_t value) noexcept nogil:
    if at >= 0:
        (<uint16_t *>(row + at))[0] = value


cdef inline void put_u32(uint8_t *row, int32_t at, uint32_t value) noexcept nogil:
    if at >= 0:
        (<uint32_t *>(row + at))[0] = value


cdef inline void put_u64(uint8_t *row, int32_t at, uint64_t value) noexcept nogil:
    if at >= 0:
        (<uint64_t *>(row + at))[0] = value


cdef inline void put_time(uint8_t *row, int32_t at, int64_t value) noexcept nogil:
    if at >= 0:
        (<int64_t *>(row + at))[0] = value


cdef inline void put_octets(uint8_t *row, int32_t at, const uint8_t *octets, size_t length) noexcept nogil:
    if at >= 0:
        memcpy(row + at, octets, length)


cdef inline void put_ipv4(uint8_t *row, int32_t at, const uint8_t *address) noexcept nogil:
    """Four octets as an IPv4-mapped address (RFC 4291 section 2.5.5.2)."""
    if at >= 0:
        memset(row + at, 0, 10)
        row[at + 10] = row[at + 11] = 0xFF
        memcpy(row + at + 12, address, 4)


cdef inline void put_address(uint8_t *row, int32_t at, const uint8_t *address, int family) noexcept nogil:
    if family == 4:
        put_ipv4(row, at, address)
    else:
        put_octets(row, at, address, 16)


cdef inline uint64_t load_unsigned(const uint8_t *at, size_t length) noexcept nogil:
    """An unsigned integer of any length in network order, its low eight octets (RFC 7011 section 6.2)."""
    cdef uint64_t value = 0
    cdef size_t i
    for i in range(length):
        value = value << 8 | at[i]
    return value


cdef inline void put_unsigned(uint8_t *cell, int width, uint64_t value) noexcept nogil:
    """An integer in the order of the machine, its low `width` octets."""
    if width == 4:
        (<uint32_t *>cell)[0] = <uint32_t>value
    elif width == 8:
        (<uint64_t *>cell)[0] = value
    elif width == 2:
        (<uint16_t *>cell)[0] = <uint16_t>value
    else:
        cell[0] = <uint8_t>value
