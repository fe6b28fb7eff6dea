"""Records of sFlow samples that hold what switch and router know of the packet.  See `_sample_extended.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._sample cimport sample
from routed.octets._cursor cimport span

cdef void read_switch_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_router_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_gateway_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_mpls_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_nat_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_vc_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_tag_data(sample *x, span *s, Texts texts) noexcept nogil
