"""Packet filters over flows; see `_packet_program.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    FRAME_ROOM = 128                 # octets: the longest frame has 86

cpdef enum:
    MEMORY = 16                      # words
    # classes
    LD = 0
    LDX = 1
    ST = 2
    STX = 3
    ALU = 4
    JMP = 5
    RET = 6
    MISC = 7
    # modes of loads
    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    LEN = 0x80
    MSH = 0xA0
    # sizes of loads
    WORD = 0x00
    HALF = 0x08
    BYTE = 0x10
    # operations
    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    OF_X = 0x08                      # the operand is X, not k
    RET_A = 0x10
    TXA = 0x80

ctypedef struct instruction:         # `struct bpf_insn`
    uint16_t code
    uint8_t if_true, if_false        # instructions to leave out
    uint32_t k


cdef class Program:
    cdef readonly bytes octets
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
