"""Addresses as words, cut to the bits of a prefix."""

from libc.stdint cimport uint32_t


cdef inline void shorten(uint32_t *words, uint32_t address_words, unsigned int length) noexcept nogil:
    """Clear the bits of an address behind a prefix."""
    cdef uint32_t i
    if length < 32 * address_words:
        words[length >> 5] &= ~(0xFFFFFFFFU >> (length & 31))
        for i in range((length >> 5) + 1, address_words):
            words[i] = 0
