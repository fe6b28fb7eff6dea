"""The record at hand: where its fields are, the row that they go to, and what is known around it."""

from flowcorr.columns._cells cimport load_unsigned
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._facts cimport facts
from flowcorr.wire._plan cimport NO_FIELD, plan, step
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

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

ctypedef struct value_span:          # of a field
    const uint8_t *at
    uint32_t length

ctypedef struct record:
    const plan *plan
    const record_context *context
    const uint8_t *at
    const value_span *values         # NULL: fields lie at fixed places
    uint8_t *row
    uint32_t rate                    # packets that a counted one stands for

# a step that is more than a copy
ctypedef void (*step_function)(record *r, const step *s, value_span value, Texts texts) noexcept nogil


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


cdef inline uint64_t unsigned_of(value_span value) noexcept nogil:
    return load_unsigned(value.at, value.length)


cdef inline uint64_t number_of(const record *r, uint32_t field) noexcept nogil:
    """A field as an integer, 0 for NO_FIELD."""
    return unsigned_of(value_of(r, field))


cdef inline uint8_t first_octet(const record *r, uint32_t field) noexcept nogil:
    cdef value_span value = value_of(r, field)
    return value.at[0] if value.length else 0


cdef inline const uint32_t *extras_of(const record *r, const step *s) noexcept nogil:
    """What a step has to know that does not fit into it."""
    return r.plan.extras + s.aux
