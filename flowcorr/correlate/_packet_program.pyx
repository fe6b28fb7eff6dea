# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Packet filters over flows: the frame that a flow stands for, and the machine that runs a compiled expression on it.

An expression of tcpdump is compiled to instructions of the classic BPF machine by libpcap, elsewhere; here they are
checked, and run over the rows of a batch without the interpreter.  A frame has what a record says (MAC addresses, VLAN,
MPLS labels, addresses, protocol, type of service, ports, TCP flags), and nothing else: its lengths are those of its
headers, its other fields 0.

Sources: the bpf(4) manual; McCanne and Jacobson, "The BSD Packet Filter" (1993).
"""

from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.correlate._addresses cimport is_ipv4, is_none
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

cdef enum:
    MOST_INSTRUCTIONS = 4096         # of the kernels' machines
    # headers
    ETHERNET = 14
    IPV4_TYPE = 0x0800
    IPV6_TYPE = 0x86DD
    VLAN_TYPE = 0x8100
    MPLS_TYPE = 0x8847
    ICMP = 1
    TCP = 6
    ICMPV6 = 58


cdef class Program:
    def __cinit__(self, bytes octets not None):
        cdef uint32_t at
        if len(octets) % sizeof(instruction) or not 0 < len(octets) <= MOST_INSTRUCTIONS * sizeof(instruction):
            raise ValueError(f"{len(octets)} octets are no program")
        self.count = <uint32_t>(len(octets) // sizeof(instruction))
        self.instructions = <instruction *>malloc(len(octets))
        if self.instructions == NULL:
            raise MemoryError
        memcpy(self.instructions, <const char *>octets, len(octets))
        self.octets = octets
        for at in range(self.count):
            if not is_sound(&self.instructions[at], self.count - at - 1):
                raise ValueError(f"instruction {at} is none that may stand there")

    def __dealloc__(self):
        free(self.instructions)

    def __len__(self):
        return self.count

    def runs(self, const uint8_t[::1] frame not None):
        return self.passes(&frame[0] if frame.shape[0] else NULL, <uint32_t>frame.shape[0])

    cdef bint passes(self, const uint8_t *frame, uint32_t length) noexcept nogil:
        """Whether a frame is wanted; a load from behind its end says that it is not."""
        cdef const instruction *i = self.instructions
        cdef uint32_t a = 0, x = 0, operand = 0
        cdef uint32_t memory[MEMORY]
        cdef int kind
        memset(memory, 0, sizeof(memory))
        while True:
            kind = i.code & 7
            if kind == LD or kind == LDX:
                if not load(i, frame, length, x, memory, &operand):
                    return False
                if kind == LD:
                    a = operand
                else:
                    x = operand
            elif kind == ST:
                memory[i.k] = a
            elif kind == STX:
                memory[i.k] = x
            elif kind == ALU:
                operand = x if i.code & OF_X else i.k
                if not operand and (i.code & 0xF0 == DIV or i.code & 0xF0 == MOD):
                    return False
                a = reckoned(i.code & 0xF0, a, operand)
            elif kind == JMP:
                operand = x if i.code & OF_X else i.k
                if i.code & 0xF0 == JA:
                    i += i.k
                else:
                    i += i.if_true if compares(i.code & 0xF0, a, operand) else i.if_false
            elif kind == RET:
                return (a if i.code & 0x18 == RET_A else i.k) != 0
            elif i.code & 0xF8 == TXA:
                a = x
            else:
                x = a
            i += 1


cdef bint is_sound(const instruction *i, uint32_t behind) noexcept nogil:
    """Whether an instruction is one, and leads to one of those behind it; so the last one returns."""
    cdef int kind = i.code & 7, operation = i.code & 0xF0, mode = i.code & 0xE0, size = i.code & 0x18
    if i.code > 0xFF:
        return False
    if kind == RET:
        return size == 0 or size == RET_A
    if behind == 0:
        return False
    if kind == LD or kind == LDX:
        if mode == MEM:
            return size == WORD and i.k < MEMORY
        if mode == IMM or mode == LEN:
            return size == WORD
        if kind == LD:
            return (mode == ABS or mode == IND) and size <= BYTE
        return mode == MSH and size == BYTE
    if kind == ST or kind == STX:
        return i.code == kind and i.k < MEMORY
    if kind == ALU:
        return operation <= XOR and (i.code & OF_X or i.k or (operation != DIV and operation != MOD))
    if kind == JMP:
        if operation == JA:
            return i.k < behind
        return operation <= JSET and i.if_true < behind and i.if_false < behind
    return i.code == MISC or i.code == MISC | TXA


cdef inline bint load(
    const instruction *i, const uint8_t *frame, uint32_t length, uint32_t x, const uint32_t *memory, uint32_t *to,
) noexcept nogil:
    cdef int mode = i.code & 0xE0
    cdef uint64_t at = i.k
    cdef uint32_t size
    if mode == IMM:
        to[0] = i.k
        return True
    if mode == MEM:
        to[0] = memory[i.k]
        return True
    if mode == LEN:
        to[0] = length
        return True
    if mode == IND:
        at += x
    size = 4 if i.code & 0x18 == WORD else (2 if i.code & 0x18 == HALF else 1)
    if at + size > length:
        return False
    if mode == MSH:
        to[0] = <uint32_t>(frame[at] & 15) << 2
    elif size == 1:
        to[0] = frame[at]
    elif size == 2:
        to[0] = <uint32_t>frame[at] << 8 | frame[at + 1]
    else:
        to[0] = (
            <uint32_t>frame[at] << 24 | <uint32_t>frame[at + 1] << 16 | <uint32_t>frame[at + 2] << 8 | frame[at + 3]
        )
    return True


cpdef uint32_t reckoned(int operation, uint32_t a, uint32_t operand) noexcept nogil:
    if operation == ADD:
        return a + operand
    if operation == SUB:
        return a - operand
    if operation == MUL:
        return a * operand
    if operation == DIV:
        return a // operand
    if operation == MOD:
        return a % operand
    if operation == OR:
        return a | operand
    if operation == AND:
        return a & operand
    if operation == XOR:
        return a ^ operand
    if operation == LSH:
        return a << operand if operand < 32 else 0
    if operation == RSH:
        return a >> operand if operand < 32 else 0
    return 0 - a


cpdef bint compares(int operation, uint32_t a, uint32_t operand) noexcept nogil:
    if operation == JEQ:
        return a == operand
    if operation == JGT:
        return a > operand
    if operation == JGE:
        return a >= operand
    return a & operand != 0


cdef inline void put16(uint8_t *to, unsigned int value) noexcept nogil:
    to[0], to[1] = <uint8_t>(value >> 8), <uint8_t>value


cdef inline uint32_t put_label(uint8_t *to, uint32_t label, bint is_bottom) noexcept nogil:
    """An entry of a label stack (RFC 3032 section 2.1)."""
    put16(to, label >> 4)
    to[2] = <uint8_t>(label << 4 | is_bottom)
    return 4


cdef inline uint32_t number_at(const uint8_t *row, Py_ssize_t at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, row + at, 4)
    return value


cdef inline uint16_t short_at(const uint8_t *row, Py_ssize_t at) noexcept nogil:
    cdef uint16_t value
    memcpy(&value, row + at, 2)
    return value


cdef class Frames:
    def __cinit__(self, layout not None):
        missing = [name for name in COLUMNS if name not in layout]
        if missing:
            raise ValueError(f"frames need {', '.join(missing)}")
        self.src_mac, self.dst_mac, self.vlan, self.label_top, self.label_bottom, self.family, self.etype = (
            layout.offset(name) for name in COLUMNS[:7]
        )
        self.src_host, self.dst_host, self.proto, self.tos, self.src_port, self.dst_port, self.tcpflags = (
            layout.offset(name) for name in COLUMNS[7:]
        )

    def of_row(self, Batch batch not None, size_t row):
        cdef uint8_t frame[FRAME_ROOM]
        if row >= batch.count:
            raise IndexError(row)
        return frame[:self.write(row_of(batch, row), frame)]

    cdef uint32_t write(self, const uint8_t *row, uint8_t *frame) noexcept nogil:
        """Write the frame of a flow into FRAME_ROOM octets; how many it has."""
        cdef uint8_t *to = frame + ETHERNET - 2
        cdef unsigned int vlan = short_at(row, self.vlan), family = row[self.family]
        cdef unsigned int network = short_at(row, self.etype)
        cdef uint32_t top = number_at(row, self.label_top), bottom = number_at(row, self.label_bottom)
        memset(frame, 0, FRAME_ROOM)
        memcpy(frame, row + self.dst_mac, 6)
        memcpy(frame + 6, row + self.src_mac, 6)
        if family:
            network = IPV4_TYPE if family == 4 else IPV6_TYPE
        if vlan:
            put16(to, VLAN_TYPE)
            put16(to + 2, vlan)
            to += 4
        put16(to, MPLS_TYPE if top or bottom else network)
        to += 2
        if top and bottom and top != bottom:
            to += put_label(to, top, False)
        if top or bottom:
            to += put_label(to, bottom or top, True)
        if family == 4:
            to = self.write_ipv4(row, to)
        elif family:
            to = self.write_ipv6(row, to)
        return <uint32_t>(to - frame)

    cdef uint8_t *write_ipv4(self, const uint8_t *row, uint8_t *to) noexcept nogil:
        """RFC 791 section 3.1."""
        cdef uint8_t *behind = self.write_transport(row, to + 20)
        to[0], to[1] = 0x45, row[self.tos]
        put16(to + 2, <unsigned int>(behind - to))
        to[8], to[9] = 64, row[self.proto]
        if is_ipv4(row + self.src_host):
            memcpy(to + 12, row + self.src_host + 12, 4)
        if is_ipv4(row + self.dst_host):
            memcpy(to + 16, row + self.dst_host + 12, 4)
        return behind

    cdef uint8_t *write_ipv6(self, const uint8_t *row, uint8_t *to) noexcept nogil:
        """RFC 8200 section 3."""
        cdef uint8_t *behind = self.write_transport(row, to + 40)
        put16(to, 0x6000 | <unsigned int>row[self.tos] << 4)
        put16(to + 4, <unsigned int>(behind - to - 40))
        to[6], to[7] = row[self.proto], 64
        if not is_none(row + self.src_host):
            memcpy(to + 8, row + self.src_host, 16)
        if not is_none(row + self.dst_host):
            memcpy(to + 24, row + self.dst_host, 16)
        return behind

    cdef uint8_t *write_transport(self, const uint8_t *row, uint8_t *to) noexcept nogil:
        """The beginning of TCP, of ICMP with the type and code that records carry as a port, and of what has ports."""
        cdef int proto = row[self.proto]
        if proto == ICMP or proto == ICMPV6:
            put16(to, short_at(row, self.dst_port))
            return to + 8
        put16(to, short_at(row, self.src_port))
        put16(to + 2, short_at(row, self.dst_port))
        if proto != TCP:
            return to + 8
        to[12], to[13] = 0x50, row[self.tcpflags]
        return to + 20


COLUMNS = (
    "src_mac", "dst_mac", "vlan", "mpls_label_top", "mpls_label_bottom", "family", "etype",
    "src_host", "dst_host", "proto", "tos", "src_port", "dst_port", "tcpflags",
)


cdef class PacketFilter:
    cdef Frames frames
    cdef list programs
    cdef object layout

    def __cinit__(self, layout not None, programs):
        self.layout, self.frames, self.programs = layout, Frames(layout), list(programs)
        if not all(isinstance(one, Program) for one in self.programs):
            raise TypeError("programs run on frames")

    def passes(self, Batch batch not None):
        cdef uint8_t frame[FRAME_ROOM]
        cdef uint32_t length
        cdef size_t i, n = batch.count
        cdef Program program
        if batch.layout is not self.layout:
            raise ValueError("a batch of another layout")
        passing = np.zeros(n, dtype=np.bool_)
        cdef uint8_t[::1] passed = passing.view(np.uint8)
        for program in self.programs:
            with nogil:
                for i in range(n):
                    if not passed[<Py_ssize_t>i]:
                        length = self.frames.write(row_of(batch, i), frame)
                        passed[<Py_ssize_t>i] = program.passes(frame, length)
        return passing
