# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Steps that take one field, or the best of several, to a column.

Sources: IANA, IPFIX information elements; RFC 7011 section 6 (how values are encoded).
"""

from flowcorr.columns._cells cimport put_ipv4, put_octets, put_u8, put_u16, put_u32, put_u64, put_unsigned
from flowcorr.wire._packet cimport START_ETHERNET, decode_counted, packet, write_packet, write_packet_values
from flowcorr.wire._plan cimport plan_places
from flowcorr.wire._rates cimport rate_of_sampler
from flowcorr.wire._record cimport extras_of, number_of, unsigned_of, value_of
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr
from routed.octets._cursor cimport load24

cdef enum:
    INGRESS = 105                    # i
    EGRESS = 101                     # e
    UNKNOWN_DIRECTION = 117          # u
    FLOW_INGRESS = 0                 # IE 61
    FLOW_EGRESS = 1
    FRAME_IS_ETHERNET = 1            # IE 408
    SEGMENT = 16                     # octets of an address of a segment list


# numbers

cdef void write_unsigned_exactly(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    if value.length == s.aux:
        put_unsigned(r.row + s.target, s.width, unsigned_of(value))


cdef void write_flows(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef uint64_t flows = unsigned_of(value)
    put_u64(r.row, s.target, flows if flows else 1)


cdef void write_direction(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef uint8_t direction
    if value.length:
        direction = value.at[value.length - 1]
        put_u8(r.row, s.target, (
            INGRESS if direction == FLOW_INGRESS else EGRESS if direction == FLOW_EGRESS else UNKNOWN_DIRECTION))


cdef void write_vlan_by_direction(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef const uint32_t *extra = extras_of(r, s)
    cdef bint is_egress = number_of(r, extra[0]) == FLOW_EGRESS
    put_u16(r.row, s.target, <uint16_t>number_of(r, extra[2] if is_egress else extra[1]))


cdef void write_segment_id(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """A layer 2 segment id of one type, in its low three octets (IE 351)."""
    if value.length == 8 and value.at[0] == s.aux:
        put_u32(r.row, s.target, load24(value.at + 5))


cdef void write_average_delay(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """The mean of a delay, exact where its sum is there too."""
    cdef const uint32_t *extra = extras_of(r, s)
    cdef uint64_t sum = number_of(r, extra[1]), packets = number_of(r, extra[2])
    put_u32(r.row, s.target, <uint32_t>(sum / packets if sum and packets else number_of(r, extra[0])))


cdef void write_constant(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_unsigned(r.row + s.target, s.width, s.aux)


cdef void write_sampler_rate(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    r.rate = rate_of_sampler(r.context, unsigned_of(value))


cdef void write_interval_rate(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    r.rate = <uint32_t>unsigned_of(value)


# texts

cdef void write_text(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_u32(r.row, s.target, texts.intern(value.at, min(value.length, s.aux) if s.aux else value.length))


cdef void write_string(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef const uint8_t *nul
    if not s.aux or s.aux == value.length:
        nul = <const uint8_t *>memchr(value.at, 0, value.length) if value.length else NULL
        put_u32(r.row, s.target, texts.intern(value.at, value.length if nul == NULL else <size_t>(nul - value.at)))


cdef void write_segments(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_u32(r.row, s.target, texts.intern(value.at, value.length - value.length % SEGMENT))


# addresses and packets

cdef void write_next_hop(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """The first of several next hops that is an address, or else the first: routers send 0 for "none"."""
    cdef const uint32_t *extra = extras_of(r, s)
    cdef value_span chosen
    cdef uint32_t i
    chosen.at, chosen.length = NULL, 0
    for i in range(extra[0]):
        value = value_of(r, extra[1 + i])
        if value.length != 4 and value.length != 16:
            continue
        if chosen.at == NULL:
            chosen = value
        if not is_zero(value):
            chosen = value
            break
    if chosen.length == 4:
        put_ipv4(r.row, s.target, chosen.at)
    elif chosen.length == 16:
        put_octets(r.row, s.target, chosen.at, 16)


cdef inline bint is_zero(value_span value) noexcept nogil:
    cdef uint32_t i
    for i in range(value.length):
        if value.at[i]:
            return False
    return True


cdef void write_frame(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """The headers of a sampled frame; its octets where nothing else counts, or without those around what counts."""
    cdef packet p
    cdef const plan_places *places = &r.plan.places
    cdef value_span kind = value_of(r, s.aux)
    cdef uint64_t *octets = <uint64_t *>(r.row + places.bytes)
    cdef uint64_t *packets = <uint64_t *>(r.row + places.packets)
    cdef uint64_t outside
    if kind.length and unsigned_of(kind) != FRAME_IS_ETHERNET:
        return
    outside = decode_counted(&p, value.at, value.length, START_ETHERNET, r.plan.traits.rebase_port)
    write_packet(&p, &r.plan.frame, r.row, texts)
    write_packet_values(&p, r.plan.packet_values, r.plan.packet_value_count, r.row, texts)
    if p.family:
        put_u8(r.row, places.family, p.family)
    if not octets[0] and not packets[0]:
        packets[0], octets[0] = 1, p.ip_length if p.ip_length else value.length - outside
    else:
        octets[0] -= min(octets[0], outside * packets[0])
