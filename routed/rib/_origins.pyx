# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""How the origins of stored routes are validated (RFC 6811), and which of them are to be looked at again.

A route alone is unknown (u), invalid (i) or valid (v).  Among the routes of its peer an invalid one is U or V where the
most specific route around it that is not invalid is unknown or valid: there its traffic still goes when invalid routes
are dropped.  Of a prefix with several paths (RFC 7911) the best one counts: valid, else unknown.  Only invalid routes
cost that walk, and they are few.

When payloads change, only prefixes inside a changed one can come to something else.  One pass over the keys of a family
asks a store of the changes alone, which stays in the cache; the routes of the prefixes that it names are then judged
by the old payloads and by the new ones.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from routed.rib._found cimport Found
from routed.rib._order cimport item
from routed.rib._paths cimport origin_of, path_view
from routed.rib._prefixes cimport MAX_WORDS, PrefixIndex, length_of, prefix_view, words_of
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._rows cimport ROW_ORIGIN, Rows
from routed.rib._shorten cimport shorten
from routed.rib._table cimport PATH_ID, Table, cell_of, node_of, table_view
from routed.rib._vrp_index cimport last_before
from routed.rib._vrp_status cimport (
    INVALID, OVERLAPPED_UNKNOWN, OVERLAPPED_VALID, UNKNOWN, VALID, load_words, status_of,
)
from routed.rib._vrp_tree cimport covers, tree
from routed.rib._vrps cimport Vrps

import array

cdef enum:
    FREE_ID = 255


cdef inline char status_alone(
    Vrps vrps, const prefix_view *prefixes, uint32_t prefix, const path_view *paths, uint32_t path, uint32_t own_as
) noexcept nogil:
    return status_of(
        vrps.of_words(prefixes.address_words), words_of(prefixes, prefix), length_of(prefixes, prefix),
        origin_of(paths, path, own_as),
    )


# -- in the order of dumps ---------------------------------------------------------------------------------------------

cdef void note_lengths(const item *items, size_t n, const prefix_view *prefixes, uint8_t *has_length) noexcept nogil:
    """Find out which lengths the prefixes of a table have."""
    cdef size_t i
    memset(has_length, 0, MAX_LENGTHS)
    for i in range(n):
        has_length[length_of(prefixes, items[i].prefix)] = 1


cdef int compare(
    const prefix_view *prefixes, uint32_t prefix, const uint32_t *words, unsigned int length
) noexcept nogil:
    """The order of dumps: address, length, route distinguisher."""
    cdef const uint32_t *own = words_of(prefixes, prefix)
    cdef uint32_t i
    for i in range(prefixes.address_words):
        if own[i] != words[i]:
            return -1 if own[i] < words[i] else 1
    if length_of(prefixes, prefix) != length:
        return -1 if length_of(prefixes, prefix) < length else 1
    for i in range(prefixes.address_words, prefixes.words):
        if own[i] != words[i]:
            return -1 if own[i] < words[i] else 1
    return 0


cdef char status_in_order(
    Vrps vrps, const item *items, size_t n, size_t at, const uint8_t *has_length, const prefix_view *prefixes,
    const path_view *paths, uint32_t own_as,
) noexcept nogil:
    """The status of a route among all routes of its table, which are sorted."""
    cdef char status = status_alone(vrps, prefixes, items[at].prefix, paths, items[at].path, own_as), around
    cdef uint32_t words[MAX_WORDS]
    cdef size_t low, high, middle
    cdef int length
    if status != INVALID:
        return status
    memcpy(words, words_of(prefixes, items[at].prefix), prefixes.words * sizeof(uint32_t))
    for length in range(<int>length_of(prefixes, items[at].prefix) - 1, -1, -1):
        if not has_length[length]:
            continue
        shorten(words, prefixes.address_words, length)
        low, high = 0, at
        while low < high:
            middle = (low + high) >> 1
            if compare(prefixes, items[middle].prefix, words, length) < 0:
                low = middle + 1
            else:
                high = middle
        around = INVALID
        while low < n and around != VALID and not compare(prefixes, items[low].prefix, words, length):
            status = status_alone(vrps, prefixes, items[low].prefix, paths, items[low].path, own_as)
            around = status if status != INVALID else around
            low += 1
        if around != INVALID:
            return OVERLAPPED_VALID if around == VALID else OVERLAPPED_UNKNOWN
    return INVALID


# -- in the tables themselves, in the thread that writes them ----------------------------------------------------------

cdef char best_of(
    Vrps vrps, const prefix_view *prefixes, const table_view *table, uint32_t prefix, const path_view *paths,
    uint32_t own_as,
) noexcept nogil:
    """The best status that a route to a prefix has, each alone; invalid where there is none."""
    cdef uint32_t held = cell_of(table, prefix), path
    cdef const uint32_t *node
    cdef char best = INVALID, status
    while held and best != VALID:
        node = node_of(table, held) if table.add_path else NULL
        path = (node[0] if node != NULL else held) & PATH_ID
        status = status_alone(vrps, prefixes, prefix, paths, path, own_as)
        best = status if status != INVALID else best
        held = node[2] if node != NULL else 0
    return best


cdef char status_in_table(
    Vrps vrps, PrefixIndex index, const table_view *table, uint32_t prefix, uint32_t path, const path_view *paths,
    uint32_t own_as,
) noexcept nogil:
    """The status of a route among those of a table."""
    cdef const prefix_view *prefixes = &index.view
    cdef char status = status_alone(vrps, prefixes, prefix, paths, path, own_as)
    cdef uint32_t words[MAX_WORDS]
    cdef uint32_t around
    cdef int length
    if status != INVALID or table == NULL:
        return status
    memcpy(words, words_of(prefixes, prefix), prefixes.words * sizeof(uint32_t))
    for length in range(<int>length_of(prefixes, prefix) - 1, -1, -1):
        shorten(words, prefixes.address_words, length)
        around = index.find(words, <uint8_t>length, index.hash(words, <uint8_t>length))
        if not around or not cell_of(table, around):
            continue
        status = best_of(vrps, prefixes, table, around, paths, own_as)
        if status != INVALID:
            return OVERLAPPED_VALID if status == VALID else OVERLAPPED_UNKNOWN
    return INVALID


cdef char status_of_route(Vrps vrps, PeerRib peer, int family, uint32_t prefix, uint32_t path):
    """The status of a route that a look-up found just now in the tables of a peer, among all of its routes."""
    cdef Table table = peer.tables[family]
    return status_in_table(
        vrps, peer.rib.prefixes[family], NULL if table is None else &table.view, prefix, path, &peer.rib.paths.view,
        peer.own_as,
    )


def statuses(Vrps vrps not None, PeerRib peer not None, int family, const uint32_t[::1] prefixes, const uint32_t[::1] paths):
    """The statuses of routes of a peer, each among all of its routes.

    Args:
        prefixes, paths: ids, as look-ups return them; a route without a prefix or a path (0) is unknown.
    Returns: an octet each: u, i, v, U or V.
    Raises: ValueError for ids that the stores never gave out.
    """
    cdef Py_ssize_t n = prefixes.shape[0], i
    cdef bytes found = PyBytes_FromStringAndSize(NULL, n)
    cdef char *to = PyBytes_AS_STRING(found)
    cdef PrefixIndex index = peer.rib.prefixes[family]
    cdef Table table = peer.family_table(family)
    cdef const table_view *view = NULL if table is None else &table.view
    if paths.shape[0] != n:
        raise ValueError(f"{n} prefixes, {paths.shape[0]} paths")
    for i in range(n):
        if prefixes[i] >= index.next_id and prefixes[i] or paths[i] >= peer.rib.paths.next_id and paths[i]:
            raise ValueError(f"route {i} is of no store: prefix {prefixes[i]}, path {paths[i]}")
    for i in range(n):
        to[i] = UNKNOWN
        if prefixes[i] and paths[i] and length_of(&index.view, prefixes[i]) != FREE_ID:
            to[i] = status_in_table(
                vrps, index, view, prefixes[i], paths[i], &peer.rib.paths.view, peer.own_as
            )
    return found


def settle(Found found not None, ribs, Vrps vrps):
    """Judge routes that a search or a look-up found, among those of their peers as they are now.

    Args:
        ribs: of the peers that were asked, in the same order.
        vrps: None for no validation.
    """
    cdef size_t at = 0, i
    cdef PeerRib peer
    cdef Table table
    cdef PrefixIndex index
    cdef bytes statuses
    if vrps is None or not found.count:
        return
    statuses = PyBytes_FromStringAndSize(NULL, found.count)
    for i in range(found.stretch_count):
        peer = ribs[found.stretches[i].rib]
        index = peer.rib.prefixes[found.stretches[i].family]
        table = peer.family_table(found.stretches[i].family)
        while at < found.stretches[i].end:
            PyBytes_AS_STRING(statuses)[at] = status_in_table(
                vrps, index, NULL if table is None else &table.view, found.items[at].prefix, found.items[at].path,
                found.paths, peer.own_as,
            ) if found.is_there(found.stretches[i].family, &found.items[at]) else UNKNOWN
            at += 1
    found.statuses, found.status_at = statuses, PyBytes_AS_STRING(statuses)


# -- after a change ----------------------------------------------------------------------------------------------------

def concerned(Rib rib not None, int family, Vrps changed not None, uint32_t start, uint32_t most):
    """The prefixes of a family that a change of payloads is about.

    Args:
        changed: the payloads that came or went.
        start, most: the first prefix id to look at, and how many.
    Returns: an array of prefix ids, and the id where to go on: 0 at the end.
    """
    cdef PrefixIndex index = rib.prefixes[family]
    cdef const tree *t = changed.of_words(index.view.address_words)
    cdef array.array ids = array.array("I")
    cdef uint32_t id = start, end, found = 0
    cdef uint32_t *to
    if not t.count or id >= index.next_id:
        return ids, 0
    end = index.next_id if index.next_id - id <= most else id + most
    array.resize(ids, end - id)
    to = ids.data.as_uints
    with nogil:
        while id < end:
            if length_of(&index.view, id) != FREE_ID and is_inside(t, &index.view, id):
                to[found] = id
                found += 1
            id += 1
    array.resize(ids, found)
    return ids, 0 if end == index.next_id else end


cdef bint is_inside(const tree *t, const prefix_view *prefixes, uint32_t id) noexcept nogil:
    """Whether a payload covers a prefix."""
    cdef uint64_t high, low
    cdef uint32_t at
    load_words(t, words_of(prefixes, id), &high, &low)
    at = last_before(t, high, low)
    while at:
        if covers(t, at - 1, high, low, length_of(prefixes, id)):
            return True
        at = t.prefixes[at - 1].parent
    return False


def look_again(
    PeerRib peer not None, int family, const uint32_t[::1] prefixes, Vrps before not None, Vrps after not None,
    Rows rows=None, size_t start=0, size_t most=0xFFFFFFFF,
):
    """Judge the routes of a peer to some prefixes by two stores of payloads, each alone, and log those that differ.

    Args:
        prefixes: ids, as `concerned` returns them; what has gone since is left out.
        start, most: the first of them to look at, and how many.
    Returns: how many routes differ, and where to go on: the number of prefixes at the end.
    """
    cdef PrefixIndex index = peer.rib.prefixes[family]
    cdef Table table = peer.family_table(family)
    cdef const path_view *paths = &peer.rib.paths.view
    cdef const uint32_t *node
    cdef uint32_t held, path
    cdef size_t n = prefixes.shape[0], at = start, end = n if n - start <= most else start + most, count = 0
    cdef char old, new
    if table is None or start >= n:
        return 0, n
    with nogil:
        while at < end and (rows is None or rows.used < rows.full_at):
            held = cell_of(&table.view, prefixes[at])
            while held:
                node = node_of(&table.view, held) if table.view.add_path else NULL
                path = (node[0] if node != NULL else held) & PATH_ID
                old = status_alone(before, &index.view, prefixes[at], paths, path, peer.own_as)
                new = status_alone(after, &index.view, prefixes[at], paths, path, peer.own_as)
                if old != new:
                    count += 1
                    if rows is not None:
                        rows.settled, rows.former = new, old
                        rows.route(
                            ROW_ORIGIN, family, &index.view, prefixes[at], paths, path, table.view.add_path,
                            node[1] if node != NULL else 0,
                        )
                held = node[2] if node != NULL else 0
            at += 1
        if rows is not None:
            rows.forget_tail()
    return count, at
