# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The entries of a finished bin by a part of their keys, for names of files and topics that depend on it.

Two walks over the bin: one gives each entry the number of its value, one puts the entries of a value side by side.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.correlate._bin cimport Bin
from flowcorr.correlate._table cimport key_of, table
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy
from routed.octets._hash cimport hash_octets

import secrets

import numpy as np

cdef enum:
    MOST_OCTETS = 64                     # of a value
    MOST_PLACES = 8

ctypedef struct place:
    size_t at
    size_t octets


cdef inline void read_value(const table *t, size_t entry, const place *places, int n, uint8_t *to) noexcept nogil:
    cdef const uint8_t *key = key_of(t, entry)
    cdef int i
    for i in range(n):
        memcpy(to, key + places[i].at, places[i].octets)
        to += places[i].octets


def split(Bin bin not None, places):
    cdef const table *t = bin.table
    cdef place chosen[MOST_PLACES]
    cdef int n = len(places), i
    cdef size_t octets = 0, entry, count = t.count, slot, mask = 16
    cdef uint32_t values = 0, number
    cdef uint64_t seed = secrets.randbits(64)
    cdef uint8_t value[MOST_OCTETS]
    cdef uint8_t other[MOST_OCTETS]
    cdef uint32_t[::1] number_of = np.empty(count, np.uint32)
    cdef uint32_t[::1] first = np.empty(count, np.uint32)
    cdef uint32_t[::1] next_place
    cdef uint32_t[::1] order = np.empty(count, np.uint32)
    cdef uint32_t *slots
    if n > MOST_PLACES or t.released:
        raise ValueError(f"{n} places")
    for i, (at, width) in enumerate(places):
        if at + width > t.key_octets:
            raise ValueError(f"{width} octets at {at} of a key of {t.key_octets}")
        chosen[i].at, chosen[i].octets = at, width
        octets += width
    if octets > MOST_OCTETS:
        raise ValueError(f"{octets} octets of a value")
    while mask < 2 * count:
        mask *= 2
    slots = <uint32_t *>calloc(mask, sizeof(uint32_t))
    if slots == NULL:
        raise MemoryError
    mask -= 1
    with nogil:
        for entry in range(count):
            read_value(t, entry, chosen, n, value)
            slot = hash_octets(value, octets, seed) & mask
            while slots[slot]:
                read_value(t, first[slots[slot] - 1], chosen, n, other)
                if not memcmp(value, other, octets):
                    break
                slot = (slot + 1) & mask
            if not slots[slot]:
                first[values] = <uint32_t>entry
                values += 1
                slots[slot] = values
            number_of[entry] = slots[slot] - 1
        free(slots)
    counts = np.bincount(number_of, minlength=values)
    ends = np.cumsum(counts)
    next_place = (ends - counts).astype(np.uint32)
    with nogil:
        for entry in range(count):
            number = number_of[entry]
            order[next_place[number]] = <uint32_t>entry
            next_place[number] += 1
    whole = np.asarray(order)
    found = []
    for number in range(values):
        read_value(t, first[number], chosen, n, value)
        octets_of_value = PyBytes_FromStringAndSize(<const char *>value, octets)
        found.append((octets_of_value, whole[ends[number] - counts[number]:ends[number]]))
    return found
