"""Ask for memory before it is read, so that the misses of many look-ups overlap."""

cdef extern from *:
    """
    /* The empty statement keeps GCC from dropping calls of functions that do nothing else. */
    #define routed_ask_for(at) do { __builtin_prefetch((const void *)(at)); __asm__ volatile(""); } while (0)
    #define routed_ask_to_write(at) do { __builtin_prefetch((const void *)(at), 1); __asm__ volatile(""); } while (0)
    """
    void prefetch "routed_ask_for"(const void *at) noexcept nogil
    void prefetch_to_write "routed_ask_to_write"(const void *at) noexcept nogil
