"""Route Monitoring messages into the tables of monitored peers.  See `_monitoring.pyx`."""

from routed.rib._rib cimport PeerRib


cdef class MonitoredRib(PeerRib):
    cdef public bint guesses_as4             # whether AS numbers have four octets is asked of each UPDATE anew
    cdef unsigned int agreed                 # `add_path` as the OPENs agreed it; the other one is of the last message
    cdef bint is_mixed                       # there are tables that were read with another `add_path`
    cdef public bytes keys, vpn_keys, end    # of route rows: see `Rows.source`
    cdef public bytes tag
    cdef public object tagger
