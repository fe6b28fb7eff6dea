"""Packet filters over flows; see `_packet_program.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    FRAME_ROOM = 128                 # octets: the longest frame has 86

ctypedef struct instruction:         # `struct bpf_insn`
    uint16_t code
    uint8_t if_true, if_false        # instructions to leave out
    uint32_t k


cdef class Program:
    cdef instruction *instructions
    cdef uint32_t count

    cdef bint passes(self, const uint8_t *frame, uint32_t length) noexcept nogil


cdef class Frames:
    cdef Py_ssize_t src_mac, dst_mac, vlan, label_top, label_bottom, family, etype
    cdef Py_ssize_t src_host, dst_host, proto, tos, src_port, dst_port, tcpflags

    cdef uint32_t write(self, const uint8_t *row, uint8_t *frame) noexcept nogil
    cdef uint8_t *write_ipv4(self, const uint8_t *row, uint8_t *to) noexcept nogil
    cdef uint8_t *write_ipv6(self, const uint8_t *row, uint8_t *to) noexcept nogil
    cdef uint8_t *write_transport(self, const uint8_t *row, uint8_t *to) noexcept nogil
