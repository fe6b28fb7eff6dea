# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The stores of one daemon, and one peer's tables over them.

One thread writes.  A family is an index here: AFI 1 and 2, each with SAFI 1, 2, 4 and 128, in that order.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from routed.rib._paths cimport PathStore
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._routes cimport (
    ANNOUNCED, NO_MEMORY, OUTCOMES, SWEEP_ALL, SWEEP_DOOMED, SWEEP_SHORT_LIVED, SWEEP_STALE, TOO_MANY_PATHS,
    UNCHANGED, UNKNOWN, WITHDRAWN, sweep,
)
from routed.rib._rows cimport FAMILIES, Rows
from routed.rib._table cimport Table

from collections import namedtuple


cdef extern from *:
    """
    #if defined(__GLIBC__)
    #include <malloc.h>
    #define routed_trim() malloc_trim(0)
    #else
    #define routed_trim() 0
    #endif
    """
    int routed_trim() nogil

cdef enum:
    TIDY_IDS = 2000              # about a millisecond
    TIDY_OCTETS = 1048576
    TRIM_ROUTES = 1000000        # swept routes whose pages, some megabytes, glibc keeps until it is asked for them


cdef class Rib:
    """All prefixes and attribute sets of one daemon.

    Args:
        seed: 64 secret bits that key the hashes, so that no peer can choose octets that collide.
        folds: as of `PathStore`.
    """

    def __cinit__(self, seed, *, bint folds=False):
        cdef int family
        cdef PrefixIndex prefixes
        self.seed = seed
        self.paths = PathStore(seed, folds=folds)
        self.prefixes = []
        self.workspaces = []
        for family in range(FAMILIES):
            prefixes = PrefixIndex(1 if family < 4 else 4, family & 3 == 3, seed)
            self.prefix_ids[family] = &prefixes.ids
            self.prefixes.append(prefixes)

    def tidy(self):
        """Give back a little of what is not in use: ids and octets that snapshots held, holes between sets, free pages.

        Returns: whether there is more to do.
        """
        cdef int family
        cdef PrefixIndex prefixes
        cdef size_t freed = self.paths.drain(TIDY_IDS)
        for family in range(FAMILIES):
            prefixes = self.prefixes[family]
            if freed < TIDY_IDS:
                freed += prefixes.drain(TIDY_IDS - freed)
        if freed > 0 or self.paths.compact(TIDY_OCTETS) > 0:
            return True
        if self.swept >= TRIM_ROUTES:
            self.swept = 0
            routed_trim()
        return False

    @property
    def memory(self):
        """Octets by store."""
        return {"prefixes": sum(index.memory for index in self.prefixes), "paths": self.paths.memory}


#: What UPDATEs came to, in routes: announced, announced as they were, withdrawn, withdrawn without having been there,
#: and those for which there was no room.
Counts = namedtuple("Counts", "announced unchanged withdrawn unknown dropped")


cdef class PeerRib:
    """The routes of one peer: a table for each family that it announces.

    Args:
        rib: the stores.
        as4: whether the peer sends four-octet AS numbers (RFC 6793).
        external: whether the peer is in another AS (decides how some broken attributes are answered, RFC 7606).
        add_path: bit by family: the peer sends path identifiers (RFC 7911).
    """

    def __cinit__(self, Rib rib not None, *, bint as4=True, bint external=False, unsigned int add_path=0):
        self.rib = rib
        self.as4 = as4
        self.external = external
        self.add_path = add_path
        self.tables = [None] * FAMILIES

    cdef Table table(self, int family):
        """The table of a family, made at its first route."""
        cdef Table table = self.tables[family]
        if table is None:
            table = self.tables[family] = Table(bool(self.add_path >> family & 1))
        return table

    def renew(self, *, bint as4, bint external, unsigned int add_path):
        """Take over a new session's parameters while routes of the last one are kept (RFC 4724 section 4.2).

        Returns: families whose stale routes cannot be told apart any more, because ADD-PATH changed; their
            tables are taken out, to be swept: a list of (family, table).
        """
        cdef int family
        cdef Table table
        gone = []
        for family in range(FAMILIES):
            table = self.tables[family]
            if table is not None and table.view.add_path != (add_path >> family & 1):
                table.begin_sweep()
                gone.append((family, table))
                self.tables[family] = None
        self.as4 = as4
        self.external = external
        self.add_path = add_path
        return gone

    def detach(self, unsigned int kept=0):
        """Take tables out, to be swept later: a list of (family, table).

        Args:
            kept: bit by family: those that stay.
        """
        cdef Table table
        cdef int family
        gone = []
        for family in range(FAMILIES):
            table = self.tables[family]
            if table is not None and not kept >> family & 1:
                table.begin_sweep()
                gone.append((family, table))
                self.tables[family] = None
        return gone

    def family_table(self, int family):
        """The table of a family, or None."""
        return self.tables[family]

    def families(self):
        """The families that have routes, as indices in the order of dumps."""
        return [family for family, table in enumerate(self.tables) if table is not None and len(table)]

    def counts(self, int family):
        """What UPDATEs came to in a family since the counts began, as `Counts`."""
        cdef uint64_t *outcomes
        if not 0 <= family < FAMILIES:
            raise IndexError(family)
        outcomes = self.outcomes[family]
        return Counts(
            outcomes[<int>ANNOUNCED],
            outcomes[<int>UNCHANGED],
            outcomes[<int>WITHDRAWN],
            outcomes[<int>UNKNOWN],
            outcomes[<int>NO_MEMORY] + outcomes[<int>TOO_MANY_PATHS],
        )

    def counted(self):
        """The families that have routes or were counted in, as indices in the order of dumps."""
        return [family for family, table in enumerate(self.tables) if table or any(self.counts(family))]

    def begin_counts(self):
        """Count anew, for another session."""
        memset(self.outcomes, 0, sizeof(self.outcomes))

    def __len__(self):
        return sum(len(table) for table in self.tables if table is not None)


def sweep_all(Rib rib not None, int family, Table table not None, unsigned int routes, Rows rows=None):
    """Remove the routes of a detached table, about `routes` of them.

    Args:
        rows: where the rows of the deleted routes go, or None.
    Returns: whether the table is empty now.
    """
    cdef PrefixIndex prefixes = rib.prefixes[family]
    cdef PathStore paths = rib.paths
    cdef bint through
    cdef uint32_t before = table.count
    with nogil:
        through = sweep(paths, prefixes, table, routes, SWEEP_ALL, rows, family)
    rib.swept += before - table.count
    return through


#: What `sweep_stale` takes: all stale routes, those that must not live long (RFC 9494 section 4.2), or those that were
#: stale already when the table last aged (RFC 4724 section 4.2).
STALE, SHORT_LIVED, DOOMED = SWEEP_STALE, SWEEP_SHORT_LIVED, SWEEP_DOOMED


def sweep_stale(
    Rib rib not None, int family, Table table not None, unsigned int routes, Rows rows=None, *, int which=SWEEP_STALE,
):
    """Remove stale routes, looking at about `routes`; `which` of them, see above.

    Returns: whether the table is through.
    """
    cdef PrefixIndex prefixes = rib.prefixes[family]
    cdef PathStore paths = rib.paths
    cdef bint through
    cdef uint32_t before = table.count
    with nogil:
        through = sweep(paths, prefixes, table, routes, which, rows, family)
    rib.swept += before - table.count
    if through:
        table.sweep_at = 0
    return through
