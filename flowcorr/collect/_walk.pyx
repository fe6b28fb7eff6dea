# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The walk over received datagrams: header, exporter, sets, records, all of it in compiled code.

What needs Python interrupts the walk and says so by an event: an exporter that is unknown, templates, options, records of
an unknown template.  `intake.py` answers, and calls again: the walk goes on where it was.  It also stops when the batch
is full, anywhere between two records.

Sources: RFC 3954 section 5 (v9), RFC 7011 section 3 (IPFIX), sFlow v5 section 5; NetFlow v5 as routers send it.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.collect._datagrams cimport Datagrams, datagram
from flowcorr.collect._exporters cimport NO_SLOT, Exporters, exporter, plan_of
from flowcorr.columns._batch cimport Batch
from flowcorr.columns._cells cimport put_time, put_u32
from flowcorr.columns._texts cimport Texts, hold_text
from flowcorr.wire._facts cimport SAMPLER, fact_entry, find_fact
from flowcorr.wire._records cimport Plan, plan, rate_of_sampler, read_records, record_context
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from flowcorr.wire._samples cimport (
    SAMPLE_BROKEN, SAMPLE_NOT_IP, SAMPLE_READ, SAMPLE_SKIPPED, SamplePlan, read_header, read_sample, sample_outcome,
    sflow_header,
)
from libc.string cimport memcmp, memcpy
from routed.octets._cursor cimport load16, load32, span

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

EVENTS = {
    "done": DONE, "full": FULL, "unknown exporter": UNKNOWN_EXPORTER, "templates": TEMPLATES, "options": OPTIONS,
    "unknown template": UNKNOWN_TEMPLATE, "sequence": SEQUENCE, "counters": COUNTERS,
}

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

REASONS = (
    "short datagram", "unknown version", "wrong length", "no sets", "length of a set", "length of a record",
    "padding is not zero", "exporter refused", "sample", "sampled packet is not IP", "bug",
)

cdef enum:
    V5 = 5
    V9 = 9
    IPFIX = 10
    V5_HEADER = 24
    V5_RECORD = 48
    MOST_V5_RECORDS = 30
    V9_HEADER = 20
    IPFIX_HEADER = 16
    SET_HEADER = 4
    FIRST_TEMPLATE = 256
    SAMPLING_RATE_BITS = 0x3FFF
    SFLOW_V2 = 2
    SFLOW_V4 = 4
    SFLOW_V5 = 5
    SFLOW = 100                      # added to versions of sFlow, so that they are not those of NetFlow

cdef int64_t SECOND = 1000000


cdef class Walk:
    cdef readonly Exporters exporters
    cdef Texts texts
    cdef Plan v5_plan
    cdef SamplePlan sample_plan
    cdef bint is_sflow, time_of_arrival, check_padding, report_sequence, decode_options, wants_counters
    cdef record_context context
    cdef int32_t at_sequence, at_arrival, at_export, at_start, at_bin
    # where the walk is
    cdef Datagrams datagrams
    cdef size_t index
    cdef bint inside                 # of a message whose header was read
    cdef size_t message, at, end     # octets of the datagram: start of the message, next set, end of the message
    cdef size_t record_at            # next record of the set at hand, 0: the set was not begun
    cdef uint32_t slot
    cdef uint64_t records            # of the message
    cdef bint is_uncertain           # the message has records that could not be counted
    cdef uint32_t samples            # of sFlow, that are left
    # of the last event
    cdef readonly int set_id
    cdef readonly uint32_t domain, expected, received
    cdef readonly uint16_t version
    cdef size_t event_at, event_length
    cdef uint64_t refusals[REFUSALS]
    cdef readonly uint64_t walked, walked_octets, rows, unknown_sets, samples_skipped
    cdef uint8_t agent[16]           # of sFlow

    def __cinit__(self, Exporters exporters not None, Texts texts not None, settings not None, Plan v5_plan not None,
                  SamplePlan sample_plan not None):
        self.exporters, self.texts, self.v5_plan, self.sample_plan = exporters, texts, v5_plan, sample_plan
        self.is_sflow, self.wants_counters = settings.is_sflow, settings.wants_counters
        self.time_of_arrival = settings.decode.time_of_arrival
        self.check_padding = settings.check_padding
        self.report_sequence = settings.report_sequence
        self.decode_options = settings.account_options
        self.at_sequence = exporters.offset("export_proto_seqno")
        self.at_arrival = exporters.offset("timestamp_arrival")
        self.at_export = exporters.offset("timestamp_export")
        self.at_start = exporters.offset("timestamp_start")
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
        """Leave the datagram at hand: its exporter is not wanted."""
        self.refuse_datagram(EXPORTER)

    def leave(self):
        """Leave the datagram at hand, which something failed for; False when there is none."""
        if self.datagrams is None or self.index == self.datagrams.count:
            self.datagrams = None
            return False
        self.refuse_datagram(BUG)
        return True

    # the octets of the last event

    @property
    def octets(self):
        cdef const uint8_t *octets = self.datagrams.items[self.index].octets
        return PyBytes_FromStringAndSize(<const char *>octets + self.event_at, self.event_length)

    @property
    def offset(self):
        return self.event_at - self.message

    @property
    def header(self):
        """The header of the message at hand."""
        cdef const uint8_t *octets = self.datagrams.items[self.index].octets
        cdef size_t length = V9_HEADER if self.version == V9 else IPFIX_HEADER
        return PyBytes_FromStringAndSize(<const char *>octets + self.message, length)

    @property
    def sender(self):
        cdef datagram *d = &self.datagrams.items[self.index]
        return PyBytes_FromStringAndSize(<const char *>d.address, 16), d.port, d.arrival

    @property
    def address(self):
        """The address of the exporter: of sFlow the agent's, or else the sender's."""
        if self.is_sflow:
            return PyBytes_FromStringAndSize(<const char *>self.agent, 16)
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
            what = self.read_samples(d, batch) if self.is_sflow else self.read_sets(d, batch)
            if what != GO_ON:
                return what
            if self.inside:
                self.close_message(d)
        return DONE

    cdef void count_refusal(self, refusal why) noexcept nogil:
        cdef exporter *e
        self.refusals[<int>why] += 1
        if self.slot != NO_SLOT:
            e = &self.exporters.items[self.slot]
            e.refused += 1

    cdef void refuse_datagram(self, refusal why) noexcept nogil:
        self.count_refusal(why)
        self.next_datagram()

    cdef void next_datagram(self) noexcept nogil:
        self.inside = False
        self.index += 1
        self.message = 0

    cdef event open_message(self, const datagram *d) noexcept nogil:
        """Read a header and find its exporter."""
        if self.is_sflow:
            return self.open_sflow(d)
        return self.open_netflow(d)

    cdef event open_sflow(self, const datagram *d) noexcept nogil:
        cdef sflow_header header
        cdef exporter *e
        self.slot = NO_SLOT
        if d.length < 4:
            self.refuse_datagram(SHORT)
            return GO_ON
        if load32(d.octets) not in (SFLOW_V2, SFLOW_V4, SFLOW_V5):
            self.refuse_datagram(VERSION)
            return GO_ON
        if not read_header(d.octets, d.length, &header):
            self.refuse_datagram(SHORT)
            return GO_ON
        self.version, self.domain, self.samples = <uint16_t>header.version + SFLOW, header.sub_agent, header.samples
        memcpy(self.agent, header.agent, 16)
        self.at, self.end = header.octets, d.length
        self.slot = self.exporters.find(self.agent, self.version, self.domain)
        if self.slot == NO_SLOT:
            return UNKNOWN_EXPORTER
        e = &self.exporters.items[self.slot]
        if memcmp(e.sender, d.address, 16):
            return UNKNOWN_EXPORTER  # the agent is known, who sends for it is not
        self.inside, self.records, self.is_uncertain = True, 0, False
        self.take_facts(e)
        self.context.stamp, self.context.rate_is_given, self.context.rate = e.stamp, e.rate_is_given, e.rate
        put_u32(e.stamp, self.at_sequence, header.sequence)
        put_time(e.stamp, self.at_arrival, d.arrival)
        put_time(e.stamp, self.at_bin, 0 if self.time_of_arrival else d.captured)
        e.last_seen = d.arrival
        e.datagrams += 1
        e.octets += d.length
        self.walked += 1
        self.walked_octets += d.length
        return self.check_sequence(e, d, header.sequence)

    cdef event read_samples(self, const datagram *d, Batch batch) noexcept nogil:
        cdef span s, body
        cdef size_t start
        cdef sample_outcome outcome
        cdef exporter *e = &self.exporters.items[self.slot]
        while self.samples and self.end - self.at >= 4:
            if batch.count == batch.capacity:
                return FULL
            start = self.at
            s.at, s.end = d.octets + start, d.octets + self.end
            outcome = read_sample(
                &self.sample_plan.c, self.version - SFLOW, &s, &body, batch, self.texts, &self.context, &e.sources)
            self.samples -= 1
            if outcome == SAMPLE_BROKEN:
                self.refuse_datagram(SAMPLE)
                return GO_ON
            self.at = <size_t>(s.at - d.octets)
            if outcome == SAMPLE_READ:
                self.records += 1
                self.rows += 1
            elif outcome == SAMPLE_NOT_IP:
                self.count_refusal(NOT_IP)
            elif outcome == SAMPLE_SKIPPED:
                self.samples_skipped += 1
            elif self.wants_counters:
                self.event_at, self.event_length = start, self.at - start
                return COUNTERS
        if self.samples:
            self.count_refusal(SAMPLE)
        return GO_ON

    cdef event open_netflow(self, const datagram *d) noexcept nogil:
        cdef const uint8_t *at = d.octets + self.message
        cdef size_t length = d.length - self.message
        cdef uint32_t sequence, seconds, uptime = 0, rate = 0, count = 0
        cdef int64_t export_time
        cdef exporter *e
        self.slot = NO_SLOT
        if length < IPFIX_HEADER:
            self.refuse_datagram(SHORT)
            return GO_ON
        self.version = load16(at)
        if self.version == IPFIX:
            self.end = load16(at + 2)
            if self.end < IPFIX_HEADER or self.end > length:
                self.end = length    # some exporters count wrong; the datagram tells as well
            self.end += self.message
            seconds, sequence, self.domain = load32(at + 4), load32(at + 8), load32(at + 12)
            self.at = self.message + IPFIX_HEADER
            export_time = seconds * SECOND
        elif self.version == V9:
            if length < V9_HEADER:
                self.refuse_datagram(SHORT)
                return GO_ON
            self.end = d.length
            uptime, seconds, sequence, self.domain = load32(at + 4), load32(at + 8), load32(at + 12), load32(at + 16)
            self.at = self.message + V9_HEADER
            export_time = seconds * SECOND
        elif self.version == V5:
            count = load16(at + 2)
            if not 0 < count <= MOST_V5_RECORDS or length != V5_HEADER + V5_RECORD * count:
                self.refuse_datagram(LENGTH if length >= V5_HEADER else SHORT)
                return GO_ON
            self.end = d.length
            uptime, seconds, sequence = load32(at + 4), load32(at + 8), load32(at + 16)
            export_time = seconds * SECOND + load32(at + 12) / 1000
            self.domain = <uint32_t>at[21] << 8 | at[20]
            rate = load16(at + 22) & SAMPLING_RATE_BITS
            self.at = V5_HEADER
        else:
            self.refuse_datagram(VERSION)
            return GO_ON
        self.slot = self.exporters.find(d.address, self.version, self.domain)
        if self.slot == NO_SLOT:
            return UNKNOWN_EXPORTER
        e = &self.exporters.items[self.slot]
        if self.version != V5 and self.end - self.at < SET_HEADER:
            self.refuse_datagram(NO_SETS)
            return GO_ON
        self.inside, self.record_at, self.records, self.is_uncertain = True, 0, 0, False
        self.context.stamp = e.stamp
        self.context.export_time, self.context.export_seconds, self.context.uptime = export_time, seconds, uptime
        self.take_facts(e)
        self.context.rate_is_given = e.rate_is_given
        self.context.rate = e.rate if e.rate_is_given else rate
        put_u32(e.stamp, self.at_sequence, sequence)
        put_time(e.stamp, self.at_arrival, d.arrival)
        put_time(e.stamp, self.at_export, seconds * SECOND)
        put_time(e.stamp, self.at_start, seconds * SECOND)
        put_time(e.stamp, self.at_bin, 0 if self.time_of_arrival else seconds * SECOND)
        e.last_seen = d.arrival
        if d.is_parked:
            return GO_ON
        e.datagrams += self.message == 0
        e.octets += self.end - self.message
        self.walked += self.message == 0
        self.walked_octets += self.end - self.message
        return self.check_sequence(e, d, sequence)

    cdef void take_facts(self, const exporter *e) noexcept nogil:
        """What Python may have changed since the last set."""
        self.context.near, self.context.far = e.near, e.far
        self.context.rules, self.context.rule_count = e.rules, e.rule_count

    cdef event check_sequence(self, exporter *e, const datagram *d, uint32_t sequence) noexcept nogil:
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

    cdef void close_message(self, const datagram *d) noexcept nogil:
        cdef exporter *e = &self.exporters.items[self.slot]
        e.records += self.records
        if not d.is_parked:
            if self.version == V9 or self.is_sflow:
                e.next_sequence += 1
            else:
                e.next_sequence += <uint32_t>self.records
                e.has_sequence = not self.is_uncertain
        if self.version == IPFIX and d.length - self.end >= IPFIX_HEADER:
            self.message, self.inside = self.end, False      # another message (some exporters join them)
            return
        self.next_datagram()

    cdef event read_sets(self, const datagram *d, Batch batch) noexcept nogil:
        cdef const uint8_t *at
        cdef size_t length
        cdef event what
        if self.version == V5:
            if not self.record_at:
                self.record_at = self.at
            return self.read_set(d, &self.v5_plan.c, self.end, batch)
        while self.end - self.at >= SET_HEADER:
            at = d.octets + self.at
            length = load16(at + 2)
            if length < SET_HEADER or length > self.end - self.at:
                self.refuse_datagram(SET_LENGTH)
                return GO_ON
            what = self.read_any_set(d, load16(at), length, batch)
            if what == FULL:
                return FULL
            if what != GO_ON:
                self.event_at, self.event_length = self.at + SET_HEADER, length - SET_HEADER
                self.at += length
                return what
            if not self.inside:
                return GO_ON
            self.at += length
            self.record_at = 0
        return GO_ON

    cdef event read_any_set(self, const datagram *d, uint16_t set_id, size_t length, Batch batch) noexcept nogil:
        cdef exporter *e = &self.exporters.items[self.slot]
        cdef const plan *p
        cdef event what
        self.set_id = set_id
        if set_id < FIRST_TEMPLATE:
            return TEMPLATES if set_id < 2 and self.version == V9 or 2 <= set_id <= 3 and self.version == IPFIX else GO_ON
        self.take_facts(e)
        p = plan_of(e, set_id)
        if p == NULL:
            if not d.is_parked:
                self.unknown_sets += 1
                e.unknown_template += 1
            self.is_uncertain = True
            return UNKNOWN_TEMPLATE
        if not self.record_at:
            self.record_at = self.at + SET_HEADER
            if self.check_padding and not padding_is_zero(p, d.octets + self.record_at, length - SET_HEADER):
                self.count_refusal(PADDING)
                self.is_uncertain = True
                return GO_ON
            if not e.rate_is_given:
                self.context.rate = self.rate_without_sampler(p, set_id)
        if not p.is_options or self.decode_options:
            what = self.read_set(d, p, self.at + length, batch)
            if what != GO_ON:
                return what
        if p.is_options:
            if not self.decode_options and not p.is_variable:
                self.records += (length - SET_HEADER) / p.octets
            self.is_uncertain = self.is_uncertain or (p.is_variable and not self.decode_options)
            self.record_at = 0
            return OPTIONS
        return GO_ON

    cdef event read_set(self, const datagram *d, const plan *p, size_t end, Batch batch) noexcept nogil:
        """Rows of the records from where the walk is up to the end of their set."""
        cdef size_t taken = 0, before = batch.count
        cdef bint broken = False
        self.records += read_records(
            p, d.octets + self.record_at, end - self.record_at, batch, self.texts, &self.context, &taken, &broken)
        self.record_at += taken
        self.rows += batch.count - before
        if broken:
            self.count_refusal(RECORD_LENGTH)
        elif end - self.record_at >= p.octets:
            return FULL
        return GO_ON

    cdef uint32_t rate_without_sampler(self, const plan *p, uint16_t template_id) noexcept nogil:
        """The rate of records that name none: of sampler 0, or of one whose id is the template's."""
        cdef uint32_t rate
        cdef fact_entry *found
        if p.has_rate:
            return 0
        rate = rate_of_sampler(&self.context, 0)
        if not rate:
            found = find_fact(self.context.near, SAMPLER, template_id)
            rate = <uint32_t>found.value if found != NULL else 0
        return rate


cdef bint padding_is_zero(const plan *p, const uint8_t *at, size_t length) noexcept nogil:
    """Whether what is left behind whole records is zero; of records of variable length nobody can tell beforehand."""
    cdef size_t i
    if not p.is_variable:
        for i in range(length - length % p.octets, length):
            if at[i]:
                return False
    return True
