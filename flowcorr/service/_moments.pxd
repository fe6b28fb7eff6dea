"""Times as text.  See `_moments.pyx`."""

from libc.stdint cimport int64_t

cdef enum:
    LAYOUT_PLAIN, LAYOUT_RFC9557, LAYOUT_EPOCH

cdef enum:
    SECOND = 1000000                     # microseconds
    NO_FRACTION = -1

ctypedef struct clock:
    int layout
    bint is_utc
    bint whole_seconds                   # times of records are shown without their fraction
    int64_t second                       # whose text `date` holds
    char date[64]
    size_t date_used
    int64_t zone_block                   # of time, in which clocks are `zone_offset` seconds ahead of UTC
    int64_t zone_offset

cdef void start_clock(clock *c, int layout, bint is_utc, bint whole_seconds) noexcept nogil
cdef char *put_time(char *to, int64_t when, clock *c) noexcept nogil
cdef char *put_moment(char *to, int64_t second, int64_t microseconds, clock *c) noexcept nogil
