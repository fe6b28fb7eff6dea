# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records of a template into rows: the steps of its plan, record after record, without Python.

A row starts as the stamp of its exporter: header, addresses, protocol and all other columns that are the same for all
records of the datagram.  Most steps are copies and done in place; what else a step can be is a function of the table.
"""

from flowcorr.columns._cells cimport load_unsigned, put_ipv4, put_u8, put_u16, put_u64, put_unsigned
from flowcorr.wire._fields cimport (
    write_average_delay, write_constant, write_direction, write_flows, write_frame, write_interval_rate,
    write_next_hop, write_sampler_rate, write_segment_id, write_segments, write_string, write_text,
    write_unsigned_exactly, write_vlan_by_direction,
)
from flowcorr.wire._labels cimport write_bottom_label, write_label_stack, write_top_label
from flowcorr.wire._plan cimport (
    AVERAGE_DELAY, BEFORE_EXPORT, CONSTANT, COPY, DIRECTION, FLOWS, FRAME, INTERVAL_RATE, IPV4, LABEL_BOTTOM,
    LABEL_STACK, LABEL_TOP, MILLISECONDS, MOST_FIELDS, NAME_OF_APPLICATION, NAME_OF_INTERFACE, NAMES_OF_VRF, NEXT_HOP,
    NO_FIELD, NTP, RD, SAMPLER_RATE, SECONDS, SECONDS_AND_MICROSECONDS, SEGMENT_ID, SEGMENTS, STEP_CODES, STRING, TEXT,
    UNSIGNED, UNSIGNED_EXACTLY, UPTIME, UPTIME_SECONDS, UPTIME_SINCE, UPTIME_SINCE_TOLD, VARIABLE, VLAN_BY_DIRECTION,
    plan_places, step,
)
from flowcorr.wire._rates cimport apply_rate
from flowcorr.wire._record cimport first_octet, number_of, record, step_function, value_span
from flowcorr.wire._times cimport (
    write_before_export, write_milliseconds, write_ntp, write_seconds, write_seconds_and_microseconds, write_uptime,
    write_uptime_seconds, write_uptime_since, write_uptime_since_told,
)
from flowcorr.wire._told cimport write_application_name, write_interface_name, write_rd, write_vrf_names
from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from routed.octets._cursor cimport load16, load32, load64

cdef enum:
    FAMILY_BY_RECORD = 1
    ETHERTYPE_IPV4 = 0x0800
    ETHERTYPE_IPV6 = 0x86DD
    TYPE_IPV4 = 2                    # of records
    TYPE_L2 = 5
    TYPE_MPLS_IPV4 = 12
    TYPE_SRV6_L2 = 20
    TYPE_SRV6_IPV4 = 22
    TYPE_SRV6_IPV6 = 23
    VLAN_TYPE = 5                    # what a VLAN adds to the type
    PROTOCOL_ICMP = 1
    PROTOCOL_IPV4 = 4
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17
    PROTOCOL_IPV6 = 41
    PROTOCOL_ICMPV6 = 58
    PROTOCOL_ETHERNET = 143
    V5_PROTOCOL = 38                 # octets from the start of a NetFlow v5 record

# What a step does by its code; those without a function are done in place.
cdef step_function WRITE[STEP_CODES]
WRITE[<int>UNSIGNED_EXACTLY] = write_unsigned_exactly
WRITE[<int>FLOWS] = write_flows
WRITE[<int>TEXT] = write_text
WRITE[<int>STRING] = write_string
WRITE[<int>SEGMENTS] = write_segments
WRITE[<int>DIRECTION] = write_direction
WRITE[<int>SECONDS] = write_seconds
WRITE[<int>MILLISECONDS] = write_milliseconds
WRITE[<int>NTP] = write_ntp
WRITE[<int>SECONDS_AND_MICROSECONDS] = write_seconds_and_microseconds
WRITE[<int>UPTIME] = write_uptime
WRITE[<int>UPTIME_SECONDS] = write_uptime_seconds
WRITE[<int>UPTIME_SINCE] = write_uptime_since
WRITE[<int>UPTIME_SINCE_TOLD] = write_uptime_since_told
WRITE[<int>BEFORE_EXPORT] = write_before_export
WRITE[<int>LABEL_TOP] = write_top_label
WRITE[<int>LABEL_BOTTOM] = write_bottom_label
WRITE[<int>LABEL_STACK] = write_label_stack
WRITE[<int>NEXT_HOP] = write_next_hop
WRITE[<int>SEGMENT_ID] = write_segment_id
WRITE[<int>NAME_OF_INTERFACE] = write_interface_name
WRITE[<int>NAMES_OF_VRF] = write_vrf_names
WRITE[<int>NAME_OF_APPLICATION] = write_application_name
WRITE[<int>RD] = write_rd
WRITE[<int>AVERAGE_DELAY] = write_average_delay
WRITE[<int>SAMPLER_RATE] = write_sampler_rate
WRITE[<int>INTERVAL_RATE] = write_interval_rate
WRITE[<int>FRAME] = write_frame
WRITE[<int>CONSTANT] = write_constant
WRITE[<int>VLAN_BY_DIRECTION] = write_vlan_by_direction


cdef size_t read_records(
    const plan *p, const uint8_t *at, size_t length, Batch batch, Texts texts, const record_context *context,
    size_t *taken, bint *broken,
) noexcept nogil:
    """Rows of the records of a set, while there are octets and room; how many records.

    `taken`: octets of them; `broken`: the next record passes the end.
    """
    cdef value_span values[MOST_FIELDS]
    cdef record r
    cdef size_t done = 0, count = 0, octets = p.octets, room = 1 if p.reverse == NULL else 2
    r.context, r.values = context, values if p.is_variable else NULL
    broken[0] = False
    while length - done >= p.octets and batch.capacity - batch.count >= room:
        r.at = at + done
        if p.is_variable:
            octets = find_values(p, r.at, length - done, values)
            if not octets:
                broken[0] = True
                break
        read_record(&r, p, batch, texts)
        batch.count += 1
        if p.reverse != NULL:
            read_record(&r, p.reverse, batch, texts)
            if has_counted(&r):      # something in the other direction (RFC 5103)
                batch.count += 1
        count += 1
        done += octets
    taken[0] = done
    return count


cdef size_t find_values(const plan *p, const uint8_t *at, size_t length, value_span *values) noexcept nogil:
    """Where the fields of a record lie; octets of the record, 0 when it passes the end (RFC 7011 section 7)."""
    cdef size_t done = 0, octets
    cdef uint32_t i
    for i in range(p.field_count):
        octets = p.fields[i].length
        if octets == VARIABLE:
            if done == length:
                return 0
            octets = at[done]
            done += 1
            if octets == 255:
                if length - done < 2:
                    return 0
                octets = load16(at + done)
                done += 2
        if length - done < octets:
            return 0
        values[i].at, values[i].length = at + done, <uint32_t>octets
        done += octets
    return done


cdef inline bint has_counted(const record *r) noexcept nogil:
    cdef const plan_places *places = &r.plan.places
    return (<uint64_t *>(r.row + places.packets))[0] != 0 or (<uint64_t *>(r.row + places.bytes))[0] != 0


# one record

cdef void read_record(record *r, const plan *p, Batch batch, Texts texts) noexcept nogil:
    """Write a record into the row behind the last one, which counts once `count` is raised."""
    cdef int family
    cdef uint8_t tunnel
    r.plan, r.rate = p, r.context.rate
    r.row = batch.data + batch.count * batch.stride
    memcpy(r.row, r.context.stamp, batch.stride)
    tunnel = tunnel_type(r)
    if tunnel:
        family = 0 if tunnel == TYPE_SRV6_L2 else 4 if tunnel == TYPE_SRV6_IPV4 else 6
    else:
        family = p.traits.family if p.traits.family != FAMILY_BY_RECORD else family_of(r)
    r.row[p.places.record_type] = record_type(r, family, tunnel)
    r.row[p.places.family] = <uint8_t>family
    if p.traits.has_counters:
        put_u64(r.row, p.places.flows, 1)
    if family:
        put_u16(r.row, p.places.etype, ETHERTYPE_IPV4 if family == 4 else ETHERTYPE_IPV6)
    do_steps(r, state_of(family, tunnel), texts)
    if p.traits.is_v5:
        correct_v5(r)
    apply_rate(&p.places, r.row, r.rate if not r.context.rate_is_given else r.context.rate, r.context)


cdef inline void do_steps(record *r, int state, Texts texts) noexcept nogil:
    """Do what is to be done of a record in its state."""
    cdef const step *s = r.plan.steps
    cdef const step *behind = s + r.plan.step_count
    cdef const uint8_t *at = r.at
    cdef const value_span *values = r.values
    cdef uint8_t *row = r.row
    cdef value_span value
    while s < behind:
        if s.when >> state & 1:
            if values == NULL:
                value.at, value.length = at + s.offset, s.length
            else:
                value = values[s.field]
            if s.code == UNSIGNED:
                put_unsigned(row + s.target, s.width, load_any(value))
            elif s.code == IPV4:
                if value.length == 4:
                    put_ipv4(row, s.target, value.at)
            elif s.code == COPY:
                if value.length == s.width:
                    memcpy(row + s.target, value.at, value.length)
            else:
                WRITE[s.code](r, s, value, texts)
        s += 1


cdef inline uint64_t load_any(value_span value) noexcept nogil:
    """An integer of any length, the usual ones at once."""
    if value.length == 4:
        return load32(value.at)
    if value.length == 2:
        return load16(value.at)
    if value.length == 8:
        return load64(value.at)
    if value.length == 1:
        return value.at[0]
    return load_unsigned(value.at, value.length)


# what a record is

cdef inline int family_of(const record *r) noexcept nogil:
    """The family of a record whose template has room for both, or for none and tells the version."""
    cdef uint8_t version = first_octet(r, r.plan.traits.version_field)
    if version == 4 or version == 6:
        return version
    if not r.plan.traits.has_addresses:
        return 0
    if r.plan.traits.first_is_ipv6 and first_octet(r, r.plan.traits.ipv6_field):
        return 6
    return 4 if first_octet(r, r.plan.traits.ipv4_field) else 6


cdef inline uint8_t tunnel_type(const record *r) noexcept nogil:
    """The record type of a packet in SRv6, 0 for others (RFC 8986 section 4)."""
    cdef uint8_t protocol
    if r.plan.traits.outer_protocol_field == NO_FIELD:
        return 0
    protocol = first_octet(r, r.plan.traits.outer_protocol_field)
    if r.plan.traits.has_inner_ip:
        return TYPE_SRV6_IPV4 if protocol == PROTOCOL_IPV4 else TYPE_SRV6_IPV6 if protocol == PROTOCOL_IPV6 else 0
    return TYPE_SRV6_L2 if protocol == PROTOCOL_ETHERNET else 0


cdef inline uint8_t record_type(const record *r, int family, uint8_t tunnel) noexcept nogil:
    """The type of a record, which depends on the record where the template leaves family and VLAN open."""
    cdef uint8_t kind = r.plan.traits.record_type
    if tunnel:
        return tunnel
    if not family and kind == TYPE_IPV4:
        return TYPE_L2
    if kind == TYPE_IPV4 or kind == TYPE_MPLS_IPV4:
        kind += family == 6
        if number_of(r, r.plan.traits.vlan_field) or number_of(r, r.plan.traits.post_vlan_field):
            kind += VLAN_TYPE
    return kind


cdef inline int state_of(int family, uint8_t tunnel) noexcept nogil:
    """Family 0, 4, 6; three more for IP in SRv6, and three for Ethernet in SRv6."""
    return (family >> 1) - (family != 0) + (0 if not tunnel else 6 if tunnel == TYPE_SRV6_L2 else 3)


cdef void correct_v5(record *r) noexcept nogil:
    """NetFlow v5 has ports and flags of any protocol, those that have none too."""
    cdef uint8_t protocol = r.at[V5_PROTOCOL]
    if protocol != PROTOCOL_TCP:
        put_u8(r.row, r.plan.frame.tcpflags, 0)
        if protocol != PROTOCOL_UDP:
            put_u16(r.row, r.plan.frame.src_port, 0)
            if protocol != PROTOCOL_ICMP and protocol != PROTOCOL_ICMPV6:
                put_u16(r.row, r.plan.frame.dst_port, 0)
