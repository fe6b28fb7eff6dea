"""The walk over received datagrams.  See `_walk.pyx`."""

from flowcorr.collect._datagrams cimport Datagrams, datagram
from flowcorr.collect._exporters cimport Exporters, exporter
from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._record cimport record_context
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum event:
    DONE                             # all datagrams were walked
    FULL                             # the batch is
    UNKNOWN_EXPORTER
    TEMPLATES
    OPTIONS
    UNKNOWN_TEMPLATE
    SEQUENCE                         # a jump, where somebody wants to know
    COUNTERS                         # a counter sample of sFlow, where somebody wants them
    GO_ON                            # never seen outside

cdef enum refusal:
    SHORT                            # no room for its header
    VERSION
    LENGTH                           # does not fit its count of records
    NO_SETS
    SET_LENGTH                       # of a set, below 4 or passing the end
    RECORD_LENGTH                    # a record of variable length passes the end
    PADDING                          # not zero, where that is checked
    EXPORTER                         # not allowed, or one too many
    SAMPLE                           # cut, or of a kind whose end nobody knows
    NOT_IP                           # a sampled packet
    BUG                              # of ours
    REFUSALS


cdef class Walk:
    cdef readonly Exporters exporters
    cdef Texts texts
    cdef bint time_of_arrival, report_sequence
    cdef record_context context
    cdef int32_t at_sequence, at_arrival, at_bin
    # where the walk is
    cdef Datagrams datagrams
    cdef size_t index
    cdef bint inside                 # of a message whose header was read
    cdef size_t message, body, end   # octets of the datagram: start of the message, what is behind its header, its end
    cdef size_t at                   # ... next set or sample
    cdef uint32_t slot
    cdef uint64_t records            # of the message
    # of the last event
    cdef readonly int set_id
    cdef readonly uint32_t domain, expected, received
    cdef readonly uint16_t version
    cdef size_t event_at, event_length
    cdef uint64_t refusals[REFUSALS]
    cdef readonly uint64_t walked, walked_octets, rows, unknown_sets, samples_skipped

    cdef event go(self, Batch batch) noexcept nogil
    cdef event open_message(self, const datagram *d) noexcept nogil
    cdef event read_message(self, const datagram *d, Batch batch) noexcept nogil
    cdef void close_message(self, const datagram *d) noexcept nogil
    cdef event begin(self, const datagram *d, exporter *e, uint32_t sequence, int64_t bin_time, size_t octets) noexcept nogil
    cdef event check_sequence(self, const datagram *d, exporter *e, uint32_t sequence) noexcept nogil
    cdef void take_facts(self, const exporter *e) noexcept nogil
    cdef void count_refusal(self, refusal why) noexcept nogil
    cdef event refuse_datagram(self, refusal why) noexcept nogil
    cdef void next_datagram(self) noexcept nogil
