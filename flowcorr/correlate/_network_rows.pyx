# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Networks files: from text to rows, without the interpreter.

A row is one of

    [nexthop,][[peerAS_]originAS,]network/length      pmacct's networks_file
    network/length originAS                           a table of pyasn
    network length originAS                           a table of CAIDA's pfx2as

where blanks divide the fields of the last two.  `!`, `#` and `;` begin comments.  Of several origins in one field of
pfx2as (`_` for several announcements, `,` for a set) the first one counts.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memchr, memcmp, memcpy, memset
from routed.octets._hash cimport hash_octets
from flowcorr.correlate._addresses cimport ADDRESS, half_of

from enum import IntEnum
import secrets

cdef extern from "arpa/inet.h" nogil:
    int AF_INET6
    int inet_pton(int family, const char *text, void *to)

cdef enum:
    MOST_TOLD = 100                  # rows of which it is said what is wrong with them; all are counted
    MOST_VALUES = (1 << 24) - 1      # different ones: their places have 24 bits
    FIRST_ROOM = 1024
    TEXT_ROOM = 46                   # of the longest address and its end
    OK = 0
    NO_NETWORK = 1
    NO_LENGTH = 2
    BAD_LENGTH = 3
    BAD_AS = 4
    BAD_NEXT_HOP = 5
    MANY_FIELDS = 6
    TOO_MANY_VALUES = 7
    HOST_BITS = 8
    CUT = 9
    NO_MEMORY = -1

Fault = IntEnum(
    "Fault",
    {
        "NO_NETWORK": NO_NETWORK, "NO_LENGTH": NO_LENGTH, "BAD_LENGTH": BAD_LENGTH, "BAD_AS": BAD_AS,
        "BAD_NEXT_HOP": BAD_NEXT_HOP, "MANY_FIELDS": MANY_FIELDS, "TOO_MANY_VALUES": TOO_MANY_VALUES,
        "HOST_BITS": HOST_BITS, "CUT": CUT,
    },
)

ctypedef struct text:                # borrowed
    const uint8_t *at
    const uint8_t *end

ctypedef struct address_t:
    uint64_t high, low               # as in a row
    unsigned int bits                # 32 or 128; 0: no address


cdef inline bint is_blank(uint8_t octet) noexcept nogil:
    return octet == 32 or octet == 9 or octet == 13


cdef inline text stripped(const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef text t
    while at < end and is_blank(at[0]):
        at += 1
    while at < end and is_blank((end - 1)[0]):
        end -= 1
    t.at, t.end = at, end
    return t


cdef inline const uint8_t *find(text t, uint8_t octet) noexcept nogil:
    return <const uint8_t *>memchr(t.at, octet, t.end - t.at) if t.at < t.end else NULL


cdef inline text field(text *rest) noexcept nogil:
    """Cut the octets up to the next blank off."""
    cdef const uint8_t *at = rest.at
    cdef text first
    while at < rest.end and not is_blank(at[0]):
        at += 1
    first.at, first.end = rest.at, at
    rest[0] = stripped(at, rest.end)
    return first


cdef inline bint number_of(text t, uint64_t most, uint64_t *value) noexcept nogil:
    """Read decimal digits, and nothing else."""
    cdef const uint8_t *at = t.at
    value[0] = 0
    if at >= t.end or t.end - at > 10:
        return False
    while at < t.end:
        if at[0] < 48 or at[0] > 57:
            return False
        value[0] = 10 * value[0] + (at[0] - 48)
        at += 1
    return value[0] <= most


cdef bint ipv4_of(text t, uint32_t *address) noexcept nogil:
    cdef const uint8_t *at = t.at
    cdef uint32_t octet = 0, found = 0
    cdef int digits = 0, dots = 0
    while at < t.end:
        if at[0] == 46:
            if digits == 0 or dots == 3:
                return False
            found = found << 8 | octet
            octet, digits, dots = 0, 0, dots + 1
        elif 48 <= at[0] <= 57:
            if digits and octet == 0:        # as inet_pton(3): 010 may mean eight
                return False
            octet = 10 * octet + (at[0] - 48)
            digits += 1
            if octet > 255:
                return False
        else:
            return False
        at += 1
    address[0] = found << 8 | octet
    return digits > 0 and dots == 3


cdef address_t address_of(text t) noexcept nogil:
    cdef address_t a
    cdef uint8_t octets[ADDRESS]
    cdef char copy[TEXT_ROOM]
    cdef uint32_t ipv4
    a.high = a.low = 0
    a.bits = 0
    if ipv4_of(t, &ipv4):
        a.high, a.bits = <uint64_t>ipv4 << 32, 32
    elif t.end - t.at < TEXT_ROOM and find(t, 58) != NULL and find(t, 0) == NULL:
        memcpy(copy, t.at, t.end - t.at)
        copy[t.end - t.at] = 0
        if inet_pton(AF_INET6, copy, octets) == 1:
            a.high, a.low, a.bits = half_of(octets), half_of(octets + 8), 128
    return a


cdef inline bint take_as(text t, uint32_t *to) noexcept nogil:
    cdef uint64_t value
    if not number_of(t, 0xFFFFFFFF, &value):
        return False
    to[0] = <uint32_t>value
    return True


cdef void put_octets(uint8_t *to, uint64_t high, uint64_t low) noexcept nogil:
    cdef int i
    for i in range(8):
        to[i] = <uint8_t>(high >> (56 - 8 * i))
        to[8 + i] = <uint8_t>(low >> (56 - 8 * i))


cdef int take_next_hop(text t, network_value *value) noexcept nogil:
    cdef address_t a = address_of(t)
    if a.bits == 0:
        return BAD_NEXT_HOP
    if a.bits == 32:
        put_octets(value.next_hop, 0, <uint64_t>0xFFFF << 32 | a.high >> 32)
    else:
        put_octets(value.next_hop, a.high, a.low)
    return OK


cdef int take_numbers(text t, network_value *value) noexcept nogil:
    """Read `[peerAS_]originAS`."""
    cdef const uint8_t *line = find(t, 95)
    cdef text first, second = t
    if line != NULL:
        first.at, first.end, second.at = t.at, line, line + 1
        if not take_as(first, &value.neighbour_as):
            return BAD_AS
    return OK if take_as(second, &value.origin_as) else BAD_AS


cdef int take_first_origin(text t, network_value *value) noexcept nogil:
    cdef text first = t
    while first.at < t.end and first.at[0] != 95 and first.at[0] != 44:
        first.at += 1
    first.end, first.at = first.at, t.at
    return OK if take_as(first, &value.origin_as) else BAD_AS


cdef int take_fields(text t, text *network, network_value *value) noexcept nogil:
    """Read what stands before the network in pmacct's form; leave the network."""
    cdef text fields[3]
    cdef int count = 0
    cdef const uint8_t *comma
    cdef text rest = t
    while True:
        comma = find(rest, 44)
        if count == 3:
            return MANY_FIELDS
        fields[count] = stripped(rest.at, rest.end if comma == NULL else comma)
        count += 1
        if comma == NULL:
            break
        rest.at = comma + 1
    network[0] = fields[count - 1]
    if count == 1:
        return OK
    if count == 2 and find(fields[0], 46) == NULL and find(fields[0], 58) == NULL:
        return take_numbers(fields[0], value)
    if count == 3 and take_numbers(fields[1], value):
        return BAD_AS
    return take_next_hop(fields[0], value)


cdef int take_network(text network, text length, network_row *row, bint *is_ipv4) noexcept nogil:
    """Read a prefix; bits behind its length are cleared and told."""
    cdef address_t a = address_of(network)
    cdef uint64_t bits, high, low
    if a.bits == 0:
        return NO_NETWORK
    if not number_of(length, a.bits, &bits):
        return BAD_LENGTH
    if a.bits == 128 and bits >= 96 and a.high == 0 and a.low >> 32 == 0xFFFF:
        a.high, a.low, a.bits, bits = a.low << 32, 0, 32, bits - 96
    high = ~(<uint64_t>0) << (64 - bits) if 0 < bits < 64 else (~<uint64_t>0 if bits else 0)
    low = ~(<uint64_t>0) << (128 - bits) if 64 < bits < 128 else (~<uint64_t>0 if bits == 128 else 0)
    row.high, row.low, row.entry = a.high & high, a.low & low, <uint32_t>bits
    is_ipv4[0] = a.bits == 32
    return OK if row.high == a.high and row.low == a.low else HOST_BITS


cdef int append(row_array *to, const network_row *row) noexcept nogil:
    cdef void *grown
    cdef size_t room
    if to.count == to.room:
        room = 2 * to.room + FIRST_ROOM
        grown = realloc(to.rows, room * sizeof(network_row))
        if grown == NULL:
            return NO_MEMORY
        to.rows, to.room = <network_row *>grown, room
    to.rows[to.count] = row[0]
    to.count += 1
    return OK


cdef class Rows:
    def __cinit__(self, const uint8_t[::1] octets not None):
        cdef const uint8_t *start = NULL
        cdef const uint8_t *at
        cdef const uint8_t *end
        cdef const uint8_t *newline
        cdef text t
        cdef int fault = OK
        cdef uint32_t line = 0
        self.told = []
        self.seed = secrets.randbits(64)
        self.values = <network_value *>calloc(FIRST_ROOM, sizeof(network_value))
        self.slots = <uint32_t *>calloc(2 * FIRST_ROOM, sizeof(uint32_t))
        if self.values == NULL or self.slots == NULL:
            raise MemoryError
        memset(self.values[0].next_hop, 0xFF, ADDRESS)
        self.value_count, self.value_room, self.slot_mask = 1, FIRST_ROOM, 2 * FIRST_ROOM - 1
        if octets.shape[0] == 0:
            return
        at = start = &octets[0]
        end = start + octets.shape[0]
        with nogil:
            while at < end:
                newline = <const uint8_t *>memchr(at, 10, end - at)
                t = stripped(at, newline if newline != NULL else end)
                line += 1
                if t.at < t.end and t.at[0] != 33 and t.at[0] != 35 and t.at[0] != 59:
                    fault = self.take_line(t.at, t.end, line, newline != NULL)
                    if fault == NO_MEMORY:
                        break
                    if fault != OK:
                        with gil:
                            self.tell(line, fault, t.at - start, t.end - start)
                at = newline + 1 if newline != NULL else end
        if fault == NO_MEMORY:
            raise MemoryError
        self.lines = line

    def __dealloc__(self):
        free(self.v4.rows)
        free(self.v6.rows)
        free(self.values)
        free(self.slots)

    def __len__(self):
        return self.v4.count + self.v6.count

    @property
    def problems(self):
        return list(self.told)

    def tell(self, line, fault, start, end):
        if fault == HOST_BITS:
            self.advice += 1
        else:
            self.bad += 1
        if len(self.told) < MOST_TOLD:
            self.told.append((line, Fault(fault), start, end))

    cdef network_value *take_values(self) noexcept:
        """Give the values away."""
        cdef network_value *values = self.values
        self.values = NULL
        return values

    cdef int take_line(self, const uint8_t *at, const uint8_t *end, uint32_t line, bint is_ended) noexcept nogil:
        """Add the row of a line; what is wrong with it, or OK."""
        cdef network_value value
        cdef network_row row
        cdef text t, network, length
        cdef const uint8_t *slash
        cdef bint is_ipv4 = False
        cdef int fault, advice
        cdef uint32_t place
        memset(&value, 0, sizeof(value))
        memset(value.next_hop, 0xFF, ADDRESS)
        t.at, t.end = at, end
        network = t
        length = field(&network)                   # the first field, and the others
        slash = find(length, 47)
        if network.at < network.end and find(length, 44) == NULL and find(network, 47) == NULL:
            t, network = network, length
            if slash != NULL:
                network.end, length.at = slash, slash + 1
            else:
                length = field(&t)
            fault = take_first_origin(t, &value)
        else:
            fault = take_fields(t, &network, &value)
            slash = find(network, 47)
            if fault == OK and slash == NULL:
                return NO_LENGTH if address_of(network).bits else NO_NETWORK
            if fault == OK:
                length.at, length.end, network.end = slash + 1, network.end, slash
        if fault != OK:
            return fault
        advice = take_network(network, length, &row, &is_ipv4)
        if advice != OK and advice != HOST_BITS:
            return advice
        if advice == HOST_BITS and not is_ended:
            return CUT
        place = self.value_of(&value)
        if place == 0:
            return NO_MEMORY
        if place > MOST_VALUES:
            return TOO_MANY_VALUES
        row.entry |= place << 8
        row.line = line
        if append(&self.v4 if is_ipv4 else &self.v6, &row):
            return NO_MEMORY
        return advice

    cdef uint32_t value_of(self, const network_value *value) noexcept nogil:
        """The place of a value; 0 without memory, more than MOST_VALUES when there are too many."""
        cdef size_t at
        cdef uint32_t place
        if self.last_value and not memcmp(&self.values[self.last_value], value, sizeof(network_value)):
            return self.last_value
        at = hash_octets(<const uint8_t *>value, sizeof(network_value), self.seed) & self.slot_mask
        while self.slots[at]:
            place = self.slots[at]
            if not memcmp(&self.values[place], value, sizeof(network_value)):
                self.last_value = place
                return place
            at = (at + 1) & self.slot_mask
        if self.value_count > MOST_VALUES:
            return MOST_VALUES + 1
        if self.value_count == self.value_room:
            if self.widen():
                return 0
            return self.value_of(value)
        self.values[self.value_count] = value[0]
        self.last_value = self.slots[at] = self.value_count
        self.value_count += 1
        return self.last_value

    cdef int widen(self) noexcept nogil:
        """Make room for twice as many values."""
        cdef uint32_t room = 2 * self.value_room, place
        cdef size_t mask = 2 * <size_t>room - 1, at
        cdef void *grown = realloc(self.values, room * sizeof(network_value))
        cdef uint32_t *slots
        if grown == NULL:
            return NO_MEMORY
        self.values, self.value_room = <network_value *>grown, room
        slots = <uint32_t *>calloc(mask + 1, sizeof(uint32_t))
        if slots == NULL:
            return NO_MEMORY
        for place in range(1, self.value_count):
            at = hash_octets(<const uint8_t *>&self.values[place], sizeof(network_value), self.seed) & mask
            while slots[at]:
                at = (at + 1) & mask
            slots[at] = place
        free(self.slots)
        self.slots, self.slot_mask = slots, mask
        return OK
