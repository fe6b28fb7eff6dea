# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Texts of the network, made safe for who reads the rows.

Whatever they hold, JSON and Avro get valid UTF-8 (octets that are none become U+FFFD) and escaped control characters,
and formatted columns show no control character.  What CSV must quote is found afterwards (`_render.pyx`).
"""

from flowcorr.service._style cimport AS_AVRO, AS_FORMATTED, AS_JSON
from libc.stdint cimport uint32_t
from routed.rib._text cimport put, put_char

cdef const char *HEX_DIGITS = b"0123456789abcdef"


cdef inline size_t utf8_octets(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Octets of the character that starts here (RFC 3629 section 4); 0 when it is none."""
    cdef uint32_t lead = at[0]
    cdef size_t n = end - at
    if lead < 0x80:
        return 1
    if lead < 0xC2 or lead > 0xF4 or n < 2 or (at[1] & 0xC0) != 0x80:
        return 0
    if lead < 0xE0:
        return 2
    if n < 3 or (at[2] & 0xC0) != 0x80:
        return 0
    if lead < 0xF0:
        return 0 if (lead == 0xE0 and at[1] < 0xA0) or (lead == 0xED and at[1] >= 0xA0) else 3
    if n < 4 or (at[3] & 0xC0) != 0x80:
        return 0
    return 0 if (lead == 0xF0 and at[1] < 0x90) or (lead == 0xF4 and at[1] >= 0x90) else 4


cdef char *put_control(char *to, uint8_t octet) noexcept nogil:
    """A character that JSON does not take as it is (RFC 8259 section 7)."""
    to = put_char(to, c"\\")
    if octet == c'"' or octet == c"\\":
        return put_char(to, <char>octet)
    if octet == c"\n":
        return put_char(to, c"n")
    if octet == c"\t":
        return put_char(to, c"t")
    if octet == c"\r":
        return put_char(to, c"r")
    to = put(to, b"u00", 3)
    return put_char(put_char(to, HEX_DIGITS[octet >> 4]), HEX_DIGITS[octet & 15])


cdef char *put_clean(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """A text of the network as a style has it."""
    cdef const uint8_t *end = at + n
    cdef size_t octets
    while at < end:
        if 0x20 <= at[0] < 0x7F and (style != AS_JSON or (at[0] != c'"' and at[0] != c"\\")):
            to = put_char(to, <char>at[0])
            at += 1
            continue
        octets = utf8_octets(at, end)
        if octets > 1:
            to = put(to, <const char *>at, octets)
            at += octets
            continue
        if not octets:
            to = put(to, b"\xef\xbf\xbd", 3)
        elif style == AS_FORMATTED:
            to = put_char(to, c"?")
        elif style == AS_JSON and at[0] != 0x7F:
            to = put_control(to, at[0])
        else:
            to = put_char(to, <char>at[0])
        at += 1
    return to


cdef char *put_item(char *to, const uint8_t *at, size_t n, int style) noexcept nogil:
    """A text of a list or a map."""
    if style == AS_AVRO:
        return close_text(to, put_clean(to + LENGTH_ROOM, at, n, style))
    return put_char(put_clean(put_char(to, c'"'), at, n, style), c'"')
