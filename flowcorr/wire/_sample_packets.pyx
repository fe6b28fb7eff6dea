# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records of sFlow samples that hold the packet: its first octets, or what its headers said.

Source: sFlow Version 5 (sflow.org, July 2004), section 5.3, "Packet Data Types".
"""

from flowcorr.columns._cells cimport put_address, put_octets, put_u8, put_u16
from flowcorr.wire._packet cimport (
    START_ETHERNET, START_IP, START_MPLS, START_PPP, VXLAN_PORT, decode_counted, decode_packet, packet, packet_start,
    write_packet, write_packet_values,
)
from flowcorr.wire._sample cimport V5
from flowcorr.wire._sample_plan cimport sample_targets
from flowcorr.wire._xdr cimport skip_opaque, take32
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from routed.octets._cursor cimport has, load32

cdef enum:
    HEADER_PROTOCOLS = 5
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17

ctypedef struct header_protocol:
    uint32_t number
    packet_start start

cdef header_protocol[HEADER_PROTOCOLS] PROTOCOLS
PROTOCOLS[:] = [
    header_protocol(1, START_ETHERNET),
    header_protocol(7, START_PPP),
    header_protocol(11, START_IP),
    header_protocol(12, START_IP),
    header_protocol(13, START_MPLS),
]


cdef void read_raw_header(sample *x, span *s, Texts texts) noexcept nogil:
    """The first octets of a packet: protocol of its header, octets of the frame, of what was stripped, of the header."""
    cdef uint32_t protocol = take32(s), frame = take32(s), length
    cdef int i
    if x.version == V5:
        take32(s)                    # octets stripped off
    length = take32(s)
    if not has(s, length):
        return
    x.octets = frame
    for i in range(HEADER_PROTOCOLS):
        if PROTOCOLS[i].number == protocol:
            read_packet(x, s.at, length, PROTOCOLS[i].start, texts)
    skip_opaque(s, length)


cdef void read_packet(sample *x, const uint8_t *at, size_t length, packet_start start, Texts texts) noexcept nogil:
    """The headers of a sampled packet; those of a packet within it where that is asked for."""
    cdef packet p, inner
    x.octets -= min(x.octets, <uint64_t>decode_counted(&p, at, length, start, x.plan.rebase_port))
    write_packet(&p, &x.plan.packet, x.row, texts)
    write_packet_values(&p, x.plan.packet_values, x.plan.packet_value_count, x.row, texts)
    if p.macs != NULL:
        x.etype, x.has_etype = p.etype, True
    if p.family:
        x.family = p.family
    if p.inner != NULL and x.plan.wants_tunnel:
        decode_packet(&inner, p.inner, <size_t>(p.end - p.inner), p.inner_start, VXLAN_PORT)
        write_packet(&inner, &x.plan.tunnel, x.row, texts)


cdef void read_ethernet_data(sample *x, span *s, Texts texts) noexcept nogil:
    cdef uint32_t length
    if not has(s, 24):
        return
    length = take32(s)
    if not x.octets:
        x.octets = length
    put_octets(x.row, x.plan.to.src_mac, s.at, 6)
    put_octets(x.row, x.plan.to.dst_mac, s.at + 8, 6)
    s.at += 16
    x.etype, x.has_etype = <uint16_t>take32(s), True
    put_u16(x.row, x.plan.to.etype, x.etype)


cdef void read_ipv4_data(sample *x, span *s, Texts texts) noexcept nogil:
    read_ip_data(x, s, 4)


cdef void read_ipv6_data(sample *x, span *s, Texts texts) noexcept nogil:
    read_ip_data(x, s, 6)


cdef void read_ip_data(sample *x, span *s, int family) noexcept nogil:
    cdef size_t octets = 4 if family == 4 else 16
    cdef uint32_t length, proto
    cdef const sample_targets *to = &x.plan.to
    if not has(s, 24 + 2 * octets):
        return
    length = take32(s)
    proto = take32(s)
    if not x.octets:
        x.octets = length
    x.family = family
    put_u8(x.row, to.proto, <uint8_t>proto)
    put_address(x.row, to.src_host, s.at, family)
    put_address(x.row, to.dst_host, s.at + octets, family)
    s.at += 2 * octets
    if proto == PROTOCOL_TCP or proto == PROTOCOL_UDP:
        put_u16(x.row, to.src_port, <uint16_t>load32(s.at))
        put_u16(x.row, to.dst_port, <uint16_t>load32(s.at + 4))
    if proto == PROTOCOL_TCP:
        put_u8(x.row, to.tcpflags, <uint8_t>load32(s.at + 8))
    put_u8(x.row, to.tos, <uint8_t>load32(s.at + 12))
    s.at += 16
