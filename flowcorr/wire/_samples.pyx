# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Samples of sFlow into rows."""

from libc.stdlib cimport free


cdef void free_sources(source_rates *sources) noexcept nogil:
    free(sources.entries)
