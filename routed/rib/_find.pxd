"""One attribute of a stored set, found by its code."""

from libc.stdint cimport uint8_t
from routed.rib._attribute_text cimport attribute, step
from routed.rib._paths cimport attributes_of, path_set


cdef inline bint find(const path_set *s, uint8_t wanted, attribute *a) noexcept nogil:
    """Whether a set has an attribute, and where; an empty one where it has not."""
    cdef const uint8_t *at = attributes_of(s)
    cdef const uint8_t *end = at + s.length
    cdef uint8_t code = 0
    while at < end:
        at = step(at, &code, a)
        if code == wanted:
            return True
    a.at = end
    a.length = 0
    return False
