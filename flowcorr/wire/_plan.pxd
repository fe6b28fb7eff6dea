"""How the records of a template become rows.  See `_plan.pyx`."""

from flowcorr.wire._packet cimport packet_targets, packet_value
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

cdef enum:
    MOST_FIELDS = 512                # as `template.MAX_FIELDS`
    NO_FIELD = 0xFFFF
    VARIABLE = 0xFFFF

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
    STEP_CODES

ctypedef struct field_place:         # of a field in a record
    uint32_t offset                  # fixed templates
    uint16_t length                  # VARIABLE: in front of the value

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

ctypedef struct plan_traits:         # what the template is like
    bint is_options, is_v5
    uint8_t record_type              # of IPv4, or whatever the addresses are
    uint8_t family                   # 4, 6, 0; 1: told by the record
    bint first_is_ipv6               # of two source addresses
    bint has_addresses, has_counters
    bint has_rate                    # records tell their sampler or rate
    bint has_inner_ip
    uint16_t version_field, ipv4_field, ipv6_field, vlan_field, post_vlan_field
    uint16_t outer_protocol_field    # first of several; NO_FIELD: no tunnel of SRv6 is possible
    uint16_t rebase_port             # of frames: UDP port of a VXLAN whose inner frame is what counts, 0: none

ctypedef struct plan:
    field_place *fields
    step *steps
    uint32_t *extras
    uint32_t field_count, step_count
    uint32_t octets                  # of a record; of the shortest one when they differ
    bint is_variable
    plan_traits traits
    plan_places places
    plan *reverse                    # of what records count of the other direction; NULL: nothing
    packet_targets frame
    packet_value *packet_values      # custom primitives of the frame
    uint32_t packet_value_count


cdef class Plan:
    cdef plan c
    cdef readonly object template
    cdef readonly Plan reverse
    cdef object __weakref__
