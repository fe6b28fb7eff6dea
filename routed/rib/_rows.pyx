# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes as JSON rows, written in bulk straight from the stores.

One row: lead (sequence number, event, time, peer, tag, family), prefix, tail, end.  The tail is the text of the
path's attributes; it is rendered once for all consecutive routes that share the path.  Separators and key order
are those of pmacct's records: of a BGP peer all keys are in the lead, of a peer that a BMP router monitors some.

What a row needs is known before it is written, so the writers need no checks.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from routed.rib._attribute_text cimport (
    ALL_ATTRIBUTES, AS_PATH_ARRAY, COMMUNITIES_ARRAY, COMMUNITIES_NUMERIC, ORIGIN_INTEGER, WORST, attribute,
    put_columns, put_others, step,
)
from routed.rib._codepoints cimport AS_PATH, COMMUNITIES
from routed.rib._paths cimport (
    IS_LABELLED, attributes_of, base_of, entry_of, labels_of, mark_octets_of, marks_of, next_hop_of, origin_of,
    path_set, path_view, set_of,
)
from routed.rib._prefix_sid cimport NO_LABEL
from routed.rib._prefixes cimport length_of, prefix_view, words_of
from routed.rib._text cimport (
    put, put_char, put_ipv4, put_ipv6, put_key, put_prefix, put_rd, put_u32, put_u64, u32_at,
)
from routed.rib._vrp_status cimport status_of
from routed.rib._vrps cimport Vrps

cdef enum:
    NO_KIND = -1


cdef class Rows:
    """A buffer of JSON rows, filled by compiled code.

    Args:
        as_path_array, communities_array: lists as JSON arrays and not as texts.
        communities_numeric: no names of well-known communities, extended ones as type:subtype:value.
        origin_integer: `origin` as the number of RFC 4271 section 4.3.
        all_attributes: add the attributes that pmacct has no key for.
        row_end: what closes a row, a brace and a newline where rows go to a file.
    """

    def __cinit__(
        self, *, bint as_path_array=False, bint communities_array=False, bint communities_numeric=False,
        bint origin_integer=False, bint all_attributes=False, bytes row_end=b"}\n",
    ):
        cdef int which
        self.style = (
            AS_PATH_ARRAY * as_path_array | COMMUNITIES_ARRAY * communities_array
            | COMMUNITIES_NUMERIC * communities_numeric | ORIGIN_INTEGER * origin_integer
            | ALL_ATTRIBUTES * all_attributes
        )
        self.full_at = FULL_ROWS
        self.scratch_room = 65536 + 64
        self.scratch = <uint8_t *>malloc(self.scratch_room)
        if self.scratch == NULL:
            raise MemoryError
        self.kept = [b""] * TEXTS
        for which in range(TEXTS):
            self.set_text(which, b"")
        self.set_text(ROW_END, row_end)
        self.set_tag(b"")

    def __dealloc__(self):
        free(self.rows)
        free(self.lead)
        free(self.tail)
        free(self.scratch)

    def log(self, bytes timestamp not None, bytes peer not None, bytes tag, object tagger=None):
        """Let the rows that follow be message-log rows of one peer.

        Args:
            timestamp: text of the time, the same for all rows of a run.
            peer: the address keys, each with its comma and blank behind it, as JSON text.
            tag: the tag or label, likewise; empty for none, None where rows of the peer shall not be written.
            tagger: when tags depend on communities: called with the COMMUNITIES octets of each path, returns the
                tag text, or None where the row shall not be written.
        """
        self.begin(timestamp, True)
        self.source(peer, peer, tag, tagger, b"")

    def log_monitored(self, bytes timestamp not None, bytes arrival not None):
        """Let the rows that follow be message-log rows of monitored peers, which `source` names.

        Args:
            timestamp: text of the time, for rows that no message of the router causes.
            arrival: when the router's messages came: a key with a comma and a blank in front, as JSON text.
        """
        self.begin(timestamp, True)
        self.set_arrival(arrival)

    def dump(self, bytes timestamp not None, bytes peer not None, bytes tag, object tagger=None):
        """Let the rows that follow be dump rows of one peer, all with the sequence number `sequence`."""
        self.begin(timestamp, False)
        self.source(peer, peer, tag, tagger, b"")

    def lookup(self):
        """Let the rows that follow be answers of a looking glass, of peers that `source` names."""
        self.begin(b"", False)

    cdef begin(self, bytes timestamp, bint numbered):
        self.time_used = min(len(timestamp), LONGEST_TIME)
        memcpy(self.time, PyBytes_AS_STRING(timestamp), self.time_used)
        self.is_stamped = False
        self.numbered = numbered
        self.set_arrival(b"")
        self.forget_tail()

    cpdef source(self, bytes keys, bytes vpn_keys, bytes tag, object tagger, bytes end):
        """Say whose the rows that follow are.

        Args:
            keys: as `peer` of `log`; `vpn_keys` take their place in families whose prefixes have a distinguisher.
            tag, tagger: as of `log`.
            end: the last keys, each with a comma and a blank in front.
        """
        self.set_peer(keys, vpn_keys, end)
        self.tagger = tagger
        self.peer_tag = tag
        self.set_tag(tag)
        if tagger is not None:
            self.forget_tail()

    cdef int stamp(self, uint32_t seconds, uint32_t microseconds) except -1:
        """Let the rows that follow have another time: that of the router."""
        cdef bytes before, after
        if not self.is_stamped or seconds != self.stamp_seconds:
            before, after = self.clock(seconds)
            self.stamp_before, self.stamp_after = before[:LONGEST_TIME // 2], after[:LONGEST_TIME // 4]
            self.stamp_seconds = seconds
            self.is_stamped = True
        elif microseconds == self.stamp_microseconds:
            return 0
        self.stamp_microseconds = microseconds
        to = put(self.time, PyBytes_AS_STRING(self.stamp_before), PyBytes_GET_SIZE(self.stamp_before))
        to = put_six(put_char(to, c"."), microseconds % 1000000 if seconds else 0)
        to = put(to, PyBytes_AS_STRING(self.stamp_after), PyBytes_GET_SIZE(self.stamp_after))
        self.time_used = to - self.time
        self.lead_kind = NO_KIND
        return 0

    def take(self):
        """The rows so far, which the buffer forgets."""
        cdef bytes rows = PyBytes_FromStringAndSize(self.rows, self.used)
        self.used = 0
        self.count = 0
        if self.room > KEPT_ROOM:
            free(self.rows)
            self.rows = NULL
            self.room = 0
        return rows

    def __len__(self):
        return self.used

    cdef set_text(self, int which, bytes octets):
        self.kept[which] = octets
        self.texts[which].at = PyBytes_AS_STRING(octets)
        self.texts[which].used = PyBytes_GET_SIZE(octets)
        self.lead_kind = NO_KIND

    cdef set_peer(self, bytes keys, bytes vpn_keys, bytes end):
        self.set_text(KEYS, keys)
        self.set_text(VPN_KEYS, vpn_keys)
        self.set_text(END, end)

    cdef set_arrival(self, bytes arrival):
        self.set_text(ARRIVAL, arrival)

    cdef set_tag(self, bytes tag):
        self.suppressed = tag is None
        self.set_text(TAG, tag or b"")

    cdef void forget_tail(self) noexcept nogil:
        """Render the next path anew, whatever it is."""
        self.tail_path = 0

    cdef int need(self, size_t octets) noexcept nogil:
        cdef size_t room = self.room
        cdef char *wider
        if self.room - self.used >= octets:
            return 0
        while room - self.used < octets:
            room = 2 * room + 65536
        wider = <char *>realloc(self.rows, room)
        if wider == NULL:
            self.out_of_memory = True
            return -1
        self.rows = wider
        self.room = room
        return 0

    cdef int need_tail(self, size_t octets) noexcept nogil:
        cdef char *wider
        if self.tail_room >= octets:
            return 0
        wider = <char *>realloc(self.tail, octets + 4096)
        if wider == NULL:
            self.out_of_memory = True
            return -1
        self.tail = wider
        self.tail_room = octets + 4096
        return 0

    cdef int need_lead(self, size_t octets) noexcept nogil:
        cdef char *wider
        if self.lead_room >= octets:
            return 0
        wider = <char *>realloc(self.lead, octets)
        if wider == NULL:
            self.out_of_memory = True
            return -1
        self.lead = wider
        self.lead_room = octets
        return 0

    cdef int make_lead(self, int kind, int family) noexcept nogil:
        """Write what rows of a kind and family have between the sequence number and the prefix."""
        cdef const text *keys = &self.texts[VPN_KEYS if family & 3 == 3 else KEYS]
        cdef size_t octets = keys.used + self.texts[MARKS].used + self.texts[TAG].used + FIXED_LEAD
        cdef char *to
        if self.need_lead(octets):
            return -1
        to = self.lead
        if kind != ROW_LGLASS:
            to = put(put(put_kind(to, kind), self.time, self.time_used), b'", ', 3)
        to = put_text(put_text(put_text(to, keys), &self.texts[MARKS]), &self.texts[TAG])
        if kind == ROW_DUMP:
            to = put(to, b'"event_type": "dump", "afi": ', 29)
        elif kind == ROW_LGLASS:
            to = put(to, b'"event_type": "lglass", "afi": ', 31)
        else:
            to = put(to, b'"event_type": "log", "afi": ', 28)
        self.event_used = to - self.lead
        if kind != ROW_END_OF_RIB:
            to = put_u32(to, afi_of(family))
            to = put_u32(put(to, b', "safi": ', 10), safi_of(family))
            to = put(to, b', "ip_prefix": "', 16)
        self.lead_used = to - self.lead
        self.lead_kind = kind
        self.lead_family = family
        return 0

    cdef inline bint other_marks(self, const path_view *paths, uint32_t path) noexcept nogil:
        """Whether a path has marks to be written, or those of the last one are to be forgotten."""
        return self.marker is not None and (self.texts[MARKS].used or has_marks(paths, path))

    cdef void ask(self, const path_view *paths, uint32_t path) noexcept:
        """Ask for what Python says about a path: the text of its marks, and its tag."""
        cdef const path_set *layer = set_of(paths, path)
        if has_marks(paths, path) and self.marker is not None:
            marks = PyBytes_FromStringAndSize(<const char *>marks_of(layer), mark_octets_of(layer))
            self.set_text(MARKS, self.marker(marks))
        elif self.texts[MARKS].used:
            self.set_text(MARKS, b"")
        if self.verifier is not None:
            self.set_text(VERDICT, self.verifier(attribute_octets(paths, path, AS_PATH)))
        if self.tagger is not None:
            self.apply_tagger(paths, path)

    cdef void apply_tagger(self, const path_view *paths, uint32_t path) noexcept:
        """Ask for the tag of a path.  A tagger that fails is our bug; the peer's constant tag stands in."""
        self.set_tag(self.peer_tag)
        self.set_tag(self.tagger(attribute_octets(paths, path, COMMUNITIES)))

    cdef void route(
        self, int kind, int family, const prefix_view *prefixes, uint32_t prefix, const path_view *paths,
        uint32_t path, bint add_path, uint32_t path_identifier,
    ) noexcept nogil:
        """Add the row of one route."""
        if path != self.tail_path:
            if self.render_tail(paths, path):
                return
            self.tail_path = path
            if self.tagger is not None or self.verifier is not None or self.other_marks(paths, path):
                with gil:
                    self.ask(paths, path)
        if self.suppressed:
            self.settled = 0
            return
        if (kind != self.lead_kind or family != self.lead_family) and self.make_lead(kind, family):
            return
        if self.need(self.room_for_row(self.tail_used)):
            return
        if self.origins is not None and not self.settled:
            self.settled = status_of(
                self.origins.of_words(prefixes.address_words), words_of(prefixes, prefix),
                length_of(prefixes, prefix), origin_of(paths, path, self.own_as),
            )
        self.close_row(self.put_route(
            self.rows + self.used, prefixes, words_of(prefixes, prefix), prefix, add_path, path_identifier
        ))
        self.settled = 0

    cdef char *put_route(
        self, char *to, const prefix_view *prefixes, const uint32_t *words, uint32_t prefix, bint add_path,
        uint32_t path_identifier,
    ) noexcept nogil:
        """Write a row up to what follows the tail."""
        if self.lead_kind == ROW_LGLASS:
            to = put_char(to, c"{")
        else:
            to = put_u64(put(to, b'{"seq": ', 8), self.sequence)
        to = put(to, self.lead, self.lead_used)
        to = put_char(put_prefix(to, prefixes, prefix), c'"')
        if add_path:
            to = put_u32(put(to, b', "as_path_id": ', 16), path_identifier)
        to = put(to, self.tail, self.tail_split)
        if self.origins is not None:
            to = self.put_origin(to)
        if prefixes.words > prefixes.address_words:
            to = put(to, b', "rd": "', 9)
            to = put_rd(to, words[prefixes.address_words], words[prefixes.address_words + 1])
            to = put(to, b'", "rd_origin": "bgp"', 21)
        return put(to, self.tail + self.tail_split, self.tail_used - self.tail_split)

    cdef char *put_origin(self, char *to) noexcept nogil:
        """Write how the origin of a route is validated."""
        to = put_char(put_char(put(to, b', "roa": "', 10), self.settled), c'"')
        if self.lead_kind == ROW_ORIGIN:
            to = put_char(put_char(put(to, b', "roa_before": "', 17), self.former), c'"')
        return to

    cdef void end_of_rib(self, unsigned int afi, unsigned int safi) noexcept:
        """Add the row of an End-of-RIB marker (RFC 4724 section 2), with the tag of the peer."""
        self.set_tag(self.peer_tag)
        self.set_text(MARKS, b"")
        self.set_text(VERDICT, b"")
        self.forget_tail()
        if self.suppressed or self.make_lead(ROW_END_OF_RIB, 0) or self.need(self.room_for_row(0)):
            return
        self.close_row(self.put_end_of_rib(self.rows + self.used, afi, safi))

    cdef char *put_end_of_rib(self, char *to, unsigned int afi, unsigned int safi) noexcept nogil:
        to = put_u64(put(to, b'{"seq": ', 8), self.sequence)
        to = put(to, self.lead, self.event_used)
        to = put_u32(to, afi)
        return put_u32(put(to, b', "safi": ', 10), safi)

    cdef inline size_t room_for_row(self, size_t tail) noexcept nogil:
        return (
            tail + self.lead_used + self.texts[VERDICT].used + self.texts[BEFORE].used + self.texts[ARRIVAL].used + self.texts[END].used
            + self.texts[ROW_END].used + FIXED
        )

    cdef void close_row(self, char *to) noexcept nogil:
        """End the row that was written up to `to`."""
        to = put_text(to, &self.texts[VERDICT])
        to = put_text(put_text(put_text(to, &self.texts[ARRIVAL]), &self.texts[END]), &self.texts[ROW_END])
        self.used = to - self.rows
        self.count += 1
        self.sequence += self.numbered

    cdef int render_tail(self, const path_view *paths, uint32_t path) noexcept nogil:
        """Write the text of a path: all keys behind the prefix but the route distinguisher."""
        cdef const path_set *labelled = set_of(paths, path)
        cdef const path_set *s = set_of(paths, base_of(paths, path))
        cdef char *to
        cdef uint32_t label = NO_LABEL
        if self.need_tail(WORST * <size_t>s.length + FIXED):
            return -1
        to = put_next_hop(put(self.tail, b', "bgp_nexthop": "', 18), s)
        to = put_columns(
            put_char(to, c'"'), attributes_of(s), attributes_of(s) + s.length, self.style, self.scratch
        )
        self.tail_split = to - self.tail
        if labelled.label_count:
            label = label_at(labelled, labelled.label_count - 1)
            to = put_u32(put(to, b', "mpls_label": "', 17), label)
            to = put_char(to, c'"')
        if self.style & ALL_ATTRIBUTES:
            to = put_others(
                put_labels(to, labelled), attributes_of(s), attributes_of(s) + s.length, label, self.scratch
            )
        self.tail_used = to - self.tail
        return 0


cdef bytes attribute_octets(const path_view *paths, uint32_t path, uint8_t wanted):
    """The octets of an attribute of a path; none when it has none."""
    cdef const path_set *s = set_of(paths, base_of(paths, path))
    cdef const uint8_t *at = attributes_of(s)
    cdef const uint8_t *end = at + s.length
    cdef attribute a
    cdef uint8_t code = 0
    while at < end:
        at = step(at, &code, &a)
        if code == wanted:
            return PyBytes_FromStringAndSize(<const char *>a.at, a.length)
    return b""


cdef inline bint has_marks(const path_view *paths, uint32_t path) noexcept nogil:
    return (entry_of(paths, path).flags & IS_LABELLED) != 0 and mark_octets_of(set_of(paths, path)) != 0


cdef inline char *put_six(char *to, uint32_t value) noexcept nogil:
    """Six digits."""
    cdef int i
    for i in range(5, -1, -1):
        to[i] = <char>(48 + value % 10)
        value //= 10
    return to + 6


cdef char *put_log_type(char *to, int kind) noexcept nogil:
    if kind == ROW_UPDATE:
        return put(to, b'update', 6)
    if kind == ROW_WITHDRAW:
        return put(to, b'withdraw', 8)
    if kind == ROW_DELETE:
        return put(to, b'delete', 6)
    if kind == ROW_ORIGIN:
        return put(to, b'roa', 3)
    return put(to, b'end-of-rib', 10)


cdef char *put_kind(char *to, int kind) noexcept nogil:
    """What follows the sequence number, up to the time."""
    if kind == ROW_DUMP:
        return put(to, b', "timestamp": "', 16)
    to = put_log_type(put(to, b', "log_type": "', 15), kind)
    return put(to, b'", "timestamp": "', 17)


cdef char *put_labels(char *to, const path_set *s) noexcept nogil:
    """The whole label stack, outermost first (RFC 8277 section 2.3), where there is more than one label."""
    cdef size_t i
    if s.label_count < 2:
        return to
    to = put_char(put_key(to, b"mpls_label_stack"), c"[")
    for i in range(s.label_count):
        to = put_char(put_u32(put(to, b', "' if i else b'"', 3 if i else 1), label_at(s, i)), c'"')
    return put_char(to, c"]")


cdef char *put_next_hop(char *to, const path_set *s) noexcept nogil:
    if s.next_hop_length == 4:
        return put_ipv4(to, u32_at(next_hop_of(s)))
    if s.next_hop_length >= 16:
        return put_ipv6(to, next_hop_of(s))
    return put(to, b"0.0.0.0", 7)
