# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One route in the three stores: what announcing, withdrawing and sweeping mean for prefix, path and cell.

A cell (or an ADD-PATH node) holds one reference to its path; a cell holds one to its prefix.
"""

from libc.stdint cimport uint32_t
from routed.rib._paths cimport HAS_NO_LLGR, PathStore, entry_of
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._rows cimport ROW_DELETE, Rows
from routed.rib._table cimport CELL_PAGE_BITS, PATH_BITS, PATH_ID, Table, cell_of, node_of


cdef inline uint32_t mark(Table table, uint32_t path) noexcept nogil:
    """A path with the epoch of the table: what a cell holds."""
    return path | table.epoch << PATH_BITS


cdef inline void count_in(Table table) noexcept nogil:
    table.by_epoch[table.epoch] += 1
    table.count += 1


cdef outcome replace(PathStore paths, Table table, uint32_t *cell, uint32_t path) noexcept nogil:
    """Give a cell or node that holds a path another one, or the same again."""
    cdef uint32_t before = cell[0]
    table.by_epoch[before >> PATH_BITS] -= 1
    table.by_epoch[table.epoch] += 1
    cell[0] = mark(table, path)
    if before & PATH_ID == path:
        return UNCHANGED
    paths.hold(path)
    paths.release(before & PATH_ID)
    return ANNOUNCED


cdef outcome announce(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t prefix, uint32_t path, uint32_t path_identifier,
) noexcept nogil:
    """Store a route.  `prefix` may be new and without references; on failure it goes again."""
    cdef uint32_t *cell = table.writable(prefix)
    cdef outcome result
    if cell == NULL:
        prefixes.hold(prefix)
        prefixes.release(prefix)
        return NO_MEMORY
    if not cell[0]:
        prefixes.hold(prefix)
    if table.view.add_path:
        result = announce_path(paths, table, cell, path, path_identifier)
    elif cell[0]:
        result = replace(paths, table, cell, path)
    else:
        cell[0] = mark(table, path)
        paths.hold(path)
        count_in(table)
        result = ANNOUNCED
    if not cell[0]:
        table.emptied(prefix)
        prefixes.release(prefix)
    return result


cdef outcome announce_path(
    PathStore paths, Table table, uint32_t *cell, uint32_t path, uint32_t path_identifier,
) noexcept nogil:
    """Store an ADD-PATH route in the chain that starts at a cell."""
    cdef uint32_t node = cell[0], length = 0
    cdef uint32_t *n
    while node:
        if node_of(&table.view, node)[1] == path_identifier:
            n = table.writable_node(node)
            return NO_MEMORY if n == NULL else replace(paths, table, n, path)
        node = node_of(&table.view, node)[2]
        length += 1
    if length >= MAX_PATHS:
        return TOO_MANY_PATHS
    node = table.take_node()
    if not node:
        return NO_MEMORY
    n = table.writable_node(node)        # owned since take_node
    n[0] = mark(table, path)
    n[1] = path_identifier
    n[2] = cell[0]
    cell[0] = node
    paths.hold(path)
    count_in(table)
    return ANNOUNCED


cdef outcome withdraw(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t prefix, uint32_t path_identifier, Rows rows,
    int kind, int family,
) noexcept nogil:
    """Remove a route; when rows are wanted, write its row with the stored attributes first."""
    cdef uint32_t held = cell_of(&table.view, prefix), previous = 0, node
    cdef uint32_t *cell
    if not held:
        return UNKNOWN
    if not table.view.add_path:
        cell = table.writable(prefix)
        if cell == NULL:
            return NO_MEMORY
        cell[0] = 0
        forget(paths, prefixes, table, prefix, held, rows, kind, family, 0)
        table.emptied(prefix)
        prefixes.release(prefix)
        return WITHDRAWN
    node = held
    while node and node_of(&table.view, node)[1] != path_identifier:
        previous = node
        node = node_of(&table.view, node)[2]
    if not node:
        return UNKNOWN
    return unlink(paths, prefixes, table, prefix, previous, node, rows, kind, family)


cdef outcome unlink(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t prefix, uint32_t previous, uint32_t node, Rows rows,
    int kind, int family,
) noexcept nogil:
    """Take one node out of the chain of a prefix."""
    cdef uint32_t *cell = table.writable(prefix)
    cdef uint32_t *before = table.writable_node(previous) if previous else NULL
    cdef uint32_t *n = table.writable_node(node)
    cdef uint32_t held
    if cell == NULL or n == NULL or (previous and before == NULL):
        return NO_MEMORY
    held = n[0]
    if before != NULL:
        before[2] = n[2]
    else:
        cell[0] = n[2]
    forget(paths, prefixes, table, prefix, held, rows, kind, family, n[1])
    if not cell[0]:
        table.emptied(prefix)
        table.give_node(node)
        prefixes.release(prefix)
    else:
        table.give_node(node)
    return WITHDRAWN


cdef void forget(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t prefix, uint32_t held, Rows rows, int kind,
    int family, uint32_t path_identifier,
) noexcept nogil:
    """Write the row of a route that goes and drop its path."""
    if rows is not None:
        rows.route(
            kind, family, &prefixes.view, prefix, &paths.view, held & PATH_ID, table.view.add_path, path_identifier
        )
        if entry_of(&paths.view, held & PATH_ID).references == 1:
            rows.forget_tail()           # a label stack of the same block may get its id
    table.by_epoch[held >> PATH_BITS] -= 1
    table.count -= 1
    paths.release(held & PATH_ID)


cdef inline bint goes(PathStore paths, Table table, uint32_t held, int which) noexcept nogil:
    """Whether a sweep takes a route."""
    cdef uint32_t epoch = held >> PATH_BITS
    if which == SWEEP_ALL:
        return True
    if which == SWEEP_DOOMED:
        return table.doomed_epochs >> epoch & 1
    if epoch == table.epoch:
        return False
    return which == SWEEP_STALE or (entry_of(&paths.view, held & PATH_ID).flags & HAS_NO_LLGR) != 0


cdef bint sweep(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t routes, int which, Rows rows, int family,
) noexcept nogil:
    """Remove routes from where the last slice ended, until about `routes` were looked at or the rows are many.

    Returns: whether the table is through.
    """
    cdef uint32_t end = table.view.page_count << CELL_PAGE_BITS, looked = 0, prefix, held, node, next_node, previous
    while table.sweep_at < end and looked < routes and (rows is None or rows.used < rows.full_at):
        prefix = table.sweep_at
        if table.view.pages[prefix >> CELL_PAGE_BITS] == NULL:
            table.sweep_at = ((prefix >> CELL_PAGE_BITS) + 1) << CELL_PAGE_BITS
            looked += 1
            continue
        table.sweep_at += 1
        held = cell_of(&table.view, prefix)
        if not held:
            continue
        if not table.view.add_path:
            looked += 1
            if goes(paths, table, held, which):
                withdraw(paths, prefixes, table, prefix, 0, rows, ROW_DELETE, family)
            continue
        node = held
        previous = 0
        while node:
            looked += 1
            next_node = node_of(&table.view, node)[2]
            if goes(paths, table, node_of(&table.view, node)[0], which):
                unlink(paths, prefixes, table, prefix, previous, node, rows, ROW_DELETE, family)
            else:
                previous = node
            node = next_node
    return table.sweep_at >= end
