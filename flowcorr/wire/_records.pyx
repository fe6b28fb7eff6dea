# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records of a template into rows.

What a template has of what a row wants is decided once, when the template comes (`plan.py`): a plan is a list of steps,
each of which takes a field of a record to a column.  Here they are done, record after record, without Python.

A row starts as the stamp of its exporter: header, addresses, protocol and all other columns that are the same for all
records of the datagram.
"""

from flowcorr.columns._cells cimport (
    load_unsigned, put_ipv4, put_octets, put_time, put_u8, put_u16, put_u32, put_u64, put_unsigned,
)
from flowcorr.wire._facts cimport (
    APPLICATION, EGRESS_RD, INGRESS_RD, INTERFACE_NAME, SAMPLER, UPTIME_BEGAN, VRF_NAME, fact_entry, fact_kind, find_fact,
    find_in_both,
)
from flowcorr.wire._packet cimport (
    MOST_LABELS, START_ETHERNET, decode_counted, fill_packet_values, packet, write_labels, write_packet,
    write_packet_values,
)

from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcpy
from routed.octets._cursor cimport load16, load24, load32, load64

cdef enum step_code:
    UNSIGNED                         # an integer of any length
    UNSIGNED_EXACTLY                 # one of `aux` octets, or nothing
    FLOWS                            # a count; 0 is 1
    IPV4
    COPY                             # as many octets as the column has
    TEXT                             # octets; `aux`: the most of them, 0: all
    STRING                           # octets before a NUL; `aux`: exactly so many, 0: any number
    SEGMENTS                         # addresses of a segment list
    DIRECTION
    SECONDS
    MILLISECONDS
    NTP                              # RFC 7011 section 6.1.9 and 6.1.10
    SECONDS_AND_MICROSECONDS         # eight octets each
    UPTIME
    UPTIME_SECONDS
    UPTIME_SINCE                     # `aux`: the field with the time of start
    UPTIME_SINCE_TOLD                # options have told the time of start
    BEFORE_EXPORT
    LABEL_TOP
    LABEL_BOTTOM                     # extras: count, fields
    LABEL_STACK                      # extras: count, fields
    NEXT_HOP                         # extras: count, fields
    SEGMENT_ID                       # `aux`: type
    NAME_OF_INTERFACE
    NAMES_OF_VRF                     # extras: ingress field, egress field, three targets
    NAME_OF_APPLICATION
    RD                               # extras: RD field, ingress, egress, direction field, target of the origin
    AVERAGE_DELAY                    # extras: mean, sum, packets
    SAMPLER_RATE
    INTERVAL_RATE
    FRAME                            # `aux`: field of the frame's type or NO_FIELD
    CONSTANT                         # `aux`
    VLAN_BY_DIRECTION                # extras: direction field, ingress field, egress field

CODES = {
    "unsigned": UNSIGNED, "unsigned exactly": UNSIGNED_EXACTLY, "flows": FLOWS, "ipv4": IPV4, "copy": COPY, "text": TEXT,
    "string": STRING, "segments": SEGMENTS, "direction": DIRECTION, "seconds": SECONDS, "milliseconds": MILLISECONDS,
    "ntp": NTP, "seconds and microseconds": SECONDS_AND_MICROSECONDS, "uptime": UPTIME,
    "uptime seconds": UPTIME_SECONDS, "uptime since": UPTIME_SINCE, "uptime since told": UPTIME_SINCE_TOLD,
    "before export": BEFORE_EXPORT,
    "label top": LABEL_TOP, "label bottom": LABEL_BOTTOM, "label stack": LABEL_STACK, "next hop": NEXT_HOP,
    "segment id": SEGMENT_ID, "interface name": NAME_OF_INTERFACE, "vrf names": NAMES_OF_VRF,
    "application": NAME_OF_APPLICATION, "rd": RD, "average delay": AVERAGE_DELAY, "sampler": SAMPLER_RATE,
    "interval": INTERVAL_RATE, "frame": FRAME, "constant": CONSTANT, "vlan by direction": VLAN_BY_DIRECTION,
}

cdef enum:
    FAMILY_BY_RECORD = 1
    ORIGIN_FLOW = 3
    VRF_ID_RD = 0x0800               # private type of a route distinguisher that stands for a VRF id
    NTP_EPOCH = 2208988800           # seconds from 1900 to 1970
    TYPE_IPV4 = 2
    TYPE_L2 = 5
    TYPE_MPLS_IPV4 = 12
    TYPE_SRV6_L2 = 20
    TYPE_SRV6_IPV4 = 22
    TYPE_SRV6_IPV6 = 23
    VLAN_TYPE = 5
    FRAME_IS_ETHERNET = 1
    PROTOCOL_IPV4 = 4
    PROTOCOL_IPV6 = 41
    PROTOCOL_ETHERNET = 143
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17
    PROTOCOL_ICMP = 1
    PROTOCOL_ICMPV6 = 58
    ENGINE_SHIFT = 56
    V5_PORTS = 32                    # octets from the start of a NetFlow v5 record
    V5_PROTOCOL = 38

cdef int64_t SECOND = 1000000
cdef uint64_t LATEST = <uint64_t>1 << 60    # microseconds: further than any clock goes, and sums of two do not overflow


cdef class Plan:
    def __cinit__(self, object template not None, list lengths not None, list steps not None, list extras not None,
                  dict places not None, dict frame not None, list packet_values not None, dict traits not None, Plan reverse=None):
        cdef size_t i
        cdef uint32_t offset = 0
        cdef field_place *place
        cdef step *s
        self.template, self.reverse = template, reverse
        if reverse is not None:
            self.c.reverse = &reverse.c
        if not 0 < len(lengths) <= MOST_FIELDS:
            raise ValueError(f"a plan for {len(lengths)} fields")
        self.c.field_count, self.c.step_count = len(lengths), len(steps)
        self.c.packet_value_count = len(packet_values)
        self.c.fields = <field_place *>calloc(len(lengths), sizeof(field_place))
        self.c.steps = <step *>calloc(len(steps) + 1, sizeof(step))
        self.c.extras = <uint32_t *>calloc(len(extras) + 1, sizeof(uint32_t))
        self.c.packet_values = fill_packet_values(packet_values)
        if self.c.fields == NULL or self.c.steps == NULL or self.c.extras == NULL:
            raise MemoryError
        for i in range(len(lengths)):
            place = &self.c.fields[i]
            place.offset, place.length = offset, lengths[i]
            offset += 1 if place.length == VARIABLE else place.length
            self.c.is_variable = self.c.is_variable or place.length == VARIABLE
        self.c.octets = offset
        if not offset:
            raise ValueError("a plan for records of no octets")
        for i in range(len(steps)):
            s = &self.c.steps[i]
            name, s.target, s.width, s.when, s.field, s.aux = steps[i]
            if s.field >= self.c.field_count:
                raise ValueError(f"no field {s.field}")
            s.code = CODES[name]
            s.length, s.offset = self.c.fields[s.field].length, self.c.fields[s.field].offset
        for i in range(len(extras)):
            self.c.extras[i] = extras[i] & 0xFFFFFFFF
        self.c.places = places
        self.c.frame = frame
        self.c.is_options, self.c.record_type, self.c.family = traits["is_options"], traits["record_type"], traits["family"]
        self.c.first_is_ipv6, self.c.has_counters = traits["first_is_ipv6"], traits["has_counters"]
        self.c.has_addresses = traits["has_addresses"]
        self.c.has_frame, self.c.is_v5, self.c.has_rate = traits["has_frame"], traits["is_v5"], traits["has_rate"]
        self.c.version_field, self.c.ipv4_field = traits["version_field"], traits["ipv4_field"]
        self.c.ipv6_field, self.c.vlan_field = traits["ipv6_field"], traits["vlan_field"]
        self.c.post_vlan_field, self.c.has_inner_ip = traits["post_vlan_field"], traits["has_inner_ip"]
        self.c.outer_protocol_field, self.c.rebase_port = traits["outer_protocol_field"], traits["rebase_port"]

    def __dealloc__(self):
        free(self.c.fields)
        free(self.c.steps)
        free(self.c.extras)
        free(self.c.packet_values)

    @property
    def octets(self):
        return self.c.octets

    @property
    def is_options(self):
        return self.c.is_options


# fields of the record at hand

cdef struct record:
    const plan *plan
    const uint8_t *at
    const value_span *values         # NULL: fields lie at fixed places


cdef inline value_span value_of(const record *r, uint32_t field) noexcept nogil:
    """A field; nothing for NO_FIELD."""
    cdef value_span value
    value.at, value.length = NULL, 0
    if field == NO_FIELD:
        return value
    if r.values != NULL:
        return r.values[field]
    value.at, value.length = r.at + r.plan.fields[field].offset, r.plan.fields[field].length
    return value


cdef inline uint64_t number_of(const record *r, uint32_t field) noexcept nogil:
    """A field as an integer, 0 for NO_FIELD."""
    cdef value_span value = value_of(r, field)
    return load_unsigned(value.at, value.length)


cdef inline uint8_t first_octet(const record *r, uint32_t field) noexcept nogil:
    cdef value_span value = value_of(r, field)
    return value.at[0] if value.length else 0


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


# what a record is

cdef inline int family_of(const record *r) noexcept nogil:
    """The family of a record whose template has room for both, or for none and tells the version."""
    cdef uint8_t version = first_octet(r, r.plan.version_field)
    if version == 4 or version == 6:
        return version
    if not r.plan.has_addresses:
        return 0
    if r.plan.first_is_ipv6 and first_octet(r, r.plan.ipv6_field):
        return 6
    return 4 if first_octet(r, r.plan.ipv4_field) else 6


cdef inline uint8_t tunnel_type(const record *r) noexcept nogil:
    """The record type of a packet in SRv6, 0 for others (RFC 8986 section 4)."""
    cdef uint8_t protocol
    if r.plan.outer_protocol_field == NO_FIELD:
        return 0
    protocol = first_octet(r, r.plan.outer_protocol_field)
    if r.plan.has_inner_ip:
        return TYPE_SRV6_IPV4 if protocol == PROTOCOL_IPV4 else TYPE_SRV6_IPV6 if protocol == PROTOCOL_IPV6 else 0
    return TYPE_SRV6_L2 if protocol == PROTOCOL_ETHERNET else 0


cdef inline int state_of(int family, uint8_t tunnel) noexcept nogil:
    """Family 0, 4, 6; three more for IP in SRv6, and three for Ethernet in SRv6."""
    return (family >> 1) - (family != 0) + (0 if not tunnel else 6 if tunnel == TYPE_SRV6_L2 else 3)


# steps

cdef inline int64_t ntp_time(uint64_t stamp) noexcept nogil:
    """Microseconds since 1970 of an NTP timestamp, rounded (RFC 5905 section 6)."""
    cdef uint64_t half = 0x80000000, fraction = stamp & <uint64_t>0xFFFFFFFF
    return (<int64_t>(stamp >> 32) - <int64_t>NTP_EPOCH) * SECOND + <int64_t>((fraction * 1000000 + half) >> 32)


cdef inline int64_t uptime_time(const record_context *context, uint32_t uptime, int32_t per_second) noexcept nogil:
    """When the exporter was up so long; its clock may pass the header's, and wrap (RFC 3954 section 8)."""
    cdef int32_t before = <int32_t>(context.uptime - uptime)
    if context.precise_uptime and per_second == 1000:
        return context.export_time - <int64_t>before * 1000
    if per_second == 1:
        before = <int32_t>(context.uptime / 1000 - uptime)
        return (<int64_t>context.export_seconds - before) * SECOND
    return (<int64_t>context.export_seconds - before / per_second) * SECOND


cdef inline int64_t microseconds(uint64_t value, uint64_t each) noexcept nogil:
    """A time in other units as microseconds; 0, which is "unknown", for one that no clock shows."""
    return <int64_t>(value * each) if value <= LATEST / each else 0


cdef int64_t time_of(
    const record *r, const step *s, const uint8_t *at, size_t n, const record_context *context,
) noexcept nogil:
    cdef uint64_t value, since
    if s.code == SECONDS_AND_MICROSECONDS:
        return microseconds(load64(at), 1000000) + microseconds(load64(at + 8), 1) if n == 16 else 0
    value = load_unsigned(at, n)
    if s.code == SECONDS:
        return microseconds(value, 1000000)
    if s.code == MILLISECONDS:
        return microseconds(value, 1000)
    if s.code == NTP:
        return ntp_time(value) if n == 8 else 0
    if s.code == UPTIME:
        return uptime_time(context, <uint32_t>value, 1000)
    if s.code == UPTIME_SECONDS:
        return uptime_time(context, <uint32_t>value, 1)
    if s.code == UPTIME_SINCE:
        since = number_of(r, s.aux)
        return microseconds(since, 1000) + microseconds(value, 1000)
    return context.export_time - microseconds(value, 1)


cdef uint32_t label_stack(const record *r, const uint32_t *extra, uint32_t *labels) noexcept nogil:
    """Labels of the sections of a stack up to its bottom (RFC 3032); a label 0 behind the first ends it."""
    cdef uint32_t i, count = 0, entry, following
    cdef value_span value
    for i in range(extra[0]):
        value = value_of(r, extra[1 + i])
        if value.length < 3 or count == MOST_LABELS:
            break
        entry = load24(value.at)
        if not entry >> 4:
            if i:
                break
            following = <uint32_t>number_of(r, extra[2]) >> 4 if extra[0] > 1 else 0
            if not entry & 1 and not following:
                break
        labels[count] = entry >> 4
        count += 1
        if entry & 1:
            break
    return count


cdef uint32_t bottom_label(const record *r, const uint32_t *extra) noexcept nogil:
    cdef uint32_t i
    cdef value_span value
    for i in range(extra[0]):
        value = value_of(r, extra[1 + i])
        if value.length >= 3 and value.at[2] & 1:
            return load24(value.at) >> 4
    return 0


cdef void write_next_hop(const record *r, const step *s, uint8_t *row) noexcept nogil:
    """The first of several next hops that is an address, or else the first: routers send 0 for "none"."""
    cdef const uint32_t *extra = r.plan.extras + s.aux
    cdef value_span value, chosen
    cdef uint32_t i, j
    chosen.at, chosen.length = NULL, 0
    for i in range(extra[0]):
        value = value_of(r, extra[1 + i])
        if value.length != 4 and value.length != 16:
            continue
        if chosen.at == NULL:
            chosen = value
        for j in range(value.length):
            if value.at[j]:
                break
        else:
            continue
        chosen = value
        break
    if chosen.length == 4:
        put_ipv4(row, s.target, chosen.at)
    elif chosen.length == 16:
        put_octets(row, s.target, chosen.at, 16)


cdef void write_vrf_names(const record *r, const step *s, uint8_t *row, const record_context *context) noexcept nogil:
    cdef const uint32_t *extra = r.plan.extras + s.aux
    cdef uint64_t ingress = number_of(r, extra[0]), egress = number_of(r, extra[1])
    cdef fact_entry *of_ingress = find_in_both(context.near, context.far, VRF_NAME, ingress)
    cdef fact_entry *of_egress = find_in_both(context.near, context.far, VRF_NAME, egress)
    if of_ingress != NULL:
        put_u32(row, <int32_t>extra[3], <uint32_t>of_ingress.value)
    if of_egress != NULL:
        put_u32(row, <int32_t>extra[4], <uint32_t>of_egress.value)
    # the way in names the VRF, unless it is the global table: VRF id 0, or a name that says so
    if of_egress != NULL and (of_ingress == NULL or not ingress or of_ingress.value == context.default_name):
        put_u32(row, <int32_t>extra[2], <uint32_t>of_egress.value)
    elif of_ingress != NULL:
        put_u32(row, <int32_t>extra[2], <uint32_t>of_ingress.value)


cdef inline fact_entry *rd_of(const record_context *context, fact_kind kind, uint64_t vrf) noexcept nogil:
    return find_in_both(context.near, context.far, kind, vrf) if vrf else NULL


cdef void write_rd(const record *r, const step *s, uint8_t *row, const record_context *context) noexcept nogil:
    """A route distinguisher: in the record, or announced for its VRF, or else one that stands for the VRF id."""
    cdef const uint32_t *extra = r.plan.extras + s.aux
    cdef value_span value = value_of(r, extra[0])
    cdef uint64_t ingress, egress
    cdef fact_entry *found
    cdef fact_entry *other
    cdef uint8_t octets[8]
    cdef bint is_ingress
    if value.length == 8:
        put_octets(row, s.target, value.at, 8)
        put_u8(row, <int32_t>extra[4], ORIGIN_FLOW)
        return
    ingress, egress = number_of(r, extra[1]), number_of(r, extra[2])
    if not ingress and not egress:
        return
    put_u8(row, <int32_t>extra[4], ORIGIN_FLOW)
    is_ingress = ingress != 0 and (not egress or not number_of(r, extra[3]))
    found = rd_of(context, INGRESS_RD if is_ingress else EGRESS_RD, ingress if is_ingress else egress)
    if found != NULL:
        if not found.value:          # 0:0:0 is the global table: the other side may know better
            other = rd_of(context, EGRESS_RD if is_ingress else INGRESS_RD, egress if is_ingress else ingress)
            if other != NULL:
                found = other
        put_octets(row, s.target, <const uint8_t *>&found.value, 8)
        return
    if not is_ingress:
        ingress = egress
    octets[0], octets[1], octets[2], octets[3] = VRF_ID_RD >> 8, VRF_ID_RD & 0xFF, 0, 0
    octets[4], octets[5] = <uint8_t>(ingress >> 24), <uint8_t>(ingress >> 16)
    octets[6], octets[7] = <uint8_t>(ingress >> 8), <uint8_t>ingress
    put_octets(row, s.target, octets, 8)


cdef uint64_t average_delay(const record *r, const uint32_t *extra) noexcept nogil:
    """The mean of a delay, exact where its sum is there too."""
    cdef uint64_t sum = number_of(r, extra[1]), packets = number_of(r, extra[2])
    return sum / packets if sum and packets else number_of(r, extra[0])


cdef void write_frame(const record *r, const step *s, const uint8_t *at, size_t n, uint8_t *row, Texts texts) noexcept nogil:
    cdef packet p
    cdef const plan_places *places = &r.plan.places
    cdef value_span kind = value_of(r, s.aux)
    cdef uint64_t *octets = <uint64_t *>(row + places.bytes)
    cdef uint64_t *packets = <uint64_t *>(row + places.packets)
    cdef uint64_t outside
    if kind.length and load_unsigned(kind.at, kind.length) != FRAME_IS_ETHERNET:
        return
    outside = decode_counted(&p, at, n, START_ETHERNET, r.plan.rebase_port)
    write_packet(&p, &r.plan.frame, row, texts)
    write_packet_values(&p, r.plan.packet_values, r.plan.packet_value_count, row, texts)
    if p.family:
        put_u8(row, places.family, p.family)
    if not octets[0] and not packets[0]:
        packets[0], octets[0] = 1, p.ip_length if p.ip_length else n - outside
    else:
        octets[0] -= min(octets[0], outside * packets[0])


cdef uint32_t rate_of_sampler(const record_context *context, uint64_t sampler) noexcept nogil:
    """The rate of a sampler, 0 when it is unknown; sampler 0 of a domain is whichever was defined last."""
    cdef fact_entry *found = find_fact(context.near, SAMPLER, sampler)
    if found == NULL and not sampler and context.near != NULL and context.near.has_sampler:
        return context.near.last_rate
    if found == NULL:
        found = find_fact(context.far, SAMPLER, sampler)
    return <uint32_t>found.value if found != NULL else 0


cdef void do_step(
    const record *r, const step *s, const uint8_t *at, size_t n, uint8_t *row, Texts texts,
    const record_context *context, uint32_t *rate,
) noexcept nogil:
    """The steps that are more than a copy."""
    cdef uint32_t labels[MOST_LABELS]
    cdef uint64_t value
    cdef const uint8_t *nul
    cdef const uint32_t *extra
    cdef fact_entry *found
    if s.code == FLOWS:
        value = load_unsigned(at, n)
        put_u64(row, s.target, value if value else 1)
    elif s.code == UNSIGNED_EXACTLY:
        if n == s.aux:
            put_unsigned(row + s.target, s.width, load_unsigned(at, n))
    elif s.code == TEXT:
        put_u32(row, s.target, texts.intern(at, s.aux if s.aux and s.aux < n else n))
    elif s.code == STRING:
        if not s.aux or s.aux == n:
            nul = <const uint8_t *>memchr(at, 0, n) if n else NULL
            put_u32(row, s.target, texts.intern(at, n if nul == NULL else <size_t>(nul - at)))
    elif s.code == SEGMENTS:
        put_u32(row, s.target, texts.intern(at, n - n % 16))
    elif s.code == DIRECTION:
        if n:
            put_u8(row, s.target, 105 if at[n - 1] == 0 else 101 if at[n - 1] == 1 else 117)   # i, e, u
    elif s.code == LABEL_TOP:
        if n >= 3:
            put_u32(row, s.target, load24(at) >> 4)
    elif s.code == LABEL_BOTTOM:
        put_u32(row, s.target, bottom_label(r, r.plan.extras + s.aux))
    elif s.code == LABEL_STACK:
        write_labels(labels, label_stack(r, r.plan.extras + s.aux, labels), row, s.target, texts)
    elif s.code == NEXT_HOP:
        write_next_hop(r, s, row)
    elif s.code == SEGMENT_ID:
        if n == 8 and at[0] == s.aux:
            put_u32(row, s.target, load24(at + 5))
    elif s.code == NAME_OF_INTERFACE:
        found = find_in_both(context.near, context.far, INTERFACE_NAME, load_unsigned(at, n))
        if found != NULL:
            put_u32(row, s.target, <uint32_t>found.value)
    elif s.code == NAMES_OF_VRF:
        write_vrf_names(r, s, row, context)
    elif s.code == NAME_OF_APPLICATION:
        if n > 1:
            value = <uint64_t>at[0] << ENGINE_SHIFT | load_unsigned(at + 1, n - 1)
            found = find_in_both(context.near, context.far, APPLICATION, value)
            if found != NULL:
                put_u32(row, s.target, <uint32_t>found.value)
    elif s.code == RD:
        write_rd(r, s, row, context)
    elif s.code == AVERAGE_DELAY:
        put_u32(row, s.target, <uint32_t>average_delay(r, r.plan.extras + s.aux))
    elif s.code == SAMPLER_RATE:
        rate[0] = rate_of_sampler(context, load_unsigned(at, n))
    elif s.code == INTERVAL_RATE:
        rate[0] = <uint32_t>load_unsigned(at, n)
    elif s.code == CONSTANT:
        put_unsigned(row + s.target, s.width, s.aux)
    elif s.code == VLAN_BY_DIRECTION:
        extra = r.plan.extras + s.aux
        put_u16(row, s.target, <uint16_t>number_of(r, extra[2] if number_of(r, extra[0]) == 1 else extra[1]))
    elif s.code == UPTIME_SINCE_TOLD:
        found = find_in_both(context.near, context.far, UPTIME_BEGAN, 0)
        if found != NULL:
            put_time(row, s.target, microseconds(found.value, 1000) + microseconds(load_unsigned(at, n), 1000))
    elif s.code == FRAME:
        write_frame(r, s, at, n, row, texts)
    else:
        put_time(row, s.target, time_of(r, s, at, n, context))


cdef void correct_v5(const record *r, uint8_t *row, const packet_targets *targets) noexcept nogil:
    """NetFlow v5 has ports and flags of any protocol, those that have none too."""
    cdef uint8_t protocol = r.at[V5_PROTOCOL]
    if protocol != PROTOCOL_TCP:
        put_u8(row, targets.tcpflags, 0)
        if protocol != PROTOCOL_UDP:
            put_u16(row, targets.src_port, 0)
            if protocol != PROTOCOL_ICMP and protocol != PROTOCOL_ICMPV6:
                put_u16(row, targets.dst_port, 0)


cdef inline uint32_t rate_by_interface(const record_context *context, uint32_t in_iface, uint32_t out_iface) noexcept nogil:
    """The rate of the first rule of a sampling map that matches, 0 without one."""
    cdef uint32_t i
    cdef const interface_rate *rule
    for i in range(context.rule_count):
        rule = &context.rules[i]
        if not rule.any_in and (rule.in_iface == in_iface) == rule.not_in:
            continue
        if not rule.any_out and (rule.out_iface == out_iface) == rule.not_out:
            continue
        return rule.rate
    return 0


cdef void apply_rate(
    const plan_places *places, uint8_t *row, uint32_t rate, const record_context *context) noexcept nogil:
    """Say how many packets a counted one stands for, and multiply where that is asked for; 0 is unknown."""
    cdef uint32_t mapped
    if context.rule_count:
        mapped = rate_by_interface(
            context, (<uint32_t *>(row + places.in_iface))[0], (<uint32_t *>(row + places.out_iface))[0])
        if mapped:
            rate = mapped
    if not context.renormalize:
        put_u32(row, places.sampling_rate, rate)
        return
    if context.external_rate:
        rate = context.external_rate
    put_u32(row, places.sampling_rate, rate != 0)
    put_u32(row, places.renormalize_rate, rate)
    if rate > 1:
        (<uint64_t *>(row + places.packets))[0] *= rate
        (<uint64_t *>(row + places.bytes))[0] *= rate


cdef void read_record(const record *r, uint8_t *row, Texts texts, const record_context *context) noexcept nogil:
    cdef const plan *p = r.plan
    cdef const step *s
    cdef const step *behind = p.steps + p.step_count
    cdef const uint8_t *at
    cdef size_t n
    cdef uint32_t rate = context.rate
    cdef uint8_t tunnel = tunnel_type(r), record_type = p.record_type
    cdef int family = p.family if p.family != FAMILY_BY_RECORD else family_of(r), state
    if tunnel:
        family = 0 if tunnel == TYPE_SRV6_L2 else 4 if tunnel == TYPE_SRV6_IPV4 else 6
        record_type = tunnel
    elif not family and record_type == TYPE_IPV4:
        record_type = TYPE_L2
    elif record_type == TYPE_IPV4 or record_type == TYPE_MPLS_IPV4:
        record_type += family == 6
        if number_of(r, p.vlan_field) or number_of(r, p.post_vlan_field):
            record_type += VLAN_TYPE
    row[p.places.record_type] = record_type
    row[p.places.family] = <uint8_t>family
    if p.has_counters:
        put_u64(row, p.places.flows, 1)
    if family:
        put_u16(row, p.places.etype, 0x0800 if family == 4 else 0x86DD)
    state = state_of(family, tunnel)
    s = p.steps
    while s < behind:
        if s.when >> state & 1:
            if r.values == NULL:
                at, n = r.at + s.offset, s.length
            else:
                at, n = r.values[s.field].at, r.values[s.field].length
            if s.code == UNSIGNED:
                if n == 4:
                    put_unsigned(row + s.target, s.width, load32(at))
                elif n == 2:
                    put_unsigned(row + s.target, s.width, load16(at))
                elif n == 8:
                    put_unsigned(row + s.target, s.width, load64(at))
                elif n == 1:
                    put_unsigned(row + s.target, s.width, at[0])
                else:
                    put_unsigned(row + s.target, s.width, load_unsigned(at, n))
            elif s.code == IPV4:
                if n == 4:
                    put_ipv4(row, s.target, at)
            elif s.code == COPY:
                if n == s.width:
                    memcpy(row + s.target, at, n)
            else:
                do_step(r, s, at, n, row, texts, context, &rate)
        s += 1
    if p.is_v5:
        correct_v5(r, row, &p.frame)
    apply_rate(&p.places, row, rate if not context.rate_is_given else context.rate, context)


cdef inline uint8_t *stamped_row(Batch batch, const record_context *context) noexcept nogil:
    cdef uint8_t *row = batch.data + batch.count * batch.stride
    memcpy(row, context.stamp, batch.stride)
    return row


cdef void read_reverse(
    record *r, const plan *p, Batch batch, Texts texts, const record_context *context,
) noexcept nogil:
    """A row of what a record counts of the other direction, if it counts anything (RFC 5103)."""
    cdef uint8_t *row = stamped_row(batch, context)
    r.plan = p.reverse
    read_record(r, row, texts, context)
    if (<uint64_t *>(row + p.places.packets))[0] or (<uint64_t *>(row + p.places.bytes))[0]:
        batch.count += 1


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
    r.values = values if p.is_variable else NULL
    broken[0] = False
    while length - done >= p.octets and batch.capacity - batch.count >= room:
        r.plan, r.at = p, at + done
        if p.is_variable:
            octets = find_values(p, r.at, length - done, values)
            if not octets:
                broken[0] = True
                break
        read_record(&r, stamped_row(batch, context), texts, context)
        batch.count += 1
        if p.reverse != NULL:
            read_reverse(&r, p, batch, texts, context)
        count += 1
        done += octets
    taken[0] = done
    return count
