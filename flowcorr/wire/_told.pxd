"""Steps that write what exporters told in options.  See `_told.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._plan cimport step
from flowcorr.wire._record cimport record, value_span

cdef void write_interface_name(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_vrf_names(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_application_name(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_rd(record *r, const step *s, value_span value, Texts texts) noexcept nogil
