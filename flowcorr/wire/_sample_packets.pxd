"""Records of sFlow samples that hold the packet.  See `_sample_packets.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.wire._sample cimport sample
from routed.octets._cursor cimport span

cdef void read_raw_header(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_ethernet_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_ipv4_data(sample *x, span *s, Texts texts) noexcept nogil
cdef void read_ipv6_data(sample *x, span *s, Texts texts) noexcept nogil
