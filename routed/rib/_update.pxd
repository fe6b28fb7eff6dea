"""UPDATE octets into the stores, block by block.  See `_update.pyx`."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from routed.rib._block cimport reader
from routed.rib._paths cimport PathStore
from routed.rib._rib cimport PeerRib, Rib
from routed.rib._routes cimport OUTCOMES
from routed.rib._rows cimport Rows


cdef class Workspace:
    cdef reader r


cdef class Intake:
    cdef Rib rib
    cdef PathStore paths                 # of its own: in a cycle of garbage the stores may be cleared first
    cdef PeerRib peer                    # whose tables the operations at hand go to
    cdef bytes octets
    cdef Workspace space
    cdef size_t at, end                  # in the octets: where the next block starts
    cdef size_t operation                # in the block: the next one to carry out
    cdef readonly bint filled_rows       # whether the last step ended because the rows had filled their buffer
    cdef bint in_block                   # the block's attribute sets hold references
    cdef uint64_t counts[OUTCOMES]       # operations of the run by what they came to
    cdef list ends                       # (AFI, SAFI) of End-of-RIB markers, likewise
    cdef const uint8_t *marks            # of the routes at hand
    cdef uint16_t mark_octets

    cdef int begin(self, Rib rib, bytes octets) except -1
    cdef size_t read(self) except? 0
    cdef size_t stretch(self, size_t at, Rows rows) except? 0
    cdef object report(self)
    cdef object finish(self)
    cdef bint next_block(self, Rows rows) except -1
    cdef int carry_out(self, Rows rows, size_t end) except -1


cdef tuple tally_of(const uint64_t *outcomes)
cdef object refusals_of(reader *r)
cdef dict refused_by(reader *r)
cdef list other_families_of(reader *r)
