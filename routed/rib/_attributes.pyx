# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The checks of path attributes and their verdicts (RFC 7606), one row an attribute.

Departs: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST of an external peer are kept when they are well formed
(RFC 7606 sections 7.5, 7.9 and 7.10 discard them): a collector shows what was sent.
"""

from collections import namedtuple

from libc.stdint cimport uint8_t, uint32_t
from routed.rib._codepoints cimport (
    AGGREGATOR, AIGP, AS4_AGGREGATOR, AS4_PATH, AS_PATH, MP_REACH_NLRI, MP_UNREACH_NLRI, ORIGIN, PREFIX_SID,
)

AttributeSpec = namedtuple("AttributeSpec", "code name flags verdict external_verdict length fixed source")

WELL_KNOWN, TRANSITIVE, NON_TRANSITIVE = 0x40, 0xC0, 0x80

#: Code, name, flags, verdict when malformed (from an internal and an external peer), length rule (the length, or with
#: `fixed` false a non-zero multiple of it; 0: any), and where it says so.
ATTRIBUTES = (
    AttributeSpec(1, "ORIGIN", WELL_KNOWN, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 1, True, "RFC 7606 7.1"),
    AttributeSpec(2, "AS_PATH", WELL_KNOWN, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 0, False, "RFC 7606 7.2"),
    AttributeSpec(3, "NEXT_HOP", WELL_KNOWN, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 4, True, "RFC 7606 7.3"),
    AttributeSpec(4, "MULTI_EXIT_DISC", NON_TRANSITIVE, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 4, True, "RFC 7606 7.4"),
    AttributeSpec(5, "LOCAL_PREF", WELL_KNOWN, TREAT_AS_WITHDRAW, ATTRIBUTE_DISCARD, 4, True, "RFC 7606 7.5"),
    AttributeSpec(6, "ATOMIC_AGGREGATE", WELL_KNOWN, ATTRIBUTE_DISCARD, ATTRIBUTE_DISCARD, 0, True, "RFC 7606 7.6"),
    AttributeSpec(7, "AGGREGATOR", TRANSITIVE, ATTRIBUTE_DISCARD, ATTRIBUTE_DISCARD, 0, False, "RFC 7606 7.7"),
    AttributeSpec(8, "COMMUNITIES", TRANSITIVE, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 4, False, "RFC 7606 7.8"),
    AttributeSpec(9, "ORIGINATOR_ID", NON_TRANSITIVE, TREAT_AS_WITHDRAW, ATTRIBUTE_DISCARD, 4, True, "RFC 7606 7.9"),
    AttributeSpec(10, "CLUSTER_LIST", NON_TRANSITIVE, TREAT_AS_WITHDRAW, ATTRIBUTE_DISCARD, 4, False, "RFC 7606 7.10"),
    AttributeSpec(14, "MP_REACH_NLRI", NON_TRANSITIVE, SESSION_RESET, SESSION_RESET, 0, False, "RFC 7606 7.11"),
    AttributeSpec(15, "MP_UNREACH_NLRI", NON_TRANSITIVE, SESSION_RESET, SESSION_RESET, 0, False, "RFC 7606 7.12"),
    AttributeSpec(16, "EXTENDED_COMMUNITIES", TRANSITIVE, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 8, False, "RFC 7606 7.14"),
    AttributeSpec(17, "AS4_PATH", TRANSITIVE, ATTRIBUTE_DISCARD, ATTRIBUTE_DISCARD, 0, False, "RFC 6793 6"),
    AttributeSpec(18, "AS4_AGGREGATOR", TRANSITIVE, ATTRIBUTE_DISCARD, ATTRIBUTE_DISCARD, 8, True, "RFC 6793 6"),
    AttributeSpec(
        25, "IPV6_EXTENDED_COMMUNITIES", TRANSITIVE, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 20, False, "RFC 7606 7.15",
    ),
    AttributeSpec(26, "AIGP", NON_TRANSITIVE, ATTRIBUTE_DISCARD, ATTRIBUTE_DISCARD, 0, False, "RFC 7311 3"),
    AttributeSpec(32, "LARGE_COMMUNITIES", TRANSITIVE, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 12, False, "RFC 8092 6"),
    AttributeSpec(35, "OTC", TRANSITIVE, TREAT_AS_WITHDRAW, TREAT_AS_WITHDRAW, 4, True, "RFC 9234 5"),
    AttributeSpec(40, "PREFIX_SID", TRANSITIVE, ATTRIBUTE_DISCARD, ATTRIBUTE_DISCARD, 0, False, "RFC 8669 6"),
)

#: Verdicts on wrong flags where RFC 7606 section 3 c does not decide: the NLRI of MP attributes cannot be trusted
#: (section 5.3); RFC 7311 section 3.2 for AIGP.
FLAGS_VERDICTS = {MP_REACH_NLRI: SESSION_RESET, MP_UNREACH_NLRI: SESSION_RESET, AIGP: ATTRIBUTE_DISCARD}

#: Names of the reasons for which an attribute is refused.
REASONS = {
    REASON_FLAGS: "flags",
    REASON_LENGTH: "length",
    REASON_VALUE: "value",
    REASON_DUPLICATE: "duplicate",
    REASON_MISSING: "missing",
    REASON_OVERRUN: "overrun",
    REASON_UNRECOGNISED: "unrecognised",
    REASON_NLRI: "nlri",
    REASON_NEXT_HOP: "next hop",
    REASON_LIMIT: "limit",
}

#: Names of the verdicts (RFC 7606 section 2).
VERDICTS = {
    ATTRIBUTE_DISCARD: "attribute-discard",
    TREAT_AS_WITHDRAW: "treat-as-withdraw",
    SESSION_RESET: "session-reset",
}


def _fill():
    for spec in ATTRIBUTES:
        SPECS[spec.code].known = 1
        SPECS[spec.code].flags = spec.flags
        SPECS[spec.code].verdict = spec.verdict
        SPECS[spec.code].external_verdict = spec.external_verdict
        SPECS[spec.code].flags_verdict = FLAGS_VERDICTS.get(spec.code, TREAT_AS_WITHDRAW)
        SPECS[spec.code].multiple = spec.length
        SPECS[spec.code].fixed = spec.fixed


_fill()


cdef inline uint32_t as_at(const uint8_t *at, size_t width) noexcept nogil:
    if width == 2:
        return <uint32_t>at[0] << 8 | at[1]
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef bint valid_as_path(const uint8_t *at, const uint8_t *end, size_t width) noexcept nogil:
    """Segments of known types that hold AS numbers and fill the attribute (RFC 7606 section 7.2, RFC 7607)."""
    cdef size_t n, i
    while at < end:
        if end - at < 2 or not 1 <= at[0] <= 4 or not at[1]:
            return False
        n = at[1]
        if width * n > <size_t>(end - at - 2):
            return False
        for i in range(n):
            if not as_at(at + 2 + width * i, width):
                return False
        at += 2 + width * n
    return True


cdef bint valid_aigp(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """TLVs that fill the attribute, and the first AIGP TLV, if there is one, has its 11 octets (RFC 7311 section 3)."""
    cdef size_t n
    cdef bint found = False
    if at == end:
        return False
    while at < end:
        if end - at < 3:
            return False
        n = <size_t>at[1] << 8 | at[2]
        if n < 3 or n > <size_t>(end - at):
            return False
        if at[0] == 1 and not found:
            if n != 11:
                return False
            found = True
        at += n
    return True


cdef bint valid_prefix_sid(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """TLVs that fill the attribute; Label-Index and Originator SRGB have their lengths (RFC 8669 section 3)."""
    cdef size_t n
    if at == end:
        return False
    while at < end:
        if end - at < 3:
            return False
        n = <size_t>at[1] << 8 | at[2]
        if n + 3 > <size_t>(end - at):
            return False
        if at[0] == 1 and n != 7 or at[0] == 3 and (n < 8 or (n - 2) % 6):
            return False
        at += 3 + n
    return True


cdef uint8_t check_value(uint8_t code, const uint8_t *at, size_t n, bint as4) noexcept nogil:
    """Why the value of a known attribute is malformed, or 0.  MP attributes are checked where they are parsed."""
    cdef const attribute_spec *spec = &SPECS[code]
    if spec.fixed:
        if n != spec.multiple:
            return REASON_LENGTH
    elif spec.multiple and (not n or n % spec.multiple):
        return REASON_LENGTH
    if code == ORIGIN:
        return REASON_VALUE if at[0] > 2 else 0
    if code == AS_PATH:
        return 0 if valid_as_path(at, at + n, 4 if as4 else 2) else REASON_VALUE
    if code == AGGREGATOR:
        if n != (8 if as4 else 6):
            return REASON_LENGTH
        return 0 if as_at(at, 4 if as4 else 2) else REASON_VALUE
    if code == AS4_PATH:
        return 0 if n and valid_as_path(at, at + n, 4) else REASON_VALUE
    if code == AS4_AGGREGATOR:
        return 0 if as_at(at, 4) else REASON_VALUE
    if code == AIGP:
        return 0 if valid_aigp(at, at + n) else REASON_VALUE
    if code == PREFIX_SID:
        return 0 if valid_prefix_sid(at, at + n) else REASON_VALUE
    return 0
