# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""How samples of sFlow become rows: where in a row each column is that one of their records fills."""

from flowcorr.wire._packet cimport fill_packet_values
from libc.stdlib cimport free


cdef class SamplePlan:
    def __cinit__(
        self, dict to not None, dict packet not None, dict tunnel not None, dict places not None,
        list packet_values not None, *, bint use_ip_next_hop=False, bint accept_any_type=False, int rebase_port=0,
    ):
        self.c.to, self.c.packet, self.c.tunnel, self.c.places = to, packet, tunnel, places
        self.c.wants_tunnel = max(tunnel.values()) >= 0
        self.c.use_ip_next_hop, self.c.accept_any_type = use_ip_next_hop, accept_any_type
        self.c.rebase_port = rebase_port
        self.c.packet_values = fill_packet_values(packet_values)
        self.c.packet_value_count = len(packet_values)

    def __dealloc__(self):
        free(self.c.packet_values)
