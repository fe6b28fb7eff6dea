# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Find the last of sorted prefixes that does not begin behind an address, in two or three steps.

A node divides the addresses from its first prefix to its last one evenly into about as many cells as it has prefixes.
A cell says where the prefixes in it begin.  When they are more than FEW, the cell is a node of its own, at most LEVELS
deep.  So a look-up goes straight to the right place wherever prefixes lie evenly, and where they crowd, as in IPv6,
the crowd is divided again.  In the end FEW prefixes from the begin of the cell on are compared, without a branch:
those of later cells are behind the address anyway.  Only where many prefixes share 64 bits, or crowds sit in crowds in
crowds, more of them are in a cell; then steps that double find the last one.

A node is four words in front of its cells: the first address (64 bits), the number of the last cell, and by how many
bits to shift.  It asks for two places of memory, which are often in one line of the cache.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from routed.rib._vrp_tree cimport FEW, close_tree, length_at, low_at, prefix_node, settled, tree

cdef extern from *:
    void __builtin_prefetch(const void *at) noexcept nogil
    int __builtin_clzll(unsigned long long value) noexcept nogil

cdef enum:
    HEAD = 4                         # words of a node before its cells
    NODE = 0x80000000                # a cell with it is where a node begins, else where prefixes do
    LEVELS = 4
    LINE = 64                        # octets of a line of the cache


# -- to make it --------------------------------------------------------------------------------------------------------

ctypedef struct builder:
    const prefix_node *prefixes
    uint32_t *cells
    size_t used, room


cdef int finish(tree *t) noexcept nogil:
    """Make the nodes of a tree whose payloads are all there; 0, or -1 without memory."""
    cdef builder b
    close_tree(t)
    b.prefixes, b.used, b.room = t.prefixes, 0, 2 * <size_t>t.count + 64
    b.cells = <uint32_t *>malloc(b.room * sizeof(uint32_t))
    if b.cells == NULL or add_node(&b, 0, t.count, 1):
        free(b.cells)
        return -1
    t.cells = <uint32_t *>settled(b.cells, b.used * sizeof(uint32_t))
    t.cell_count = <uint32_t>b.used
    return 0


cdef int add_node(builder *b, uint32_t start, uint32_t end, uint32_t level) noexcept nogil:
    """Divide the prefixes from `start` to `end`; 0, or -1 without memory."""
    cdef uint64_t first = b.prefixes[start].high
    cdef uint64_t span = b.prefixes[end - 1].high - first if end > start else 0
    cdef uint32_t shift = shift_for(span, end - start)
    cdef uint32_t last_cell = <uint32_t>(span >> shift), cell, inside
    cdef size_t node = b.used
    if take_words(b, HEAD + last_cell + 1):
        return -1
    b.cells[node] = <uint32_t>(first >> 32)
    b.cells[node + 1] = <uint32_t>first
    b.cells[node + 2] = last_cell
    b.cells[node + 3] = shift
    for cell in range(last_cell + 1):
        inside = start
        while start < end and (b.prefixes[start].high - first) >> shift == cell:
            start += 1
        if not is_crowded(b, inside, start, level):
            b.cells[node + HEAD + cell] = inside
            continue
        b.cells[node + HEAD + cell] = <uint32_t>b.used | NODE
        if add_node(b, inside, start, level + 1):
            return -1
    return 0


cdef inline uint32_t shift_for(uint64_t span, uint32_t count) noexcept nogil:
    """By how many bits to shift so that there is about one prefix in a cell."""
    cdef int wanted = 64 - __builtin_clzll(count | 1)
    cdef int bits = 64 - __builtin_clzll(span) if span else 0
    return bits - wanted if bits > wanted else 0


cdef inline bint is_crowded(const builder *b, uint32_t start, uint32_t end, uint32_t level) noexcept nogil:
    """Whether the prefixes of a cell are to be divided, and can be."""
    return end - start > FEW and level < LEVELS and b.prefixes[start].high != b.prefixes[end - 1].high


cdef int take_words(builder *b, size_t words) noexcept nogil:
    """Use so many more; 0, or -1 without memory."""
    cdef uint32_t *wider
    if b.used + words > b.room:
        wider = <uint32_t *>realloc(b.cells, 2 * (b.used + words) * sizeof(uint32_t))
        if wider == NULL:
            return -1
        b.cells, b.room = wider, 2 * (b.used + words)
    b.used += words
    return 0


# -- to use it ---------------------------------------------------------------------------------------------------------

cdef inline uint32_t cell_for(const uint32_t *cells, uint32_t node, uint64_t high) noexcept nogil:
    """Which cell of a node an address is in; before its first prefix the first one, behind its last one the last."""
    cdef uint64_t first = <uint64_t>cells[node] << 32 | cells[node + 1]
    cdef uint64_t past = (high - first if high > first else 0) >> cells[node + 3]
    return node + HEAD + <uint32_t>(past if past < cells[node + 2] else cells[node + 2])


cdef inline uint32_t compared(const tree *t, uint32_t start, uint64_t high, uint64_t low) noexcept nogil:
    """The last prefix that does not begin behind an address, counted from 1, from where the prefixes of its cell begin."""
    cdef const prefix_node *p = &t.prefixes[start]
    cdef uint32_t at = start + (p[0].high <= high) + (p[1].high <= high) + (p[2].high <= high) + (p[3].high <= high)
    if at == start + FEW:
        at = stepped(t, at, high)
    if t.lows != NULL and at and t.prefixes[at - 1].high == high and length_at(t, at - 1) > 64:
        at = narrowed(t, at, high, low)
    return at


cdef uint32_t stepped(const tree *t, uint32_t at, uint64_t high) noexcept nogil:
    """How many prefixes do not begin behind the first 64 bits of an address, when `at` of them do not."""
    cdef uint32_t step = FEW, end
    if at >= t.count:                # what stands behind the last one counts for the highest address
        return t.count
    while at + step <= t.count and t.prefixes[at + step - 1].high <= high:
        at += step
        step *= 2
    end = min(at + step, t.count)
    while at < end:
        step = (at + end) >> 1
        if t.prefixes[step].high <= high:
            at = step + 1
        else:
            end = step
    return at


cdef uint32_t narrowed(const tree *t, uint32_t at, uint64_t high, uint64_t low) noexcept nogil:
    """The same of the whole address."""
    cdef uint32_t least = 0, middle
    while least < at:                # so many of more than 64 bits that single steps would be too slow are a nuisance
        middle = (least + at) >> 1
        if t.prefixes[middle].high < high or (t.prefixes[middle].high == high and low_at(t, middle) <= low):
            least = middle + 1
        else:
            at = middle
    return at


cdef uint32_t last_before(const tree *t, uint64_t high, uint64_t low) noexcept nogil:
    """The last prefix that does not begin behind an address, counted from 1; 0 for none."""
    cdef uint32_t cell = t.cells[cell_for(t.cells, 0, high)]
    while cell & NODE:
        cell = t.cells[cell_for(t.cells, cell & ~<uint32_t>NODE, high)]
    return compared(t, cell, high, low)


cdef void last_before_each(
    const tree *t, const uint64_t *high, const uint64_t *low, uint32_t *at, size_t lanes
) noexcept nogil:
    """The same of up to LANES addresses in lockstep: what a step will read is asked for in the one before."""
    cdef uint32_t places[LANES]      # of cells
    cdef uint8_t active[LANES]       # who has not come to prefixes yet
    cdef size_t count = lanes, kept, lane, i
    cdef uint32_t cell
    for lane in range(lanes):
        active[lane] = <uint8_t>lane
        places[lane] = cell_for(t.cells, 0, high[lane])
        __builtin_prefetch(&t.cells[places[lane]])
    while count:
        kept = 0
        for i in range(count):
            lane = active[i]
            cell = t.cells[places[lane]]
            at[lane] = cell
            if cell & NODE:
                __builtin_prefetch(&t.cells[cell & ~<uint32_t>NODE])
                active[kept] = <uint8_t>lane
                kept += 1
            else:
                __builtin_prefetch(&t.prefixes[cell])
                __builtin_prefetch(<const char *>&t.prefixes[cell] + LINE)
        for i in range(kept):
            lane = active[i]
            places[lane] = cell_for(t.cells, at[lane] & ~<uint32_t>NODE, high[lane])
            __builtin_prefetch(&t.cells[places[lane]])
        count = kept
    for lane in range(lanes):
        at[lane] = compared(t, at[lane], high[lane], low[lane])
