# cython: language_level=3, boundscheck=False, wraparound=False
"""Rows of flows in one buffer.

A row lies together: a decoder writes one after another, a key of an aggregation is a few copies out of it, and a flow
touches two or three cache lines on its whole way.  NumPy sees the columns with the stride of a row.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

import numpy as np


cdef class Batch:
    def __cinit__(self, layout not None, size_t capacity):
        cdef bytes blank = layout.blank
        self.layout = layout
        self.capacity = capacity
        self.stride = len(blank)
        if not capacity:
            raise ValueError("a batch has rows")
        self.data = <uint8_t *>calloc(capacity, self.stride)
        self.blank = <uint8_t *>malloc(self.stride)
        if self.data == NULL or self.blank == NULL:
            raise MemoryError
        memcpy(self.blank, PyBytes_AS_STRING(blank), self.stride)

    def __dealloc__(self):
        free(self.data)
        free(self.blank)

    def __len__(self):
        return self.count

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data, self.capacity * self.stride, False, flags)

    @property
    def rows(self):
        return np.frombuffer(self, dtype=self.layout.dtype, count=self.count)

    def append(self, **values):
        if next_row(self) == NULL:
            raise IndexError(f"a batch of {self.capacity} rows is full")
        for name in values:
            if name not in self.layout:
                raise KeyError(name)
        self.count += 1
        row = self.rows[self.count - 1]
        for name, value in values.items():
            row[name] = np.void(value) if isinstance(value, bytes) else value

    def clear(self):
        self.count = 0
