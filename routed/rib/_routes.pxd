"""One route in the three stores.  See `_routes.pyx`."""

from libc.stdint cimport uint32_t
from routed.rib._paths cimport PathStore
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._rows cimport Rows
from routed.rib._table cimport Table

ctypedef enum outcome:
    ANNOUNCED = 0                    # new, or with another path than before
    UNCHANGED = 1
    WITHDRAWN = 2
    UNKNOWN = 3                      # a withdrawal of what is not there
    NO_MEMORY = 4
    TOO_MANY_PATHS = 5
    OUTCOMES = 6

cdef enum:                           # which routes a sweep takes
    SWEEP_ALL = 0
    SWEEP_STALE = 1
    SWEEP_SHORT_LIVED = 2            # stale, and not to live long (RFC 9494)
    SWEEP_DOOMED = 3                 # stale for the second time (RFC 4724 section 4.2)

cdef enum:
    MAX_PATHS = 256                  # ADD-PATH routes of one prefix: a peer controls it, a chain is walked

cdef outcome announce(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t prefix, uint32_t path, uint32_t path_identifier,
) noexcept nogil
cdef outcome withdraw(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t prefix, uint32_t path_identifier, Rows rows,
    int kind, int family,
) noexcept nogil
cdef bint sweep(
    PathStore paths, PrefixIndex prefixes, Table table, uint32_t routes, int which, Rows rows, int family,
) noexcept nogil
