# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Packets and frames as exporters sample them: as much of their headers as was sent.

A section ends anywhere, so every header is read only as far as it is there; what is cut off stays unknown.
Sources: IEEE 802.3 and 802.1Q, RFC 1661, RFC 3032, RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 7348.
"""

from flowcorr.columns._cells cimport load_unsigned, put_address, put_ipv4, put_octets, put_u8, put_u16, put_u32, put_unsigned
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memset
from routed.octets._cursor cimport has, load16, load24, load32, span

cdef enum:
    ETYPE_IPV4 = 0x0800
    ETYPE_IPV6 = 0x86DD
    ETYPE_VLAN = 0x8100
    ETYPE_PROVIDER_VLAN = 0x88A8
    ETYPE_OLD_PROVIDER_VLAN = 0x9100
    ETYPE_MPLS = 0x8847
    ETYPE_MPLS_MULTICAST = 0x8848
    ETYPE_PPPOE_SESSION = 0x8864
    FIRST_ETYPE = 0x0600             # below stands the length of an 802.3 frame
    PPP_IPV4 = 0x0021
    PPP_IPV6 = 0x0057
    PPP_MPLS = 0x0281
    TCP = 6
    UDP = 17
    IPV4_IN_IP = 4
    IPIP = 94
    IPV6_IN_IP = 41
    HOP_BY_HOP = 0
    ROUTING = 43
    FRAGMENT = 44                    # RFC 8200 section 4.5: always of 8 octets
    AUTHENTICATION = 51              # RFC 4302 section 2.2: length in units of 4 octets, less 2
    DESTINATION_OPTIONS = 60
    VLAN_ID_BITS = 0x0FFF
    LABEL_BOTTOM = 0x100
    MOST_EXTENSIONS = 16             # headers behind the IPv6 one; more are no longer followed


cdef inline bint is_vlan(uint16_t etype) noexcept nogil:
    return etype == ETYPE_VLAN or etype == ETYPE_PROVIDER_VLAN or etype == ETYPE_OLD_PROVIDER_VLAN


cdef void decode_packet(
    packet *p, const uint8_t *at, size_t length, packet_start start, uint16_t vxlan_port,
) noexcept nogil:
    """Read the headers of a packet into `p`, whose pointers are into the octets."""
    cdef span s
    memset(p, 0, sizeof(packet))
    s.at, s.end = at, at + length
    p.start, p.end, p.vxlan_port = s.at, s.end, vxlan_port
    if start == START_ETHERNET:
        read_ethernet(p, &s)
    elif start == START_PPP:
        read_ppp(p, &s)
    elif start == START_MPLS:
        read_labels(p, &s)
    else:
        read_ip(p, &s)


cdef size_t decode_counted(
    packet *p, const uint8_t *at, size_t length, packet_start start, uint16_t rebase_port,
) noexcept nogil:
    """Read a packet, or, with a port, the frame within its VXLAN; how many octets stand in front of that."""
    cdef packet outer
    decode_packet(p, at, length, start, rebase_port if rebase_port else VXLAN_PORT)
    if not rebase_port or p.vxlan_header == NULL:
        return 0
    outer = p[0]
    decode_packet(p, outer.inner, <size_t>(outer.end - outer.inner), START_ETHERNET, VXLAN_PORT)
    return <size_t>(outer.inner - outer.start)


cdef void read_ethernet(packet *p, span *s) noexcept nogil:
    cdef uint16_t tag
    if not has(s, 14):
        return
    p.macs = s.at
    p.etype = load16(s.at + 12)
    s.at += 14
    if is_vlan(p.etype) and has(s, 4):
        p.vlan_at = s.at
        tag = load16(s.at)
        p.vlan, p.cos = tag & VLAN_ID_BITS, <uint8_t>(tag >> 13)
        p.etype = load16(s.at + 2)
        s.at += 4
        if is_vlan(p.etype) and has(s, 4):
            p.cvlan = load16(s.at) & VLAN_ID_BITS
            p.etype = load16(s.at + 2)
            s.at += 4
    if p.etype < FIRST_ETYPE:
        read_llc(p, s)
    read_network(p, s, p.etype)


cdef void read_llc(packet *p, span *s) noexcept nogil:
    """A length in place of the type: SNAP has the type behind it (RFC 1042)."""
    p.etype = 0
    if has(s, 8) and s.at[0] == 0xAA and s.at[1] == 0xAA and s.at[2] == 3 and not load24(s.at + 3):
        p.etype = load16(s.at + 6)
        s.at += 8


cdef void read_network(packet *p, span *s, uint16_t etype) noexcept nogil:
    if etype == ETYPE_IPV4 or etype == ETYPE_IPV6:
        read_ip(p, s)
    elif etype == ETYPE_MPLS or etype == ETYPE_MPLS_MULTICAST:
        read_labels(p, s)
    elif etype == ETYPE_PPPOE_SESSION and has(s, 6):
        s.at += 6                    # RFC 2516: version, type, code, session, length
        read_ppp_protocol(p, s)


cdef void read_ppp(packet *p, span *s) noexcept nogil:
    """PPP in frames like HDLC's, with or without address and control (RFC 1662 section 3.1)."""
    if has(s, 2) and s.at[0] == 0xFF and s.at[1] == 3:
        s.at += 2
    read_ppp_protocol(p, s)


cdef void read_ppp_protocol(packet *p, span *s) noexcept nogil:
    cdef uint16_t protocol
    if not has(s, 2):
        return
    if s.at[0] & 1:                  # RFC 1661 section 6.5: one octet
        protocol = s.at[0]
        s.at += 1
    else:
        protocol = load16(s.at)
        s.at += 2
    if protocol == PPP_IPV4 or protocol == PPP_IPV6:
        read_ip(p, s)
    elif protocol == PPP_MPLS:
        read_labels(p, s)


cdef void read_labels(packet *p, span *s) noexcept nogil:
    """A label stack; what follows it is told by its first four bits alone (RFC 4928)."""
    cdef uint32_t entry
    p.mpls_at = s.at
    while has(s, 4):
        entry = load24(s.at)
        if p.label_count < MOST_LABELS:
            p.labels[p.label_count] = entry >> 4
            p.label_count += 1
        s.at += 4
        if entry & 1:                # bottom of the stack
            p.bottom_label = entry >> 4
            read_ip(p, s)
            return


cdef void read_ip(packet *p, span *s) noexcept nogil:
    """A header that was not sampled whole still tells its version."""
    if not has(s, 1):
        return
    if s.at[0] >> 4 == 4:
        read_ipv4(p, s)
    elif s.at[0] >> 4 == 6:
        read_ipv6(p, s)


cdef void read_ipv4(packet *p, span *s) noexcept nogil:
    cdef size_t header
    cdef uint16_t fragment
    header = (s.at[0] & 15) * 4
    if header < 20:
        return
    p.family, p.l3, p.l3_type = 4, s.at, ETYPE_IPV4
    if not has(s, 20):
        return
    p.tos, p.ip_length, p.proto = s.at[1], load16(s.at + 2), s.at[9]
    p.src_host, p.dst_host = s.at + 12, s.at + 16
    fragment = load16(s.at + 6) & 0x1FFF
    if not has(s, header):
        return
    s.at += header
    if not fragment:
        read_transport(p, s)


cdef inline bint is_extension(uint8_t header) noexcept nogil:
    return (
        header == HOP_BY_HOP or header == ROUTING or header == FRAGMENT
        or header == AUTHENTICATION or header == DESTINATION_OPTIONS
    )


cdef void read_ipv6(packet *p, span *s) noexcept nogil:
    cdef uint8_t next_header
    cdef uint32_t word
    cdef size_t octets
    cdef int i
    cdef bint later_fragment = False
    p.family, p.l3, p.l3_type = 6, s.at, ETYPE_IPV6
    if not has(s, 40):
        return
    word = load32(s.at)
    p.tos, p.flow_label, p.ip_length = <uint8_t>(word >> 20), word & 0xFFFFF, 40 + <uint32_t>load16(s.at + 4)
    next_header = s.at[6]
    p.src_host, p.dst_host = s.at + 8, s.at + 24
    s.at += 40
    for i in range(MOST_EXTENSIONS):
        if not is_extension(next_header) or not has(s, 8):
            break
        if next_header == FRAGMENT:
            later_fragment = load16(s.at + 2) >> 3 != 0
            octets = 8
        elif next_header == AUTHENTICATION:
            octets = (<size_t>s.at[1] + 2) * 4
        else:
            octets = (<size_t>s.at[1] + 1) * 8
        next_header = s.at[0]
        if later_fragment or not has(s, octets):
            p.proto = next_header
            return
        s.at += octets
    p.proto = next_header
    read_transport(p, s)


cdef void read_transport(packet *p, span *s) noexcept nogil:
    cdef size_t header
    p.l4 = s.at
    if p.proto == TCP:
        if has(s, 4):
            p.src_port, p.dst_port = load16(s.at), load16(s.at + 2)
        if has(s, 14):
            header = (s.at[12] >> 4) * 4
            p.tcpflags = s.at[13]
            if header >= 20 and has(s, header):
                p.payload = s.at + header
    elif p.proto == UDP:
        if has(s, 4):
            p.src_port, p.dst_port = load16(s.at), load16(s.at + 2)
        if has(s, 8):
            p.payload = s.at + 8
            s.at += 8
            if p.dst_port == p.vxlan_port and has(s, 8) and s.at[0] & 0x08:
                p.vxlan_header, p.vxlan = s.at, load24(s.at + 4)
                p.inner, p.inner_start = s.at + 8, START_ETHERNET
    elif p.proto == IPV4_IN_IP or p.proto == IPIP or p.proto == IPV6_IN_IP:
        p.inner, p.inner_start = s.at, START_IP


cdef void write_labels(const uint32_t *labels, uint32_t count, uint8_t *row, int32_t at, Texts texts) noexcept nogil:
    """Labels as the text of a stack: four octets each, network order."""
    cdef uint8_t octets[4 * MOST_LABELS]
    cdef uint32_t i
    if at < 0 or not count:
        return
    for i in range(count):
        octets[4 * i] = 0
        octets[4 * i + 1] = <uint8_t>(labels[i] >> 16)
        octets[4 * i + 2] = <uint8_t>(labels[i] >> 8)
        octets[4 * i + 3] = <uint8_t>labels[i]
    put_u32(row, at, texts.intern(octets, 4 * count))


cdef void write_packet(const packet *p, const packet_targets *t, uint8_t *row, Texts texts) noexcept nogil:
    """What the headers say, into the columns that are wanted of them; what they do not say stays as it was."""
    if p.macs != NULL:
        put_octets(row, t.dst_mac, p.macs, 6)
        put_octets(row, t.src_mac, p.macs + 6, 6)
        put_u16(row, t.etype, p.l3_type if p.label_count and p.l3_type else p.etype)
    if p.vlan_at != NULL:
        put_u16(row, t.vlan, p.vlan)
        put_u16(row, t.in_vlan, p.vlan)
        put_u16(row, t.in_cvlan, p.cvlan)
        put_u8(row, t.cos, p.cos)
    if p.label_count:
        put_u32(row, t.mpls_label_top, p.labels[0])
        put_u32(row, t.mpls_label_bottom, p.bottom_label)
        write_labels(p.labels, p.label_count, row, t.mpls_label_stack, texts)
    if p.src_host == NULL:
        return
    put_address(row, t.src_host, p.src_host, p.family)
    put_address(row, t.dst_host, p.dst_host, p.family)
    put_u8(row, t.proto, p.proto)
    put_u8(row, t.tos, p.tos)
    put_u32(row, t.flow_label, p.flow_label)
    put_u16(row, t.src_port, p.src_port)
    put_u16(row, t.dst_port, p.dst_port)
    put_u8(row, t.tcpflags, p.tcpflags)
    put_u32(row, t.vxlan, p.vxlan)


# custom primitives

cdef packet_value *fill_packet_values(list values) except NULL:
    """Custom primitives as compiled code reads them; the caller frees them."""
    cdef size_t i, j
    cdef packet_value *v
    array = <packet_value *>calloc(len(values) + 1, sizeof(packet_value))
    if array == NULL:
        raise MemoryError
    for i in range(len(values)):
        v = &array[i]
        v.target, v.width, v.length, v.form, pointers = values[i]
        if len(pointers) > MOST_POINTERS:
            free(array)
            raise ValueError(f"{len(pointers)} pointers")
        v.pointer_count = len(pointers)
        for j in range(len(pointers)):
            v.pointers[j].layer, v.pointers[j].protocol, v.pointers[j].offset = pointers[j]
    return array


cdef const uint8_t *layer_at(const packet *p, const packet_pointer *pointer) noexcept nogil:
    """Where a layer starts, NULL when the packet has none or it is not of the protocol asked for."""
    cdef uint32_t protocol = ANY_PROTOCOL
    cdef const uint8_t *at
    if pointer.layer == LAYER_PACKET:
        at = p.start
    elif pointer.layer == LAYER_MAC:
        at = p.macs
        protocol = p.etype
    elif pointer.layer == LAYER_VLAN:
        at = p.vlan_at
        protocol = p.etype
    elif pointer.layer == LAYER_MPLS:
        at = p.mpls_at
        protocol = p.etype
    elif pointer.layer == LAYER_L3:
        at = p.l3
        protocol = p.l3_type
    elif pointer.layer == LAYER_L4:
        at = p.l4
        protocol = p.proto
    else:
        at = p.payload
        protocol = p.proto
    if pointer.protocol != ANY_PROTOCOL and protocol != ANY_PROTOCOL and pointer.protocol != protocol:
        return NULL
    return at


cdef void write_packet_values(
    const packet *p, const packet_value *values, uint32_t count, uint8_t *row, Texts texts,
) noexcept nogil:
    """Custom primitives: the first of each one's pointers that the packet has, if all octets of it were sent."""
    cdef uint32_t i, j
    cdef size_t n
    cdef const packet_value *v
    cdef const uint8_t *at
    cdef const uint8_t *nul
    for i in range(count):
        v = &values[i]
        for j in range(v.pointer_count):
            at = layer_at(p, &v.pointers[j])
            if at == NULL or <size_t>(p.end - at) < <size_t>v.pointers[j].offset + v.length:
                continue
            at += v.pointers[j].offset
            if v.form == 0:
                put_unsigned(row + v.target, v.width, load_unsigned(at, v.length))
            elif v.form == 1:
                put_octets(row, v.target, at, v.length)
            elif v.form == 2:
                put_ipv4(row, v.target, at)
            else:
                n = v.length
                if v.form == 3:
                    nul = <const uint8_t *>memchr(at, 0, n)
                    if nul != NULL:
                        n = <size_t>(nul - at)
                put_u32(row, v.target, texts.intern(at, n))
            break
