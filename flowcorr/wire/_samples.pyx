# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Samples of sFlow into rows: a row for each flow sample, made of the records that it has.

In version 5 samples and records tell their length, so what is unknown is skipped.  In versions 2 and 4 they do not: an
unknown one ends the datagram.  Interfaces are ifIndexes: what sFlow says instead of one (discarded, several, internal)
is no interface here.

Sources: sFlow Version 5 (sflow.org, July 2004), sFlow Version 4 (July 2001), RFC 3176 (version 2).
"""

from flowcorr.columns._cells cimport (
    put_address, put_ipv4, put_octets, put_u8, put_u16, put_u32, put_u64,
)
from flowcorr.wire._packet cimport (
    MOST_LABELS, START_ETHERNET, START_IP, START_MPLS, START_PPP, VXLAN_PORT, decode_counted, decode_packet, fill_packet_values, packet,
    packet_start, write_labels, write_packet, write_packet_values,
)
from flowcorr.wire._records cimport apply_rate
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from routed.octets._cursor cimport has, load32, load64
from routed.octets._hash cimport mix

cdef enum:
    V2 = 2
    V4 = 4
    V5 = 5
    FLOW_SAMPLE = 1
    COUNTER_SAMPLE = 2
    EXPANDED_FLOW_SAMPLE = 3
    EXPANDED_COUNTER_SAMPLE = 4
    ACL_WRAPPER = 8155137            # enterprise 1991, format 1: a sample behind three words
    RAW_HEADER = 1
    ETHERNET_DATA = 2
    IPV4_DATA = 3
    IPV6_DATA = 4
    SWITCH_DATA = 1001
    ROUTER_DATA = 1002
    GATEWAY_DATA = 1003
    MPLS_DATA = 1006
    NAT_DATA = 1007
    VC_DATA = 1009
    TAG_DATA = 179707906             # enterprise 43874, format 2
    HEADER_ETHERNET = 1
    HEADER_PPP = 7
    HEADER_IPV4 = 11
    HEADER_IPV6 = 12
    HEADER_MPLS = 13
    INTERNAL = 0x3FFFFFFF            # an interface of the device itself
    INDEX_BITS = 0x00FFFFFF
    MOST_RECORDS = 64                # of a sample; a dozen kinds are defined
    MOST_PATH = 128                  # ASes of a path that become text
    MOST_COMMUNITIES = 128
    MOST_SOURCES = 4096              # data sources of an agent whose rate is followed
    TYPE_IPV4 = 2
    TYPE_L2 = 5
    INGRESS = 105                    # i
    EGRESS = 101                     # e


cdef class SamplePlan:
    def __cinit__(self, dict to not None, dict packet not None, dict tunnel not None, dict places not None,
                  list packet_values not None, *, bint use_ip_next_hop=False, bint accept_any_type=False,
                  int rebase_port=0):
        self.c.to, self.c.packet, self.c.tunnel, self.c.places = to, packet, tunnel, places
        self.c.wants_tunnel = max(tunnel.values()) >= 0
        self.c.use_ip_next_hop, self.c.accept_any_type = use_ip_next_hop, accept_any_type
        self.c.rebase_port = rebase_port
        self.c.packet_values = fill_packet_values(packet_values)
        self.c.packet_value_count = len(packet_values)

    def __dealloc__(self):
        free(self.c.packet_values)


cdef void free_sources(source_rates *sources) noexcept nogil:
    free(sources.entries)


# the datagram

cdef inline uint32_t take32(span *s) noexcept nogil:
    """The next word; 0 behind the end, where nothing that counts follows."""
    cdef uint32_t value = 0
    if has(s, 4):
        value = load32(s.at)
        s.at += 4
    else:
        s.at = s.end
    return value


cdef inline bint skip(span *s, size_t octets) noexcept nogil:
    """Pass octets; False when there are not so many, and then none is left."""
    if not has(s, octets):
        s.at = s.end
        return False
    s.at += octets
    return True


cdef int take_address(span *s, const uint8_t **address) noexcept nogil:
    """An address: type u32, octets.  Its family, 0: none that is known."""
    cdef uint32_t kind = take32(s)
    cdef size_t octets = 4 if kind == 1 else 16 if kind == 2 else 0
    address[0] = s.at
    if not octets or not skip(s, octets):
        return 0
    return 4 if octets == 4 else 6


cdef bint read_header(const uint8_t *at, size_t length, sflow_header *header) noexcept nogil:
    """Read the header of a datagram; False when it is cut."""
    cdef span s
    cdef const uint8_t *agent
    cdef int family
    s.at, s.end = at, at + length
    memset(header, 0, sizeof(sflow_header))
    header.version = take32(&s)
    family = take_address(&s, &agent)
    if not family or not has(&s, 16 if header.version == V5 else 12):
        return False
    if family == 4:
        put_ipv4(header.agent, 0, agent)
    else:
        memcpy(header.agent, agent, 16)
    if header.version == V5:
        header.sub_agent = take32(&s)
    header.sequence, header.uptime, header.samples = take32(&s), take32(&s), take32(&s)
    header.octets = <size_t>(s.at - at)
    return True


# one sample

cdef struct sample:
    const sample_plan *plan
    uint8_t *row
    uint32_t version
    uint64_t octets                  # of the sampled frame
    uint16_t etype
    int family
    bint has_etype
    bint has_bgp_next_hop


cdef sample_outcome read_sample(
    const sample_plan *p, uint32_t version, span *s, span *body, Batch batch, Texts texts,
    const record_context *context, source_rates *sources,
) noexcept nogil:
    """The sample that `s` stands at, into a new row if it is one of a flow; `s` passes it, `body` is what it holds."""
    cdef uint32_t kind = take32(s), length
    cdef int wrappers = 0
    if version != V5:
        body.at, body.end = s.at, s.end
        if kind == COUNTER_SAMPLE:
            return SAMPLE_IS_COUNTERS if skip_old_counters(s) else SAMPLE_BROKEN
        if kind != FLOW_SAMPLE:
            return SAMPLE_BROKEN
        return read_flow_sample(p, version, kind, s, batch, texts, context, sources)
    length = take32(s)
    if not has(s, length):
        return SAMPLE_BROKEN
    body.at, body.end = s.at, s.at + length
    s.at += length
    while kind == ACL_WRAPPER and wrappers < 2 and has(body, 20):
        body.at += 12
        kind, length = take32(body), take32(body)
        wrappers += 1
    if kind == COUNTER_SAMPLE or kind == EXPANDED_COUNTER_SAMPLE:
        return SAMPLE_IS_COUNTERS
    if kind != FLOW_SAMPLE and kind != EXPANDED_FLOW_SAMPLE:
        return SAMPLE_SKIPPED
    return read_flow_sample(p, version, kind, body, batch, texts, context, sources)


cdef inline uint32_t interface_of(uint32_t word) noexcept nogil:
    """The ifIndex of an interface, 0 for what is none."""
    return 0 if word >> 30 or word == INTERNAL else word


cdef sample_outcome read_flow_sample(
    const sample_plan *p, uint32_t version, uint32_t kind, span *s, Batch batch, Texts texts,
    const record_context *context, source_rates *sources,
) noexcept nogil:
    cdef uint32_t sequence, source, rate, pool, in_iface, out_iface
    cdef bint is_expanded = kind == EXPANDED_FLOW_SAMPLE
    cdef sample x
    cdef bint whole
    if not has(s, 44 if is_expanded else 32):
        return SAMPLE_BROKEN if version != V5 else SAMPLE_SKIPPED
    memset(&x, 0, sizeof(sample))
    x.plan, x.version = p, version
    x.row = batch.data + batch.count * batch.stride
    memcpy(x.row, context.stamp, batch.stride)
    sequence = take32(s)
    if is_expanded:
        take32(s)                    # type of the source
    source = take32(s)
    if not is_expanded:
        source &= INDEX_BITS
    rate, pool = take32(s), take32(s)
    take32(s)                        # drops
    if is_expanded:
        in_iface = expanded_interface(s)
        out_iface = expanded_interface(s)
    else:
        in_iface, out_iface = interface_of(take32(s)), interface_of(take32(s))
    put_u32(x.row, p.to.in_iface, in_iface)
    put_u32(x.row, p.to.out_iface, out_iface)
    if source == in_iface:
        put_u8(x.row, p.to.sampling_direction, INGRESS)
    elif source == out_iface:
        put_u8(x.row, p.to.sampling_direction, EGRESS)
    put_u32(x.row, p.to.sample_type, kind)
    put_u64(x.row, p.places.packets, 1)
    put_u64(x.row, p.places.flows, 1)
    whole = read_records(&x, s, texts) if version == V5 else read_old_records(&x, s, texts)
    if not whole and version != V5:
        return SAMPLE_BROKEN
    if not x.family and x.has_etype and not p.accept_any_type:
        return SAMPLE_NOT_IP
    x.row[p.places.record_type] = TYPE_L2 if not x.family else TYPE_IPV4 + (x.family == 6)
    x.row[p.places.family] = <uint8_t>x.family
    put_u64(x.row, p.places.bytes, x.octets)
    if context.renormalize:
        rate = effective_rate(sources, source, sequence, pool, rate)
    apply_rate(&p.places, x.row, context.rate if context.rate_is_given else rate, context)
    batch.count += 1
    return SAMPLE_READ


cdef inline uint32_t expanded_interface(span *s) noexcept nogil:
    cdef uint32_t form = take32(s), value = take32(s)
    return value if not form and value != INTERNAL else 0


cdef uint32_t effective_rate(
    source_rates *sources, uint32_t index, uint32_t sequence, uint32_t pool, uint32_t advertised,
) noexcept nogil:
    """Packets that passed a data source for each one it sampled since its last sample; the advertised rate at first."""
    cdef uint32_t at, i, rate = advertised, room, step, passed
    cdef source_rate *entry
    cdef source_rate *wider
    if sources.entries == NULL or 2 * sources.count > sources.mask:
        room = 16 if sources.entries == NULL else 2 * (sources.mask + 1)
        wider = <source_rate *>calloc(room, sizeof(source_rate)) if room <= 2 * MOST_SOURCES else NULL
        if wider == NULL and sources.entries == NULL:
            return advertised
        if wider != NULL:
            if sources.entries != NULL:
                for i in range(sources.mask + 1):
                    if sources.entries[i].is_used:
                        at = <uint32_t>mix(sources.entries[i].index, 0x9E3779B97F4A7C15ULL) & (room - 1)
                        while wider[at].is_used:
                            at = (at + 1) & (room - 1)
                        wider[at] = sources.entries[i]
            free(sources.entries)
            sources.entries, sources.mask = wider, room - 1
    at = <uint32_t>mix(index, 0x9E3779B97F4A7C15ULL) & sources.mask
    while sources.entries[at].is_used and sources.entries[at].index != index:
        at = (at + 1) & sources.mask
    entry = &sources.entries[at]
    if not entry.is_used:
        if sources.count >= MOST_SOURCES:
            return advertised
        entry.is_used, entry.index = True, index
        sources.count += 1
    else:
        step = sequence - entry.sequence
        passed = pool - entry.pool
        if <int32_t>step > 0 and <int32_t>passed > 0 and passed / step:
            rate = passed / step
    entry.sequence, entry.pool = sequence, pool
    return rate


cdef bint read_records(sample *x, span *s, Texts texts) noexcept nogil:
    """The records of a sample of version 5: format, length, octets."""
    cdef uint32_t count = take32(s), kind, length
    cdef span body
    while count and has(s, 8):
        kind, length = take32(s), take32(s)
        if not has(s, length):
            return False
        body.at, body.end = s.at, s.at + length
        s.at += length
        count -= 1
        read_record(x, kind, &body, texts)
    return not count


cdef bint read_record(sample *x, uint32_t kind, span *s, Texts texts) noexcept nogil:
    """What a record says; False for a kind that is not known, and so has no known end in old versions."""
    if kind == RAW_HEADER:
        read_raw_header(x, s, texts)
    elif kind == ETHERNET_DATA:
        read_ethernet_data(x, s)
    elif kind == IPV4_DATA or kind == IPV6_DATA:
        read_ip_data(x, s, 4 if kind == IPV4_DATA else 6)
    elif kind == SWITCH_DATA:
        read_switch_data(x, s)
    elif kind == ROUTER_DATA:
        read_router_data(x, s)
    elif kind == GATEWAY_DATA:
        read_gateway_data(x, s, texts)
    elif kind == MPLS_DATA:
        read_mpls_data(x, s, texts)
    elif kind == NAT_DATA:
        read_nat_data(x, s)
    elif kind == VC_DATA:
        read_vc_data(x, s)
    elif kind == TAG_DATA:
        if has(s, 16):
            put_u64(x.row, x.plan.to.tag, load64(s.at))
            put_u64(x.row, x.plan.to.tag2, load64(s.at + 8))
    else:
        return False
    return True


cdef bint read_old_records(sample *x, span *s, Texts texts) noexcept nogil:
    """The packet and the extended data of a sample of version 2 or 4, which tell no lengths."""
    cdef uint32_t kind = take32(s), count
    if kind == 1:
        read_raw_header(x, s, texts)
    elif kind == 2 or kind == 3:
        read_ip_data(x, s, 4 if kind == 2 else 6)
    else:
        return False
    count = take32(s)
    if count > MOST_RECORDS:
        return False
    while count:
        kind = take32(s)
        count -= 1
        if kind == 1:
            read_switch_data(x, s)
        elif kind == 2:
            read_router_data(x, s)
        elif kind == 3:
            read_gateway_data(x, s, texts)
        elif kind == 4 or kind == 5:
            if not skip_strings(x, s, kind):
                return False
        else:
            return False
    return True


cdef bint skip_strings(const sample *x, span *s, uint32_t kind) noexcept nogil:
    """User data: two names, in version 4 each with its character set; URL data: a direction and a URL."""
    cdef int i
    cdef size_t length
    for i in range(2 if kind == 4 else 1):
        if kind == 5 or x.version != V2:
            take32(s)
        length = take32(s)
        if not has(s, length) or not skip(s, (length + 3) & ~<size_t>3):
            return False
    return True


cdef bint skip_old_counters(span *s) noexcept nogil:
    """A counter sample of version 2 or 4: sequence, source, interval, kind of counters, counters."""
    cdef size_t octets
    cdef uint32_t kind
    if not skip(s, 12):
        return False
    kind = take32(s)
    if kind == 1 or kind == 4 or kind == 6:
        octets = 88
    elif kind == 2:
        octets = 88 + 52
    elif kind == 3:
        octets = 88 + 72
    elif kind == 5:
        octets = 88 + 80
    elif kind == 7:
        octets = 28
    else:
        return False
    return skip(s, octets)


# records

cdef void read_raw_header(sample *x, span *s, Texts texts) noexcept nogil:
    cdef uint32_t protocol = take32(s), frame = take32(s), length
    cdef packet p, inner
    cdef packet_start start
    if x.version == V5:
        take32(s)                    # octets stripped off
    length = take32(s)
    if not has(s, length):
        return
    x.octets = frame
    if protocol == HEADER_ETHERNET:
        start = START_ETHERNET
    elif protocol == HEADER_PPP:
        start = START_PPP
    elif protocol == HEADER_IPV4 or protocol == HEADER_IPV6:
        start = START_IP
    elif protocol == HEADER_MPLS:
        start = START_MPLS
    else:
        skip(s, (<size_t>length + 3) & ~<size_t>3)
        return
    x.octets -= min(x.octets, <uint64_t>decode_counted(&p, s.at, length, start, x.plan.rebase_port))
    write_packet(&p, &x.plan.packet, x.row, texts)
    write_packet_values(&p, x.plan.packet_values, x.plan.packet_value_count, x.row, texts)
    if p.macs != NULL:
        x.etype, x.has_etype = p.etype, True
    if p.family:
        x.family = p.family
    if p.inner != NULL and x.plan.wants_tunnel:
        decode_packet(&inner, p.inner, <size_t>(p.end - p.inner), p.inner_start, VXLAN_PORT)
        write_packet(&inner, &x.plan.tunnel, x.row, texts)
    skip(s, (<size_t>length + 3) & ~<size_t>3)


cdef void read_ethernet_data(sample *x, span *s) noexcept nogil:
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


cdef void read_ip_data(sample *x, span *s, int family) noexcept nogil:
    cdef size_t octets = 4 if family == 4 else 16
    cdef uint32_t length
    cdef const sample_targets *to = &x.plan.to
    if not has(s, 24 + 2 * octets):
        return
    length = take32(s)
    if not x.octets:
        x.octets = length
    x.family = family
    put_u8(x.row, to.proto, <uint8_t>take32(s))
    put_address(x.row, to.src_host, s.at, family)
    put_address(x.row, to.dst_host, s.at + octets, family)
    s.at += 2 * octets
    put_u16(x.row, to.src_port, <uint16_t>take32(s))
    put_u16(x.row, to.dst_port, <uint16_t>take32(s))
    put_u8(x.row, to.tcpflags, <uint8_t>take32(s))
    put_u8(x.row, to.tos, <uint8_t>take32(s))


cdef inline uint16_t take_vlan(span *s) noexcept nogil:
    """A VLAN id, 0 for "unknown"."""
    cdef uint32_t vlan = take32(s)
    return <uint16_t>vlan if vlan < 4096 else 0


cdef void read_switch_data(sample *x, span *s) noexcept nogil:
    cdef uint16_t in_vlan, out_vlan
    if not has(s, 16):
        return
    in_vlan = take_vlan(s)
    put_u8(x.row, x.plan.to.cos, <uint8_t>take32(s))
    out_vlan = take_vlan(s)
    take32(s)
    put_u16(x.row, x.plan.to.in_vlan, in_vlan)
    put_u16(x.row, x.plan.to.out_vlan, out_vlan)
    put_u16(x.row, x.plan.to.vlan, in_vlan if in_vlan else out_vlan)


cdef void read_router_data(sample *x, span *s) noexcept nogil:
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
    cdef uint8_t text[11 * MOST_PATH]
    cdef uint32_t segments, ases, as_number = 0, written = 0, i
    cdef size_t length = 0
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
    segments = 1 if x.version == V2 else take32(s)
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
                length = append_number(text, length, as_number, 95 if written else 0)
            written += 1
    if written:
        put_u32(x.row, to.dst_as, as_number)
        put_u32(x.row, to.as_path, texts.intern(text, length) if to.as_path >= 0 else 0)
    if x.version == V2:
        return
    read_communities(x, s, texts)
    put_u32(x.row, to.local_pref, take32(s))


cdef void read_communities(sample *x, span *s, Texts texts) noexcept nogil:
    cdef uint8_t text[12 * MOST_COMMUNITIES]
    cdef uint32_t count = take32(s), written = 0, community
    cdef size_t length = 0
    while count and has(s, 4):
        count -= 1
        community = take32(s)
        if written < MOST_COMMUNITIES:
            length = append_number(text, length, community >> 16, 95 if written else 0)
            length = append_number(text, length, community & 0xFFFF, 58)
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


cdef void read_nat_data(sample *x, span *s) noexcept nogil:
    cdef const uint8_t *address
    cdef int family = take_address(s, &address)
    if family:
        put_address(x.row, x.plan.to.post_nat_src_host, address, family)
    family = take_address(s, &address)
    if family:
        put_address(x.row, x.plan.to.post_nat_dst_host, address, family)


cdef void read_vc_data(sample *x, span *s) noexcept nogil:
    """Name of a virtual circuit, its id, label and class of service."""
    cdef size_t length = take32(s)
    if has(s, length) and skip(s, (length + 3) & ~<size_t>3):
        put_u32(x.row, x.plan.to.mpls_pw_id, take32(s))
