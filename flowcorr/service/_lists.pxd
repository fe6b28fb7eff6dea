"""Values that are lists or maps.  See `_lists.pyx`."""

from libc.stdint cimport uint8_t, uint32_t

cdef char *put_list(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_labels(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_stack(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_stack_list(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_segments(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_segments_list(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_octets(char *to, const uint8_t *at, size_t n, int style) noexcept nogil
cdef char *put_flags(char *to, uint32_t flags, int style) noexcept nogil
