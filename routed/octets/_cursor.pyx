# cython: language_level=3, boundscheck=False, wraparound=False
"""Bounded big-endian reader: the cursor owns the bounds.

A length read from the wire cuts a sub-cursor; nobody else does arithmetic with it. Every read is
checked against the end of this cursor and raises `WireError` with the absolute offset.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t

from routed.octets.errors import WireError


cdef class _Held:
    """A buffer that stays exported for as long as any cursor reads from it."""

    cdef Py_buffer buffer

    def __cinit__(self, object octets):
        PyObject_GetBuffer(octets, &self.buffer, PyBUF_SIMPLE)

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)


cdef class Cursor:
    """Read octets from the front; raise WireError rather than pass the end."""

    def __init__(self, object octets, Py_ssize_t base=0):
        cdef _Held held = _Held(octets)
        self._holder = held
        self._origin = <const uint8_t *>held.buffer.buf
        self._span.at = self._origin
        self._span.end = self._origin + held.buffer.len
        self._base = base

    cdef const uint8_t *_advance(self, Py_ssize_t count) except? NULL:
        cdef const uint8_t *at = self._span.at
        if count < 0 or not has(&self._span, <size_t>count):
            raise WireError(f"{count} octets wanted, {self.remaining} remain", self.offset)
        self._span.at += count
        return at

    @property
    def remaining(self):
        return self._span.end - self._span.at

    @property
    def offset(self):
        return self._base + (self._span.at - self._origin)

    def peek(self):
        cdef uint8_t octet = self._advance(1)[0]
        self._span.at -= 1
        return octet

    def u8(self):
        return self._advance(1)[0]

    def u16(self):
        return load16(self._advance(2))

    def u24(self):
        return load24(self._advance(3))

    def u32(self):
        return load32(self._advance(4))

    def u64(self):
        return load64(self._advance(8))

    def take(self, Py_ssize_t count):
        cdef const uint8_t *at = self._advance(count)
        return PyBytes_FromStringAndSize(<const char *>at, count)

    def rest(self):
        return self.take(self._span.end - self._span.at)

    def sub(self, Py_ssize_t count):
        cdef const uint8_t *at = self._advance(count)
        cdef Cursor part = Cursor.__new__(Cursor)
        part._holder = self._holder
        part._origin = self._origin
        part._base = self._base
        part._span.at = at
        part._span.end = at + count
        return part
