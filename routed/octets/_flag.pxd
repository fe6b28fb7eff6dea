"""A flag that one thread sets while others look at it."""

cdef extern from *:
    """
    #define routed_flag_of(at) __atomic_load_n((at), __ATOMIC_RELAXED)
    #define routed_set_flag(at) __atomic_store_n((at), 1, __ATOMIC_RELAXED)
    """
    bint is_set "routed_flag_of"(const int *flag) noexcept nogil
    void set_flag "routed_set_flag"(int *flag) noexcept nogil
