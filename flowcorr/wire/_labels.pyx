# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Steps that write label stacks, of which each section is a field: 20 bits of label, 3 for experiments, the bottom bit.

Sources: RFC 3032 section 2.1; IANA, IPFIX elements 70 to 79.
"""

from flowcorr.columns._cells cimport put_u32
from flowcorr.wire._packet cimport MOST_LABELS, write_labels
from flowcorr.wire._record cimport extras_of, number_of, value_of
from libc.stdint cimport uint32_t
from routed.octets._cursor cimport load24


cdef void write_top_label(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    if value.length >= 3:
        put_u32(r.row, s.target, load24(value.at) >> 4)


cdef void write_bottom_label(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    """The label of the first section that has the bottom bit, 0 without one."""
    cdef const uint32_t *extra = extras_of(r, s)
    cdef uint32_t i, label = 0
    for i in range(extra[0]):
        value = value_of(r, extra[1 + i])
        if value.length >= 3 and value.at[2] & 1:
            label = load24(value.at) >> 4
            break
    put_u32(r.row, s.target, label)


cdef void write_label_stack(record *r, const step *s, value_span value, Texts texts) noexcept nogil:
    cdef uint32_t labels[MOST_LABELS]
    write_labels(labels, label_stack(r, extras_of(r, s), labels), r.row, s.target, texts)


cdef uint32_t label_stack(const record *r, const uint32_t *extra, uint32_t *labels) noexcept nogil:
    """Labels of the sections of a stack up to its bottom; a label 0 behind the first ends it.  How many."""
    cdef uint32_t i, count = 0, entry, following
    cdef value_span value
    for i in range(extra[0]):
        value = value_of(r, extra[1 + i])
        if value.length < 3 or count == MOST_LABELS:
            break
        entry = load24(value.at)
        if not entry >> 4:
            if i:
                break
            following = <uint32_t>number_of(r, extra[2]) >> 4 if extra[0] > 1 else 0
            if not entry & 1 and not following:
                break
        labels[count] = entry >> 4
        count += 1
        if entry & 1:
            break
    return count
