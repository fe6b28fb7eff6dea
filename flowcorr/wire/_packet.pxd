"""Packets as exporters sample them.  See `_packet.pyx`."""

from flowcorr.columns._texts cimport Texts
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

cdef enum packet_start:
    START_ETHERNET
    START_IP                         # by the version in its first octet
    START_MPLS
    START_PPP

cdef enum:
    MOST_LABELS = 16                 # of a stack; deeper ones than a dozen are unknown in the field

ctypedef struct packet:
    const uint8_t *start
    const uint8_t *end
    const uint8_t *macs              # destination, source; these and all below are NULL when there are none
    const uint8_t *vlan_at
    const uint8_t *mpls_at
    const uint8_t *l3
    const uint8_t *l4
    const uint8_t *payload
    const uint8_t *src_host
    const uint8_t *dst_host
    const uint8_t *vxlan_header
    const uint8_t *inner             # packet within a tunnel
    packet_start inner_start
    uint32_t labels[MOST_LABELS]     # 20 bits
    uint32_t label_count
    uint32_t bottom_label            # 0 when the stack has no bottom
    uint32_t flow_label
    uint32_t vxlan
    uint32_t ip_length
    uint16_t etype, l3_type          # as the frame says, and behind labels
    uint16_t vlan, cvlan, src_port, dst_port
    uint16_t vxlan_port              # that the decoder looks for
    uint8_t family                   # 4, 6; 0: neither
    uint8_t proto, tos, tcpflags, cos

ctypedef struct packet_targets:      # places in a row, -1: not wanted
    int32_t src_mac, dst_mac, vlan, in_vlan, in_cvlan, cos, etype
    int32_t src_host, dst_host, src_port, dst_port, proto, tos, flow_label, tcpflags
    int32_t mpls_label_top, mpls_label_bottom, mpls_label_stack, vxlan

cdef enum packet_layer:
    LAYER_PACKET
    LAYER_MAC
    LAYER_VLAN
    LAYER_MPLS
    LAYER_L3
    LAYER_L4
    LAYER_PAYLOAD

cdef enum:
    VXLAN_PORT = 4789                # RFC 7348 section 5
    MOST_POINTERS = 8
    ANY_PROTOCOL = 0xFFFFFFFF

ctypedef struct packet_pointer:
    uint32_t layer, protocol, offset

ctypedef struct packet_value:        # of a custom primitive
    int32_t target
    uint32_t width                   # octets of the column
    uint32_t length                  # octets in the packet
    uint32_t form                    # 0: integer, 1: octets as they are, 2: IPv4 address, 3: text up to a NUL, 4: text
    uint32_t pointer_count
    packet_pointer pointers[MOST_POINTERS]

cdef void write_packet_values(
    const packet *p, const packet_value *values, uint32_t count, uint8_t *row, Texts texts) noexcept nogil
cdef packet_value *fill_packet_values(list values) except NULL
cdef void decode_packet(
    packet *p, const uint8_t *at, size_t length, packet_start start, uint16_t vxlan_port) noexcept nogil
cdef size_t decode_counted(
    packet *p, const uint8_t *at, size_t length, packet_start start, uint16_t rebase_port) noexcept nogil
cdef void write_packet(const packet *p, const packet_targets *t, uint8_t *row, Texts texts) noexcept nogil
cdef void write_labels(const uint32_t *labels, uint32_t count, uint8_t *row, int32_t at, Texts texts) noexcept nogil
