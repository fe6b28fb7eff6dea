# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Routes as JSON rows, written in bulk straight from the stores.

One row: head (sequence number, event, time, peer, tag), family and prefix, tail.  The tail is the text of the
path's attributes; it is rendered once for all consecutive routes that share the path.  Separators and key order
are those of pmacct's records.

Every renderer writes without checks into room that was made before: an attribute of n octets never needs more
than `WORST * n` characters, whatever its octets are.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memmove, strlen
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from routed.rib._paths cimport (
    IS_LABELLED, attributes_of, entry_of, labels_of, next_hop_of, path_entry, path_set, path_view,
    set_of,
)
from routed.rib._prefixes cimport length_of, prefix_view, words_of

cdef enum:
    WORST = 16              # characters an octet of an attribute may become, names of keys included
    FIXED = 2048            # and what a row may need besides
    SHORT_LIST = 32
    NO_KIND = -1
    ORIGIN = 1
    AS_PATH = 2
    MED = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    EXTENDED_COMMUNITIES = 16
    IPV6_EXTENDED_COMMUNITIES = 25
    AIGP = 26
    LARGE_COMMUNITIES = 32
    OTC = 35
    PREFIX_SID = 40

cdef const char *DIGIT_PAIRS = (
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    b"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
)
cdef const char *HEX = b"0123456789abcdef"


# -- text -----------------------------------------------------------------------------------------------------------


cdef inline char *put(char *to, const char *text, size_t n) noexcept nogil:
    memcpy(to, text, n)
    return to + n


cdef inline char *put_char(char *to, char c) noexcept nogil:
    to[0] = c
    return to + 1


cdef inline char *put_u32(char *to, uint32_t value) noexcept nogil:
    cdef char digits[10]
    cdef int at = 10
    cdef uint32_t pair
    while value >= 100:
        pair = value % 100
        value //= 100
        at -= 2
        memcpy(digits + at, DIGIT_PAIRS + 2 * pair, 2)
    if value >= 10:
        at -= 2
        memcpy(digits + at, DIGIT_PAIRS + 2 * value, 2)
    else:
        at -= 1
        digits[at] = <char>(48 + value)
    memcpy(to, digits + at, 10 - at)
    return to + 10 - at


cdef char *put_u64(char *to, uint64_t value) noexcept nogil:
    cdef char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = <char>(48 + value % 10)
        value //= 10
        if not value:
            break
    memcpy(to, digits + at, 20 - at)
    return to + 20 - at


cdef char *put_hex(char *to, const uint8_t *at, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(n):
        to[2 * i] = HEX[at[i] >> 4]
        to[2 * i + 1] = HEX[at[i] & 15]
    return to + 2 * n


cdef inline uint16_t u16_at(const uint8_t *at) noexcept nogil:
    return <uint16_t>(at[0] << 8 | at[1])


cdef inline uint32_t u32_at(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef inline uint64_t u64_at(const uint8_t *at) noexcept nogil:
    return <uint64_t>u32_at(at) << 32 | u32_at(at + 4)


cdef char *put_ipv4(char *to, uint32_t address) noexcept nogil:
    to = put_char(put_u32(to, address >> 24), c".")
    to = put_char(put_u32(to, address >> 16 & 255), c".")
    to = put_char(put_u32(to, address >> 8 & 255), c".")
    return put_u32(to, address & 255)


cdef inline char *put_hextet(char *to, uint32_t value) noexcept nogil:
    if value >= 0x1000:
        to = put_char(to, HEX[value >> 12])
    if value >= 0x100:
        to = put_char(to, HEX[value >> 8 & 15])
    if value >= 0x10:
        to = put_char(to, HEX[value >> 4 & 15])
    return put_char(to, HEX[value & 15])


cdef char *put_ipv6(char *to, const uint8_t *address) noexcept nogil:
    """An IPv6 address as RFC 5952 has it; v4-mapped and v4-compatible ones end in dotted quads (section 5)."""
    cdef int i, zeros = 0, first = 8, run = 0           # the longest run of two or more zero hextets, the first of its kind
    cdef uint32_t hextets[8]
    for i in range(8):
        hextets[i] = u16_at(address + 2 * i)
        zeros = zeros + 1 if hextets[i] == 0 else 0
        if zeros > run and zeros > 1:
            run = zeros
            first = i - zeros + 1
    if first == 0 and (run == 6 or (run == 5 and hextets[5] == 0xFFFF)):
        to = put(to, b"::", 2) if run == 6 else put(to, b"::ffff:", 7)
        return put_ipv4(to, u32_at(address + 12))
    i = 0
    while i < 8:
        if i == first:
            to = put(to, b"::", 2)
            i += run
            continue
        if i and i != first + run:
            to = put_char(to, c":")
        to = put_hextet(to, hextets[i])
        i += 1
    return to


# -- prefix ---------------------------------------------------------------------------------------------------------


cdef char *put_prefix(char *to, const prefix_view *view, uint32_t id) noexcept nogil:
    cdef const uint32_t *words = words_of(view, id)
    cdef uint8_t octets[16]
    cdef int i
    if view.address_words == 1:
        to = put_ipv4(to, words[0])
    else:
        for i in range(16):
            octets[i] = <uint8_t>(words[i >> 2] >> (24 - 8 * (i & 3)))
        to = put_ipv6(to, octets)
    return put_u32(put_char(to, c"/"), length_of(view, id))


cdef char *put_rd(char *to, uint32_t high, uint32_t low) noexcept nogil:
    """A route distinguisher as type:administrator:number (RFC 4364 section 4.2); other types are opaque."""
    cdef uint32_t kind = high >> 16
    if kind == 0:
        to = put_char(put_u32(put(to, b"0:", 2), high & 0xFFFF), c":")
        return put_u32(to, low)
    if kind == 1 or kind == 2:
        to = put_char(put_u32(to, kind), c":")
        if kind == 1:
            to = put_ipv4(to, high << 16 | low >> 16)
        else:
            to = put_u32(to, high << 16 | low >> 16)
        return put_u32(put_char(to, c":"), low & 0xFFFF)
    if kind == 0x0800:                   # a VRF id in the place of an RD (vendors)
        return put_u32(put(to, b"vrfid:", 6), low)
    return put(to, b"unknown", 7)


# -- attributes -----------------------------------------------------------------------------------------------------


cdef inline char *put_list(char *to, bint array) noexcept nogil:
    """Open a list of values: an array, or one text."""
    return put(to, b'["', 2) if array else put_char(to, c'"')


cdef inline char *put_next(char *to, bint array) noexcept nogil:
    """Between two values of a list."""
    return put(to, b'", "', 4) if array else put_char(to, c" ")


cdef inline char *put_list_end(char *to, bint array) noexcept nogil:
    return put(to, b'"]', 2) if array else put_char(to, c'"')


cdef int ascending_u32(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const uint32_t *>a)[0], y = (<const uint32_t *>b)[0]
    return (x > y) - (x < y)


cdef int ascending_u64(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t *>a)[0], y = (<const uint64_t *>b)[0]
    return (x > y) - (x < y)


cdef int ascending_12(const void *a, const void *b) noexcept nogil:
    return memcmp(a, b, 12)


cdef int ascending_20(const void *a, const void *b) noexcept nogil:
    return memcmp(a, b, 20)


cdef void insert_sorted_u32(uint32_t *values, size_t n) noexcept nogil:
    """Sort a short list, as nearly all are."""
    cdef size_t i, j
    cdef uint32_t value
    for i in range(1, n):
        value = values[i]
        j = i
        while j and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


cdef size_t sorted_u32(const uint8_t *at, size_t n, uint32_t *target) noexcept nogil:
    """Copy n 32-bit values in ascending order, each once; how many are left."""
    cdef size_t i, kept
    cdef bint ordered = True
    for i in range(n):
        target[i] = u32_at(at + 4 * i)
        if i and target[i] <= target[i - 1]:
            ordered = False
    if ordered:
        return n
    if n <= SHORT_LIST:
        insert_sorted_u32(target, n)
    else:
        qsort(target, n, sizeof(uint32_t), ascending_u32)
    kept = 1
    for i in range(1, n):
        if target[i] != target[kept - 1]:
            target[kept] = target[i]
            kept += 1
    return kept


cdef size_t sorted_u64(const uint8_t *at, size_t n, uint64_t *target) noexcept nogil:
    cdef size_t i, kept
    cdef bint ordered = True
    for i in range(n):
        target[i] = u64_at(at + 8 * i)
        if i and target[i] <= target[i - 1]:
            ordered = False
    if ordered:
        return n
    qsort(target, n, sizeof(uint64_t), ascending_u64)
    kept = 1
    for i in range(1, n):
        if target[i] != target[kept - 1]:
            target[kept] = target[i]
            kept += 1
    return kept


cdef size_t sorted_wide(const uint8_t *at, size_t n, size_t width, uint8_t *target) noexcept nogil:
    """The same for values of 12 or 20 octets."""
    cdef size_t i, kept = 1
    memcpy(target, at, n * width)
    if n == 1:
        return 1
    qsort(target, n, width, ascending_12 if width == 12 else ascending_20)
    for i in range(1, n):
        if memcmp(target + i * width, target + (kept - 1) * width, width):
            memcpy(target + kept * width, target + i * width, width)
            kept += 1
    return kept


cdef char *put_as_set(char *to, const uint8_t *at, uint8_t n, char opening, char closing, uint32_t *room) noexcept nogil:
    cdef size_t i, kept = sorted_u32(at, n, room)
    to = put_char(to, opening)
    for i in range(kept):
        if i:
            to = put_char(to, c",")
        to = put_u32(to, room[i])
    return put_char(to, closing)


cdef char *put_as_path(char *to, const uint8_t *at, const uint8_t *end, bint array, uint32_t *room) noexcept nogil:
    """AS_PATH in asplain: sequences plain, {sets}, (confederation sequences), [confederation sets]."""
    cdef const uint8_t *start = at
    cdef uint8_t kind, n, i
    cdef uint8_t previous = 0
    if at == end:
        return put(to, b"[]" if array else b'""', 2)
    to = put_list(to, array)
    while at < end:
        kind = at[0]
        n = at[1]
        if previous == 3:
            to = put_char(to, c")")
        if at != start:
            to = put_next(to, array)
        if kind == 1:
            to = put_as_set(to, at + 2, n, c"{", c"}", room)
        elif kind == 4:
            to = put_as_set(to, at + 2, n, c"[", c"]", room)
        else:
            if kind == 3:
                to = put_char(to, c"(")
            for i in range(n):
                if i:
                    to = put_next(to, array)
                to = put_u32(to, u32_at(at + 2 + 4 * <size_t>i))
        previous = kind
        at += 2 + 4 * <size_t>n
    if previous == 3:
        to = put_char(to, c")")
    return put_list_end(to, array)


cdef char *put_community(char *to, uint32_t value, bint numeric) noexcept nogil:
    if not numeric:
        if value == 0:
            return put(to, b"internet", 8)
        if value == 0xFFFFFF01U:
            return put(to, b"no-export", 9)
        if value == 0xFFFFFF02U:
            return put(to, b"no-advertise", 12)
        if value == 0xFFFFFF03U:
            return put(to, b"local-AS", 8)
    return put_u32(put_char(put_u32(to, value >> 16), c":"), value & 0xFFFF)


cdef char *put_administrator(char *to, uint64_t value) noexcept nogil:
    """The value of an extended community of type 0, 1 or 2 (RFC 4360 section 3, RFC 5668)."""
    cdef unsigned int kind = <unsigned int>(value >> 56) & 0x3F
    if kind == 0:
        to = put_char(put_u32(to, <uint32_t>(value >> 32) & 0xFFFF), c":")
        return put_u32(to, <uint32_t>value)
    if kind == 1:
        to = put_ipv4(to, <uint32_t>(value >> 16))
    else:
        to = put_u32(to, <uint32_t>(value >> 16))
    return put_u32(put_char(to, c":"), <uint32_t>value & 0xFFFF)


cdef char *put_extended(char *to, uint64_t value, bint numeric) noexcept nogil:
    cdef unsigned int kind = <unsigned int>(value >> 56) & 0xBF
    cdef unsigned int subtype = <unsigned int>(value >> 48) & 0xFF
    cdef int i
    if numeric:
        to = put_char(put_u32(to, <uint32_t>(value >> 56)), c":")
        to = put_char(put_u32(to, subtype), c":")
        if kind <= 2:
            return put_administrator(to, value)
        to = put(to, b"0x", 2)
        for i in range(44, -4, -4):
            to = put_char(to, HEX[(value >> i) & 15])
        return to
    if kind <= 2 and subtype == 2:
        return put_administrator(put(to, b"RT:", 3), value)
    if kind <= 2 and subtype == 3:
        return put_administrator(put(to, b"SoO:", 4), value)
    return put_char(to, c"?")


cdef char *put_large(char *to, const uint8_t *at) noexcept nogil:
    to = put_char(put_u32(to, u32_at(at)), c":")
    to = put_char(put_u32(to, u32_at(at + 4)), c":")
    return put_u32(to, u32_at(at + 8))


cdef bint aigp_of(const uint8_t *at, const uint8_t *end, uint64_t *metric) noexcept nogil:
    """The accumulated metric of the first AIGP TLV (RFC 7311 section 3)."""
    cdef size_t n
    while end - at >= 3:
        n = u16_at(at + 1)
        if n < 3 or n > <size_t>(end - at):
            return False
        if at[0] == 1 and n == 11:
            metric[0] = u64_at(at + 3)
            return True
        at += n
    return False


cdef uint32_t label_index_of(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The label index of a BGP Prefix-SID attribute (RFC 8669 section 3.1), 0 when there is none."""
    cdef size_t n
    while end - at >= 3:
        n = u16_at(at + 1)
        if n + 3 > <size_t>(end - at):
            return 0
        if at[0] == 1 and n == 7:
            return u32_at(at + 6)
        at += 3 + n
    return 0


# -- the attributes that pmacct leaves out ----------------------------------------------------------------------------


cdef char *put_key(char *to, const char *key) noexcept nogil:
    cdef size_t n = strlen(key)
    to = put(to, b', "', 3)
    to = put(to, key, n)
    return put(to, b'": ', 3)


cdef char *put_srv6_sids(char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The SIDs of the SRv6 service TLVs of a Prefix-SID attribute (RFC 9252 sections 2 and 3.1)."""
    cdef const uint8_t *sub
    cdef const uint8_t *sub_end
    cdef size_t n, m
    cdef bint first = True
    while end - at >= 3:
        n = u16_at(at + 1)
        if n + 3 > <size_t>(end - at):
            break
        if (at[0] == 5 or at[0] == 6) and n >= 1:
            sub = at + 4
            sub_end = at + 3 + n
            while sub_end - sub >= 3:
                m = u16_at(sub + 1)
                if m + 3 > <size_t>(sub_end - sub):
                    break
                if sub[0] == 1 and m >= 21:
                    to = put_key(to, b"srv6_sids") if first else put(to, b", ", 2)
                    if first:
                        to = put_char(to, c"[")
                    first = False
                    to = put_char(put_ipv6(put_char(to, c'"'), sub + 4), c'"')
                sub += 3 + m
        at += 3 + n
    return to if first else put_char(to, c"]")


cdef char *put_addresses(char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
    to = put_char(to, c"[")
    while at < end:
        to = put_char(put_ipv4(put_char(to, c'"'), u32_at(at)), c'"')
        at += 4
        if at < end:
            to = put(to, b", ", 2)
    return put_char(to, c"]")


cdef char *put_ipv6_extended(char *to, const uint8_t *at, size_t n, uint8_t *room) noexcept nogil:
    """IPv6 address specific extended communities (RFC 5701): RT, SoO or type:subtype, address, number."""
    cdef size_t i, kept = sorted_wide(at, n, 20, room)
    cdef const uint8_t *one
    to = put_char(to, c"[")
    for i in range(kept):
        one = room + 20 * i
        to = put(to, b', "' if i else b'"', 3 if i else 1)
        if one[1] == 2:
            to = put(to, b"RT:", 3)
        elif one[1] == 3:
            to = put(to, b"SoO:", 4)
        else:
            to = put_char(put_u32(put_char(put_u32(to, one[0]), c":"), one[1]), c":")
        to = put_ipv6(to, one + 2)
        to = put_char(put_u32(put_char(to, c":"), u16_at(one + 18)), c'"')
    return put_char(to, c"]")


cdef char *put_other(char *to, uint8_t code, const uint8_t *at, size_t n, uint8_t *room) noexcept nogil:
    """One attribute that has no column in pmacct's records."""
    if code == ATOMIC_AGGREGATE:
        return put(put_key(to, b"atomic_aggregate"), b"true", 4)
    if code == AGGREGATOR:
        to = put_char(put_key(to, b"aggregator"), c'"')
        to = put_u32(to, u32_at(at) if n == 8 else u16_at(at))
        to = put_ipv4(put_char(to, c" "), u32_at(at + n - 4))
        return put_char(to, c'"')
    if code == ORIGINATOR_ID:
        to = put_ipv4(put_char(put_key(to, b"originator_id"), c'"'), u32_at(at))
        return put_char(to, c'"')
    if code == CLUSTER_LIST:
        return put_addresses(put_key(to, b"cluster_list"), at, at + n)
    if code == IPV6_EXTENDED_COMMUNITIES:
        return put_ipv6_extended(put_key(to, b"ipv6_ecomms"), at, n // 20, room)
    if code == PREFIX_SID:
        return put_srv6_sids(to, at, at + n)
    to = put(to, b', "attribute_', 13)
    to = put(put_u32(to, code), b'": "', 4)
    return put_char(put_hex(to, at, n), c'"')


cdef inline bint has_column(uint8_t code) noexcept nogil:
    return code <= LOCAL_PREF or code == COMMUNITIES or (
        code == EXTENDED_COMMUNITIES or code == LARGE_COMMUNITIES or code == AIGP or code == OTC
    )


# -- the renderer ---------------------------------------------------------------------------------------------------


cdef inline const uint8_t *step(const uint8_t *at, uint8_t *code, attribute *a) noexcept nogil:
    """One attribute of a checked attribute block; where the next one starts."""
    code[0] = at[1]
    if at[0] & 0x10:
        a.length = u16_at(at + 2)
        a.at = at + 4
    else:
        a.length = at[2]
        a.at = at + 3
    a.present = True
    return a.at + a.length


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
        self.style = (
            AS_PATH_ARRAY * as_path_array | COMMUNITIES_ARRAY * communities_array
            | COMMUNITIES_NUMERIC * communities_numeric | ORIGIN_INTEGER * origin_integer
            | ALL_ATTRIBUTES * all_attributes
        )
        self.heads = [b""] * ROW_KINDS
        self.full_at = FULL_ROWS
        self.row_end = row_end
        self.row_end_text = PyBytes_AS_STRING(row_end)
        self.row_end_used = PyBytes_GET_SIZE(row_end)
        self.scratch_room = 65536 + 64
        self.scratch = <uint8_t *>malloc(self.scratch_room)
        if self.scratch == NULL:
            raise MemoryError
        self.set_tag(b"")

    def __dealloc__(self):
        free(self.text)
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
        cdef bytes times = b'", "timestamp": "' + timestamp + b'", ' + peer
        self.set_head(ROW_UPDATE, b', "log_type": "update' + times)
        self.set_head(ROW_WITHDRAW, b', "log_type": "withdraw' + times)
        self.set_head(ROW_DELETE, b', "log_type": "delete' + times)
        self.set_head(ROW_END_OF_RIB, b', "log_type": "end-of-rib' + times)
        self.numbered = True
        self.tagger = tagger
        self.peer_tag = tag
        self.set_tag(tag)
        self.forget_tail()

    def dump(self, bytes timestamp not None, bytes peer not None, bytes tag, object tagger=None):
        """Let the rows that follow be dump rows of one peer, all with the sequence number `sequence`."""
        self.set_head(ROW_DUMP, b', "timestamp": "' + timestamp + b'", ' + peer)
        self.numbered = False
        self.tagger = tagger
        self.peer_tag = tag
        self.set_tag(tag)
        self.forget_tail()

    def take(self):
        """The rows so far, which the buffer forgets."""
        cdef bytes rows = PyBytes_FromStringAndSize(self.text, self.used)
        self.used = 0
        self.count = 0
        if self.room > KEPT_ROOM:
            free(self.text)
            self.text = NULL
            self.room = 0
        return rows

    def __len__(self):
        return self.used

    cdef set_head(self, int kind, bytes head):
        self.heads[kind] = head
        self.head_text[kind] = PyBytes_AS_STRING(head)
        self.head_used[kind] = PyBytes_GET_SIZE(head)
        self.lead_kind = NO_KIND

    cdef set_tag(self, bytes tag):
        self.suppressed = tag is None
        self.tag = tag or b""
        self.tag_text = PyBytes_AS_STRING(self.tag)
        self.tag_used = PyBytes_GET_SIZE(self.tag)
        self.lead_kind = NO_KIND

    cdef void forget_tail(self) noexcept nogil:
        self.tail_path = 0

    cdef int need(self, size_t octets) noexcept nogil:
        cdef size_t room = self.room
        cdef char *wider
        if self.room - self.used >= octets:
            return 0
        while room - self.used < octets:
            room = 2 * room + 65536
        wider = <char *>realloc(self.text, room)
        if wider == NULL:
            self.out_of_memory = True
            return -1
        self.text = wider
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

    cdef int make_lead(self, int kind, int family) noexcept nogil:
        """Write what rows of a kind and family have between the sequence number and the prefix."""
        cdef size_t octets = self.head_used[kind] + self.tag_used + 128
        cdef char *to
        if self.lead_room < octets:
            to = <char *>realloc(self.lead, octets)
            if to == NULL:
                self.out_of_memory = True
                return -1
            self.lead = to
            self.lead_room = octets
        to = put(self.lead, self.head_text[kind], self.head_used[kind])
        to = put(to, self.tag_text, self.tag_used)
        if kind == ROW_DUMP:
            to = put(to, b'"event_type": "dump", "afi": ', 29)
        else:
            to = put(to, b'"event_type": "log", "afi": ', 28)
        to = put_char(to, <char>(49 + (family >> 2)))
        to = put_safi(put(to, b', "safi": ', 10), family)
        to = put(to, b', "ip_prefix": "', 16)
        self.lead_used = to - self.lead
        self.lead_kind = kind
        self.lead_family = family
        return 0

    cdef void apply_tagger(self, const path_view *paths, uint32_t path) noexcept:
        """Ask for the tag of a path.  A tagger that fails is our bug; the peer's constant tag stands in."""
        cdef const path_set *s = set_of(paths, base_of(paths, path))
        cdef const uint8_t *at = attributes_of(s)
        cdef const uint8_t *end = at + s.length
        cdef attribute a
        cdef uint8_t code = 0
        cdef bytes communities = b""
        while at < end:
            at = step(at, &code, &a)
            if code == COMMUNITIES:
                communities = PyBytes_FromStringAndSize(<const char *>a.at, a.length)
        self.set_tag(self.peer_tag)
        self.set_tag(self.tagger(communities))

    cdef void route(
        self, int kind, int family, const prefix_view *prefixes, uint32_t prefix, const path_view *paths,
        uint32_t path, bint add_path, uint32_t path_identifier,
    ) noexcept nogil:
        """Add the row of one route."""
        cdef char *to
        cdef const uint32_t *words
        if path != self.tail_path:
            if self.render_tail(paths, path):
                return
            self.tail_path = path
            if self.tagger is not None:
                with gil:
                    self.apply_tagger(paths, path)
        if self.suppressed:
            return
        if (kind != self.lead_kind or family != self.lead_family) and self.make_lead(kind, family):
            return
        if self.need(self.tail_used + self.lead_used + self.row_end_used + FIXED):
            return
        to = self.text + self.used
        to = put_u64(put(to, b'{"seq": ', 8), self.sequence)
        to = put(to, self.lead, self.lead_used)
        to = put_char(put_prefix(to, prefixes, prefix), c'"')
        if add_path:
            to = put_u32(put(to, b', "as_path_id": ', 16), path_identifier)
        to = put(to, self.tail, self.tail_split)
        if prefixes.words > prefixes.address_words:
            words = words_of(prefixes, prefix)
            to = put(to, b', "rd": "', 9)
            to = put_rd(to, words[prefixes.address_words], words[prefixes.address_words + 1])
            to = put(to, b'", "rd_origin": "bgp"', 21)
        to = put(to, self.tail + self.tail_split, self.tail_used - self.tail_split)
        to = put(to, self.row_end_text, self.row_end_used)
        self.used = to - self.text
        self.count += 1
        self.sequence += self.numbered

    cdef void end_of_rib(self, unsigned int afi, unsigned int safi) noexcept:
        """Add the row of an End-of-RIB marker (RFC 4724 section 2), with the tag of the peer."""
        cdef char *to
        self.set_tag(self.peer_tag)
        self.forget_tail()
        if self.suppressed or self.need(self.head_used[ROW_END_OF_RIB] + self.tag_used + self.row_end_used + FIXED):
            return
        to = self.text + self.used
        to = put_u64(put(to, b'{"seq": ', 8), self.sequence)
        to = put(to, self.head_text[ROW_END_OF_RIB], self.head_used[ROW_END_OF_RIB])
        to = put(to, self.tag_text, self.tag_used)
        to = put_u32(put(to, b'"event_type": "log", "afi": ', 28), afi)
        to = put_u32(put(to, b', "safi": ', 10), safi)
        to = put(to, self.row_end_text, self.row_end_used)
        self.used = to - self.text
        self.count += 1
        self.sequence += self.numbered

    cdef int render_tail(self, const path_view *paths, uint32_t path) noexcept nogil:
        """Write the text of a path: all keys behind the prefix but the route distinguisher."""
        cdef const path_set *labelled = set_of(paths, path)
        cdef const path_set *s = set_of(paths, base_of(paths, path))
        cdef char *to
        if self.need_tail(WORST * <size_t>s.length + FIXED):
            return -1
        to = put_next_hop(put(self.tail, b', "bgp_nexthop": "', 18), s)
        to = self.put_columns(put_char(to, c'"'), attributes_of(s), attributes_of(s) + s.length)
        self.tail_split = to - self.tail
        if labelled.label_count:
            to = put(to, b', "mpls_label": "', 17)
            to = put_u32(to, label_at(labelled, labelled.label_count - 1))
            to = put_char(to, c'"')
        if self.style & ALL_ATTRIBUTES:
            to = self.put_others(put_labels(to, labelled), attributes_of(s), attributes_of(s) + s.length)
        self.tail_used = to - self.tail
        return 0

    cdef char *put_columns(self, char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
        """The attributes that have a key in pmacct's records, in its order."""
        cdef attribute found[41]
        cdef attribute a
        cdef uint8_t code = 0
        cdef unsigned int i
        cdef uint64_t metric = 0
        cdef uint32_t number
        cdef bint array = self.style & COMMUNITIES_ARRAY
        for i in range(41):
            found[i].present = False
        while at < end:
            at = step(at, &code, &a)
            if code <= PREFIX_SID:
                found[code] = a
        a = found[AS_PATH]
        to = put(to, b', "as_path": ', 13)
        if not a.present:
            a.at = end
            a.length = 0
        to = put_as_path(to, a.at, a.at + a.length, self.style & AS_PATH_ARRAY, <uint32_t *>self.scratch)
        if found[COMMUNITIES].present:
            to = self.put_communities(to, &found[COMMUNITIES], array)
        if found[EXTENDED_COMMUNITIES].present:
            to = self.put_extended_communities(to, &found[EXTENDED_COMMUNITIES], array)
        if found[LARGE_COMMUNITIES].present:
            to = self.put_large_communities(to, &found[LARGE_COMMUNITIES], array)
        if found[ORIGIN].present:
            to = put_origin(to, found[ORIGIN].at[0], self.style & ORIGIN_INTEGER)
        if found[LOCAL_PREF].present:
            to = put_u32(put(to, b', "local_pref": ', 16), u32_at(found[LOCAL_PREF].at))
        if found[MED].present:
            to = put_u32(put(to, b', "med": ', 9), u32_at(found[MED].at))
        a = found[AIGP]
        if a.present and aigp_of(a.at, a.at + a.length, &metric):
            to = put_u64(put(to, b', "aigp": ', 10), metric)
        a = found[PREFIX_SID]
        if a.present:
            number = label_index_of(a.at, a.at + a.length)
            if number:
                to = put_u32(put(to, b', "psid_li": ', 13), number)
        if found[OTC].present and u32_at(found[OTC].at):
            to = put_u32(put(to, b', "otc": ', 9), u32_at(found[OTC].at))
        return to

    cdef char *put_communities(self, char *to, const attribute *a, bint array) noexcept nogil:
        cdef uint32_t *values = <uint32_t *>self.scratch
        cdef size_t i, n = sorted_u32(a.at, a.length // 4, values)
        to = put_list(put(to, b', "comms": ', 11), array)
        for i in range(n):
            if i:
                to = put_next(to, array)
            to = put_community(to, values[i], self.style & COMMUNITIES_NUMERIC)
        return put_list_end(to, array)

    cdef char *put_extended_communities(self, char *to, const attribute *a, bint array) noexcept nogil:
        cdef uint64_t *values = <uint64_t *>self.scratch
        cdef size_t i, n = sorted_u64(a.at, a.length // 8, values)
        to = put_list(put(to, b', "ecomms": ', 12), array)
        for i in range(n):
            if i:
                to = put_next(to, array)
            to = put_extended(to, values[i], self.style & COMMUNITIES_NUMERIC)
        return put_list_end(to, array)

    cdef char *put_large_communities(self, char *to, const attribute *a, bint array) noexcept nogil:
        cdef size_t i, n = sorted_wide(a.at, a.length // 12, 12, self.scratch)
        to = put_list(put(to, b', "lcomms": ', 12), array)
        for i in range(n):
            if i:
                to = put_next(to, array)
            to = put_large(to, self.scratch + 12 * i)
        return put_list_end(to, array)

    cdef char *put_others(self, char *to, const uint8_t *at, const uint8_t *end) noexcept nogil:
        cdef attribute a
        cdef uint8_t code = 0
        while at < end:
            at = step(at, &code, &a)
            if not has_column(code):
                to = put_other(to, code, a.at, a.length, self.scratch)
        return to


cdef inline uint32_t base_of(const path_view *paths, uint32_t path) noexcept nogil:
    """The path that holds the attributes: the path itself, or the one below a label stack."""
    cdef const path_entry *entry = entry_of(paths, path)
    return entry.base if entry.flags & IS_LABELLED else path


cdef inline uint32_t label_at(const path_set *s, size_t i) noexcept nogil:
    cdef const uint8_t *at = labels_of(s) + 3 * i
    return <uint32_t>at[0] << 12 | <uint32_t>at[1] << 4 | at[2] >> 4


cdef char *put_labels(char *to, const path_set *s) noexcept nogil:
    """The whole label stack, outermost first (RFC 8277 section 2.3), where there is more than one label."""
    cdef size_t i
    if s.label_count < 2:
        return to
    to = put_char(put_key(to, b"mpls_label_stack"), c"[")
    for i in range(s.label_count):
        to = put_char(put_u32(put(to, b', "' if i else b'"', 3 if i else 1), label_at(s, i)), c'"')
    return put_char(to, c"]")


cdef char *put_safi(char *to, int family) noexcept nogil:
    cdef int which = family & 3
    if which == 0:
        return put_char(to, c"1")
    if which == 1:
        return put_char(to, c"2")
    if which == 2:
        return put_char(to, c"4")
    return put(to, b"128", 3)


cdef char *put_next_hop(char *to, const path_set *s) noexcept nogil:
    if s.next_hop_length == 4:
        return put_ipv4(to, u32_at(next_hop_of(s)))
    if s.next_hop_length >= 16:
        return put_ipv6(to, next_hop_of(s))
    return put(to, b"0.0.0.0", 7)


cdef char *put_origin(char *to, uint8_t origin, bint integer) noexcept nogil:
    if integer:
        return put_u32(put(to, b', "origin": ', 12), origin)
    to = put(to, b', "origin": "', 13)
    return put_char(put_char(to, b"ieu"[origin]), c'"')
