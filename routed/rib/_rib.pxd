"""The stores of one daemon and the tables of its peers.  See `_rib.pyx`."""

from libc.stdint cimport uint32_t, uint64_t
from routed.rib._ids cimport id_hash
from routed.rib._paths cimport PathStore
from routed.rib._prefixes cimport PrefixIndex
from routed.rib._routes cimport OUTCOMES
from routed.rib._rows cimport FAMILIES, Rows
from routed.rib._table cimport Table


cdef class Rib:
    cdef readonly PathStore paths
    cdef readonly list prefixes              # PrefixIndex by family
    cdef id_hash *prefix_ids[FAMILIES]
    cdef uint64_t seed
    cdef uint64_t swept                      # routes since memory was last given back to the system
    cdef list workspaces                     # buffers of the UPDATE path that no run uses
    cdef list structures                     # of longest-match look-ups, by family


cdef class PeerRib:
    cdef readonly Rib rib
    cdef list tables                         # Table or None by family
    cdef readonly bint as4, external
    cdef public uint32_t own_as              # of the speaker: the origin of paths that did not leave its AS
    cdef readonly unsigned int add_path      # bit by family: the peer sends path identifiers

    cdef uint64_t outcomes[FAMILIES][OUTCOMES]   # what UPDATEs came to since the counts began

    cdef Table table(self, int family)
