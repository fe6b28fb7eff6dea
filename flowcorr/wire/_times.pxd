"""Steps that write times.  See `_times.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._plan cimport step
from flowcorr.wire._record cimport record, value_span

cdef void write_seconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_milliseconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_ntp(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_seconds_and_microseconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_uptime(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_uptime_seconds(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_uptime_since(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_uptime_since_told(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_before_export(record *r, const step *s, value_span value, Texts texts) noexcept nogil
