"""The Prefix-SID attribute in JSON.  See `_prefix_sid.pyx`."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    NO_LABEL = 0xFFFFFFFF


cdef char *put_prefix_sid(char *to, const uint8_t *at, const uint8_t *end, uint32_t label) noexcept nogil
