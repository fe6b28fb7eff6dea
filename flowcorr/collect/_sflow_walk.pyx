# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The walk over datagrams of sFlow: a header, then samples.

An exporter is the agent that the header names; who sends for it may change.
Source: sFlow Version 5 (sflow.org, July 2004), section 5.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from flowcorr.collect._datagrams cimport datagram
from flowcorr.collect._exporters cimport NO_SLOT, Exporters, exporter
from flowcorr.collect._walk cimport (
    COUNTERS, FULL, GO_ON, NOT_IP, SAMPLE, SHORT, UNKNOWN_EXPORTER, VERSION, Walk, event,
)
from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._sample cimport V2, V4, V5
from flowcorr.wire._sample_plan cimport SamplePlan
from flowcorr.wire._samples cimport (
    SAMPLE_BROKEN, SAMPLE_NOT_IP, SAMPLE_READ, SAMPLE_SKIPPED, read_header, read_sample, sample_outcome, sflow_header,
)
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy
from routed.octets._cursor cimport load32, span

cdef enum:
    SFLOW = 100                      # added to versions of sFlow, so that they are not those of NetFlow


cdef class SflowWalk(Walk):
    cdef SamplePlan plan
    cdef bint wants_counters
    cdef uint8_t agent[16]
    cdef uint32_t samples            # that are left of the datagram

    def __cinit__(self, Exporters exporters, Texts texts, settings, SamplePlan plan not None):
        self.plan, self.wants_counters = plan, settings.wants_counters

    @property
    def address(self):
        return PyBytes_FromStringAndSize(<const char *>self.agent, 16)

    cdef event open_message(self, const datagram *d) noexcept nogil:
        cdef sflow_header header
        cdef exporter *e
        self.slot = NO_SLOT
        if d.length < 4:
            return self.refuse_datagram(SHORT)
        if load32(d.octets) not in (V2, V4, V5):
            return self.refuse_datagram(VERSION)
        if not read_header(d.octets, d.length, &header):
            return self.refuse_datagram(SHORT)
        self.version, self.domain, self.samples = <uint16_t>header.version + SFLOW, header.sub_agent, header.samples
        memcpy(self.agent, header.agent, 16)
        self.at = self.body = header.octets
        self.end = d.length
        self.slot = self.exporters.find(self.agent, self.version, self.domain)
        if self.slot == NO_SLOT:
            return UNKNOWN_EXPORTER
        e = &self.exporters.items[self.slot]
        if memcmp(e.sender, d.address, 16):
            return UNKNOWN_EXPORTER  # the agent is known, who sends for it is not
        return self.begin(d, e, header.sequence, d.captured, d.length)

    cdef event read_message(self, const datagram *d, Batch batch) noexcept nogil:
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
                &self.plan.c, self.version - SFLOW, &s, &body, batch, self.texts, &self.context, &e.sources)
            self.samples -= 1
            if outcome == SAMPLE_BROKEN:
                return self.refuse_datagram(SAMPLE)
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

    cdef void close_message(self, const datagram *d) noexcept nogil:
        cdef exporter *e = &self.exporters.items[self.slot]
        e.records += self.records
        e.next_sequence += 1
        self.next_datagram()
