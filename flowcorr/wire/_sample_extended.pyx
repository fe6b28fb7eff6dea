# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records of sFlow samples that hold what switch and router know of the packet: VLANs, next hops, paths, labels.

Source: sFlow Version 5 (sflow.org, July 2004), section 5.3, "Extended Flow Data Types".
"""

from flowcorr.columns._cells cimport put_address, put_u8, put_u16, put_u32, put_u64
from flowcorr.wire._packet cimport MOST_LABELS, write_labels
from flowcorr.wire._sample cimport V2, V5
from flowcorr.wire._sample_plan cimport sample_targets
from flowcorr.wire._xdr cimport skip_opaque, take32, take_address
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from routed.octets._cursor cimport has, load32, load64

cdef enum:
    MOST_PATH = 128                  # ASes of a path that become text
    MOST_COMMUNITIES = 128
    SEPARATOR = 95                   # _
    COLON = 58


cdef inline uint16_t take_vlan(span *s) noexcept nogil:
    """A VLAN id, 0 for "unknown"."""
    cdef uint32_t vlan = take32(s)
    return <uint16_t>vlan if vlan < 4096 else 0


cdef void read_switch_data(sample *x, span *s, Texts texts) noexcept nogil:
    cdef uint16_t in_vlan, out_vlan
    cdef uint8_t in_priority, out_priority
    if not has(s, 16):
        return
    in_vlan = take_vlan(s)
    in_priority = <uint8_t>take32(s)
    out_vlan = take_vlan(s)
    out_priority = <uint8_t>take32(s)
    put_u8(x.row, x.plan.to.cos, in_priority if in_priority else out_priority)
    put_u16(x.row, x.plan.to.in_vlan, in_vlan)
    put_u16(x.row, x.plan.to.out_vlan, out_vlan)
    put_u16(x.row, x.plan.to.vlan, in_vlan if in_vlan else out_vlan)


cdef void read_router_data(sample *x, span *s, Texts texts) noexcept nogil:
    cdef const uint8_t *address
    cdef int family = take_address(s, &address)
    if family:
        put_address(x.row, x.plan.to.next_hop, address, family)
        if x.plan.use_ip_next_hop and not x.has_bgp_next_hop:
            put_address(x.row, x.plan.to.peer_dst_ip, address, family)
    put_u8(x.row, x.plan.to.src_mask, <uint8_t>take32(s))
    put_u8(x.row, x.plan.to.dst_mask, <uint8_t>take32(s))


cdef void read_gateway_data(sample *x, span *s, Texts texts) noexcept nogil:
    """BGP next hop (version 5), own AS, source AS, its peer AS, path to the destination, communities, local preference."""
    cdef const sample_targets *to = &x.plan.to
    cdef const uint8_t *address
    cdef int family
    if x.version == V5:
        family = take_address(s, &address)
        if family:
            x.has_bgp_next_hop = True
            put_address(x.row, to.bgp_next_hop, address, family)
            put_address(x.row, to.peer_dst_ip, address, family)
    take32(s)                        # the AS of the router itself
    put_u32(x.row, to.src_as, take32(s))
    put_u32(x.row, to.peer_src_as, take32(s))
    read_path(x, s, texts)
    if x.version != V2:
        read_communities(x, s, texts)
        put_u32(x.row, to.local_pref, take32(s))


cdef void read_path(sample *x, span *s, Texts texts) noexcept nogil:
    """The path to the destination: segments of ASes, in version 2 the ASes alone."""
    cdef const sample_targets *to = &x.plan.to
    cdef uint8_t text[11 * MOST_PATH]
    cdef uint32_t segments = 1 if x.version == V2 else take32(s), ases, as_number = 0, written = 0
    cdef size_t length = 0
    while segments and has(s, 4):
        segments -= 1
        if x.version != V2:
            take32(s)                # kind of the segment
        ases = take32(s)
        while ases and has(s, 4):
            ases -= 1
            as_number = take32(s)
            if not written:
                put_u32(x.row, to.peer_dst_as, as_number)
            if written < MOST_PATH:
                length = append_number(text, length, as_number, SEPARATOR if written else 0)
            written += 1
    if written:
        put_u32(x.row, to.dst_as, as_number)
        put_u32(x.row, to.as_path, texts.intern(text, length) if to.as_path >= 0 else 0)


cdef void read_communities(sample *x, span *s, Texts texts) noexcept nogil:
    cdef uint8_t text[12 * MOST_COMMUNITIES]
    cdef uint32_t count = take32(s), written = 0, community
    cdef size_t length = 0
    while count and has(s, 4):
        count -= 1
        community = take32(s)
        if written < MOST_COMMUNITIES:
            length = append_number(text, length, community >> 16, SEPARATOR if written else 0)
            length = append_number(text, length, community & 0xFFFF, COLON)
            written += 1
    if written and x.plan.to.std_comm >= 0:
        put_u32(x.row, x.plan.to.std_comm, texts.intern(text, length))


cdef size_t append_number(uint8_t *text, size_t length, uint32_t number, uint8_t before) noexcept nogil:
    """A decimal number behind a text, with a character in front unless it is 0; at most eleven octets."""
    cdef uint8_t digits[10]
    cdef int n = 0
    if before:
        text[length] = before
        length += 1
    while True:
        digits[n] = <uint8_t>(48 + number % 10)
        n += 1
        number /= 10
        if not number:
            break
    while n:
        n -= 1
        text[length] = digits[n]
        length += 1
    return length


cdef void read_mpls_data(sample *x, span *s, Texts texts) noexcept nogil:
    """Next hop, label stack of the packet as it came, and as it left."""
    cdef const uint8_t *address
    cdef uint32_t labels[MOST_LABELS]
    cdef uint32_t count, kept = 0, i
    take_address(s, &address)
    count = take32(s)
    for i in range(count):
        if not has(s, 4):
            break
        if kept < MOST_LABELS:
            labels[kept] = load32(s.at) >> 12
            kept += 1
        s.at += 4
    if kept:
        put_u32(x.row, x.plan.to.mpls_label_top, labels[0])
        put_u32(x.row, x.plan.to.mpls_label_bottom, labels[kept - 1])
        write_labels(labels, kept, x.row, x.plan.to.mpls_label_stack, texts)


cdef void read_nat_data(sample *x, span *s, Texts texts) noexcept nogil:
    cdef const uint8_t *address
    cdef int family = take_address(s, &address)
    if family:
        put_address(x.row, x.plan.to.post_nat_src_host, address, family)
    family = take_address(s, &address)
    if family:
        put_address(x.row, x.plan.to.post_nat_dst_host, address, family)


cdef void read_vc_data(sample *x, span *s, Texts texts) noexcept nogil:
    """Name of a virtual circuit, its id, label and class of service."""
    cdef size_t length = take32(s)
    if has(s, length) and skip_opaque(s, length):
        put_u32(x.row, x.plan.to.mpls_pw_id, take32(s))


cdef void read_tag_data(sample *x, span *s, Texts texts) noexcept nogil:
    """The tags that pmacct gave a flow before it passed the sample on."""
    if has(s, 16):
        put_u64(x.row, x.plan.to.tag, load64(s.at))
        put_u64(x.row, x.plan.to.tag2, load64(s.at + 8))
