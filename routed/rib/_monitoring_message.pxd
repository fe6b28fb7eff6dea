"""One Route Monitoring message.  See `_monitoring_message.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    COMMON_HEADER = 6
    PEER_HEADER = 42
    HEADERS = 48
    LENGTH_AT = 1                # of the common header
    KEY_AT = 6                   # peer type, flags, distinguisher, address
    KEY = 26
    SECONDS_AT = 40
    MICROSECONDS_AT = 44

ctypedef struct body:            # what a message holds
    const uint8_t *update        # NULL: nothing that can be read
    const uint8_t *end
    bint is_stateless            # it has stateless parsing TLVs
    size_t stateless_octets      # of their values
    bint marked


cdef void find_update(const uint8_t *header, const uint8_t *end, body *b) noexcept nogil
cdef bytes stateless_of(const uint8_t *header, const uint8_t *end)
cdef bint goes_on(const uint8_t *header, const uint8_t *end, const uint8_t *first) noexcept nogil
cdef bint has_as4(const uint8_t *update, const uint8_t *end, bint otherwise) noexcept nogil
cdef uint16_t take_marks(
    const uint8_t *header, const uint8_t *end, uint32_t route, uint8_t *to, uint32_t *steps,
) noexcept nogil
