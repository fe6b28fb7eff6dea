"""Which rows are written.  See `_checks.pyx`."""

from flowcorr.correlate._table cimport totals
from libc.stdint cimport uint64_t

cdef enum:
    OF_PACKETS, OF_BYTES, OF_FLOWS, OF_BYTES_A_PACKET, OF_PACKETS_A_FLOW

ctypedef struct check:
    int what
    uint64_t bound
    bint is_maximum

cdef bint passes(const check *checks, size_t count, bint all_of_them, const totals *sums) noexcept nogil
