# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""How many packets a counted one stands for: what samplers announced, and what a map says of interfaces."""

from flowcorr.wire._facts cimport SAMPLER, fact_entry, find_fact
from flowcorr.wire._record cimport interface_rate


cdef uint32_t rate_of_sampler(const record_context *context, uint64_t sampler) noexcept nogil:
    """The rate of a sampler, 0 when it is unknown; sampler 0 of a domain is whichever was defined last."""
    cdef fact_entry *found = find_fact(context.near, SAMPLER, sampler)
    if found == NULL and not sampler and context.near != NULL and context.near.has_sampler:
        return context.near.last_rate
    if found == NULL:
        found = find_fact(context.far, SAMPLER, sampler)
    return <uint32_t>found.value if found != NULL else 0


cdef uint32_t rate_by_interface(
    const record_context *context, uint32_t in_iface, uint32_t out_iface) noexcept nogil:
    """The rate of the first rule of a sampling map that matches, 0 without one."""
    cdef uint32_t i
    cdef const interface_rate *rule
    for i in range(context.rule_count):
        rule = &context.rules[i]
        if not rule.any_in and (rule.in_iface == in_iface) == rule.not_in:
            continue
        if not rule.any_out and (rule.out_iface == out_iface) == rule.not_out:
            continue
        return rule.rate
    return 0
