# cython: language_level=3, boundscheck=False, wraparound=False
"""Rows of text as values of messages: who wrote them as their last key, and where each value ends.

A buffer of rows is never cut into objects: messages point into it.  It is searched for newlines once.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy

cdef enum:
    FIRST_ROOM = 1024


cdef Py_ssize_t find_ends(const char *octets, Py_ssize_t size, uint32_t **ends) noexcept nogil:
    """List in memory of its own where rows end, at their newlines or with the buffer; how many, or -1 without memory."""
    cdef Py_ssize_t rows = 0, room = 0, start = 0
    cdef const char *newline
    cdef uint32_t *wider
    while start < size:
        if rows == room:
            room = 2 * room + FIRST_ROOM
            wider = <uint32_t *>realloc(ends[0], room * sizeof(uint32_t))
            if wider == NULL:
                return -1
            ends[0] = wider
        newline = <const char *>memchr(octets + start, c"\n", size - start)
        ends[0][rows] = <uint32_t>(size if newline == NULL else newline - octets)
        start = <Py_ssize_t>ends[0][rows] + 1
        rows += 1
    return rows


cdef inline bint has_brace(const char *octets, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    return end > start and octets[end - 1] == c"}"


cdef Py_ssize_t count_braces(const char *octets, const uint32_t *ends, Py_ssize_t rows) noexcept nogil:
    """How many rows end with a brace."""
    cdef Py_ssize_t braces = 0, start = 0, at
    for at in range(rows):
        braces += has_brace(octets, start, ends[at])
        start = <Py_ssize_t>ends[at] + 1
    return braces


cdef void put_stamped(
    char *to, const char *octets, Py_ssize_t size, uint32_t *ends, Py_ssize_t rows, const char *ending, Py_ssize_t more,
) noexcept nogil:
    """Copy rows, each with its ending, and note where they end now."""
    cdef char *begin = to
    cdef Py_ssize_t start = 0, end, kept, at
    for at in range(rows):
        end = ends[at]
        kept = end - start - has_brace(octets, start, end)
        memcpy(to, octets + start, kept)
        to += kept
        if start + kept < end:
            memcpy(to, ending, more)
            to += more
        ends[at] = <uint32_t>(to - begin)
        if end < size:
            to[0] = c"\n"
            to += 1
        start = end + 1


cdef bytes as_bytes(const uint32_t *ends, Py_ssize_t rows):
    return PyBytes_FromStringAndSize(<const char *>ends, rows * <Py_ssize_t>sizeof(uint32_t))


def row_ends(bytes octets not None):
    cdef const char *source = PyBytes_AS_STRING(octets)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), rows
    cdef uint32_t *ends = NULL
    try:
        with nogil:
            rows = find_ends(source, size, &ends)
        if rows < 0:
            raise MemoryError
        return as_bytes(ends, rows)
    finally:
        free(ends)


def stamp(bytes octets not None, bytes ending not None):
    cdef const char *source = PyBytes_AS_STRING(octets)
    cdef const char *last = PyBytes_AS_STRING(ending)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), more = PyBytes_GET_SIZE(ending), rows, braces = 0
    cdef uint32_t *ends = NULL
    cdef char *to
    try:
        with nogil:
            rows = find_ends(source, size, &ends)
            if rows > 0:
                braces = count_braces(source, ends, rows)
        if rows < 0:
            raise MemoryError
        stamped = PyBytes_FromStringAndSize(NULL, size + braces * (more - 1))
        to = PyBytes_AS_STRING(stamped)
        with nogil:
            put_stamped(to, source, size, ends, rows, last, more)
        return stamped, as_bytes(ends, rows)
    finally:
        free(ends)


def bundle_ends(bytes ends not None, Py_ssize_t most):
    cdef const uint32_t *end = <const uint32_t *>PyBytes_AS_STRING(ends)
    cdef Py_ssize_t rows = PyBytes_GET_SIZE(ends) // <Py_ssize_t>sizeof(uint32_t)
    cdef Py_ssize_t start = 0, bundle = 0, bundles = 0, at
    found = PyBytes_FromStringAndSize(NULL, rows * <Py_ssize_t>sizeof(uint32_t))
    cdef uint32_t *last = <uint32_t *>PyBytes_AS_STRING(found)
    with nogil:
        for at in range(rows):
            if bundles and <Py_ssize_t>end[at] - bundle <= most:
                last[bundles - 1] = end[at]  # the row joins the bundle
            else:
                bundle = start
                last[bundles] = end[at]
                bundles += 1
            start = <Py_ssize_t>end[at] + 1
    return found[: bundles * <Py_ssize_t>sizeof(uint32_t)]
