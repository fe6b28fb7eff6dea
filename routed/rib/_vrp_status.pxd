"""What validated payloads make of the origins of routes.  See `_vrp_status.pyx`."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from routed.rib._vrp_tree cimport tree

cdef enum:                           # origin validation, as records write it
    UNKNOWN = 117                    # u
    INVALID = 105                    # i
    VALID = 118                      # v
    OVERLAPPED_UNKNOWN = 85          # U
    OVERLAPPED_VALID = 86            # V


cdef inline uint32_t load32(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef inline uint64_t load64(const uint8_t *at) noexcept nogil:
    return <uint64_t>load32(at) << 32 | load32(at + 4)


cdef inline void load_address(const uint8_t *at, size_t octets, uint64_t *high, uint64_t *low) noexcept nogil:
    if octets == 4:
        high[0], low[0] = <uint64_t>load32(at) << 32, 0
    else:
        high[0], low[0] = load64(at), load64(at + 8)


cdef inline void load_words(const tree *t, const uint32_t *words, uint64_t *high, uint64_t *low) noexcept nogil:
    """The same of an address in host order, as the prefix index has it."""
    high[0], low[0] = <uint64_t>words[0] << 32, 0
    if t.words > 1:
        high[0] |= words[1]
        low[0] = <uint64_t>words[2] << 32 | words[3]


cdef inline void clear_host(uint64_t *high, uint64_t *low, uint8_t length) noexcept nogil:
    """Clear the bits behind a prefix: what they are does not matter."""
    if length <= 64:
        low[0] = 0
        high[0] = 0 if not length else high[0] & ~<uint64_t>0 << (64 - length)
    elif length < 128:
        low[0] &= ~<uint64_t>0 << (128 - length)


cdef char status_of(const tree *t, const uint32_t *words, uint8_t length, uint32_t origin_as) noexcept nogil
cdef void judge_lanes(
    const tree *t, const uint64_t *high, const uint64_t *low, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t lanes,
) noexcept nogil
cdef void judge_all(
    const tree *t, const uint8_t *addresses, size_t width, const uint8_t *lengths, const uint32_t *origins, char *to,
    size_t n,
) noexcept nogil
