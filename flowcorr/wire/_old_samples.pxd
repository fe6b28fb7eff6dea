"""Samples of sFlow versions 2 and 4.  See `_old_samples.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._sample cimport sample
from routed.octets._cursor cimport span

cdef bint read_old_records(sample *x, span *s, Texts texts) noexcept nogil
cdef bint skip_old_counters(span *s) noexcept nogil
