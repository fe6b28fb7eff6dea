"""What one attribute set says, as numbers and as texts.  See `_path_facts.pyx`."""

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._paths cimport path_view

cdef enum:
    NEXT_HOP_OCTETS = 16

cdef enum:                           # lists of communities
    STANDARD_LIST = 0
    EXTENDED_LIST = 1
    LARGE_LIST = 2

ctypedef struct path_facts:
    uint32_t origin_as               # the last AS number of the path, as written; 0: an empty one
    uint32_t neighbour_as            # the first one; 0: none, or the path begins with a set
    uint32_t local_pref              # 0: none
    uint32_t med                     # 0: none
    uint8_t next_hop[NEXT_HOP_OCTETS]    # IPv4 mapped into IPv6; all ones: none


cdef void read_next_hop(const path_view *paths, uint32_t path, uint8_t *octets) noexcept nogil
cdef void read_facts(const path_view *paths, uint32_t path, bint outside, path_facts *facts) noexcept nogil
cdef size_t text_room(const path_view *paths, uint32_t path) noexcept nogil
cdef size_t as_path_text(
    const path_view *paths, uint32_t path, uint32_t radius, char *to, uint8_t *room,
) noexcept nogil
cdef size_t communities_text(
    const path_view *paths, uint32_t path, int which, bint numeric, char *to, uint8_t *room,
) noexcept nogil
