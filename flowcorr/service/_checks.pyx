# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which rows are written: bounds of counters and of ratios of two."""

from collections import namedtuple

PACKETS, BYTES, FLOWS = OF_PACKETS, OF_BYTES, OF_FLOWS
BYTES_A_PACKET, PACKETS_A_FLOW = OF_BYTES_A_PACKET, OF_PACKETS_A_FLOW

Check = namedtuple("Check", "what bound is_maximum", defaults=(False,))


cdef bint passes(const check *checks, size_t count, bint all_of_them, const totals *sums) noexcept nogil:
    """Whether a row is one of those to be written: by all checks or by any; without checks it is."""
    cdef size_t i
    cdef bint passed
    for i in range(count):
        passed = passes_one(&checks[i], sums)
        if passed != all_of_them:
            return passed
    return all_of_them or not count


cdef bint passes_one(const check *c, const totals *sums) noexcept nogil:
    cdef uint64_t value = sums.flows, of = 1
    if c.what == OF_PACKETS or c.what == OF_PACKETS_A_FLOW:
        value = sums.packets
    elif c.what == OF_BYTES or c.what == OF_BYTES_A_PACKET:
        value = sums.bytes
    if c.what == OF_BYTES_A_PACKET:
        of = sums.packets
    elif c.what == OF_PACKETS_A_FLOW:
        of = sums.flows
    if not of:
        return False                     # of nothing there is no mean
    return value // of < c.bound if c.is_maximum else value // of >= c.bound
