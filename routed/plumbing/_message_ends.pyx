# cython: language_level=3, boundscheck=False, wraparound=False
"""Rows of text as values of messages: who wrote them as their last key, and where each value ends.

A buffer of rows is never cut into objects: messages point into it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memchr, memcpy


cdef inline Py_ssize_t row_end(const char *octets, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Where the row that begins at `start` ends: its newline, or the end of the buffer."""
    cdef const char *newline = <const char *>memchr(octets + start, c"\n", size - start)
    return size if newline == NULL else newline - octets


cdef Py_ssize_t count_rows(const char *octets, Py_ssize_t size, Py_ssize_t *braces) noexcept nogil:
    """How many rows there are, and how many of them end with a brace."""
    cdef Py_ssize_t rows = 0, start = 0, end
    braces[0] = 0
    while start < size:
        end = row_end(octets, start, size)
        braces[0] += end > start and octets[end - 1] == c"}"
        rows += 1
        start = end + 1
    return rows


def stamp(bytes octets not None, bytes ending not None):
    cdef const char *source = PyBytes_AS_STRING(octets)
    cdef const char *last = PyBytes_AS_STRING(ending)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), more = PyBytes_GET_SIZE(ending), start = 0, end, braces = 0
    with nogil:
        count_rows(source, size, &braces)
    stamped = PyBytes_FromStringAndSize(NULL, size + braces * (more - 1))
    cdef char *at = PyBytes_AS_STRING(stamped)
    with nogil:
        while start < size:
            end = row_end(source, start, size)
            if end > start and source[end - 1] == c"}":
                memcpy(at, source + start, end - 1 - start)
                at += end - 1 - start
                memcpy(at, last, more)
                at += more
            else:
                memcpy(at, source + start, end - start)
                at += end - start
            if end < size:
                at[0] = c"\n"
                at += 1
            start = end + 1
    return stamped


def row_ends(bytes octets not None):
    cdef const char *source = PyBytes_AS_STRING(octets)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), start = 0, at = 0, rows, braces = 0
    with nogil:
        rows = count_rows(source, size, &braces)
    found = PyBytes_FromStringAndSize(NULL, rows * <Py_ssize_t>sizeof(uint32_t))
    cdef uint32_t *ends = <uint32_t *>PyBytes_AS_STRING(found)
    with nogil:
        while start < size:
            ends[at] = <uint32_t>row_end(source, start, size)
            start = <Py_ssize_t>ends[at] + 1
            at += 1
    return found


def bundle_ends(bytes octets not None, Py_ssize_t most):
    cdef const char *source = PyBytes_AS_STRING(octets)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), start = 0, bundle = 0, end, at = 0, rows, braces = 0
    with nogil:
        rows = count_rows(source, size, &braces)
    found = PyBytes_FromStringAndSize(NULL, rows * <Py_ssize_t>sizeof(uint32_t))
    cdef uint32_t *ends = <uint32_t *>PyBytes_AS_STRING(found)
    with nogil:
        while start < size:
            end = row_end(source, start, size)
            if at and end - bundle <= most:
                ends[at - 1] = <uint32_t>end  # the row joins the bundle
            else:
                bundle = start
                ends[at] = <uint32_t>end
                at += 1
            start = end + 1
    return found[: at * <Py_ssize_t>sizeof(uint32_t)]
