# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Samples of sFlow into rows: a row for each flow sample, made of the records that it has.

In version 5 samples and records tell their length, so what is unknown is skipped; older ones are in `_old_samples.pyx`.
Interfaces are ifIndexes: what sFlow says instead of one (discarded, several, internal) is no interface here.

Source: sFlow Version 5 (sflow.org, July 2004), section 5.
"""

from flowcorr.columns._cells cimport put_ipv4, put_u8, put_u32, put_u64
from flowcorr.wire._old_samples cimport read_old_records, skip_old_counters
from flowcorr.wire._rates cimport apply_rate
from flowcorr.wire._sample cimport V5, reader_of, record_format, record_reader, sample
from flowcorr.wire._sample_extended cimport (
    read_gateway_data, read_mpls_data, read_nat_data, read_router_data, read_switch_data, read_tag_data, read_vc_data,
)
from flowcorr.wire._sample_packets cimport read_ethernet_data, read_ipv4_data, read_ipv6_data, read_raw_header
from flowcorr.wire._source_rates cimport effective_rate
from flowcorr.wire._xdr cimport take32, take_address
from libc.string cimport memcpy, memset
from routed.octets._cursor cimport has

cdef enum:
    FLOW_SAMPLE = 1
    COUNTER_SAMPLE = 2
    EXPANDED_FLOW_SAMPLE = 3
    EXPANDED_COUNTER_SAMPLE = 4
    ACL_WRAPPER = 8155137            # enterprise 1991, format 1: a sample behind three words
    MOST_WRAPPERS = 2
    FORMATS = 11
    INTERNAL = 0x3FFFFFFF            # an interface of the device itself
    INDEX_BITS = 0x00FFFFFF
    TYPE_IPV4 = 2                    # of records
    TYPE_IPV6 = 3
    TYPE_L2 = 5
    INGRESS = 105                    # i
    EGRESS = 101                     # e

# Records by their format, the usual ones first.
cdef record_format[FORMATS] RECORDS
RECORDS[:] = [
    record_format(1, read_raw_header),
    record_format(1001, read_switch_data),
    record_format(1002, read_router_data),
    record_format(1003, read_gateway_data),
    record_format(2, read_ethernet_data),
    record_format(3, read_ipv4_data),
    record_format(4, read_ipv6_data),
    record_format(1006, read_mpls_data),
    record_format(1007, read_nat_data),
    record_format(1009, read_vc_data),
    record_format(179707906, read_tag_data),     # enterprise 43874, format 2
]


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
    while kind == ACL_WRAPPER and wrappers < MOST_WRAPPERS and has(body, 20):
        body.at += 12
        kind, length = take32(body), take32(body)
        wrappers += 1
    if kind == COUNTER_SAMPLE or kind == EXPANDED_COUNTER_SAMPLE:
        return SAMPLE_IS_COUNTERS
    if kind != FLOW_SAMPLE and kind != EXPANDED_FLOW_SAMPLE:
        return SAMPLE_SKIPPED
    return read_flow_sample(p, version, kind, body, batch, texts, context, sources)


cdef sample_outcome read_flow_sample(
    const sample_plan *p, uint32_t version, uint32_t kind, span *s, Batch batch, Texts texts,
    const record_context *context, source_rates *sources,
) noexcept nogil:
    cdef uint32_t sequence, source, rate, pool
    cdef bint is_expanded = kind == EXPANDED_FLOW_SAMPLE, is_whole
    cdef sample x
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
    write_interfaces(&x, s, source, is_expanded)
    put_u32(x.row, p.to.sample_type, kind)
    put_u64(x.row, p.places.packets, 1)
    put_u64(x.row, p.places.flows, 1)
    is_whole = read_records(&x, s, texts) if version == V5 else read_old_records(&x, s, texts)
    if not is_whole and version != V5:
        return SAMPLE_BROKEN
    if not x.family and x.has_etype and not p.accept_any_type:
        return SAMPLE_NOT_IP
    x.row[p.places.record_type] = TYPE_L2 if not x.family else TYPE_IPV6 if x.family == 6 else TYPE_IPV4
    x.row[p.places.family] = <uint8_t>x.family
    put_u64(x.row, p.places.bytes, x.octets)
    if context.renormalize:
        rate = effective_rate(sources, source, sequence, pool, rate)
    apply_rate(&p.places, x.row, context.rate if context.rate_is_given else rate, context)
    batch.count += 1
    return SAMPLE_READ


cdef void write_interfaces(const sample *x, span *s, uint32_t source, bint is_expanded) noexcept nogil:
    """The interfaces of the packet, and on which of them it was sampled."""
    cdef uint32_t in_iface, out_iface
    in_iface = expanded_interface(s) if is_expanded else interface_of(take32(s))
    out_iface = expanded_interface(s) if is_expanded else interface_of(take32(s))
    put_u32(x.row, x.plan.to.in_iface, in_iface)
    put_u32(x.row, x.plan.to.out_iface, out_iface)
    if source == in_iface:
        put_u8(x.row, x.plan.to.sampling_direction, INGRESS)
    elif source == out_iface:
        put_u8(x.row, x.plan.to.sampling_direction, EGRESS)


cdef inline uint32_t interface_of(uint32_t word) noexcept nogil:
    """The ifIndex of an interface, 0 for what is none."""
    return 0 if word >> 30 or word == INTERNAL else word


cdef inline uint32_t expanded_interface(span *s) noexcept nogil:
    cdef uint32_t form = take32(s), value = take32(s)
    return value if not form and value != INTERNAL else 0


cdef bint read_records(sample *x, span *s, Texts texts) noexcept nogil:
    """The records of a sample of version 5: format, length, octets; False when one is cut."""
    cdef uint32_t count = take32(s), format, length
    cdef record_reader read
    cdef span body
    while count and has(s, 8):
        format, length = take32(s), take32(s)
        if not has(s, length):
            return False
        body.at, body.end = s.at, s.at + length
        s.at += length
        count -= 1
        read = reader_of(RECORDS, FORMATS, format)
        if read != NULL:
            read(x, &body, texts)
    return not count
