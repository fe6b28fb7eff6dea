"""What rules of a map of tags give.  See `_tagger.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.correlate._match cimport Rules
from libc.stdint cimport uint32_t, uint64_t

ctypedef struct tag_t:
    bint is_set, counts
    int stack
    uint64_t value

ctypedef struct action_t:
    tag_t tag, tag2
    uint32_t label                   # number of the label among those of the map
    int tos


cdef class Actions:
    cdef action_t *items
    cdef uint32_t count
    cdef dict labels                 # to their numbers


cdef class Tagger:
    cdef Rules rules
    cdef Texts texts
    cdef Actions actions
    cdef uint32_t *labels            # texts, held
    cdef uint32_t label_count
    cdef Py_ssize_t tag_at, tag2_at, label_at, tos_at
    cdef dict joined                 # (label so far, label of a rule) -> both, held

    cdef uint32_t labelled(self, uint32_t before, uint32_t label) except? 0xFFFFFFFF
