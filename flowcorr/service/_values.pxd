"""Values that are no texts, as characters.  See `_values.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef inline uint64_t number_at(const uint8_t *at, uint32_t octets) noexcept nogil:
    cdef uint64_t value = 0
    memcpy(&value, at, octets)           # integers are in the order of this machine, which is little-endian
    return value


cdef inline char *put_digits(char *to, uint64_t value, int digits) noexcept nogil:
    """A number with zeros in front."""
    cdef int i
    for i in range(digits - 1, -1, -1):
        to[i] = <char>(48 + value % 10)
        value //= 10
    return to + digits


cdef char *put_address(char *to, const uint8_t *address) noexcept nogil
cdef char *put_mac(char *to, const uint8_t *at) noexcept nogil
cdef char *put_hex_number(char *to, uint64_t value) noexcept nogil
