# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Steps that write what exporters told in options: names of interfaces, VRFs and applications, route distinguishers."""

from flowcorr.columns._cells cimport load_unsigned, put_octets, put_u8, put_u32
from flowcorr.wire._facts cimport (
    APPLICATION, EGRESS_RD, INGRESS_RD, INTERFACE_NAME, VRF_NAME, fact_entry, fact_kind, find_in_both,
)
from flowcorr.wire._record cimport extras_of, number_of, record_context, unsigned_of, value_of
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

cdef enum:
    ENGINE_SHIFT = 56                # of the classification engine in front of an application id (RFC 6759 section 4)
    ORIGIN_FLOW = 3
    VRF_ID_RD = 0x0800               # private type of a route distinguisher that stands for a VRF id


cdef inline fact_entry *told(const record *r, fact_kind kind, uint64_t key) noexcept nogil:
    return find_in_both(r.context.near, r.context.far, kind, key)


cdef inline void put_name(const record *r, int32_t target, const fact_entry *name) noexcept nogil:
    if name != NULL:
        put_u32(r.row, target, <uint32_t>name.value)


cdef void write_interface_name(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_name(r, s.target, told(r, INTERFACE_NAME, unsigned_of(value)))


cdef void write_application_name(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef uint64_t selector
    if value.length > 1:
        selector = load_unsigned(value.at + 1, value.length - 1)
        put_name(r, s.target, told(r, APPLICATION, <uint64_t>value.at[0] << ENGINE_SHIFT | selector))


cdef void write_vrf_names(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """The names of the VRFs that a flow enters and leaves by, and of the one that it is in."""
    cdef const uint32_t *extra = extras_of(r, s)
    cdef uint64_t ingress = number_of(r, extra[0])
    cdef fact_entry *of_ingress = told(r, VRF_NAME, ingress)
    cdef fact_entry *of_egress = told(r, VRF_NAME, number_of(r, extra[1]))
    put_name(r, <int32_t>extra[3], of_ingress)
    put_name(r, <int32_t>extra[4], of_egress)
    # the way in names the VRF, unless it is the global table: VRF id 0, or a name that says so
    if of_egress != NULL and (of_ingress == NULL or not ingress or of_ingress.value == r.context.default_name):
        of_ingress = of_egress
    put_name(r, <int32_t>extra[2], of_ingress)


cdef void write_rd(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """A route distinguisher: in the record, or announced for its VRF, or else one that stands for the VRF id."""
    cdef const uint32_t *extra = extras_of(r, s)
    cdef uint64_t ingress, egress
    cdef fact_entry *found
    cdef uint8_t octets[8]
    cdef bint is_ingress
    value = value_of(r, extra[0])
    if value.length == 8:
        put_octets(r.row, s.target, value.at, 8)
        put_u8(r.row, <int32_t>extra[4], ORIGIN_FLOW)
        return
    ingress, egress = number_of(r, extra[1]), number_of(r, extra[2])
    if not ingress and not egress:
        return
    put_u8(r.row, <int32_t>extra[4], ORIGIN_FLOW)
    is_ingress = ingress != 0 and (not egress or not number_of(r, extra[3]))
    found = announced_rd(r, is_ingress, ingress, egress)
    if found != NULL:
        put_octets(r.row, s.target, <const uint8_t *>&found.value, 8)
    else:
        write_vrf_id(octets, ingress if is_ingress else egress)
        put_octets(r.row, s.target, octets, 8)


cdef fact_entry *announced_rd(const record *r, bint is_ingress, uint64_t ingress, uint64_t egress) noexcept nogil:
    """What was told of the VRF of one side; where that is the global table (0:0:0) the other side may know better."""
    cdef fact_entry *of_ingress = told(r, INGRESS_RD, ingress) if ingress else NULL
    cdef fact_entry *of_egress = told(r, EGRESS_RD, egress) if egress else NULL
    cdef fact_entry *found = of_ingress if is_ingress else of_egress
    cdef fact_entry *other = of_egress if is_ingress else of_ingress
    return other if found != NULL and not found.value and other != NULL else found


cdef inline void write_vrf_id(uint8_t *octets, uint64_t vrf) noexcept nogil:
    """A route distinguisher of a private type: two octets of the type, two of zeros, the VRF id."""
    octets[0], octets[1], octets[2], octets[3] = VRF_ID_RD >> 8, VRF_ID_RD & 0xFF, 0, 0
    octets[4], octets[5] = <uint8_t>(vrf >> 24), <uint8_t>(vrf >> 16)
    octets[6], octets[7] = <uint8_t>(vrf >> 8), <uint8_t>vrf
