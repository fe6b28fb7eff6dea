# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The walk over messages of NetFlow and IPFIX: a header, then sets of records, templates or options.

Sources: RFC 3954 section 5 (v9), RFC 7011 section 3 (IPFIX); NetFlow v5 has records alone.
"""

from flowcorr.collect._datagrams cimport datagram
from flowcorr.collect._exporters cimport NO_SLOT, Exporters, exporter, plan_of
from flowcorr.collect._walk cimport (
    FULL, GO_ON, LENGTH, NO_SETS, OPTIONS, PADDING, RECORD_LENGTH, SET_LENGTH, SHORT, TEMPLATES, UNKNOWN_EXPORTER,
    UNKNOWN_TEMPLATE, VERSION, Walk, event, refusal,
)
from flowcorr.columns._batch cimport Batch
from flowcorr.columns._cells cimport put_time
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._facts cimport SAMPLER, fact_entry, find_fact
from flowcorr.wire._message_header cimport (
    HEADER_LENGTH, HEADER_READ, HEADER_SHORT, HEADER_VERSION, IPFIX, IPFIX_HEADER, V5, V9, header_outcome,
    message_header, read_message_header,
)
from flowcorr.wire._plan cimport Plan, plan
from flowcorr.wire._rates cimport rate_of_sampler
from flowcorr.wire._records cimport read_records
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from routed.octets._cursor cimport load16

cdef enum:
    SET_HEADER = 4
    FIRST_TEMPLATE = 256

cdef int64_t SECOND = 1000000

cdef refusal REFUSED[4]              # headers, by what came of reading them
REFUSED[<int>HEADER_SHORT] = SHORT
REFUSED[<int>HEADER_VERSION] = VERSION
REFUSED[<int>HEADER_LENGTH] = LENGTH


cdef class NetflowWalk(Walk):
    cdef Plan v5_plan
    cdef bint check_padding, decode_options
    cdef int32_t at_export, at_start
    cdef size_t record_at            # next record of the set at hand, 0: the set was not begun
    cdef bint is_uncertain           # the message has records that could not be counted

    def __cinit__(self, Exporters exporters, Texts texts, settings, Plan v5_plan not None):
        self.v5_plan = v5_plan
        self.check_padding, self.decode_options = settings.check_padding, settings.account_options
        self.at_export = exporters.offset("timestamp_export")
        self.at_start = exporters.offset("timestamp_start")

    cdef event open_message(self, const datagram *d) noexcept nogil:
        cdef message_header header
        cdef header_outcome outcome
        cdef exporter *e
        cdef int64_t export_second
        cdef event what
        self.slot = NO_SLOT
        outcome = read_message_header(d.octets + self.message, d.length - self.message, &header)
        if outcome != HEADER_READ:
            return self.refuse_datagram(REFUSED[<int>outcome])
        self.version, self.domain = header.version, header.domain
        self.at = self.body = self.message + header.octets
        self.end = self.message + header.message_octets
        self.slot = self.exporters.find(d.address, self.version, self.domain)
        if self.slot == NO_SLOT:
            return UNKNOWN_EXPORTER
        e = &self.exporters.items[self.slot]
        if self.version != V5 and self.end - self.at < SET_HEADER:
            return self.refuse_datagram(NO_SETS)
        self.record_at, self.is_uncertain = 0, False
        self.context.export_time, self.context.export_seconds = header.export_time, header.seconds
        self.context.uptime = header.uptime
        export_second = header.seconds * SECOND
        put_time(e.stamp, self.at_export, export_second)
        put_time(e.stamp, self.at_start, export_second)
        what = self.begin(d, e, header.sequence, export_second, header.message_octets)
        if not e.rate_is_given:
            self.context.rate = header.rate
        return what

    cdef void close_message(self, const datagram *d) noexcept nogil:
        cdef exporter *e = &self.exporters.items[self.slot]
        e.records += self.records
        if not d.is_parked:
            if self.version == V9:
                e.next_sequence += 1
            else:
                e.next_sequence += <uint32_t>self.records
                e.has_sequence = not self.is_uncertain
        if self.version == IPFIX and d.length - self.end >= IPFIX_HEADER:
            self.message, self.inside = self.end, False      # another message (some exporters join them)
            return
        self.next_datagram()

    # sets

    cdef event read_message(self, const datagram *d, Batch batch) noexcept nogil:
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
                return self.refuse_datagram(SET_LENGTH)
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
        if not p.traits.is_options or self.decode_options:
            what = self.read_set(d, p, self.at + length, batch)
            if what != GO_ON:
                return what
        if p.traits.is_options:
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
        if p.traits.has_rate:
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
