"""Received datagrams.  See `_datagrams.pyx`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

ctypedef struct datagram:
    const uint8_t *octets
    uint32_t length
    uint16_t port                    # of the sender
    bint is_parked                   # one that waited for its template, and was counted when it came
    uint8_t address[16]              # of the sender, IPv4 mapped
    int64_t arrival                  # microseconds since 1970
    int64_t captured                 # of a replayed capture, or else the arrival


cdef class Datagrams:
    cdef datagram *items
    cdef size_t count
    cdef readonly size_t capacity
    cdef list holders                # keep the octets alive
