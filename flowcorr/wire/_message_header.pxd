"""Headers of NetFlow and IPFIX messages.  See `_message_header.pyx`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    V5 = 5
    V9 = 9
    IPFIX = 10
    V9_HEADER = 20
    IPFIX_HEADER = 16

cdef enum header_outcome:
    HEADER_READ
    HEADER_SHORT
    HEADER_VERSION
    HEADER_LENGTH

ctypedef struct message_header:
    uint16_t version
    uint32_t domain                  # observation domain, source id; engine type and id of NetFlow v5
    uint32_t sequence
    uint32_t seconds                 # of the export
    uint32_t uptime                  # then. Units: milliseconds
    int64_t export_time              # Units: microseconds
    uint32_t rate                    # of NetFlow v5: packets that a counted one stands for, 0: unknown
    size_t octets                    # of the header
    size_t message_octets            # of header and sets

cdef header_outcome read_message_header(const uint8_t *at, size_t length, message_header *header) noexcept nogil
