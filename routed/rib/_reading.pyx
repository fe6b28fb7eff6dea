# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The first pass over a run of UPDATEs: octets into operations, and the verdicts of RFC 7606.

Each UPDATE is framed, its attributes are checked and copied in the form in which the path store keeps them, and its
routes are listed (`_nlri`).  An UPDATE that must be refused leaves nothing in the block.

Nothing here chooses consequences beyond RFC 7606: a session reset is reported with the NOTIFICATION it asks for, and
the UPDATEs after it are not looked at.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from routed.rib._as4 cimport put_merged_as_path, widest_as_path
from routed.rib._attributes cimport (
    ACCEPT, ATTRIBUTE_DISCARD, REASON_DUPLICATE, REASON_FLAGS, REASON_LIMIT, REASON_MISSING, REASON_NEXT_HOP,
    REASON_NLRI, REASON_OVERRUN, REASON_UNRECOGNISED, SESSION_RESET, SPECS, TREAT_AS_WITHDRAW, check_value,
)
from routed.rib._block cimport (
    ANNOUNCE, BLOCK_OPERATIONS, BLOCK_SCRATCH, END_OF_RIB, MAX_OTHER_FAMILIES, MAX_REFUSALS, SHORTEST_UPDATE, WITHDRAW,
    add_operation, attribute_set, field, make_room, next_set, octets_in, operation, reader, refusal,
)
from routed.rib._codepoints cimport (
    AGGREGATOR, AS4_AGGREGATOR, AS4_PATH, AS_PATH, ATTRIBUTE_FLAGS_ERROR, INVALID_NETWORK_FIELD,
    MALFORMED_ATTRIBUTE_LIST, MP_REACH_NLRI, MP_UNREACH_NLRI, NEXT_HOP, OPTIONAL_ATTRIBUTE_ERROR, ORIGIN,
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE,
)
from routed.rib._ids cimport prefetch_slot
from routed.rib._nlri cimport family_of, read_nlri
from routed.rib._paths cimport PathStore, path_set
from routed.rib._rows cimport FAMILIES
from routed.rib._text cimport u16_at

cdef enum:
    HEADER = 19
    LONGEST_SET = 65535          # octets of attributes that the path store takes
    FRONT = 40                   # room before the attributes for a path_set and the longest next hop
    NO_PATH = 0xFFFFFFFF
    AS_TRANS = 23456

ctypedef struct update:          # what is known of the UPDATE that is being read
    const uint8_t *start
    field withdrawn
    field attributes
    field nlri
    field reach                  # NLRI of MP_REACH_NLRI
    field unreach                # withdrawn routes of MP_UNREACH_NLRI
    const uint8_t *next_hop      # NEXT_HOP
    const uint8_t *mp_next_hop
    field as_path                # kept aside when they need widening
    field as4_path
    field aggregator
    field as4_aggregator
    uint16_t reach_afi, unreach_afi
    uint8_t reach_safi, unreach_safi
    uint8_t mp_next_hop_length
    uint8_t verdict
    uint8_t seen[32]             # bit by attribute code
    bint others                  # an attribute besides MP_UNREACH_NLRI


cdef void refuse(reader *r, update *u, const uint8_t *at, uint8_t code, uint8_t verdict, uint8_t reason) noexcept nogil:
    """Count a refusal, keep the first ones, and raise the verdict on the UPDATE."""
    cdef refusal *one
    if r.refusal_count < MAX_REFUSALS:
        one = &r.refusals[r.refusal_count]
        one.offset = <uint32_t>(at - r.run)
        one.code = code
        one.verdict = verdict
        one.reason = reason
        r.refusal_count += 1
    r.refused[256 * (verdict - 1) + code] += 1
    r.any_refused = True
    if verdict > u.verdict:
        u.verdict = verdict


cdef void reset(reader *r, update *u, const uint8_t *at, uint8_t code, uint8_t reason, uint8_t subcode) noexcept nogil:
    refuse(r, u, at, code, SESSION_RESET, reason)
    if not r.reset_subcode:
        r.reset_subcode = subcode


cdef void read_reach(reader *r, update *u, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """MP_REACH_NLRI up to its NLRI (RFC 4760 section 3, RFC 8950, RFC 4364 section 4.3.2, RFC 4659)."""
    cdef size_t n
    cdef int family
    if end - at < 5 or at[3] > <size_t>(end - at - 5):
        reset(r, u, at, MP_REACH_NLRI, REASON_OVERRUN, OPTIONAL_ATTRIBUTE_ERROR)
        return
    u.reach_afi = u16_at(at)
    u.reach_safi = at[2]
    n = at[3]
    u.reach.at = at + 5 + n          # behind the next hop and a reserved octet
    u.reach.end = end
    family = family_of(u.reach_afi, u.reach_safi)
    if family < 0:
        return
    u.mp_next_hop = at + 4
    if family & 3 == 3:
        if (n != 12 or u.reach_afi != 1) and n != 24 and n != 48:
            reset(r, u, at, MP_REACH_NLRI, REASON_NEXT_HOP, OPTIONAL_ATTRIBUTE_ERROR)
            return
        u.mp_next_hop += 8           # behind a route distinguisher
        n = 4 if n == 12 else 16
    elif (n != 4 or u.reach_afi != 1) and n != 16 and n != 32:
        reset(r, u, at, MP_REACH_NLRI, REASON_NEXT_HOP, OPTIONAL_ATTRIBUTE_ERROR)
        return
    u.mp_next_hop_length = <uint8_t>n


cdef void read_unreach(reader *r, update *u, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """MP_UNREACH_NLRI (RFC 4760 section 4)."""
    if end - at < 3:
        reset(r, u, at, MP_UNREACH_NLRI, REASON_OVERRUN, OPTIONAL_ATTRIBUTE_ERROR)
        return
    u.unreach_afi = u16_at(at)
    u.unreach_safi = at[2]
    u.unreach.at = at + 3
    u.unreach.end = end


cdef bint keep_aside(reader *r, update *u, uint8_t code, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Take an attribute that is not stored as it came; whether it is one."""
    if code == NEXT_HOP:
        u.next_hop = at
    elif code == MP_REACH_NLRI:
        read_reach(r, u, at, end)
    elif code == MP_UNREACH_NLRI:
        read_unreach(r, u, at, end)
    elif code == AS4_PATH:
        u.as4_path.at, u.as4_path.end = at, end
    elif code == AS4_AGGREGATOR:
        u.as4_aggregator.at, u.as4_aggregator.end = at, end
    elif code == AS_PATH and not r.as4:
        u.as_path.at, u.as_path.end = at, end
    elif code == AGGREGATOR and not r.as4:
        u.aggregator.at, u.aggregator.end = at, end
    else:
        return False
    return True


cdef inline uint8_t verdict_here(const reader *r, uint8_t verdict) noexcept nogil:
    """What is done about a bad attribute: a route that a router shows to have is shown, without the attribute."""
    return ATTRIBUTE_DISCARD if r.monitored and verdict == TREAT_AS_WITHDRAW else verdict


cdef uint8_t judge(reader *r, update *u, const uint8_t *at, const uint8_t *value, size_t n) noexcept nogil:
    """Check one attribute: the verdict on it, ACCEPT for a good one."""
    cdef uint8_t flags = at[0] & 0xC0, code = at[1], reason, verdict
    if u.seen[code >> 3] >> (code & 7) & 1:
        if code == MP_REACH_NLRI or code == MP_UNREACH_NLRI:
            reset(r, u, at, code, REASON_DUPLICATE, MALFORMED_ATTRIBUTE_LIST)
            return SESSION_RESET
        refuse(r, u, at, code, ATTRIBUTE_DISCARD, REASON_DUPLICATE)
        return ATTRIBUTE_DISCARD
    u.seen[code >> 3] |= 1 << (code & 7)
    if not SPECS[code].known:
        if not flags & 0x80:
            reset(r, u, at, code, REASON_UNRECOGNISED, UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE)
            return SESSION_RESET
        return ACCEPT
    if flags != SPECS[code].flags:
        verdict = verdict_here(r, SPECS[code].flags_verdict)
        if verdict == SESSION_RESET:
            reset(r, u, at, code, REASON_FLAGS, ATTRIBUTE_FLAGS_ERROR)
        else:
            refuse(r, u, at, code, verdict, REASON_FLAGS)
        return verdict
    reason = check_value(code, value, n, r.as4)
    if not reason:
        return ACCEPT
    verdict = verdict_here(r, SPECS[code].external_verdict if r.external else SPECS[code].verdict)
    refuse(r, u, at, code, verdict, reason)
    return verdict


cdef int read_attributes(reader *r, update *u) noexcept nogil:
    """Check all attributes and copy those that are stored as they are; 0, or -1 without memory."""
    cdef const uint8_t *at = u.attributes.at
    cdef const uint8_t *end = u.attributes.end
    cdef const uint8_t *keep = at                # start of the octets that were not copied yet
    cdef const uint8_t *value
    cdef size_t n
    cdef uint8_t *to
    if make_room(r, FRONT + octets_in(&u.attributes) + 16):
        return -1
    to = r.scratch + r.scratch_used + FRONT
    while at < end and u.verdict < SESSION_RESET:
        if end - at < 3 or (at[0] & 0x10 and end - at < 4):
            u.others = True
            refuse(r, u, at, 0, TREAT_AS_WITHDRAW, REASON_OVERRUN)
            break
        if at[0] & 0x10:
            n = u16_at(at + 2)
            value = at + 4
        else:
            n = at[2]
            value = at + 3
        u.others = u.others or at[1] != MP_UNREACH_NLRI
        if n > <size_t>(end - value):
            if at[1] == MP_REACH_NLRI or at[1] == MP_UNREACH_NLRI:   # whose routes nobody can tell (RFC 7606 5.3)
                reset(r, u, at, at[1], REASON_OVERRUN, OPTIONAL_ATTRIBUTE_ERROR)
            else:
                refuse(r, u, at, at[1], TREAT_AS_WITHDRAW, REASON_OVERRUN)
            break
        if judge(r, u, at, value, n) or keep_aside(r, u, at[1], value, value + n):
            memcpy(to, keep, at - keep)
            to += at - keep
            keep = value + n
        at = value + n
    memcpy(to, keep, at - keep)
    to += at - keep
    r.scratch_used = to - r.scratch
    return 0


cdef int put_widened(reader *r, update *u, size_t attributes) noexcept nogil:
    """Append AS_PATH and AGGREGATOR of a two-octet speaker in four-octet form (RFC 6793 section 4.2.3)."""
    cdef uint8_t *to
    cdef bint trans = u.aggregator.at != NULL and u16_at(u.aggregator.at) == AS_TRANS
    cdef bint old = u.aggregator.at == NULL or u.as4_aggregator.at == NULL or trans
    cdef size_t widest = widest_as_path(octets_in(&u.as_path), octets_in(&u.as4_path)) + 11
    if r.scratch_used + widest > attributes + LONGEST_SET:
        refuse(r, u, u.attributes.at, AS_PATH, TREAT_AS_WITHDRAW, REASON_LIMIT)
        return 0
    if make_room(r, widest):
        return -1
    to = r.scratch + r.scratch_used
    if u.as_path.at != NULL:
        to = put_merged_as_path(
            to, u.as_path.at, octets_in(&u.as_path), u.as4_path.at if old else NULL, octets_in(&u.as4_path) if old else 0
        )
    if u.aggregator.at != NULL:
        to[0], to[1], to[2], to[3], to[4] = 0xC0, AGGREGATOR, 8, 0, 0
        memcpy(to + 5, u.aggregator.at, 6)
        if trans and u.as4_aggregator.at != NULL:
            memcpy(to + 3, u.as4_aggregator.at, 8)
        to += 11
    r.scratch_used = to - r.scratch
    return 0


cdef int add_set(
    reader *r, PathStore paths, size_t attributes, const uint8_t *next_hop, uint8_t n, bint classic,
) noexcept nogil:
    """Finish the attribute set whose attributes stand at the end of the scratch; its index, or -1.

    `classic`: the next hop is that of NEXT_HOP, not of MP_REACH_NLRI.
    """
    cdef size_t at = attributes - n - sizeof(path_set)
    cdef path_set *s = <path_set *>(r.scratch + at)
    cdef attribute_set *one = next_set(r)
    if one == NULL:
        return -1
    s.id = 0
    s.length = <uint16_t>(r.scratch_used - attributes)
    s.next_hop_length = n
    s.label_count = 0
    if n:
        memcpy(r.scratch + at + sizeof(path_set), next_hop, n)
    one.at = at
    one.hash = paths.hash(s, classic)
    one.path = 0
    prefetch_slot(&paths.ids, one.hash)
    r.set_count += 1
    return <int>r.set_count - 1


cdef void check_presence(reader *r, update *u) noexcept nogil:
    """Attributes that reachable routes need (RFC 7606 section 3 d), and errors without routes (section 5.2)."""
    cdef bint classic = u.nlri.at < u.nlri.end, reachable = classic or u.reach.at < u.reach.end
    if reachable and not r.monitored:
        if not u.seen[0] >> ORIGIN & 1:
            refuse(r, u, u.attributes.at, ORIGIN, TREAT_AS_WITHDRAW, REASON_MISSING)
        if not u.seen[0] >> AS_PATH & 1:
            refuse(r, u, u.attributes.at, AS_PATH, TREAT_AS_WITHDRAW, REASON_MISSING)
        if classic and not u.seen[0] >> NEXT_HOP & 1:
            refuse(r, u, u.attributes.at, NEXT_HOP, TREAT_AS_WITHDRAW, REASON_MISSING)
    elif not reachable and u.verdict == TREAT_AS_WITHDRAW and u.others:
        reset(r, u, u.attributes.at, 0, REASON_MISSING, MALFORMED_ATTRIBUTE_LIST)


cdef void note_family(reader *r, uint16_t afi, uint8_t safi) noexcept nogil:
    """Remember a family that is not stored, among the first ones of a run."""
    cdef uint32_t family = <uint32_t>afi << 8 | safi
    cdef unsigned int i
    for i in range(r.other_family_count):
        if r.other_families[i] == family:
            return
    if r.other_family_count < MAX_OTHER_FAMILIES:
        r.other_families[r.other_family_count] = family
        r.other_family_count += 1


cdef void pass_over(reader *r, const update *u) noexcept nogil:
    """Count an UPDATE that has routes of families that are not stored."""
    cdef bint announces = u.reach.at < u.reach.end and family_of(u.reach_afi, u.reach_safi) < 0
    cdef bint withdraws = u.unreach.at < u.unreach.end and family_of(u.unreach_afi, u.unreach_safi) < 0
    if announces:
        note_family(r, u.reach_afi, u.reach_safi)
    if withdraws:
        note_family(r, u.unreach_afi, u.unreach_safi)
    r.passed_over += announces or withdraws


cdef void list_routes(reader *r, PathStore paths, update *u, size_t attributes) noexcept nogil:
    """Turn the NLRI fields of a checked UPDATE into operations."""
    cdef uint8_t kind = ANNOUNCE if u.verdict < TREAT_AS_WITHDRAW else WITHDRAW
    cdef int family = family_of(u.reach_afi, u.reach_safi), set = -1
    cdef size_t copied
    pass_over(r, u)
    if read_nlri(r, &u.withdrawn, 0, WITHDRAW, <uint32_t>NO_PATH, True):
        reset(r, u, u.withdrawn.at, 0, REASON_NLRI, INVALID_NETWORK_FIELD)
        return
    if u.nlri.at < u.nlri.end:
        if kind == ANNOUNCE:
            set = add_set(r, paths, attributes, u.next_hop, 4 if u.next_hop != NULL else 0, True)
        if read_nlri(r, &u.nlri, 0, kind, <uint32_t>set, False):
            reset(r, u, u.nlri.at, 0, REASON_NLRI, INVALID_NETWORK_FIELD)
            return
    if family >= 0 and u.reach.at < u.reach.end:
        if kind == ANNOUNCE:
            if set >= 0:                         # the same attributes again, with another next hop
                copied = r.scratch_used - attributes
                r.scratch_used = (r.scratch_used + 7) & ~<size_t>7
                if make_room(r, FRONT + copied + 16):
                    return
                memcpy(r.scratch + r.scratch_used + FRONT, r.scratch + attributes, copied)
                attributes = r.scratch_used + FRONT
                r.scratch_used = attributes + copied
            set = add_set(r, paths, attributes, u.mp_next_hop, u.mp_next_hop_length, False)
        if read_nlri(r, &u.reach, family, kind, <uint32_t>set, False):
            reset(r, u, u.reach.at, MP_REACH_NLRI, REASON_NLRI, OPTIONAL_ATTRIBUTE_ERROR)
            return
    family = family_of(u.unreach_afi, u.unreach_safi)
    if family >= 0 and read_nlri(r, &u.unreach, family, WITHDRAW, <uint32_t>NO_PATH, True):
        reset(r, u, u.unreach.at, MP_UNREACH_NLRI, REASON_NLRI, OPTIONAL_ATTRIBUTE_ERROR)


cdef int frame(reader *r, update *u, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Find the three fields of an UPDATE (RFC 4271 section 4.3); 0, or -1 when their lengths do not fit."""
    cdef size_t n
    memset(u, 0, sizeof(update))
    u.start = at
    at += HEADER
    n = u16_at(at)
    if n + 4 > <size_t>(end - at):
        reset(r, u, at, 0, REASON_OVERRUN, MALFORMED_ATTRIBUTE_LIST)
        return -1
    u.withdrawn.at = at + 2
    u.withdrawn.end = at = at + 2 + n
    n = u16_at(at)
    if n + 2 > <size_t>(end - at):
        reset(r, u, at, 0, REASON_OVERRUN, MALFORMED_ATTRIBUTE_LIST)
        return -1
    u.attributes.at = at + 2
    u.attributes.end = u.nlri.at = at + 2 + n
    u.nlri.end = end
    return 0


cdef bint is_end_of_rib(update *u, uint16_t *afi, uint8_t *safi) noexcept nogil:
    """Whether an UPDATE is an End-of-RIB marker (RFC 4724 section 2), and of which family."""
    if octets_in(&u.withdrawn) or octets_in(&u.nlri):
        return False
    if not octets_in(&u.attributes):
        afi[0] = safi[0] = 1
        return True
    if u.others or u.unreach.at == NULL or u.unreach.at < u.unreach.end or u.verdict:
        return False
    afi[0] = u.unreach_afi
    safi[0] = u.unreach_safi
    return True


cdef void add_end_of_rib(reader *r, uint16_t afi, uint8_t safi) noexcept nogil:
    cdef operation *o = add_operation(r)
    if o != NULL:
        o.kind = END_OF_RIB
        o.family = FAMILIES
        o.path_identifier = <uint32_t>afi << 8 | safi


cdef void read_update(reader *r, PathStore paths, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Read one UPDATE; on a session reset nothing of it stays in the block."""
    cdef update u
    cdef size_t operations = r.operation_count, sets = r.set_count, scratch, attributes
    cdef uint16_t afi = 0
    cdef uint8_t safi = 0
    r.scratch_used = scratch = (r.scratch_used + 7) & ~<size_t>7
    if frame(r, &u, at, end) == 0 and read_attributes(r, &u) == 0:
        attributes = scratch + FRONT
        if (u.as_path.at == NULL and u.aggregator.at == NULL) or put_widened(r, &u, attributes) == 0:
            if u.verdict < SESSION_RESET:
                check_presence(r, &u)
            if u.verdict < SESSION_RESET:
                list_routes(r, paths, &u, attributes)
    if u.verdict == SESSION_RESET or r.out_of_memory:
        r.operation_count = operations
        r.set_count = sets
        r.scratch_used = scratch
    elif is_end_of_rib(&u, &afi, &safi):
        add_end_of_rib(r, afi, safi)


cdef size_t read_block(reader *r, PathStore paths, size_t at, size_t end) noexcept nogil:
    """Read UPDATEs until the block is full or the session must end; where the next block starts."""
    cdef size_t n
    r.operation_count = r.set_count = r.scratch_used = 0
    while at < end and r.operation_count < BLOCK_OPERATIONS and r.scratch_used < BLOCK_SCRATCH:
        n = u16_at(r.run + at + 16) if end - at >= SHORTEST_UPDATE else 0
        if n < SHORTEST_UPDATE or n > end - at:
            r.cut = True                     # our mistake, not the peer's: nothing is read beyond the run
            break
        read_update(r, paths, r.run + at, r.run + at + n)
        at += n
        if r.reset_subcode or r.out_of_memory:
            break
    return at
