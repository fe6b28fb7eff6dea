"""Steps that write label stacks.  See `_labels.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._plan cimport step
from flowcorr.wire._record cimport record, value_span

cdef void write_top_label(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_bottom_label(record *r, const step *s, value_span value, Texts texts) noexcept nogil
cdef void write_label_stack(record *r, const step *s, value_span value, Texts texts) noexcept nogil
