# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Look-ups in the tables: exact and longest match, for one peer or over the union of all tables, in batches.

The longest-match structure of a family (and of a route distinguisher) is built at its first look-up.  From then on
the prefix index records what comes and goes, and every look-up first catches up with that.  Who will look up a lot may
follow from the beginning, in slices, so that no look-up has much to do first.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport SIZE_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from routed.octets._prefetch cimport prefetch
from routed.rib._condition cimport Condition
from routed.rib._found cimport Found, found_now
from routed.rib._ids cimport prefetch_slot
from routed.rib._lpm cimport Lpm4, column_view
from routed.rib._lpm6 cimport Lpm6
from routed.rib._paths cimport (
    IS_LABELLED, attributes_of, base_of, entry_of, labels_of, next_hop_of, path_entry, path_set, set_of,
)
from routed.rib._prefixes cimport MAX_WORDS, PrefixIndex, change, length_of, prefix_view, words_of
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._shorten cimport shorten
from routed.rib._table cimport PATH_ID, Table, cell_of, node_of

cdef enum:
    FREE_ID = 255
    AHEAD = 16                   # changes whose place is asked for before they are taken over
    MAX_LENGTHS = 129            # of prefixes that cover an IPv6 address


cdef void put_address(const uint32_t *words, uint8_t *octets) noexcept nogil:
    """The octets of an IPv6 address."""
    cdef int i
    for i in range(16):
        octets[i] = <uint8_t>(words[i >> 2] >> (24 - 8 * (i & 3)))


cdef void take_words(const uint8_t *octets, size_t n, uint32_t *words) noexcept nogil:
    """Words in host order from octets in network order."""
    cdef size_t i
    for i in range(n):
        words[i] = (
            <uint32_t>octets[4 * i] << 24 | <uint32_t>octets[4 * i + 1] << 16
            | <uint32_t>octets[4 * i + 2] << 8 | octets[4 * i + 3]
        )


cdef int take_routes(
    Found found, uint32_t rib, int family, Table table, uint32_t prefix, Condition condition
) noexcept nogil:
    """Add the routes of a table to a prefix for which a condition holds; 0, or -1 without memory."""
    cdef uint32_t held = cell_of(&table.view, prefix), path
    cdef const uint32_t *node
    while held:
        node = node_of(&table.view, held) if table.view.add_path else NULL
        path = (node[0] if node != NULL else held) & PATH_ID
        if condition is None or condition.holds(found.paths, base_of(found.paths, path)):
            if found.add(rib, family, table.view.add_path, prefix, path, node[1] if node != NULL else 0):
                return -1
        held = node[2] if node != NULL else 0
    return 0


cdef class Structures:
    """The longest-match structures of one family, by route distinguisher (empty without one)."""

    def __cinit__(self, PrefixIndex index not None):
        self.index = index
        self.by_rd = {}

    cdef bytes rd_of(self, const uint32_t *words):
        cdef uint8_t octets[8]
        cdef uint32_t i, at = self.index.view.address_words
        if self.index.view.words == at:
            return b""
        for i in range(8):
            octets[i] = <uint8_t>(words[at + (i >> 2)] >> (24 - 8 * (i & 3)))
        return PyBytes_FromStringAndSize(<const char *>octets, 8)

    cdef bint is_stored(self, uint32_t id) noexcept nogil:
        """Whether an id names a prefix that tables have: not one that is free or that only snapshots still read."""
        cdef const prefix_view *view = &self.index.view
        cdef const uint32_t *words = words_of(view, id)
        cdef uint8_t length = length_of(view, id)
        if length == FREE_ID or not (self.index.limbo_id or self.index.buried_id):
            return length != FREE_ID
        return self.index.find(words, length, self.index.hash(words, length)) == id

    cdef change_one(self, object structure, const uint32_t *words, uint8_t length, uint32_t id, bint added):
        cdef uint8_t octets[16]
        if self.index.view.address_words == 1:
            if added:
                (<Lpm4>structure).insert(words[0], length, id)
            else:
                (<Lpm4>structure).remove(words[0], length, id)
            return
        put_address(words, octets)
        if added:
            (<Lpm6>structure).insert(octets, length, id)
        else:
            (<Lpm6>structure).remove(octets, length, id)

    cdef bint catch_up(self, size_t most) except -1:
        """Take over the next of what came and went; whether nothing is left."""
        cdef size_t i, last = min(self.index.change_count, self.taken + most)
        cdef change *c
        if self.index.changes_lost:
            self.by_rd.clear()
            last = self.index.change_count
        cdef Lpm4 lpm4 = self.by_rd.get(b"") if self.index.view.words == 1 else None
        for i in range(self.taken, last):
            if lpm4 is not None and i + AHEAD < last:
                prefetch(lpm4.direct + (self.index.changes[i + AHEAD].words[0] >> 8))
            c = &self.index.changes[i]
            structure = self.by_rd.get(self.rd_of(c.words))
            if structure is not None:
                self.change_one(structure, c.words, c.length, c.id, c.added)
        self.taken = last
        if last < self.index.change_count:
            return False
        self.index.forget_changes()
        self.taken = 0
        return True

    cdef bint follow(self, size_t most) except -1:
        """Have the structure of addresses that have no route distinguisher, and catch up; whether nothing is left."""
        if self.index.view.words == self.index.view.address_words and b"" not in self.by_rd:
            self.structure(b"")
        try:
            return self.catch_up(most)
        except MemoryError:
            self.give_up()
            raise

    cdef object structure(self, bytes rd):
        """The structure of a route distinguisher, current."""
        cdef uint32_t id
        cdef const prefix_view *view = &self.index.view
        try:
            self.catch_up(SIZE_MAX - self.taken)
            structure = self.by_rd.get(rd)
            if structure is None:
                structure = Lpm4() if view.address_words == 1 else Lpm6()
                for id in range(1, self.index.next_id):
                    if self.is_stored(id) and self.rd_of(words_of(view, id)) == rd:
                        self.change_one(structure, words_of(view, id), length_of(view, id), id, True)
                self.by_rd[rd] = structure
                self.index.watch(True)
        except MemoryError:
            self.give_up()
            raise
        return structure

    cdef void give_up(self):
        """Forget all structures: half of one answers wrongly."""
        self.by_rd.clear()
        self.taken = 0
        self.index.watch(False)


cdef Structures structures_of(Rib rib, int family):
    """Those of a family, which all look-ups share: what the prefix index recorded can be taken over once."""
    if rib.structures is None:
        rib.structures = [Structures(prefixes) for prefixes in rib.prefixes]
    return rib.structures[family]


cdef class Lookups:
    """Look-ups over the stores of a daemon; in the thread that writes them.

    A family is its index, addresses are packed octets in network order, a route distinguisher is 8 octets.
    """

    cdef Rib rib

    def __cinit__(self, Rib rib not None):
        self.rib = rib

    def longest_match(self, int family, const uint8_t[::1] addresses, PeerRib peer=None, bytes rd=b""):
        """The most specific prefix of each address.

        Args:
            addresses: n x 4 or 16 octets.
            peer: whose routes count; None for the union of all tables.
        Returns: an array of n prefix ids, 0 where there is none.
        """
        cdef size_t width = 4 if family < 4 else 16, n = addresses.shape[0] // width
        cdef array.array ids = array.array("I", [0]) * n
        cdef array.array hosts
        cdef object structure = structures_of(self.rib, family).structure(rd)
        cdef Table table = None if peer is None else peer.family_table(family)
        cdef column_view column
        cdef uint32_t *found = ids.data.as_uints
        cdef uint32_t *words
        cdef Lpm4 lpm4
        cdef Lpm6 lpm6
        if addresses.shape[0] % width:
            raise ValueError(f"{addresses.shape[0]} octets are no list of addresses of {width} octets")
        if not n or (peer is not None and table is None):
            return ids
        if table is not None:
            column.pages = <const uint32_t *const *>table.view.pages
            column.page_count = table.view.page_count
        if width == 4:
            lpm4 = structure
            hosts = array.array("I", [0]) * n
            words = hosts.data.as_uints
            with nogil:
                take_words(&addresses[0], n, words)
                if table is None:
                    lpm4.match(words, found, n)
                else:
                    lpm4.match_in(words, found, n, &column)
        else:
            lpm6 = structure
            with nogil:
                if table is None:
                    lpm6.match(&addresses[0], found, n)
                else:
                    lpm6.match_in(&addresses[0], found, n, &column)
        return ids

    def exact(self, int family, bytes address not None, uint8_t length, bytes rd=b""):
        """The id of a prefix, 0 when no table has it.  Host bits are not to be set."""
        cdef PrefixIndex index = self.rib.prefixes[family]
        cdef uint32_t words[MAX_WORDS]
        cdef bytes key = address + rd
        if len(key) != 4 * index.view.words:
            raise ValueError(f"address and route distinguisher have {len(key)} octets, not {4 * index.view.words}")
        memset(words, 0, sizeof(words))
        take_words(<const uint8_t *>PyBytes_AS_STRING(key), index.view.words, words)
        return index.find(words, length, index.hash(words, length))

    def routes(self, PeerRib peer not None, int family, uint32_t prefix):
        """The routes of a peer for a prefix.

        Returns: a list of (path identifier or None, path id); one route at most without ADD-PATH.
        """
        cdef Table table = peer.family_table(family)
        cdef uint32_t held
        cdef const uint32_t *node
        found = []
        if table is None or not prefix:
            return found
        held = cell_of(&table.view, prefix)
        while held:
            if not table.view.add_path:
                return [(None, held & PATH_ID)]
            node = node_of(&table.view, held)
            found.append((node[1], node[0] & PATH_ID))
            held = node[2]
        return found

    def exact_routes(
        self, ribs, int family, bytes address not None, uint8_t length, bytes rd=b"", *, Condition condition=None
    ):
        """The routes of some peers to one prefix.

        Args:
            ribs: the peers; an index in what is found is a place here.
            address: host bits may be set.
            condition: what has to hold for their attributes.
        Returns: what is found, to be read at once.
        """
        return self.found(ribs, family, address, length, length, rd, condition, False)

    def longest_match_routes(
        self, ribs, int family, bytes address not None, bytes rd=b"", *, Condition condition=None
    ):
        """The routes of each peer to the most specific prefix that covers an address and that it has."""
        return self.found(ribs, family, address, 8 * len(address), 0, rd, condition, True)

    def less_specific_routes(
        self, ribs, int family, bytes address not None, uint8_t length, bytes rd=b"", *, Condition condition=None
    ):
        """The routes of some peers to a prefix and to all prefixes that cover it."""
        return self.found(ribs, family, address, length, 0, rd, condition, False)

    cdef Found found(
        self, ribs, int family, bytes address, unsigned int longest, unsigned int shortest, bytes rd,
        Condition condition, bint first,
    ):
        """The routes to prefixes of some lengths around an address; of each peer all, or those to the longest."""
        cdef Found found = found_now(self.rib)
        cdef uint32_t ids[MAX_LENGTHS]
        cdef int count = self.ids_around(family, address, longest, shortest, rd, ids), i
        cdef PeerRib peer
        cdef Table table
        for at, peer in enumerate(ribs):
            if peer.rib is not self.rib:
                raise ValueError("peers of another daemon")
            table = peer.family_table(family)
            for i in range(count if table is not None else 0):
                if cell_of(&table.view, ids[i]):
                    if take_routes(found, at, family, table, ids[i], condition):
                        raise MemoryError
                    if first:
                        break
        if found.order():
            raise MemoryError
        return found

    cdef int ids_around(
        self, int family, bytes address, unsigned int longest, unsigned int shortest, bytes rd, uint32_t *ids
    ) except -1:
        """The ids of the stored prefixes of some lengths that cover an address, longest first; how many."""
        cdef PrefixIndex index = self.rib.prefixes[family]
        cdef uint32_t words[MAX_WORDS]
        cdef uint64_t hashes[MAX_LENGTHS]
        cdef bytes key = address + rd
        cdef uint32_t id
        cdef int n = 0
        cdef unsigned int i, count = longest + 1 - shortest
        if len(key) != 4 * index.view.words or longest > 32 * index.view.address_words:
            raise ValueError(f"no prefix of family {family}: {address!r}/{longest}, route distinguisher {rd!r}")
        take_words(<const uint8_t *>PyBytes_AS_STRING(key), index.view.words, words)
        for i in range(count):
            shorten(words, index.view.address_words, longest - i)
            hashes[i] = index.hash(words, <uint8_t>(longest - i))
            prefetch_slot(&index.ids, hashes[i])
        take_words(<const uint8_t *>PyBytes_AS_STRING(key), index.view.words, words)
        for i in range(count):
            shorten(words, index.view.address_words, longest - i)
            id = index.find(words, <uint8_t>(longest - i), hashes[i])
            ids[n] = id
            n += id != 0
        return n

    def prefix(self, int family, uint32_t id):
        """Address octets, length and route distinguisher octets of a prefix id that a look-up gave.

        Raises: KeyError for an id that names nothing any more.
        """
        cdef PrefixIndex index = self.rib.prefixes[family]
        cdef const uint32_t *words
        if not 0 < id < index.next_id or length_of(&index.view, id) == FREE_ID:
            raise KeyError(id)
        words = words_of(&index.view, id)
        cdef uint8_t octets[24]
        cdef uint32_t i
        for i in range(4 * index.view.words):
            octets[i] = <uint8_t>(words[i >> 2] >> (24 - 8 * (i & 3)))
        return (
            PyBytes_FromStringAndSize(<const char *>octets, 4 * index.view.address_words),
            length_of(&index.view, id),
            PyBytes_FromStringAndSize(
                <const char *>octets + 4 * index.view.address_words, 4 * (index.view.words - index.view.address_words)
            ),
        )

    def path(self, uint32_t id):
        """Next hop, label and attribute octets of a path id that a look-up gave.

        Raises: KeyError for an id that names nothing any more.
        """
        cdef const path_entry *entry
        cdef const path_set *labelled
        cdef const path_set *s
        if not self.rib.paths.has(id):
            raise KeyError(id)
        entry = entry_of(&self.rib.paths.view, id)
        labelled = set_of(&self.rib.paths.view, id)
        s = set_of(&self.rib.paths.view, entry.base) if entry.flags & IS_LABELLED else labelled
        return (
            PyBytes_FromStringAndSize(<const char *>next_hop_of(s), s.next_hop_length),
            PyBytes_FromStringAndSize(<const char *>labels_of(labelled), 3 * labelled.label_count),
            PyBytes_FromStringAndSize(<const char *>attributes_of(s), s.length),
        )
