"""Sorting by digits: how often each one comes says where its items go."""

from libc.stdint cimport uint64_t

cdef enum:
    DIGIT_BITS = 11
    DIGITS = 2048


cdef inline size_t digit_of(uint64_t key, unsigned int shift) noexcept nogil:
    return (key >> shift) & (DIGITS - 1)


cdef inline void counts_to_places(size_t *counts) noexcept nogil:
    """Turn how often each digit comes into the place of its first item."""
    cdef size_t i, count, place = 0
    for i in range(DIGITS):
        count = counts[i]
        counts[i] = place
        place += count


cdef inline size_t take_place(size_t *places, size_t digit) noexcept nogil:
    """The place of the next item with a digit."""
    cdef size_t place = places[digit]
    places[digit] = place + 1
    return place
