# cython: language_level=3
"""Values that the collector of cycles need not look at.

CPython keeps a list of all containers and goes through it now and then in search of cycles, with everything else
standing still. Values that are made of values, such as those of a link-state database, are in no cycle and die when
nobody refers to them any more; a hundred thousand of them make every search longer by tens of milliseconds.
"""

cdef extern from "Python.h":
    bint PyObject_GC_IsTracked(object value)
    void PyObject_GC_UnTrack(void *value)


def untrack(values):
    cdef object value
    for value in values:
        if PyObject_GC_IsTracked(value):
            PyObject_GC_UnTrack(<void *>value)
