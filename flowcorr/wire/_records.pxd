"""Records of a template into rows.  See `_records.pyx`."""

from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._facts cimport facts
from flowcorr.wire._packet cimport packet_targets, packet_value
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    MOST_FIELDS = 512                # as `template.MAX_FIELDS`
    NO_FIELD = 0xFFFF
    VARIABLE = 0xFFFF

ctypedef struct field_place:         # of a field in a record
    uint32_t offset                  # fixed templates
    uint16_t length                  # VARIABLE: in front of the value

ctypedef struct value_span:          # of a field in the record at hand
    const uint8_t *at
    uint32_t length

ctypedef struct step:
    uint8_t code
    uint8_t width                    # octets of the column
    uint16_t when                    # states of a record in which it is done, a bit each
    uint16_t field
    uint16_t length                  # of the field, fixed templates
    uint32_t offset                  # of the field, fixed templates
    int32_t target                   # in a row
    uint32_t aux

ctypedef struct plan_places:         # columns that every record may write
    int32_t record_type, family, packets, bytes, flows, sampling_rate, in_iface, out_iface, etype, renormalize_rate

ctypedef struct plan:
    field_place *fields
    step *steps
    uint32_t *extras
    uint32_t field_count, step_count
    uint32_t octets                  # of a record; of the shortest one when they differ
    bint is_variable, is_options
    uint8_t record_type              # of IPv4, or whatever the addresses are
    uint8_t family                   # 4, 6, 0; 1: told by the record
    bint first_is_ipv6               # of two source addresses
    bint has_addresses
    bint has_counters, has_frame, is_v5
    bint has_rate                    # records tell their sampler or rate
    uint16_t version_field, ipv4_field, ipv6_field, vlan_field, post_vlan_field
    uint16_t outer_protocol_field    # first of several; NO_FIELD: no tunnel of SRv6 is possible
    bint has_inner_ip
    uint16_t rebase_port             # of frames: UDP port of a VXLAN whose inner frame is what counts, 0: none
    plan *reverse                    # of what records count of the other direction; NULL: nothing
    packet_targets frame
    packet_value *packet_values      # custom primitives of the frame
    uint32_t packet_value_count
    plan_places places

ctypedef struct interface_rate:      # of a sampling map that looks at interfaces
    uint32_t in_iface, out_iface, rate
    bint any_in, any_out, not_in, not_out

ctypedef struct record_context:      # of the datagram that is read
    const uint8_t *stamp             # a row with all that its header and its exporter say
    int64_t export_time              # microseconds
    uint32_t export_seconds, uptime  # of the header; uptime in milliseconds
    const facts *near                # of the domain
    const facts *far                 # of the exporter; both may be NULL
    uint32_t rate                    # of what the records do not tell; 0: unknown
    bint rate_is_given               # by the configuration: records are not asked
    uint32_t external_rate           # for renormalizing only; 0: none
    bint renormalize, precise_uptime
    uint32_t default_name            # text that names the global table
    const interface_rate *rules
    uint32_t rule_count


cdef class Plan:
    cdef plan c
    cdef readonly object template
    cdef readonly Plan reverse
    cdef object __weakref__


cdef size_t read_records(
    const plan *p, const uint8_t *at, size_t length, Batch batch, Texts texts, const record_context *context,
    size_t *taken, bint *broken,
) noexcept nogil

cdef uint32_t rate_of_sampler(const record_context *context, uint64_t sampler) noexcept nogil
cdef void apply_rate(
    const plan_places *places, uint8_t *row, uint32_t rate, const record_context *context) noexcept nogil
