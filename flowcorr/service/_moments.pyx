# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Times as text: with the clock of a zone, with its offset (RFC 9557), or as seconds since 1970.

Rows of a bin have few different seconds, so the text of the last one is kept; the offset of the zone is asked for once
a quarter of an hour.
"""

from flowcorr.service._values cimport put_digits
from libc.stdint cimport uint64_t
from routed.rib._text cimport put, put_char, put_u64

cdef extern from "time.h" nogil:
    ctypedef int64_t time_t
    cdef struct tm:
        long tm_gmtoff
    tm *localtime_r(const time_t *when, tm *result)

cdef enum:
    ZONE_STEP = 900                      # clocks are put forward and back at multiples of this. Units: seconds
    DAY = 86400


cdef void start_clock(clock *c, int layout, bint is_utc, bint whole_seconds) noexcept nogil:
    c.layout, c.is_utc, c.whole_seconds = layout, is_utc, whole_seconds
    c.second = c.zone_block = -1
    c.zone_offset = 0


cdef char *put_time(char *to, int64_t when, clock *c) noexcept nogil:
    """A time in microseconds; one before 1970 is none."""
    if when <= 0:
        return put_moment(to, 0, 0, c)
    return put_moment(to, when // SECOND, 0 if c.whole_seconds else when % SECOND, c)


cdef char *put_moment(char *to, int64_t second, int64_t microseconds, clock *c) noexcept nogil:
    """A second with its fraction, without one when that is NO_FRACTION."""
    cdef int64_t minutes
    if c.layout == LAYOUT_EPOCH:
        to = put_u64(to, <uint64_t>second)
    elif not second:
        to = put(to, b"0000-00-00T00:00:00" if c.layout == LAYOUT_RFC9557 else b"0000-00-00 00:00:00", 19)
    else:
        if second != c.second:
            set_date(c, second)
        to = put(to, c.date, c.date_used)
    if microseconds >= 0:
        to = put_digits(put_char(to, c"."), <uint64_t>microseconds, 6)
    if c.layout == LAYOUT_RFC9557:
        minutes = c.zone_offset // 60 if second else 0
        to = put_char(to, c"-" if minutes < 0 else c"+")
        minutes = -minutes if minutes < 0 else minutes
        to = put_digits(to, <uint64_t>(minutes // 60), 2)
        to = put_digits(put_char(to, c":"), <uint64_t>(minutes % 60), 2)
    return to


cdef void set_date(clock *c, int64_t second) noexcept nogil:
    """Write the text of a second, on the clock of the zone."""
    cdef int64_t wall, days, era, year, month
    cdef uint64_t of_era, of_year
    cdef tm local
    cdef time_t when = second
    cdef char *to = c.date
    if second // ZONE_STEP != c.zone_block:
        c.zone_block = second // ZONE_STEP
        c.zone_offset = local.tm_gmtoff if not c.is_utc and localtime_r(&when, &local) != NULL else 0
    wall = second + c.zone_offset + DAY   # a day more: west of Greenwich the first hours of 1970 are in 1969
    days = wall // DAY - 1 + 719468      # from 0000-03-01: a leap day ends a year
    era = days // 146097
    of_era = <uint64_t>(days - era * 146097)
    year = <int64_t>((of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365)
    of_year = of_era - <uint64_t>(365 * year + year // 4 - year // 100)
    month = <int64_t>((5 * of_year + 2) // 153)
    days = <int64_t>of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (month <= 2)
    if year > 9999:
        to = put_u64(to, <uint64_t>year)
    else:
        to = put_digits(to, <uint64_t>year, 4)
    to = put_digits(put_char(to, c"-"), <uint64_t>month, 2)
    to = put_digits(put_char(to, c"-"), <uint64_t>days, 2)
    to = put_char(to, c"T" if c.layout == LAYOUT_RFC9557 else c" ")
    wall %= DAY
    to = put_digits(to, <uint64_t>(wall // 3600), 2)
    to = put_digits(put_char(to, c":"), <uint64_t>(wall // 60 % 60), 2)
    to = put_digits(put_char(to, c":"), <uint64_t>(wall % 60), 2)
    c.second, c.date_used = second, to - c.date
