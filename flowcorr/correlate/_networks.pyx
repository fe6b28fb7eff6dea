# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A networks file as a table that is only read: the longest match is a binary search over ranges.

Prefixes nest, so the addresses from one border of a prefix to the next border of any have one answer: 2n + 1 ranges at
most for n prefixes, each of its first address and its entry.  Neighbours with one entry are one range.  The first
sixteen bits of an address choose the ranges among which is searched.  A reload makes another table: nothing is ever
changed, and no structure for changes is paid for.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.correlate._addresses cimport ADDRESS, half_of, is_ipv4, is_none, put_net
from flowcorr.correlate._network_rows cimport Rows, network_row, network_value, row_array
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memset

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil

cdef enum:
    LENGTH = 0xFF                    # bits of an entry; those above are the place of its value
    LANES = 64                       # rows whose memory is asked for together
    DEEPEST = 130                    # prefixes around one another, and none
    KEEP = 0                         # what a group of columns takes of the file: nothing
    WINS = 1                         # all, nothing where the file has nothing
    LONGEST = 2                      # where it is more specific than what is there

ctypedef struct open_prefix:
    uint64_t high, low               # its last address
    uint32_t entry


cdef int in_order(const void *one, const void *other) noexcept nogil:
    """Rows by first address, then length, then line."""
    cdef const network_row *a = <const network_row *>one
    cdef const network_row *b = <const network_row *>other
    if a.high != b.high:
        return -1 if a.high < b.high else 1
    if a.low != b.low:
        return -1 if a.low < b.low else 1
    if a.entry & LENGTH != b.entry & LENGTH:
        return -1 if a.entry & LENGTH < b.entry & LENGTH else 1
    return -1 if a.line < b.line else a.line > b.line


cdef void sort(row_array *rows) noexcept nogil:
    """Sort rows, unless they are in order already; of one prefix the last row stays."""
    cdef size_t i, kept = 0
    for i in range(1, rows.count):
        if in_order(&rows.rows[i - 1], &rows.rows[i]) > 0:
            qsort(rows.rows, rows.count, sizeof(network_row), in_order)
            break
    for i in range(rows.count):
        if kept and is_same(&rows.rows[kept - 1], &rows.rows[i]):
            kept -= 1
        rows.rows[kept] = rows.rows[i]
        kept += 1
    rows.count = kept


cdef inline bint is_same(const network_row *a, const network_row *b) noexcept nogil:
    return a.high == b.high and a.low == b.low and a.entry & LENGTH == b.entry & LENGTH


cdef int begin_range(ranges *to, uint64_t high, uint64_t low, uint32_t entry) noexcept nogil:
    """Let what follows an address have another entry."""
    cdef size_t last = to.count - 1
    if to.count and to.high[last] == high and to.low[last] == low:
        to.count -= 1                # nothing lies between the two borders
        last -= 1
    if to.count and to.entry[last] == entry:
        return 0
    to.high[to.count], to.low[to.count], to.entry[to.count] = high, low, entry
    to.count += 1
    return 0


cdef void spread(const row_array *rows, ranges *to) noexcept nogil:
    """Turn prefixes in order into ranges."""
    cdef open_prefix around[DEEPEST]
    cdef int depth = 0
    cdef size_t i
    cdef const network_row *row
    cdef unsigned int length
    around[0].high = around[0].low = ~<uint64_t>0
    around[0].entry = 0
    begin_range(to, 0, 0, 0)
    for i in range(rows.count):
        row = &rows.rows[i]
        while around[depth].high < row.high or (around[depth].high == row.high and around[depth].low < row.low):
            depth = end_prefix(to, around, depth)
        depth += 1
        length = row.entry & LENGTH
        around[depth].high = row.high | (~<uint64_t>0 >> length if length < 64 else 0)
        around[depth].low = row.low | (~<uint64_t>0 >> (length - 64) if 64 < length < 128 else 0)
        if length <= 64:
            around[depth].low = ~<uint64_t>0
        around[depth].entry = row.entry
        begin_range(to, row.high, row.low, row.entry)
    while depth:
        depth = end_prefix(to, around, depth)


cdef int end_prefix(ranges *to, const open_prefix *around, int depth) noexcept nogil:
    """Go on behind a prefix with what is around it."""
    cdef uint64_t low = around[depth].low + 1
    cdef uint64_t high = around[depth].high + (low == 0)
    if high or low:                  # else it ends where all addresses end
        begin_range(to, high, low, around[depth - 1].entry)
    return depth - 1


cdef inline bint begins_by(const ranges *of, size_t at, uint64_t high) noexcept nogil:
    return of.high[at] < high or (of.high[at] == high and of.low[at] == 0)


cdef void index(ranges *to) noexcept nogil:
    """Note for each sixteen bits the range in which they begin."""
    cdef size_t at = 0
    cdef uint64_t top
    for top in range(TOPS):
        while at + 1 < to.count and begins_by(to, at + 1, top << 48):
            at += 1
        to.top[top] = <uint32_t>at
    to.top[TOPS] = <uint32_t>(to.count - 1)


cdef ranges *ranges_of(row_array *rows, bint is_ipv6) except NULL:
    """The ranges of one family; in as little memory as they need."""
    cdef ranges *to = <ranges *>calloc(1, sizeof(ranges))
    cdef size_t room = 2 * rows.count + 1, i
    if to == NULL:
        raise MemoryError
    to.high, to.low = <uint64_t *>malloc(8 * room), <uint64_t *>malloc(8 * room)
    to.entry = <uint32_t *>malloc(4 * room)
    if to.high == NULL or to.low == NULL or to.entry == NULL:
        release(to)
        raise MemoryError
    with nogil:
        sort(rows)
        spread(rows, to)
        index(to)
    to.entry = <uint32_t *>shrunk(to.entry, 4 * to.count)
    if is_ipv6:
        to.high, to.low = <uint64_t *>shrunk(to.high, 8 * to.count), <uint64_t *>shrunk(to.low, 8 * to.count)
        return to
    to.start = <uint32_t *>malloc(4 * to.count)
    if to.start == NULL:
        release(to)
        raise MemoryError
    for i in range(to.count):
        to.start[i] = <uint32_t>(to.high[i] >> 32)
    free(to.high)
    free(to.low)
    to.high = to.low = NULL
    return to


cdef void *shrunk(void *items, size_t octets) noexcept:
    cdef void *smaller = realloc(items, octets)
    return items if smaller == NULL else smaller


cdef void release(ranges *one) noexcept:
    if one != NULL:
        free(one.high)
        free(one.low)
        free(one.start)
        free(one.entry)
        free(one)


cdef inline uint32_t entry4(const ranges *of, uint32_t address) noexcept nogil:
    cdef size_t low = of.top[address >> 16], high = of.top[(address >> 16) + 1], middle
    while low < high:
        middle = (low + high + 1) >> 1
        if of.start[middle] <= address:
            low = middle
        else:
            high = middle - 1
    return of.entry[low]


cdef inline uint32_t entry6(const ranges *of, uint64_t upper, uint64_t lower) noexcept nogil:
    cdef size_t low = of.top[upper >> 48], high = of.top[(upper >> 48) + 1], middle
    while low < high:
        middle = (low + high + 1) >> 1
        if of.high[middle] < upper or (of.high[middle] == upper and of.low[middle] <= lower):
            low = middle
        else:
            high = middle - 1
    return of.entry[low]


cdef class Networks:
    def __cinit__(self, Rows rows not None):
        self.v4, self.v6 = ranges_of(&rows.v4, False), ranges_of(&rows.v6, True)
        self.rows, self.value_count = rows.v4.count + rows.v6.count, rows.value_count
        self.values = rows.take_values()
        if self.values == NULL:
            raise ValueError("the rows are in a table already")
        self.values = <network_value *>shrunk(self.values, self.value_count * sizeof(network_value))

    def __dealloc__(self):
        release(self.v4)
        release(self.v6)
        free(self.values)

    def __len__(self):
        return self.rows

    @property
    def memory(self):
        return (
            2 * sizeof(ranges) + 8 * self.v4.count + 20 * self.v6.count + self.value_count * sizeof(network_value)
        )

    def find(self, bytes address not None):
        cdef uint32_t entry
        cdef network_value *value
        if len(address) != ADDRESS:
            raise ValueError(f"{len(address)} octets are no address")
        entry = self.entry_of(<const uint8_t *>PyBytes_AS_STRING(address))
        if not entry:
            return None
        value = &self.values[entry >> 8]
        return (
            entry & LENGTH, value.origin_as, value.neighbour_as,
            PyBytes_FromStringAndSize(<const char *>value.next_hop, ADDRESS),
        )

    cdef void ask(self, const uint8_t *address) noexcept nogil:
        """Ask for the memory where the search for an address begins."""
        cdef uint32_t top
        cdef size_t middle
        if is_ipv4(address):
            top = <uint32_t>half_of(address + 8) >> 16
            middle = (<size_t>self.v4.top[top] + self.v4.top[top + 1]) >> 1
            __builtin_prefetch(self.v4.start + middle)
            __builtin_prefetch(self.v4.entry + middle)
        else:
            top = <uint32_t>(half_of(address) >> 48)
            middle = (<size_t>self.v6.top[top] + self.v6.top[top + 1] + 1) >> 1
            __builtin_prefetch(self.v6.high + middle)

    cdef uint32_t entry_of(self, const uint8_t *address) noexcept nogil:
        """The entry of the longest prefix around an address; 0: none."""
        if is_ipv4(address):
            return entry4(self.v4, <uint32_t>half_of(address + 8))
        return 0 if is_none(address) else entry6(self.v6, half_of(address), half_of(address + 8))


ctypedef struct side:                # offsets of one direction's columns; -1: nobody asks for it
    Py_ssize_t host, mask, net, origin_as, neighbour_as, next_hop


cdef class NetworksStage:
    cdef object layout
    cdef Networks networks
    cdef int as_from, net_from, mask
    cdef bint always, filters, keeps_hosts
    cdef side sides[2]

    def __cinit__(
        self, layout not None, Networks networks, sides, *, int as_from=KEEP, int net_from=KEEP, int mask=-1,
        bint always=False, bint filters=False, bint keeps_hosts=False,
    ):
        cdef side *s
        if networks is None and (as_from or net_from or filters):
            raise ValueError("there is no file to take anything from")
        self.layout, self.networks = layout, networks
        self.as_from, self.net_from, self.mask = as_from, net_from, mask
        self.always, self.filters, self.keeps_hosts = always, filters, keeps_hosts
        for at, names in enumerate(sides):
            s = &self.sides[<int>at]
            s.host, s.mask, s.net, s.origin_as, s.neighbour_as, s.next_hop = (layout.offset(name) for name in names)

    def __call__(self, Batch batch not None):
        cdef size_t start
        cdef int at
        if batch.layout is not self.layout:
            raise ValueError("a batch of another layout")
        with nogil:
            for at in range(2):
                start = 0 if self.sides[at].host >= 0 else batch.count
                while start < batch.count:
                    self.write_some(batch, start, min(<size_t>LANES, batch.count - start), &self.sides[at])
                    start += LANES

    cdef void write_some(self, Batch batch, size_t start, size_t count, const side *s) noexcept nogil:
        """Give one end of some flows what the file has of it, in passes whose cache misses overlap."""
        cdef uint32_t entries[LANES]
        cdef size_t i
        if self.networks is None:
            memset(entries, 0, sizeof(entries))
        else:
            for i in range(count):
                self.networks.ask(row_of(batch, start + i) + s.host)
            for i in range(count):
                entries[i] = self.networks.entry_of(row_of(batch, start + i) + s.host)
                __builtin_prefetch(&self.networks.values[entries[i] >> 8])
        for i in range(count):
            self.write(row_of(batch, start + i), s, entries[i])

    cdef void write(self, uint8_t *row, const side *s, uint32_t entry) noexcept nogil:
        """Give one end of a flow what an entry has."""
        cdef uint8_t *host = row + s.host
        cdef unsigned int mask = row[s.mask] if s.mask >= 0 else 0, length
        cdef const network_value *value = NULL
        cdef bint takes_as, takes_net, takes_next_hop
        if self.mask >= 0 and not is_none(host):
            mask = min(self.mask, 32) if is_ipv4(host) else self.mask
        if self.networks is not None:
            value = &self.networks.values[entry >> 8]
        length = entry & LENGTH
        takes_as = takes(self.as_from, entry, length >= mask or self.always)
        takes_next_hop = takes(self.net_from, entry, length >= mask or self.always)
        takes_net = takes(self.net_from, entry, length > mask or self.always)
        if takes_as:
            self.take_number(row, s.origin_as, value.origin_as, self.as_from)
            self.take_number(row, s.neighbour_as, value.neighbour_as, self.as_from)
        if takes_next_hop and s.next_hop >= 0 and (self.net_from == WINS or not is_none(value.next_hop)):
            memcpy(row + s.next_hop, value.next_hop, ADDRESS)
        if takes_net and (entry or self.mask < 0):
            mask = length
        if s.mask >= 0:
            row[s.mask] = <uint8_t>mask
        if s.net >= 0 and (takes_net or self.mask >= 0 or self.keeps_hosts):
            put_net(row + s.net, host, 128 if self.keeps_hosts and not mask else mask)
        if self.filters and not entry:
            self.leave_out(row, s)

    cdef void take_number(self, uint8_t *row, Py_ssize_t at, uint32_t number, int source) noexcept nogil:
        """Write a number; in a comparison a row counts only for what it says."""
        if at >= 0 and (number or source == WINS):
            memcpy(row + at, &number, 4)

    cdef void leave_out(self, uint8_t *row, const side *s) noexcept nogil:
        """Make 0.0.0.0, or ::, of an end that the file does not cover."""
        if s.net >= 0:
            put_net(row + s.net, row + s.host, 0)
        put_net(row + s.host, row + s.host, 0)
        if self.as_from and s.origin_as >= 0:
            memset(row + s.origin_as, 0, 4)
        if self.as_from and s.neighbour_as >= 0:
            memset(row + s.neighbour_as, 0, 4)
        if s.mask >= 0:
            row[s.mask] = 0


cdef inline bint takes(int source, uint32_t entry, bint is_better) noexcept nogil:
    return source == WINS or (source == LONGEST and entry and is_better)
