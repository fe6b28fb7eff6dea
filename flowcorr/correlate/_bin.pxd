"""The entries of one time bin.  See `_bin.pyx`."""

from flowcorr.columns._texts cimport Texts
from flowcorr.correlate._keys cimport Keys
from flowcorr.correlate._table cimport table


cdef class Bin:
    cdef table *table
    cdef readonly Keys keys
    cdef readonly Texts texts
