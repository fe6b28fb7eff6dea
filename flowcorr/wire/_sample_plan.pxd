"""How samples of sFlow become rows.  See `_sample_plan.pyx`."""

from flowcorr.wire._packet cimport packet_targets, packet_value
from flowcorr.wire._plan cimport plan_places
from libc.stdint cimport int32_t, uint16_t, uint32_t

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


cdef class SamplePlan:
    cdef sample_plan c
