"""Rows of flows in one buffer.  See `_batch.pyx`."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy


cdef class Batch:
    cdef readonly object layout
    cdef readonly size_t capacity            # rows
    cdef size_t stride                       # octets of a row
    cdef size_t count                        # rows that are filled
    cdef uint8_t *data
    cdef uint8_t *blank


cdef inline uint8_t *row_of(Batch batch, size_t row) noexcept nogil:
    return batch.data + row * batch.stride


cdef inline uint8_t *next_row(Batch batch) noexcept nogil:
    """A blank row behind the last one, NULL when the batch is full; it counts once `count` is raised."""
    if batch.count == batch.capacity:
        return NULL
    cdef uint8_t *row = batch.data + batch.count * batch.stride
    memcpy(row, batch.blank, batch.stride)
    return row
