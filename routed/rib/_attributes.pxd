"""What a valid path attribute looks like, and what becomes of an UPDATE with an invalid one."""

from libc.stdint cimport uint8_t, uint16_t

cdef enum:                           # RFC 7606 section 2, in order of severity
    ACCEPT = 0
    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    SESSION_RESET = 3

cdef enum:                           # why an attribute was refused
    REASON_FLAGS = 1
    REASON_LENGTH = 2
    REASON_VALUE = 3
    REASON_DUPLICATE = 4
    REASON_MISSING = 5
    REASON_OVERRUN = 6
    REASON_UNRECOGNISED = 7
    REASON_NLRI = 8
    REASON_NEXT_HOP = 9
    REASON_LIMIT = 10

ctypedef struct attribute_spec:
    uint8_t known
    uint8_t flags                    # optional and transitive bits
    uint8_t verdict                  # when malformed
    uint8_t external_verdict         # the same from a peer in another AS
    uint8_t flags_verdict            # when its flags are wrong
    uint8_t multiple                 # length: the value itself, or a non-zero multiple of it
    uint8_t fixed

cdef attribute_spec SPECS[256]

cdef uint8_t check_value(uint8_t code, const uint8_t *at, size_t n, bint as4) noexcept nogil
cdef bint valid_as_path(const uint8_t *at, const uint8_t *end, size_t width) noexcept nogil
