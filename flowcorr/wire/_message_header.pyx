# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Headers of NetFlow and IPFIX messages.

Sources: RFC 3954 section 5.1 (v9), RFC 7011 section 3.1 (IPFIX); NetFlow v5 as routers send it.
"""

from libc.string cimport memset
from routed.octets._cursor cimport load16, load32

cdef enum:
    V5_HEADER = 24
    V5_RECORD = 48
    MOST_V5_RECORDS = 30
    SAMPLING_RATE_BITS = 0x3FFF

cdef int64_t SECOND = 1000000


cdef header_outcome read_message_header(const uint8_t *at, size_t length, message_header *header) noexcept nogil:
    """Read the header of the message that begins a datagram or what is left of one."""
    memset(header, 0, sizeof(message_header))
    if length < IPFIX_HEADER:
        return HEADER_SHORT
    header.version = load16(at)
    if header.version == IPFIX:
        return read_ipfix(at, length, header)
    if header.version == V9:
        return read_v9(at, length, header)
    if header.version == V5:
        return read_v5(at, length, header)
    return HEADER_VERSION


cdef header_outcome read_ipfix(const uint8_t *at, size_t length, message_header *header) noexcept nogil:
    """Version u16, octets u16, time u32, sequence u32, observation domain u32."""
    header.octets, header.message_octets = IPFIX_HEADER, load16(at + 2)
    if header.message_octets < IPFIX_HEADER or header.message_octets > length:
        header.message_octets = length   # some exporters count wrong; the datagram tells as well
    header.seconds, header.sequence, header.domain = load32(at + 4), load32(at + 8), load32(at + 12)
    header.export_time = header.seconds * SECOND
    return HEADER_READ


cdef header_outcome read_v9(const uint8_t *at, size_t length, message_header *header) noexcept nogil:
    """Version u16, records u16, uptime u32, time u32, sequence u32, source id u32."""
    if length < V9_HEADER:
        return HEADER_SHORT
    header.octets, header.message_octets = V9_HEADER, length
    header.uptime, header.seconds = load32(at + 4), load32(at + 8)
    header.sequence, header.domain = load32(at + 12), load32(at + 16)
    header.export_time = header.seconds * SECOND
    return HEADER_READ


cdef header_outcome read_v5(const uint8_t *at, size_t length, message_header *header) noexcept nogil:
    """Version u16, records u16, uptime u32, time u32 and ns u32, sequence u32, engine u8 u8, sampling u16; records."""
    cdef uint16_t count = load16(at + 2)
    if not 0 < count <= MOST_V5_RECORDS or length != V5_HEADER + <size_t>V5_RECORD * count:
        return HEADER_LENGTH if length >= V5_HEADER else HEADER_SHORT
    header.octets, header.message_octets = V5_HEADER, length
    header.uptime, header.seconds, header.sequence = load32(at + 4), load32(at + 8), load32(at + 16)
    header.export_time = header.seconds * SECOND + load32(at + 12) / 1000
    header.domain = <uint32_t>at[21] << 8 | at[20]
    header.rate = load16(at + 22) & SAMPLING_RATE_BITS
    return HEADER_READ
