"""Exporters, as compiled code knows them.  See `_exporters.pyx`."""

from flowcorr.wire._facts cimport facts
from flowcorr.wire._plan cimport plan
from flowcorr.wire._record cimport interface_rate
from flowcorr.wire._source_rates cimport source_rates
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    NO_SLOT = 0xFFFFFFFF

ctypedef struct exporter:
    uint8_t address[16]              # of the sender; of sFlow, of the agent
    uint8_t sender[16]               # of the datagrams: of sFlow perhaps another one
    uint32_t domain                  # source id, observation domain, engine, sub-agent
    uint16_t version
    uint16_t port
    bint is_used
    bint has_sequence                # the next sequence number is known
    uint32_t next_sequence
    int64_t last_seen                # microseconds since 1970
    uint8_t *stamp                   # the row that its records start as
    facts *near                      # of the domain, NULL: none
    facts *far                       # of the whole exporter
    uint16_t *template_ids           # by hash, 0: free
    const plan **plans
    uint32_t template_mask
    bint rate_is_given               # by a sampling map
    uint32_t rate
    interface_rate *rules
    uint32_t rule_count
    source_rates sources             # of sFlow
    uint64_t datagrams, octets, records, jumps_forward, jumps_backward, missing, unknown_template, refused


cdef class Exporters:
    cdef exporter *items
    cdef uint32_t *slots             # by hash, NO_SLOT: free
    cdef uint32_t *free_slots
    cdef uint32_t free_count
    cdef uint32_t used_end           # slots below were given out at some time
    cdef readonly uint32_t capacity
    cdef readonly uint32_t count
    cdef uint64_t mask, seed
    cdef size_t stride
    cdef bytes blank
    cdef dict offsets

    cdef uint32_t find(self, const uint8_t *address, uint16_t version, uint32_t domain) noexcept nogil
    cdef uint64_t home(self, const uint8_t *address, uint16_t version, uint32_t domain) noexcept nogil
    cdef exporter *of(self, uint32_t slot) except NULL


cdef inline const plan *plan_of(const exporter *e, uint16_t template_id) noexcept nogil:
    """How records of a template are read, NULL when it is unknown."""
    cdef uint32_t at
    if e.template_ids == NULL:
        return NULL
    at = template_id & e.template_mask
    while e.template_ids[at]:
        if e.template_ids[at] == template_id:
            return e.plans[at]
        at = (at + 1) & e.template_mask
    return NULL
