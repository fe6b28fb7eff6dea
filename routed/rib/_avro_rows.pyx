# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes as Avro records, written in bulk as the JSON rows are and from the same facts.

The fields stand in the order of the schemas (see `routed.service.avro_schema`); what differs from JSON is where each fact
goes and how a value looks.  What the callers say of a peer and its tags as JSON text, `fields` turns into octets, which
is asked as rarely as those change.

One record: head (log type), sequence number, lead (time, event, writer, tag, BGP peer, family), prefix, route
distinguisher, next hop and AS path, path identifier, the other attributes, monitored peer and router.  Nothing stands
between two records, so where each ends is noted beside them.
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free
from libc.string cimport memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from routed.octets._growth cimport widened
from routed.rib._attribute_text cimport WORST, columns, find_columns
from routed.rib._avro cimport close_short, put_long, put_null, put_some, put_string
from routed.rib._avro_attributes cimport put_fields, put_path
from routed.rib._paths cimport attributes_of, base_of, path_set, path_view, set_of
from routed.rib._prefixes cimport prefix_view
from routed.rib._rows cimport (
    ARRIVAL, BEFORE, END, FIXED, FIXED_LEAD, KEYS, ROW_DUMP, ROW_END_OF_RIB, Rows, TAG, VPN_KEYS, afi_of, label_at,
    put_log_type, put_next_hop, put_text, safi_of,
)
from routed.rib._text cimport put, put_prefix, put_rd, put_u32

cdef enum:
    ROUTE_FIELDS = 13       # from `bgp_nexthop` to `mpls_label`: as many octets when none is there


cdef class AvroRows(Rows):
    """A buffer of Avro records, filled by compiled code; made with the options of `Rows`, then told `use`."""

    def __dealloc__(self):
        free(self.ends)

    def use(self, fields not None, bytes writer_id not None):
        """Say how the records look.

        Args:
            fields: encodes what peers and tags are.
            writer_id: who writes the records.
        """
        self.fields, self.kept_writer = fields, writer_id
        self.writer.at, self.writer.used = PyBytes_AS_STRING(writer_id), PyBytes_GET_SIZE(writer_id)
        self.set_peer(b"", b"", b"")
        self.set_arrival(b"")
        self.set_tag(b"")

    def take_ends(self):
        """Where each record of the buffer ends in it; to be called before `take`.

        Octets: n x native u32.
        """
        return PyBytes_FromStringAndSize(<const char *>self.ends, self.count * sizeof(uint32_t))

    cdef set_peer(self, bytes keys, bytes vpn_keys, bytes end):
        cdef bytes peer, distinguisher, before, after
        if self.fields is not None:
            peer, distinguisher, before, after = self.fields.peer(keys, end)
            self.set_text(KEYS, peer)
            self.set_text(VPN_KEYS, distinguisher)
            self.set_text(BEFORE, before)
            self.set_text(END, after)

    cdef set_arrival(self, bytes arrival):
        if self.fields is not None:
            self.set_text(ARRIVAL, self.fields.arrival(arrival))

    cdef set_tag(self, bytes tag):
        self.suppressed = tag is None
        if self.fields is not None and tag is not None:
            self.set_text(TAG, self.fields.tag(tag))

    cdef int make_lead(self, int kind, int family) noexcept nogil:
        cdef char *to
        if self.need_lead(self.writer.used + self.texts[TAG].used + self.texts[KEYS].used + FIXED_LEAD):
            return -1
        to = self.lead
        if kind != ROW_DUMP:
            to = close_short(to, put_log_type(to + 1, kind))
        self.head_used = to - self.lead
        to = put_string(to, self.time, self.time_used)
        to = put_string(to, b"dump", 4) if kind == ROW_DUMP else put_string(to, b"log", 3)
        to = put_string(to, self.writer.at, self.writer.used)
        to = put_text(put_text(to, &self.texts[TAG]), &self.texts[KEYS])
        if kind != ROW_END_OF_RIB:
            to = put_some(put_long(put_long(to, afi_of(family)), safi_of(family)))
        self.lead_used = to - self.lead
        self.lead_kind = kind
        self.lead_family = family
        return 0

    cdef int render_tail(self, const path_view *paths, uint32_t path) noexcept nogil:
        """Write the fields of a path: those in front of the path identifier, and those behind it."""
        cdef const path_set *labelled = set_of(paths, path)
        cdef const path_set *s = set_of(paths, base_of(paths, path))
        cdef columns c
        cdef char *to
        if self.need_tail(WORST * <size_t>s.length + FIXED):
            return -1
        find_columns(&c, attributes_of(s), attributes_of(s) + s.length)
        to = put_some(self.tail)
        to = put_path(close_short(to, put_next_hop(to + 1, s)), &c, self.style, self.scratch)
        self.tail_split = to - self.tail
        to = put_fields(to, &c, self.style, self.scratch)
        if labelled.label_count:
            to = put_some(to)
            to = close_short(to, put_u32(to + 1, label_at(labelled, labelled.label_count - 1)))
        else:
            to = put_null(to)
        self.tail_used = to - self.tail
        return 0

    cdef inline char *put_lead(self, char *to) noexcept nogil:
        """Begin a record."""
        to = put_long(put(to, self.lead, self.head_used), <long long>self.sequence)
        return put(to, self.lead + self.head_used, self.lead_used - self.head_used)

    cdef char *put_route(
        self, char *to, const prefix_view *prefixes, const uint32_t *words, uint32_t prefix, bint add_path,
        uint32_t path_identifier,
    ) noexcept nogil:
        to = self.put_lead(to)
        to = close_short(to, put_prefix(to + 1, prefixes, prefix))
        if prefixes.words > prefixes.address_words:
            to = put_some(to)
            to = close_short(
                to, put_rd(to + 1, words[prefixes.address_words], words[prefixes.address_words + 1])
            )
            to = put_string(put_some(to), b"bgp", 3)
        else:
            to = put_text(to, &self.texts[VPN_KEYS])
        to = put(to, self.tail, self.tail_split)
        to = put_long(put_some(to), path_identifier) if add_path else put_null(to)
        to = put(to, self.tail + self.tail_split, self.tail_used - self.tail_split)
        return to if self.origins is None else put_string(to, &self.settled, 1)

    cdef char *put_end_of_rib(self, char *to, unsigned int afi, unsigned int safi) noexcept nogil:
        to = put_long(put_long(self.put_lead(to), afi), safi)
        to = put_text(put_null(to), &self.texts[VPN_KEYS])
        memset(to, 0, ROUTE_FIELDS + 1)  # without validation the last octet is of no field
        return to + ROUTE_FIELDS + (self.origins is not None)

    cdef void close_row(self, char *to) noexcept nogil:
        """End the record that was written up to `to`."""
        to = put_text(put_text(put_text(to, &self.texts[BEFORE]), &self.texts[ARRIVAL]), &self.texts[END])
        if self.need_ends():
            return
        self.used = to - self.rows
        self.ends[self.count] = <uint32_t>self.used
        self.count += 1
        self.sequence += self.numbered

    cdef int need_ends(self) noexcept nogil:
        cdef void *wider
        if self.count < self.ends_room:
            return 0
        wider = widened(self.ends, &self.ends_room, 1024, sizeof(uint32_t))
        if wider == NULL:
            self.out_of_memory = True
            return -1
        self.ends = <uint32_t *>wider
        return 0
