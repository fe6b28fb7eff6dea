# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Prefixes and paths as they are at one moment, for readers in other threads.

Opening costs a copy of the lists of pages.  While it is open the stores move nothing and use no id again, so a reader
needs no lock; of ids that no table of its own holds it must believe nothing.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from routed.rib._paths cimport PathStore, path_entry
from routed.rib._prefixes cimport PrefixIndex, prefix_page
from routed.rib._rib cimport Rib
from routed.rib._rows cimport FAMILIES


cdef class Pinned:
    """The stores of a daemon, held as they are; opened and closed in the writer's thread.

    Args:
        families: indices of those whose prefixes will be read.
    """

    def __cinit__(self, Rib rib not None, families):
        cdef int family
        cdef PathStore paths = rib.paths
        cdef PrefixIndex index
        self.rib = rib
        self.paths.pages = <path_entry **>copy_of(paths.view.pages, paths.page_count)
        self.paths.segments = <uint8_t **>copy_of(paths.view.segments, paths.segment_count)
        if self.paths.pages == NULL or self.paths.segments == NULL:
            raise MemoryError
        for family in families:
            index = rib.prefixes[family]
            self.prefixes[family] = index.view
            self.prefixes[family].pages = <prefix_page **>copy_of(index.view.pages, index.page_count)
            if self.prefixes[family].pages == NULL:
                raise MemoryError
        for family in families:
            index = rib.prefixes[family]
            index.pin()
            self.families |= 1U << family
        paths.pin()
        self.is_open = True

    def __dealloc__(self):
        cdef int family
        free(self.paths.pages)
        free(self.paths.segments)
        for family in range(FAMILIES):
            free(self.prefixes[family].pages)

    cpdef close(self):
        """Let the stores move and free again.

        Raises: RuntimeError while somebody reads.
        """
        cdef int family
        cdef PrefixIndex index
        if self.readers:
            raise RuntimeError("stores that are being read cannot be let go")
        if not self.is_open:
            return
        self.is_open = False
        for family in range(FAMILIES):
            if self.families >> family & 1:
                index = self.rib.prefixes[family]
                index.unpin()
        self.rib.paths.unpin()


cdef void *copy_of(const void *pointers, size_t count) noexcept nogil:
    """A copy of a list of pointers; NULL without memory."""
    cdef void *copy = malloc((count + 1) * sizeof(void *))
    if copy != NULL and count:
        memcpy(copy, pointers, count * sizeof(void *))
    return copy
