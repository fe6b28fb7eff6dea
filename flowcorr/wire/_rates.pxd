"""How many packets a counted one stands for.  See `_rates.pyx`."""

from flowcorr.columns._cells cimport put_u32
from flowcorr.wire._plan cimport plan_places
from flowcorr.wire._record cimport record_context
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef uint32_t rate_of_sampler(const record_context *context, uint64_t sampler) noexcept nogil
cdef uint32_t rate_by_interface(
    const record_context *context, uint32_t in_iface, uint32_t out_iface) noexcept nogil


cdef inline void apply_rate(
    const plan_places *places, uint8_t *row, uint32_t rate, const record_context *context) noexcept nogil:
    """Say how many packets a counted one stands for, and multiply where that is asked for; 0 is unknown."""
    cdef uint32_t mapped
    if context.rule_count:
        mapped = rate_by_interface(
            context, (<uint32_t *>(row + places.in_iface))[0], (<uint32_t *>(row + places.out_iface))[0])
        if mapped:
            rate = mapped
    if not context.renormalize:
        put_u32(row, places.sampling_rate, rate)
        return
    if context.external_rate:
        rate = context.external_rate
    put_u32(row, places.sampling_rate, rate != 0)
    put_u32(row, places.renormalize_rate, rate)
    if rate > 1:
        (<uint64_t *>(row + places.packets))[0] *= rate
        (<uint64_t *>(row + places.bytes))[0] *= rate
