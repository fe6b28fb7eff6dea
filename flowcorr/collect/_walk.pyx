# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The walk over received datagrams: header, exporter, records, all of it in compiled code.

What needs Python interrupts the walk and says so by an event: an exporter that is unknown, templates, options, records of
an unknown template.  `intake.py` answers, and calls again: the walk goes on where it was.  It also stops when the batch
is full, anywhere between two records.

Here is what all protocols have in common; `_netflow_walk.pyx` and `_sflow_walk.pyx` read their messages.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.collect._exporters cimport NO_SLOT
from flowcorr.columns._cells cimport put_time, put_u32
from flowcorr.columns._texts cimport hold_text

EVENTS = {
    "done": DONE,
    "full": FULL,
    "unknown exporter": UNKNOWN_EXPORTER,
    "templates": TEMPLATES,
    "options": OPTIONS,
    "unknown template": UNKNOWN_TEMPLATE,
    "sequence": SEQUENCE,
    "counters": COUNTERS,
}

#: What was refused, by the number of its reason.
REASONS = (
    "short datagram",
    "unknown version",
    "wrong length",
    "no sets",
    "length of a set",
    "length of a record",
    "padding is not zero",
    "exporter refused",
    "sample",
    "sampled packet is not IP",
    "bug",
)


cdef class Walk:
    def __cinit__(self, Exporters exporters not None, Texts texts not None, settings not None, *_):
        self.exporters, self.texts = exporters, texts
        self.time_of_arrival = settings.decode.time_of_arrival
        self.report_sequence = settings.report_sequence
        self.at_sequence = exporters.offset("export_proto_seqno")
        self.at_arrival = exporters.offset("timestamp_arrival")
        self.at_bin = exporters.offset("bin_time")
        self.context.renormalize = settings.decode.renormalize
        self.context.external_rate = settings.decode.external_rate
        self.context.precise_uptime = settings.decode.precise_uptime
        self.context.default_name = texts.id_of(b"default")
        hold_text(texts, self.context.default_name)

    def start(self, Datagrams datagrams not None):
        if self.datagrams is not None:
            raise ValueError("the walk over other datagrams has not ended")
        self.datagrams = datagrams
        self.index = 0
        self.inside = False

    def walk(self, Batch batch not None):
        cdef event what
        if self.datagrams is None:
            raise ValueError("nothing to walk")
        if batch.stride != self.exporters.stride:
            raise ValueError("the batch has another layout")
        if batch.capacity < 2:
            raise ValueError("a record may become two rows")
        with nogil:
            what = self.go(batch)
        if what == DONE:
            self.datagrams = None
        return <int>what

    def refuse(self):
        self.refuse_datagram(EXPORTER)

    def leave(self):
        if self.datagrams is None or self.index == self.datagrams.count:
            self.datagrams = None
            return False
        self.refuse_datagram(BUG)
        return True

    # the last event

    @property
    def octets(self):
        cdef const uint8_t *octets = self.datagrams.items[self.index].octets
        return PyBytes_FromStringAndSize(<const char *>octets + self.event_at, self.event_length)

    @property
    def offset(self):
        return self.event_at - self.message

    @property
    def header(self):
        cdef const uint8_t *octets = self.datagrams.items[self.index].octets
        return PyBytes_FromStringAndSize(<const char *>octets + self.message, self.body - self.message)

    @property
    def sender(self):
        cdef datagram *d = &self.datagrams.items[self.index]
        return PyBytes_FromStringAndSize(<const char *>d.address, 16), d.port, d.arrival

    @property
    def address(self):
        return self.sender[0]

    @property
    def exporter(self):
        return self.slot

    @property
    def refused(self):
        cdef int i
        return {REASONS[i]: self.refusals[i] for i in range(<int>REFUSALS)}

    # the walk

    cdef event go(self, Batch batch) noexcept nogil:
        cdef event what
        cdef const datagram *d
        while self.index < self.datagrams.count:
            d = &self.datagrams.items[self.index]
            if not self.inside:
                what = self.open_message(d)
                if what != GO_ON:
                    return what
                if not self.inside:
                    continue         # refused
            what = self.read_message(d, batch)
            if what != GO_ON:
                return what
            if self.inside:
                self.close_message(d)
        return DONE

    cdef event open_message(self, const datagram *d) noexcept nogil:
        """Read a header, find its exporter and `begin`."""
        return self.refuse_datagram(VERSION)

    cdef event read_message(self, const datagram *d, Batch batch) noexcept nogil:
        """Go on with the records of a message."""
        return GO_ON

    cdef void close_message(self, const datagram *d) noexcept nogil:
        """Count what a message had, and go to the next one."""
        self.next_datagram()

    cdef event begin(
        self, const datagram *d, exporter *e, uint32_t sequence, int64_t bin_time, size_t octets,
    ) noexcept nogil:
        """Be inside a message: stamp what is the same for all its records, and count it, unless that was done before."""
        self.inside, self.records = True, 0
        self.take_facts(e)
        self.context.stamp, self.context.rate_is_given, self.context.rate = e.stamp, e.rate_is_given, e.rate
        put_u32(e.stamp, self.at_sequence, sequence)
        put_time(e.stamp, self.at_arrival, d.arrival)
        put_time(e.stamp, self.at_bin, 0 if self.time_of_arrival else bin_time)
        e.last_seen = d.arrival
        if d.is_parked:
            return GO_ON
        e.datagrams += self.message == 0
        e.octets += octets
        self.walked += self.message == 0
        self.walked_octets += octets
        return self.check_sequence(d, e, sequence)

    cdef event check_sequence(self, const datagram *d, exporter *e, uint32_t sequence) noexcept nogil:
        """Count what is missing between this message and the one before."""
        cdef int32_t jump = <int32_t>(sequence - e.next_sequence)
        cdef bint is_known = e.has_sequence and e.port == d.port
        self.expected, self.received = e.next_sequence, sequence
        e.has_sequence, e.port, e.next_sequence = True, d.port, sequence
        if not is_known or not jump:
            return GO_ON
        if jump > 0:
            e.jumps_forward += 1
            e.missing += <uint32_t>jump
        else:
            e.jumps_backward += 1
        return SEQUENCE if self.report_sequence else GO_ON

    cdef void take_facts(self, const exporter *e) noexcept nogil:
        """What Python may have changed since the last set."""
        self.context.near, self.context.far = e.near, e.far
        self.context.rules, self.context.rule_count = e.rules, e.rule_count

    cdef void count_refusal(self, refusal why) noexcept nogil:
        cdef exporter *e
        self.refusals[<int>why] += 1
        if self.slot != NO_SLOT:
            e = &self.exporters.items[self.slot]
            e.refused += 1

    cdef event refuse_datagram(self, refusal why) noexcept nogil:
        """Leave the datagram at hand."""
        self.count_refusal(why)
        self.next_datagram()
        return GO_ON

    cdef void next_datagram(self) noexcept nogil:
        self.inside = False
        self.index += 1
        self.message = 0
