# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records summed by key: the aggregation of one plugin, in compiled loops over the rows of a batch.

A record goes to the table of its time bin.  There its key, the octets of the asked-for columns side by side, finds its
entry through open addressing with a keyed hash, so nobody can send keys that collide.  Rows are taken in blocks: pack
all keys, hash them and fetch their slots, fetch their entries, then sum, so the misses of a block overlap.

The slots of a table are in parts that grow one at a time, and entries in pages that never move: a table of a million
keys grows without a pause, and costs what its keys need.  A finished table is only read, and may be read in another
thread; the texts in its keys are held until it is released, in slices, in the thread that they belong to.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.columns._batch cimport Batch, row_of
from flowcorr.columns._texts cimport Texts, hold_text, release_text
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from routed.octets._hash cimport hash_octets, u128

import secrets

cdef extern from *:
    """
    #define flowcorr_prefetch(at) __builtin_prefetch((const void *)(at), 1)
    """
    void prefetch "flowcorr_prefetch"(const void *at) noexcept nogil

cdef enum:
    BLOCK = 128                          # records whose misses overlap
    OCTETS_OF_DSCP = 3                   # stands for one of which the highest six bits remain (RFC 2474 section 3)
    FIRST_SLOTS = 16                     # of a part
    FIRST_WITHOUT_COUNTERS = 100         # of the types of records
    MOST_ENTRIES = 2147483648            # slots number entries in 32 bits
    MOST_SHARES = 1440                   # bins that one record may be spread over: a day of minutes
    SECOND = 1000000                     # microseconds
    LAST_SECOND = 7258118400             # the year 2200: a later time is no time, and the arrival counts
    TOTALS = 32
    SPELL = 16

DONE, FULL, NO_BIN, NO_MEMORY = range(4)

#: Steps of a key, and the octets that each takes of a row.
STEP_OCTETS = {0: 8, 1: 1, 2: 2, OCTETS_OF_DSCP: 1, 4: 4, 8: 8, 16: 16}
#: The one bin of all records where nothing is divided by time.
ALL_TIME = (INT64_MIN, INT64_MAX)


@cython.no_gc_clear
cdef class Bin:
    """The entries of one time bin, in the order of their first records.  Made by `GroupBy.open_bin`."""

    def __cinit__(self, GroupBy group_by not None, int64_t start, int64_t end):
        self.group_by = group_by
        self.texts = group_by.texts
        self.table = <table *>calloc(1, sizeof(table))
        if self.table == NULL:
            raise MemoryError
        self.table.start, self.table.end = start, end
        self.table.key_at = TOTALS + (SPELL if group_by.stitching else 0)
        self.table.key_octets = group_by.key_octets
        self.table.entry_octets = self.table.key_at + group_by.key_octets
        self.texts_count = group_by.texts_count
        self.text_at = group_by.text_at

    def __dealloc__(self):
        if self.table != NULL:
            self.release(self.table.count)
            free_slots(self.table)
            free(self.table.pages)
            free(self.table)

    def __len__(self):
        return self.table.count

    @property
    def start(self):
        return self.table.start

    @property
    def end(self):
        return self.table.end

    @property
    def has_times(self):
        return self.table.end != INT64_MAX

    @property
    def octets(self):
        cdef size_t part, octets = sizeof(table) + self.table.page_room * sizeof(uint8_t *)
        octets += self.table.page_count * ENTRY_PAGE * self.table.entry_octets
        for part in range(PARTS):
            if self.table.parts[part].at != NULL:
                octets += (<size_t>self.table.parts[part].mask + 1) * sizeof(slot)
        return octets

    def release(self, size_t most):
        """Let go of the next entries and their texts; tell whether none is left."""
        cdef table *t = self.table
        cdef size_t last = min(t.count, t.released + most), i
        cdef uint32_t id
        cdef const uint8_t *key
        if t.released == t.count:
            return True
        self.group_by.entries -= last - t.released
        while t.released < last:
            if self.texts_count:
                key = entry_of(t, t.released) + t.key_at
                for i in range(self.texts_count):
                    memcpy(&id, key + self.text_at[i], sizeof(id))
                    release_text(self.texts, id)
            t.released += 1
            if not t.released & ENTRY_PAGE_MASK or t.released == t.count:
                i = (t.released - 1) >> ENTRY_PAGE_BITS
                free(t.pages[i])
                t.pages[i] = NULL
        return t.released == t.count

    def entries(self):
        """The entries as tuples of Python, for tests: key, packets, bytes, flows, both flags, first, last."""
        cdef size_t i
        cdef const uint8_t *at
        cdef const totals *sums
        cdef spell times
        found = []
        for i in range(self.table.released, self.table.count):
            at = entry_of(self.table, i)
            sums = <const totals *>at
            times.first = times.last = 0
            if self.table.key_at > TOTALS:
                memcpy(&times, at + TOTALS, sizeof(times))
            key = PyBytes_FromStringAndSize(<const char *>at + self.table.key_at, self.table.key_octets)
            found.append((
                key, sums.packets, sums.bytes, sums.flows, sums.tcpflags, sums.tunnel_tcpflags, times.first, times.last,
            ))
        return found


cdef void free_slots(table *t) noexcept nogil:
    """What only finding needs."""
    cdef size_t part
    for part in range(PARTS):
        free(t.parts[part].at)
        t.parts[part].at = NULL


cdef int widen(slots *part) noexcept nogil:
    """Twice the slots of a part; 0, or -1 without memory."""
    cdef uint32_t room = 2 * (part.mask + 1) if part.at != NULL else FIRST_SLOTS, at, i
    cdef slot *wider = <slot *>calloc(room, sizeof(slot))
    if wider == NULL:
        return -1
    if part.at != NULL:
        for i in range(part.mask + 1):
            if part.at[i].entry:
                at = part.at[i].hash & (room - 1)
                while wider[at].entry:
                    at = (at + 1) & (room - 1)
                wider[at] = part.at[i]
    free(part.at)
    part.at, part.mask = wider, room - 1
    return 0


cdef uint8_t *new_entry(table *t) noexcept nogil:
    """A blank entry behind the last one, which counts once `count` is raised; NULL without memory."""
    cdef uint8_t **wider
    cdef size_t page = t.count >> ENTRY_PAGE_BITS
    cdef uint8_t *entry
    if page == t.page_count:
        if page == t.page_room:
            wider = <uint8_t **>realloc(t.pages, (2 * t.page_room + 8) * sizeof(uint8_t *))
            if wider == NULL:
                return NULL
            t.pages, t.page_room = wider, 2 * t.page_room + 8
        t.pages[page] = <uint8_t *>malloc(ENTRY_PAGE * t.entry_octets)
        if t.pages[page] == NULL:
            return NULL
        t.page_count += 1
    entry = entry_of(t, t.count)
    memset(entry, 0, t.key_at)
    return entry


cdef inline slot *home_of(const table *t, uint64_t hash) noexcept nogil:
    """Where the search for a key begins; NULL while its part has none."""
    cdef const slots *part = &t.parts[hash >> PART_SHIFT]
    return &part.at[<uint32_t>hash & part.mask] if part.at != NULL else NULL


cdef inline uint8_t *find(const table *t, const uint8_t *key, uint64_t hash) noexcept nogil:
    """The entry of a key; NULL when it has none."""
    cdef const slots *part = &t.parts[hash >> PART_SHIFT]
    cdef uint32_t at = <uint32_t>hash & part.mask
    cdef uint8_t *entry
    if part.at == NULL:
        return NULL
    while part.at[at].entry:
        if part.at[at].hash == <uint32_t>hash:
            entry = entry_of(t, part.at[at].entry - 1)
            if same_key(entry + t.key_at, key, t.key_octets):
                return entry
        at = (at + 1) & part.mask
    return NULL


cdef uint8_t *insert(table *t, const uint8_t *key, uint64_t hash) noexcept nogil:
    """The entry of a key that has none yet; NULL without memory, with nothing changed."""
    cdef slots *part = &t.parts[hash >> PART_SHIFT]
    cdef uint32_t at
    cdef uint8_t *entry
    if (part.at == NULL or 4 * <uint64_t>part.used >= 3 * (<uint64_t>part.mask + 1)) and widen(part):
        return NULL
    entry = new_entry(t)
    if entry == NULL:
        return NULL
    memcpy(entry + t.key_at, key, t.key_octets)
    at = <uint32_t>hash & part.mask
    while part.at[at].entry:
        at = (at + 1) & part.mask
    t.count += 1
    part.at[at].hash, part.at[at].entry = <uint32_t>hash, <uint32_t>t.count
    part.used += 1
    return entry


cdef inline uint64_t u64_at(const uint8_t *row, Py_ssize_t at) noexcept nogil:
    """A column of eight octets; 0 where nobody asks for it."""
    cdef uint64_t value = 0
    if at >= 0:
        memcpy(&value, row + at, 8)
    return value


cdef inline uint64_t flags_at(const uint8_t *row, Py_ssize_t at, int octets) noexcept nogil:
    cdef uint64_t value = 0
    if at >= 0:
        memcpy(&value, row + at, octets)
    return value


cdef inline bint is_time(int64_t when) noexcept nogil:
    return 0 < when < <int64_t>LAST_SECOND * SECOND


cdef class GroupBy:
    """The sums of one plugin.

    Args:
        layout: of the batches that come.
        texts: where the texts of their columns are.
        keys: for each column of the key, its octets in a row, its place in the key and the places in a row that it is
            taken from, one for each key that a record counts for; 0 octets: a time, of which whole seconds remain;
            3: an octet, of which DSCP remains.
        texts_at: places in the key that hold ids of texts.
        flag_at: place in the key that is 1 for a record without counters.
        key_octets: of the key, a multiple of 8.
        most_entries: of all open bins; when a record would need one more, `add` stops.
        stitching: keep the first start and the last end.
        pro_rating: spread a record over the bins that it lasts.
    """

    def __cinit__(
        self, layout not None, Texts texts not None, keys not None, texts_at not None, size_t flag_at,
        size_t key_octets, size_t most_entries, *, bint stitching=False, bint pro_rating=False,
    ):
        cdef size_t i, variant
        if key_octets % 8 or flag_at >= key_octets:
            raise ValueError(f"{key_octets} octets of a key")
        if not 0 < most_entries < MOST_ENTRIES:
            raise ValueError(f"{most_entries} entries")
        self.layout, self.texts = layout, texts
        self.seed = secrets.randbits(64)
        self.key_octets, self.flag_at, self.most_entries = key_octets, flag_at, most_entries
        self.stitching, self.pro_rating = stitching, pro_rating
        self.bins = []
        self.variants = len(keys[0][2]) if keys else 1
        self.step_count = len(keys)
        self.steps = <step *>malloc(max(1, self.step_count * self.variants) * sizeof(step))
        self.texts_count = len(texts_at)
        self.text_at = <uint32_t *>malloc(max(1, self.texts_count) * sizeof(uint32_t))
        self.keys = <uint8_t *>calloc(BLOCK, key_octets)
        self.items = <item *>calloc(BLOCK, sizeof(item))
        if self.steps == NULL or self.text_at == NULL or self.keys == NULL or self.items == NULL:
            raise MemoryError
        for i, (octets, to_key, sources) in enumerate(keys):
            width = STEP_OCTETS.get(octets, 0)
            if not width or to_key + width > key_octets:
                raise ValueError(f"{octets} octets at {to_key} of a key of {key_octets}")
            for variant in range(self.variants):
                if not 0 <= sources[variant] <= layout.stride - width:
                    raise ValueError(f"{octets} octets at {sources[variant]} of a row of {layout.stride}")
                self.steps[variant * self.step_count + i] = step(sources[variant], to_key, octets)
        for i in range(self.texts_count):
            if texts_at[i] + 4 > key_octets:
                raise ValueError(f"a text at {texts_at[i]} of a key of {key_octets}")
            self.text_at[i] = texts_at[i]
        self.packets_at, self.bytes_at, self.flows_at = (layout.offset(name) for name in ("packets", "bytes", "flows"))
        self.record_type_at, self.bin_time_at = layout.offset("record_type"), layout.offset("bin_time")
        if self.record_type_at < 0:
            raise ValueError("rows have no type of record")
        self.end_at = layout.offset("time_end")
        self.tcpflags_at, self.tunnel_tcpflags_at = layout.offset("tcpflags"), layout.offset("tunnel_tcpflags")
        self.tcpflags_octets = layout.columns["tcpflags"].kind.width if self.tcpflags_at >= 0 else 0
        self.tunnel_tcpflags_octets = (
            layout.columns["tunnel_tcpflags"].kind.width if self.tunnel_tcpflags_at >= 0 else 0
        )

    def __dealloc__(self):
        free(self.steps)
        free(self.text_at)
        free(self.keys)
        free(self.items)
        free(self.tables)

    def open_bin(self, int64_t start, int64_t end):
        """Make room for the records from `start` to before `end`.

        Raises: ValueError when it overlaps one that is open.
        """
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
        made = Bin(self, start, end)
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
        """Close the bins that end by a time, and return those that hold something, by their start."""
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
        for i in range(self.table_count):
            bin = self.bins[i]
            self.tables[i] = bin.table
        self.recent = NULL
        return finished

    @property
    def open_bins(self):
        return self.table_count

    @property
    def octets(self):
        return sum(bin.octets for bin in self.bins)

    def add(self, Batch batch not None, const uint8_t[::1] mask, size_t at, int64_t now):
        """Sum records from the one numbered `at`; return the number of the next one, and why in `stopped`."""
        cdef size_t records = batch.count * self.variants, n, row, placed
        cdef size_t numbers[BLOCK]
        cdef const uint8_t *key
        cdef sums s
        cdef int reason = 0, failed
        if batch.layout is not self.layout:
            raise ValueError("the batch has another layout")
        if mask is not None and <size_t>mask.shape[0] < batch.count:
            raise ValueError("the mask is too short")
        with nogil:
            while at < records and not reason:
                n = 0
                while n < BLOCK and at < records:
                    row = at // self.variants
                    if mask is None or mask[row]:
                        self.items[n].row = row_of(batch, row)
                        self.items[n].variant = at % self.variants
                        numbers[n] = at
                        n += 1
                    at += 1
                if not n:
                    break
                self.pack(n)
                placed = self.place(n, now)
                if placed < n:
                    reason, at = STOP_NO_BIN, numbers[placed]
                for row in range(placed):
                    key = self.keys + row * self.key_octets
                    if self.pro_rating:
                        failed = self.spread(&self.items[row], key, now)
                    else:
                        s = self.sums_of(&self.items[row], now)
                        failed = self.sum_up(self.items[row].table, key, self.items[row].hash, &s, self.most_entries)
                    if failed:
                        reason, at = failed, numbers[row]
                        break
        self.stopped = reason
        return at

    cdef void pack(self, size_t n) noexcept nogil:
        """The keys of a block, column by column."""
        cdef size_t i, j, width = self.key_octets
        cdef const step *s
        cdef uint8_t *to
        cdef const item *items = self.items
        for i in range(self.step_count):
            s = &self.steps[i]
            to = self.keys + s.to_key
            if self.variants > 1:
                for j in range(n):
                    pack_one(to + j * width, items[j].row, &self.steps[items[j].variant * self.step_count + i])
            elif s.octets == 16:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 16)
            elif s.octets == 8:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 8)
            elif s.octets == 4:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 4)
            elif s.octets == 2:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 2)
            else:
                for j in range(n):
                    pack_one(to + j * width, items[j].row, s)
        to = self.keys + self.flag_at
        for j in range(n):
            to[j * width] = items[j].row[self.record_type_at] >= FIRST_WITHOUT_COUNTERS

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

    cdef inline int64_t start_of(self, const uint8_t *row, int64_t now) noexcept nogil:
        """The time that chooses the bin of a record."""
        cdef int64_t when = <int64_t>u64_at(row, self.bin_time_at)
        return when if is_time(when) else now

    cdef size_t place(self, size_t n, int64_t now) noexcept nogil:
        """Find the tables of a block, and fetch what will be looked at; how many records have one."""
        cdef size_t i, width = self.key_octets
        cdef item *it
        cdef slot *home
        cdef uint8_t *entry
        cdef int64_t when
        for i in range(n):
            it = &self.items[i]
            when = self.start_of(it.row, now)
            it.table = self.table_of(when)
            if it.table == NULL:
                self.wanted = when
                n = i
                break
            it.hash = hash_octets(self.keys + i * width, width, self.seed)
            prefetch(home_of(it.table, it.hash))
        for i in range(n):
            it = &self.items[i]
            home = home_of(it.table, it.hash)
            if home != NULL and home.entry:
                entry = entry_of(it.table, home.entry - 1)
                prefetch(entry)
                prefetch(entry + 64)
        return n

    cdef int sum_up(self, table *t, const uint8_t *key, uint64_t hash, const sums *s, size_t most) noexcept nogil:
        """Count towards an entry, which is made when there is none and fewer than `most`; 0, or why that cannot be."""
        cdef uint8_t *entry = find(t, key, hash)
        cdef totals *sum
        cdef spell *times
        cdef size_t i
        cdef uint32_t id
        if entry == NULL:
            if self.open_entries >= most:
                return STOP_FULL
            entry = insert(t, key, hash)
            if entry == NULL:
                return STOP_NO_MEMORY
            for i in range(self.texts_count):
                memcpy(&id, key + self.text_at[i], sizeof(id))
                hold_text(self.texts, id)
            self.entries += 1
            self.open_entries += 1
        sum = <totals *>entry
        sum.packets += s.packets
        sum.bytes += s.bytes
        sum.flows += s.flows
        sum.tcpflags |= s.tcpflags
        sum.tunnel_tcpflags |= s.tunnel_tcpflags
        if self.stitching:
            times = <spell *>(entry + TOTALS)
            if not times.first or s.first < times.first:
                times.first = s.first
            if s.last > times.last:
                times.last = s.last
        return 0

    cdef sums sums_of(self, const item *it, int64_t now) noexcept nogil:
        """What a record counts for."""
        cdef sums s
        cdef int64_t when
        s.packets, s.bytes = u64_at(it.row, self.packets_at), u64_at(it.row, self.bytes_at)
        s.flows = u64_at(it.row, self.flows_at)
        s.tcpflags = <uint16_t>flags_at(it.row, self.tcpflags_at, self.tcpflags_octets)
        s.tunnel_tcpflags = <uint16_t>flags_at(it.row, self.tunnel_tcpflags_at, self.tunnel_tcpflags_octets)
        s.first = self.start_of(it.row, now)
        when = <int64_t>u64_at(it.row, self.end_at)
        s.last = when if is_time(when) else now
        return s

    cdef int spread(self, const item *it, const uint8_t *key, int64_t now) noexcept nogil:
        """Count a record in each bin that it lasts, by time; 0, or why that cannot be, with nothing counted.

        What a bin gets is what had passed at its end less what had passed at its start, rounded to the nearest: the
        shares sum up exactly.  The flow itself counts where it starts.  In an empty table it always finds room.
        """
        cdef sums whole = self.sums_of(it, now), s = whole, given
        cdef int64_t start = <int64_t>u64_at(it.row, self.bin_time_at), end = <int64_t>u64_at(it.row, self.end_at), at
        cdef table *t = it.table
        cdef size_t shares = 1
        cdef int reason
        if not is_time(start) or not is_time(end) or end <= t.end:
            return self.sum_up(t, key, it.hash, &whole, self.most_entries)
        at = t.end
        while at < end:
            if shares == MOST_SHARES:
                self.unsplit += 1
                return self.sum_up(it.table, key, it.hash, &whole, self.most_entries)
            t = self.table_of(at)
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
                if reason:
                    return reason        # without memory; the shares before are counted and the daemon ends
            s.flows = 0
            if at == end:
                return 0
            t = self.table_of(at)


cdef inline uint64_t share(uint64_t of, int64_t passed, int64_t duration) noexcept nogil:
    """What of a counter had passed, rounded to the nearest."""
    return <uint64_t>((<u128>of * <u128>passed + <u128>(duration // 2)) // <u128>duration)


cdef void pack_one(uint8_t *to, const uint8_t *row, const step *s) noexcept nogil:
    cdef int64_t when
    if s.octets == OCTETS_OF_DSCP:
        to[0] = row[s.from_row] >> 2
    elif s.octets:
        memcpy(to, row + s.from_row, s.octets)
    else:
        memcpy(&when, row + s.from_row, 8)
        when -= when % SECOND
        memcpy(to, &when, 8)
