"""Records of a template into rows.  See `_records.pyx`."""

from flowcorr.columns._batch cimport Batch
from flowcorr.columns._texts cimport Texts
from flowcorr.wire._plan cimport plan
from flowcorr.wire._record cimport record_context
from libc.stdint cimport uint8_t, uint64_t

cdef size_t read_records(
    const plan *p, const uint8_t *at, size_t length, Batch batch, Texts texts, const record_context *context,
    size_t *taken, bint *broken,
) noexcept nogil
