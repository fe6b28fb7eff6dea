"""Steps that take one field, or the best of several, to a column.  See `_fields.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._plan cimport step
from flowcorr.wire._record cimport record, value_span

cdef void write_unsigned_exactly(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_flows(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_direction(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_vlan_by_direction(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_segment_id(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_average_delay(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_constant(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_sampler_rate(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_interval_rate(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_text(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_string(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_segments(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_next_hop(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_frame(record *r, const step *s, value_span value, Texts texts) noexcept nogil
