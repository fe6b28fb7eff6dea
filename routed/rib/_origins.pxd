"""How the origins of stored routes are validated.  See `_origins.pyx`."""

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._order cimport item
from routed.rib._paths cimport path_view
from routed.rib._prefixes cimport PrefixIndex, prefix_view
from routed.rib._rib cimport PeerRib
from routed.rib._table cimport table_view
from routed.rib._vrps cimport Vrps

cdef enum:
    MAX_LENGTHS = 129

cdef void note_lengths(const item *items, size_t n, const prefix_view *prefixes, uint8_t *has_length) noexcept nogil
cdef char status_in_order(
    Vrps vrps, const item *items, size_t n, size_t at, const uint8_t *has_length, const prefix_view *prefixes,
    const path_view *paths, uint32_t own_as,
) noexcept nogil
cdef char status_in_table(
    Vrps vrps, PrefixIndex index, const table_view *table, uint32_t prefix, uint32_t path, const path_view *paths,
    uint32_t own_as,
) noexcept nogil
cdef char status_of_route(Vrps vrps, PeerRib peer, int family, uint32_t prefix, uint32_t path)
