# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records summed by key: the aggregation of one plugin, in compiled loops over the rows of a batch.

A record goes to the table of its time bin, where its key finds its entry.  Rows are taken in blocks: pack all keys,
hash them and fetch their slots, fetch their entries, then sum, so the misses of a block overlap.
"""

from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.correlate._bin cimport Bin
from flowcorr.correlate._table cimport (
    MOST_ENTRIES, NO_ENTRY, add_sums, entry_of, find, free_slots, home_of, insert, slot, stitch,
)
from libc.stdint cimport INT64_MAX, INT64_MIN, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy
from routed.octets._hash cimport hash_octets, u128
from routed.octets._prefetch cimport prefetch_to_write

cdef enum:
    BLOCK = 128                          # records whose misses overlap
    MOST_SHARES = 1440                   # bins that one record may be spread over: a day of minutes
    SECOND = 1000000                     # microseconds
    LAST_SECOND = 7258118400             # the year 2200: a later time is no time, and the arrival counts

DONE, FULL, NO_BIN, NO_MEMORY = STOP_DONE, STOP_FULL, STOP_NO_BIN, STOP_NO_MEMORY

#: The one bin of all records where nothing is divided by time.
ALL_TIME = (INT64_MIN, INT64_MAX)


cdef inline uint64_t u64_at(const uint8_t *row, Py_ssize_t at) noexcept nogil:
    """A column of eight octets; 0 where nobody asks for it."""
    cdef uint64_t value = 0
    if at >= 0:
        memcpy(&value, row + at, 8)
    return value


cdef inline uint16_t flags_at(const uint8_t *row, Py_ssize_t at, int octets) noexcept nogil:
    """A column of flags, one octet or two; 0 where nobody asks for it."""
    cdef uint16_t value = 0
    if at >= 0:
        memcpy(&value, row + at, octets)
    return value


cdef inline bint is_time(int64_t when) noexcept nogil:
    return 0 < when < <int64_t>LAST_SECOND * SECOND


cdef class GroupBy:
    def __cinit__(
        self, layout not None, Texts texts not None, plan not None, size_t most_entries, *,
        bint stitching=False, bint pro_rating=False,
    ):
        if not 0 < most_entries < MOST_ENTRIES:
            raise ValueError(f"{most_entries} entries")
        self.layout, self.texts, self.keys = layout, texts, Keys(layout, texts, plan)
        self.most_entries, self.stitching, self.pro_rating = most_entries, stitching, pro_rating
        self.bins, self.finished = [], []
        self.packed = <uint8_t *>calloc(BLOCK, self.keys.octets)
        self.items = <item *>calloc(BLOCK, sizeof(item))
        if self.packed == NULL or self.items == NULL:
            raise MemoryError
        self.packets_at, self.bytes_at, self.flows_at = (layout.offset(name) for name in ("packets", "bytes", "flows"))
        self.bin_time_at, self.end_at = layout.offset("bin_time"), layout.offset("time_end")
        self.tcpflags_at, self.tunnel_tcpflags_at = layout.offset("tcpflags"), layout.offset("tunnel_tcpflags")
        self.tcpflags_octets = layout.columns["tcpflags"].kind.width if self.tcpflags_at >= 0 else 0
        self.tunnel_tcpflags_octets = (
            layout.columns["tunnel_tcpflags"].kind.width if self.tunnel_tcpflags_at >= 0 else 0
        )

    def __dealloc__(self):
        free(self.packed)
        free(self.items)
        free(self.tables)

    # bins

    def open_bin(self, int64_t start, int64_t end):
        cdef size_t i, at = 0
        cdef Bin made
        cdef table **wider
        while at < self.table_count and self.tables[at].start < start:
            at += 1
        if (
            start >= end or (at and self.tables[at - 1].end > start)
            or (at < self.table_count and self.tables[at].start < end)
        ):
            raise ValueError(f"from {start} to {end} is no new bin")
        made = Bin(self.keys, start, end, self.stitching)
        wider = <table **>realloc(self.tables, (self.table_count + 1) * sizeof(table *))
        if wider == NULL:
            raise MemoryError
        self.tables = wider
        self.table_count += 1
        for i in range(self.table_count - 1, at, -1):
            self.tables[i] = self.tables[i - 1]
        self.tables[at] = made.table
        self.bins.insert(at, made)

    def finish(self, int64_t until):
        cdef Bin bin
        cdef size_t i
        finished = []
        while self.bins and self.bins[0].end <= until:
            bin = self.bins.pop(0)
            free_slots(bin.table)
            if bin.table.count:
                finished.append(bin)
                self.open_entries -= bin.table.count
        self.table_count = len(self.bins)
        self.crowded = False
        for i in range(self.table_count):
            bin = self.bins[i]
            self.tables[i] = bin.table
        self.recent = NULL
        self.finished = [*(bin for bin in self.finished if bin.left), *finished]
        return finished

    @property
    def entries(self):
        return self.open_entries + sum(bin.left for bin in self.finished)

    @property
    def open_bins(self):
        return self.table_count

    @property
    def octets(self):
        return sum(bin.octets for bin in self.bins)

    cdef table *table_of(self, int64_t when) noexcept nogil:
        """The open bin of a time; NULL when there is none."""
        cdef size_t low = 0, high = self.table_count, middle
        if self.recent != NULL and self.recent.start <= when < self.recent.end:
            return self.recent
        while low < high:
            middle = (low + high) >> 1
            if self.tables[middle].end <= when:
                low = middle + 1
            else:
                high = middle
        if low == self.table_count or self.tables[low].start > when:
            return NULL
        self.recent = self.tables[low]
        return self.recent

    # records

    def add(self, Batch batch not None, const uint8_t[::1] mask, size_t at, int64_t now):
        cdef size_t variants = self.keys.variants, records = batch.count * variants, n, row, placed
        cdef size_t numbers[BLOCK]
        cdef const uint8_t *key
        cdef sums s
        cdef stop reason = STOP_DONE, failed
        if batch.layout is not self.layout:
            raise ValueError("the batch has another layout")
        if mask is not None and <size_t>mask.shape[0] < batch.count:
            raise ValueError("the mask is too short")
        with nogil:
            while at < records and reason == STOP_DONE:
                n = 0
                while n < BLOCK and at < records:
                    row = at // variants
                    if mask is None or mask[row]:
                        self.items[n].row, self.items[n].variant = row_of(batch, row), at % variants
                        numbers[n] = at
                        n += 1
                    at += 1
                if not n:
                    break
                self.keys.pack(self.items, n, self.packed)
                placed = self.place(n, now)
                if placed < n:
                    reason, at = STOP_NO_BIN, numbers[placed]
                for row in range(placed):
                    key = self.packed + row * self.keys.octets
                    if self.pro_rating:
                        failed = self.spread(&self.items[row], key, now)
                    else:
                        s = self.sums_of(&self.items[row], now)
                        failed = self.sum_up(self.items[row].table, key, self.items[row].hash, &s, self.most_entries)
                    if failed != STOP_DONE:
                        reason, at = failed, numbers[row]
                        break
                    self.misdated += self.items[row].is_misdated
        self.stopped = reason
        return at

    cdef inline int64_t start_of(self, const uint8_t *row, int64_t now) noexcept nogil:
        """The time that chooses the bin of a record."""
        cdef int64_t when = <int64_t>u64_at(row, self.bin_time_at)
        return when if is_time(when) else now

    cdef size_t place(self, size_t n, int64_t now) noexcept nogil:
        """Find the tables of a block, and fetch what will be looked at; how many records have one."""
        cdef size_t i, width = self.keys.octets
        cdef item *it
        cdef slot *home
        cdef uint8_t *entry
        cdef int64_t when
        for i in range(n):
            it = &self.items[i]
            when = self.start_of(it.row, now)
            it.table = self.table_of(when)
            it.is_misdated = it.table == NULL and self.crowded
            if it.is_misdated:
                when = now
                it.table = self.table_of(now)
            if it.table == NULL:
                self.wanted = when
                n = i
                break
            it.hash = hash_octets(self.packed + i * width, width, self.keys.seed)
            prefetch_to_write(home_of(it.table, it.hash))
        for i in range(n):
            it = &self.items[i]
            home = home_of(it.table, it.hash)
            if home != NULL and home.entry:
                entry = entry_of(it.table, home.entry - 1)
                prefetch_to_write(entry)
                prefetch_to_write(entry + 64)
        return n

    cdef sums sums_of(self, const item *it, int64_t now) noexcept nogil:
        """What a record counts for."""
        cdef sums s
        cdef int64_t when
        s.packets, s.bytes = u64_at(it.row, self.packets_at), u64_at(it.row, self.bytes_at)
        s.flows = u64_at(it.row, self.flows_at)
        s.tcpflags = flags_at(it.row, self.tcpflags_at, self.tcpflags_octets)
        s.tunnel_tcpflags = flags_at(it.row, self.tunnel_tcpflags_at, self.tunnel_tcpflags_octets)
        s.first = self.start_of(it.row, now)
        when = <int64_t>u64_at(it.row, self.end_at)
        s.last = when if is_time(when) else now
        return s

    cdef stop sum_up(self, table *t, const uint8_t *key, uint64_t hash, const sums *s, size_t most) noexcept nogil:
        """Count towards an entry, which is made when there is none and fewer than `most`."""
        cdef uint32_t number = find(t, key, hash)
        cdef uint8_t *entry
        if number != NO_ENTRY:
            entry = entry_of(t, number)
        elif self.open_entries >= most:
            return STOP_FULL
        else:
            entry = self.add_entry(t, key, hash)
            if entry == NULL:
                return STOP_NO_MEMORY
        add_sums(entry, s)
        if self.stitching:
            stitch(entry, s)
        return STOP_DONE

    cdef uint8_t *add_entry(self, table *t, const uint8_t *key, uint64_t hash) noexcept nogil:
        """Make the entry of a key, whose texts are held from then on; NULL without memory."""
        cdef uint8_t *entry = insert(t, key, hash)
        if entry != NULL:
            self.keys.hold_texts(key)
            self.open_entries += 1
        return entry

    cdef stop spread(self, const item *it, const uint8_t *key, int64_t now) noexcept nogil:
        """Count a record in each bin that it lasts, by time; where that cannot be nothing is counted.

        What a bin gets is what had passed at its end less what had passed at its start, rounded to the nearest: the
        shares sum up exactly.  The flow itself counts where it starts.  In an empty table it always finds room.
        """
        cdef sums whole = self.sums_of(it, now), s = whole, given
        cdef int64_t start = <int64_t>u64_at(it.row, self.bin_time_at), end = <int64_t>u64_at(it.row, self.end_at), at
        cdef table *t = it.table
        cdef size_t shares = 1
        cdef stop reason
        if it.is_misdated or not is_time(start) or not is_time(end) or end <= t.end:
            return self.sum_up(t, key, it.hash, &whole, self.most_entries)
        at = t.end
        while at < end:
            t = self.table_of(at)
            if shares == MOST_SHARES or (t == NULL and self.crowded):
                self.unsplit += 1
                return self.sum_up(it.table, key, it.hash, &whole, self.most_entries)
            if t == NULL:
                self.wanted = at
                return STOP_NO_BIN
            shares += 1
            at = t.end
        if self.open_entries and self.open_entries + shares > self.most_entries:
            return STOP_FULL             # before anything is counted: `add` comes back with the whole record
        given.packets = given.bytes = 0
        t, at = it.table, start
        while True:
            at = min(t.end, end)
            s.packets = share(whole.packets, at - start, end - start) - given.packets
            s.bytes = share(whole.bytes, at - start, end - start) - given.bytes
            given.packets += s.packets
            given.bytes += s.bytes
            if s.packets or s.bytes or s.flows:
                reason = self.sum_up(t, key, it.hash, &s, MOST_ENTRIES - 1)
                if reason != STOP_DONE:
                    return reason        # without memory; the shares before are counted and the daemon ends
            s.flows = 0
            if at == end:
                return STOP_DONE
            t = self.table_of(at)


cdef inline uint64_t share(uint64_t of, int64_t passed, int64_t duration) noexcept nogil:
    """What of a counter had passed, rounded to the nearest."""
    return <uint64_t>((<u128>of * <u128>passed + <u128>(duration // 2)) // <u128>duration)
