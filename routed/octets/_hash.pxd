"""Keyed hashes of octets: who does not know the seed cannot choose octets that collide."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    typedef unsigned __int128 routed_u128;
    """
    ctypedef unsigned long long u128 "routed_u128"


cdef inline uint64_t mix(uint64_t a, uint64_t b) noexcept nogil:
    """Fold the 128-bit product of two words: the step of all keyed hashes here."""
    cdef u128 product = <u128>a * b
    return <uint64_t>product ^ <uint64_t>(product >> 64)


cdef inline uint64_t word_at(const uint8_t *at) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, at, 8)
    return word


cdef inline uint64_t hash_octets(const uint8_t *at, size_t n, uint64_t seed) noexcept nogil:
    """Keyed hash of octets, sixteen a step.

    Both factors of a product have something secret in them: octets that make one of them zero, and with it all that
    was hashed before, would make as many collisions as somebody likes.
    """
    cdef uint64_t secret = mix(seed ^ 0x9E3779B97F4A7C15ULL, 0xD6E8FEB86659FD93ULL), h = seed ^ n, a = 0, b = 0
    while n >= 16:
        h = mix(word_at(at) ^ secret, word_at(at + 8) ^ h)
        at += 16
        n -= 16
    if n >= 8:
        a = word_at(at)
        at += 8
        n -= 8
    memcpy(&b, at, n)
    h = mix(a ^ secret, b ^ h)
    return mix(h, seed | 1)
