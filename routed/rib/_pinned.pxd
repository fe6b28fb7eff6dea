"""The stores as they are at one moment.  See `_pinned.pyx`."""

from routed.rib._paths cimport path_view
from routed.rib._prefixes cimport prefix_view
from routed.rib._rib cimport Rib
from routed.rib._rows cimport FAMILIES


cdef class Pinned:
    cdef Rib rib
    cdef path_view paths
    cdef prefix_view prefixes[FAMILIES]
    cdef unsigned int families               # bit by family: pinned
    cdef readonly bint is_open
    cdef int readers                         # threads that are at it

    cpdef close(self)
