# cython: language_level=3, boundscheck=False, wraparound=False
"""Received datagrams, a vector that is walked as a whole.

A socket fills one in compiled code (`service/_udp.pyx`); streams, captures and tests append to one.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy


cdef class Datagrams:
    def __cinit__(self, size_t capacity):
        if not capacity:
            raise ValueError("room for no datagram")
        self.capacity = capacity
        self.items = <datagram *>calloc(capacity, sizeof(datagram))
        self.holders = []
        if self.items == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.items)

    def __len__(self):
        return self.count

    @property
    def is_full(self):
        return self.count == self.capacity

    @property
    def octets(self):
        cdef size_t i, octets = 0
        for i in range(self.count):
            octets += self.items[i].length
        return octets

    def append(self, bytes octets not None, bytes address not None, int port, int64_t arrival, *,
               captured=None, bint is_parked=False):
        cdef datagram *item
        if self.count == self.capacity:
            raise IndexError(f"a vector of {self.capacity} datagrams is full")
        if len(address) != 16:
            raise ValueError("an address has 16 octets")
        item = &self.items[self.count]
        item.octets, item.length = <const uint8_t *>PyBytes_AS_STRING(octets), len(octets)
        item.port, item.arrival, item.is_parked = port, arrival, is_parked
        item.captured = arrival if captured is None else captured
        memcpy(item.address, PyBytes_AS_STRING(address), 16)
        self.holders.append(octets)
        self.count += 1

    def clear(self):
        self.count = 0
        self.holders.clear()
