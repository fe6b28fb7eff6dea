"""Routes as JSON rows, in bulk.  See `_rows.pyx`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._paths cimport labels_of, path_set, path_view
from routed.rib._prefixes cimport prefix_view
from routed.rib._text cimport put
from routed.rib._vrps cimport Vrps

cdef enum:
    FULL_ROWS = 1048576              # octets of rows after which whoever fills a buffer stops to have it emptied
    KEPT_ROOM = 4194304              # a larger buffer is given back once it is empty
    FAMILIES = 8                     # AFI 1 and 2, each with SAFI 1, 2, 4, 128: index = order in dumps

cdef enum:
    LONGEST_TIME = 64
    FIXED = 2048                     # octets that a row may need besides its attributes and what all rows begin with
    FIXED_LEAD = 256                 # ... and that its lead may need besides keys and tag

cdef enum:                           # kinds of rows
    ROW_UPDATE = 0
    ROW_WITHDRAW = 1
    ROW_DELETE = 2
    ROW_END_OF_RIB = 3
    ROW_DUMP = 4
    ROW_LGLASS = 5                   # an answer: neither number nor time
    ROW_ORIGIN = 6                   # the validation of an origin came to something else than before

cdef enum:                           # what rows have in common
    KEYS = 0                         # whose they are
    VPN_KEYS = 1                     # ... in families whose prefixes have a route distinguisher
    MARKS = 2                        # of the last path
    TAG = 3
    ARRIVAL = 4
    END = 5                          # the last keys
    ROW_END = 6
    BEFORE = 7                       # Avro alone: between a route and the time of arrival
    VERDICT = 8                      # what `verifier` says of the last path
    TEXTS = 9

ctypedef struct text:
    const char *at
    size_t used


cdef inline unsigned int afi_of(int family) noexcept nogil:
    return 1 + (family >> 2)


cdef inline unsigned int safi_of(int family) noexcept nogil:
    cdef unsigned int which = family & 3
    return which + 1 if which < 2 else 4 if which == 2 else 128


cdef inline char *put_text(char *to, const text *t) noexcept nogil:
    return put(to, t.at, t.used)


cdef inline uint32_t label_at(const path_set *s, size_t i) noexcept nogil:
    cdef const uint8_t *at = labels_of(s) + 3 * i
    return <uint32_t>at[0] << 12 | <uint32_t>at[1] << 4 | at[2] >> 4


cdef char *put_log_type(char *to, int kind) noexcept nogil
cdef char *put_next_hop(char *to, const path_set *s) noexcept nogil


cdef class Rows:
    cdef char *rows                  # so far
    cdef size_t used, room
    cdef size_t full_at              # octets
    cdef char *lead                  # what all rows of a kind and family begin with, behind the sequence number
    cdef size_t lead_used, lead_room
    cdef int lead_kind, lead_family
    cdef char *tail                  # the text of the last path
    cdef size_t tail_used, tail_room
    cdef size_t tail_split           # where the route distinguisher goes in
    cdef uint32_t tail_path
    cdef uint8_t *scratch            # for sorting communities
    cdef size_t scratch_room
    cdef unsigned int style
    cdef size_t event_used           # of the lead, up to the AFI
    cdef char time[LONGEST_TIME]
    cdef size_t time_used
    cdef bint is_stamped             # `stamp_*` hold the router's time
    cdef uint32_t stamp_seconds, stamp_microseconds
    cdef bytes stamp_before, stamp_after     # text around the fraction
    cdef text texts[TEXTS]
    cdef list kept                   # what keeps the octets of `texts` alive
    cdef bytes peer_tag
    cdef public bint skips_unchanged # routes that are announced as they are already get no row
    cdef public object clock         # seconds since 1970 -> text before and behind the fraction
    cdef public object marker        # octets of a path's marks -> their keys, as text; None leaves them out
    cdef public Vrps origins         # what origins are validated by; None leaves `roa` out
    cdef public uint32_t own_as      # of the speaker whose routes follow
    cdef char settled                # the status of the next route; 0: to be found, of the route alone
    cdef char former                 # the status before a change
    cdef public object verifier      # octets of a path's AS_PATH -> more keys, as text; None for none
    cdef object tagger
    cdef bint suppressed             # the label filter leaves this path out
    cdef bint numbered               # each row takes the next sequence number (a dump's rows share one)
    cdef public uint64_t sequence
    cdef readonly uint64_t count
    cdef readonly bint out_of_memory

    cdef void route(
        self, int kind, int family, const prefix_view *prefixes, uint32_t prefix, const path_view *paths,
        uint32_t path, bint add_path, uint32_t path_identifier,
    ) noexcept nogil
    cdef char *put_route(
        self, char *to, const prefix_view *prefixes, const uint32_t *words, uint32_t prefix, bint add_path,
        uint32_t path_identifier,
    ) noexcept nogil
    cdef char *put_end_of_rib(self, char *to, unsigned int afi, unsigned int safi) noexcept nogil
    cdef void end_of_rib(self, unsigned int afi, unsigned int safi) noexcept
    cdef void forget_tail(self) noexcept nogil
    cdef int need_lead(self, size_t octets) noexcept nogil
    cdef int make_lead(self, int kind, int family) noexcept nogil
    cdef int render_tail(self, const path_view *paths, uint32_t path) noexcept nogil
    cdef int need(self, size_t octets) noexcept nogil
    cdef int need_tail(self, size_t octets) noexcept nogil
    cdef void apply_tagger(self, const path_view *paths, uint32_t path) noexcept
    cdef void ask(self, const path_view *paths, uint32_t path) noexcept
    cdef char *put_origin(self, char *to) noexcept nogil
    cdef bint other_marks(self, const path_view *paths, uint32_t path) noexcept nogil
    cdef size_t room_for_row(self, size_t tail) noexcept nogil
    cdef void close_row(self, char *to) noexcept nogil
    cdef begin(self, bytes timestamp, bint numbered)
    cpdef source(self, bytes keys, bytes vpn_keys, bytes tag, object tagger, bytes end)
    cdef int stamp(self, uint32_t seconds, uint32_t microseconds) except -1
    cdef set_peer(self, bytes keys, bytes vpn_keys, bytes end)
    cdef set_arrival(self, bytes arrival)
    cdef set_text(self, int which, bytes octets)
    cdef set_tag(self, bytes tag)
