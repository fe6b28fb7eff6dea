# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Steps that write times, which exporters tell in nine ways, as microseconds since 1970.

A time that no clock shows becomes 0, which is "unknown".
"""

from flowcorr.columns._cells cimport put_time
from flowcorr.wire._facts cimport UPTIME_BEGAN, fact_entry, find_in_both
from flowcorr.wire._record cimport number_of, record_context, unsigned_of
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from routed.octets._cursor cimport load64

cdef enum:
    NTP_EPOCH = 2208988800           # seconds from 1900 to 1970

cdef int64_t SECOND = 1000000
cdef uint64_t LATEST = <uint64_t>1 << 60    # microseconds: further than any clock goes, and sums of two do not overflow


cdef inline int64_t microseconds(uint64_t value, uint64_t each) noexcept nogil:
    """A time in other units as microseconds."""
    return <int64_t>(value * each) if value <= LATEST / each else 0


cdef void write_seconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_time(r.row, s.target, microseconds(unsigned_of(value), 1000000))


cdef void write_milliseconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_time(r.row, s.target, microseconds(unsigned_of(value), 1000))


cdef void write_ntp(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_time(r.row, s.target, ntp_time(load64(value.at)) if value.length == 8 else 0)


cdef void write_seconds_and_microseconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef int64_t when = 0
    if value.length == 16:
        when = microseconds(load64(value.at), 1000000) + microseconds(load64(value.at + 8), 1)
    put_time(r.row, s.target, when)


cdef void write_uptime(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """Milliseconds of uptime; without `precise_uptime` whole seconds before the export, as the header has these."""
    cdef int32_t before = <int32_t>(r.context.uptime - <uint32_t>unsigned_of(value))
    if r.context.precise_uptime:
        put_time(r.row, s.target, r.context.export_time - <int64_t>before * 1000)
    else:
        put_time(r.row, s.target, before_header(r.context, before / 1000))


cdef void write_uptime_seconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef int32_t before = <int32_t>(r.context.uptime / 1000 - <uint32_t>unsigned_of(value))
    put_time(r.row, s.target, before_header(r.context, before))


cdef void write_uptime_since(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_time(r.row, s.target, microseconds(number_of(r, s.aux), 1000) + microseconds(unsigned_of(value), 1000))


cdef void write_uptime_since_told(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef fact_entry *found = find_in_both(r.context.near, r.context.far, UPTIME_BEGAN, 0)
    if found != NULL:
        put_time(r.row, s.target, microseconds(found.value, 1000) + microseconds(unsigned_of(value), 1000))


cdef void write_before_export(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    put_time(r.row, s.target, r.context.export_time - microseconds(unsigned_of(value), 1))


cdef inline int64_t ntp_time(uint64_t stamp) noexcept nogil:
    """Microseconds since 1970 of an NTP timestamp, rounded (RFC 5905 section 6)."""
    cdef uint64_t half = 0x80000000, fraction = stamp & <uint64_t>0xFFFFFFFF
    return (<int64_t>(stamp >> 32) - <int64_t>NTP_EPOCH) * SECOND + <int64_t>((fraction * 1000000 + half) >> 32)


cdef inline int64_t before_header(const record_context *context, int32_t seconds) noexcept nogil:
    """So long before the export; the clock of uptimes may pass that of the header, and wrap (RFC 3954 section 8)."""
    return (<int64_t>context.export_seconds - seconds) * SECOND
