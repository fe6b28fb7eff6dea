"""What flows take from paths, read once for each path.  See `_facts.pyx`."""

from flowcorr.columns._texts cimport Texts
from libc.stdint cimport uint8_t, uint32_t
from routed.rib._resolve cimport Resolver

cdef enum:
    FACT_PAGE_BITS = 15              # a page of facts is one of 2 MiB of memory: flows jump among them
    FACT_PAGE = 32768
    FACT_PAGE_MASK = 32767

ctypedef struct fact:                # one cache line
    uint32_t is_known
    uint32_t origin_as
    uint32_t neighbour_as
    uint32_t local_pref
    uint32_t med
    uint32_t as_path                 # texts, held
    uint32_t std_comm
    uint32_t ext_comm
    uint32_t lrg_comm
    uint8_t next_hop[16]
    uint32_t unused[3]


cdef class Facts:
    cdef Resolver resolver
    cdef Texts texts
    cdef object amend
    cdef uint32_t radius
    cdef bint outside, numeric, wants_path, wants_std, wants_ext, wants_lrg
    cdef fact **pages
    cdef size_t page_count
    cdef uint32_t *known             # paths, in the order in which they were read
    cdef size_t known_count, known_room, swept
    cdef char *text
    cdef uint8_t *scratch
    cdef size_t room

    cdef const fact *of(self, uint32_t path) except NULL
    cdef fact *place(self, uint32_t path) except NULL
    cdef int read(self, uint32_t path, fact *f) except -1
    cdef void forget(self, uint32_t path) noexcept


cdef inline const fact *fact_at(Facts facts, uint32_t path) noexcept nogil:
    """Where the facts of a path are, known or not; NULL while there is no page for them."""
    cdef size_t page = path >> FACT_PAGE_BITS
    if page >= facts.page_count or facts.pages[page] == NULL:
        return NULL
    return &facts.pages[page][path & FACT_PAGE_MASK]
