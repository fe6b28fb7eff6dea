# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Samples of sFlow versions 2 and 4, whose parts tell no lengths: what is not known has no known end.

Sources: sFlow Version 4 (sflow.org, July 2001), RFC 3176 (version 2).
"""

from flowcorr.wire._sample cimport V2, record_format, record_reader, reader_of
from flowcorr.wire._sample_extended cimport read_gateway_data, read_router_data, read_switch_data
from flowcorr.wire._sample_packets cimport read_ipv4_data, read_ipv6_data, read_raw_header
from flowcorr.wire._xdr cimport skip, skip_opaque, take32
from libc.stdint cimport uint32_t
from routed.octets._cursor cimport has

cdef enum:
    PACKET_FORMATS = 3
    EXTENDED_FORMATS = 3
    USER_DATA = 4
    URL_DATA = 5
    COUNTERS = 8                     # kinds of counters, the first of which is none
    INTERFACE = 88                   # octets of the counters of any interface
    MOST_EXTENSIONS = 64             # extended data of a sample; five kinds are defined

cdef record_format[PACKET_FORMATS] PACKET_DATA
PACKET_DATA[:] = [
    record_format(1, read_raw_header),
    record_format(2, read_ipv4_data),
    record_format(3, read_ipv6_data),
]

cdef record_format[EXTENDED_FORMATS] EXTENDED_DATA
EXTENDED_DATA[:] = [
    record_format(1, read_switch_data),
    record_format(2, read_router_data),
    record_format(3, read_gateway_data),
]

# Octets of counters: generic, Ethernet, token ring, FDDI, 100VG, WAN, VLAN.
cdef size_t[COUNTERS] OCTETS_OF_COUNTERS
OCTETS_OF_COUNTERS[:] = [0, INTERFACE, INTERFACE + 52, INTERFACE + 72, INTERFACE, INTERFACE + 80, INTERFACE, 28]


cdef bint read_old_records(sample *x, span *s, Texts texts) noexcept nogil:
    """The packet and the extended data of a sample; False where something has no known end."""
    cdef uint32_t count, kind
    if not read_one(x, s, PACKET_DATA, PACKET_FORMATS, take32(s), texts):
        return False
    count = take32(s)
    if count > MOST_EXTENSIONS:
        return False
    while count:
        count -= 1
        kind = take32(s)
        if kind == USER_DATA or kind == URL_DATA:
            if not skip_strings(x, s, kind):
                return False
        elif not read_one(x, s, EXTENDED_DATA, EXTENDED_FORMATS, kind, texts):
            return False
    return True


cdef bint read_one(
    sample *x, span *s, const record_format *formats, int count, uint32_t kind, Texts texts,
) noexcept nogil:
    """A record; False when its kind is not known."""
    cdef record_reader read = reader_of(formats, count, kind)
    if read == NULL:
        return False
    read(x, s, texts)
    return True


cdef bint skip_strings(const sample *x, span *s, uint32_t kind) noexcept nogil:
    """User data: two names, in version 4 each with its character set; URL data: a direction and a URL."""
    cdef int i
    cdef size_t length
    for i in range(2 if kind == USER_DATA else 1):
        if kind == URL_DATA or x.version != V2:
            take32(s)
        length = take32(s)
        if not has(s, length) or not skip_opaque(s, length):
            return False
    return True


cdef bint skip_old_counters(span *s) noexcept nogil:
    """A counter sample: sequence, source, interval, kind of counters, counters; False for a kind that is not known."""
    cdef uint32_t kind
    if not skip(s, 12):
        return False
    kind = take32(s)
    return kind and kind < COUNTERS and skip(s, OCTETS_OF_COUNTERS[kind])
