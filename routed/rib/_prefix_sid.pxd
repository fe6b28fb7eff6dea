"""The Prefix-SID attribute in JSON.  See `_prefix_sid.pyx`."""

from libc.stdint cimport uint8_t


cdef char *put_prefix_sid(char *to, const uint8_t *at, const uint8_t *end) noexcept nogil
