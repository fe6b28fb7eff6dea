"""Records as keys.  See `_keys.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.correlate._table cimport table
from libc.stdint cimport uint8_t, uint32_t, uint64_t

ctypedef struct step:                    # octets of a row that become octets of the key
    uint32_t from_row
    uint32_t to_key
    uint32_t octets                      # 1, 2, 4, 8, 16; 0: a time of which whole seconds remain; 3: DSCP

ctypedef struct item:                    # a record on its way into a table
    const uint8_t *row
    table *table
    uint64_t hash
    size_t variant
    bint is_misdated                     # there was no bin of its time any more


cdef class Keys:
    cdef readonly size_t octets          # of a key, a multiple of 8
    cdef readonly size_t variants        # keys that a record counts for
    cdef readonly Texts texts
    cdef uint64_t seed
    cdef step *steps                     # of each variant
    cdef size_t step_count
    cdef uint32_t flag_at                # in a key: 1 for a record without counters
    cdef Py_ssize_t record_type_at
    cdef uint32_t *text_at               # where texts are in a key
    cdef size_t text_count

    cdef void pack(self, const item *items, size_t n, uint8_t *keys) noexcept nogil
    cdef void hold_texts(self, const uint8_t *key) noexcept nogil
    cdef void release_texts(self, const uint8_t *key) noexcept nogil
