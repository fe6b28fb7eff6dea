"""Samples of sFlow into rows.  See `_samples.pyx`."""

from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._packet cimport packet_targets, packet_value
from flowcorr.wire._records cimport plan_places, record_context
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from routed.octets._cursor cimport span

ctypedef struct sflow_header:
    uint32_t version
    uint8_t agent[16]                # IPv4 mapped
    uint32_t sub_agent, sequence, uptime, samples
    size_t octets                    # of the header

ctypedef struct source_rate:         # of one data source
    uint32_t index, sequence, pool
    bint is_used

ctypedef struct source_rates:
    source_rate *entries             # by hash of the index; NULL: none
    uint32_t mask, count

ctypedef struct sample_targets:      # columns that only sFlow fills from records of its own, -1: not wanted
    int32_t in_vlan, out_vlan, vlan, cos, in_iface, out_iface, sampling_direction, sample_type
    int32_t src_host, dst_host, src_mac, dst_mac, etype, src_port, dst_port, proto, tos, tcpflags
    int32_t src_mask, dst_mask, next_hop, bgp_next_hop, peer_dst_ip
    int32_t src_as, dst_as, peer_src_as, peer_dst_as, as_path, std_comm, local_pref
    int32_t post_nat_src_host, post_nat_dst_host, mpls_pw_id, mpls_label_top, mpls_label_bottom, mpls_label_stack
    int32_t tag, tag2

ctypedef struct sample_plan:
    sample_targets to
    packet_targets packet            # of the sampled header
    packet_targets tunnel            # of a packet within it
    plan_places places
    packet_value *packet_values
    uint32_t packet_value_count
    bint wants_tunnel, use_ip_next_hop, accept_any_type
    uint16_t rebase_port             # UDP port of a VXLAN whose inner frame is what counts, 0: none

cdef enum sample_outcome:
    SAMPLE_READ
    SAMPLE_IS_COUNTERS
    SAMPLE_SKIPPED                   # of a kind that is not read
    SAMPLE_NOT_IP
    SAMPLE_BROKEN                    # what follows it cannot be found


cdef class SamplePlan:
    cdef sample_plan c


cdef bint read_header(const uint8_t *at, size_t length, sflow_header *header) noexcept nogil
cdef sample_outcome read_sample(
    const sample_plan *p, uint32_t version, span *s, span *body, Batch batch, Texts texts,
    const record_context *context, source_rates *sources,
) noexcept nogil
cdef void free_sources(source_rates *sources) noexcept nogil
