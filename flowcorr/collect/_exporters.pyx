# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Exporters, as compiled code knows them: found by a keyed hash of address, version and domain, without Python.

An exporter has a slot, a number that its rows carry; a slot is used again when its exporter is forgotten.  Of what
belongs to Python (plans, facts) there are only pointers here: `exporter.py` keeps the objects alive for as long.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from flowcorr.columns._cells cimport put_octets, put_u8, put_u16, put_u32
from flowcorr.wire._facts cimport Facts
from flowcorr.wire._plan cimport Plan
from flowcorr.wire._source_rates cimport free_sources
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset
from routed.octets._hash cimport hash_octets, mix

import secrets

cdef enum:
    UNKNOWN_DIRECTION = 117          # u; of NetFlow, what says nothing counts as ingress for maps
    SFLOW = 100                      # added to versions of sFlow


cdef class Exporters:
    def __cinit__(self, layout not None, uint32_t capacity):
        cdef uint64_t room = 2
        while room < 2 * <uint64_t>capacity:
            room *= 2
        self.capacity, self.mask = capacity, room - 1
        self.seed = secrets.randbits(64)
        self.blank = layout.blank
        self.stride = len(self.blank)
        self.offsets = dict(layout.offsets)
        self.items = <exporter *>calloc(capacity, sizeof(exporter))
        self.slots = <uint32_t *>malloc(room * sizeof(uint32_t))
        self.free_slots = <uint32_t *>malloc(capacity * sizeof(uint32_t))
        if self.items == NULL or self.slots == NULL or self.free_slots == NULL:
            raise MemoryError
        memset(self.slots, 0xFF, room * sizeof(uint32_t))

    def __dealloc__(self):
        cdef uint32_t slot
        if self.items != NULL:
            for slot in range(self.used_end):
                free_exporter(&self.items[slot])
        free(self.items)
        free(self.slots)
        free(self.free_slots)

    def __len__(self):
        return self.count

    cdef uint64_t home(self, const uint8_t *address, uint16_t version, uint32_t domain) noexcept nogil:
        cdef uint64_t h = hash_octets(address, 16, self.seed)
        return mix(h ^ (<uint64_t>version << 32 | domain), self.seed | 1) & self.mask

    cdef uint32_t find(self, const uint8_t *address, uint16_t version, uint32_t domain) noexcept nogil:
        """The slot of an exporter, NO_SLOT for one that is unknown."""
        cdef uint64_t at = self.home(address, version, domain)
        cdef const exporter *e
        while self.slots[at] != NO_SLOT:
            e = &self.items[self.slots[at]]
            if e.domain == domain and e.version == version and not memcmp(e.address, address, 16):
                return self.slots[at]
            at = (at + 1) & self.mask
        return NO_SLOT

    def slot_of(self, bytes address not None, int version, uint32_t domain):
        if len(address) != 16:
            raise ValueError("an address has 16 octets")
        slot = self.find(<const uint8_t *>PyBytes_AS_STRING(address), version, domain)
        return None if slot == NO_SLOT else slot

    def add(self, bytes address not None, int version, uint32_t domain, int port):
        cdef uint32_t slot
        cdef exporter *e
        cdef uint64_t at
        if self.slot_of(address, version, domain) is not None:
            raise ValueError("this exporter has a slot")
        if self.count == self.capacity:
            raise IndexError(f"{self.capacity} exporters are known")
        stamp = <uint8_t *>malloc(self.stride)
        if stamp == NULL:
            raise MemoryError
        if self.free_count:
            self.free_count -= 1
            slot = self.free_slots[self.free_count]
        else:
            slot = self.used_end
            self.used_end += 1
        e = &self.items[slot]
        memset(e, 0, sizeof(exporter))
        memcpy(e.address, PyBytes_AS_STRING(address), 16)
        memcpy(e.sender, e.address, 16)
        e.version, e.domain, e.port, e.is_used, e.stamp = version, domain, port, True, stamp
        memcpy(stamp, PyBytes_AS_STRING(self.blank), self.stride)
        put_u32(stamp, self.offset("exporter"), slot)
        put_u16(stamp, self.offset("export_proto_version"), e.version % SFLOW)
        put_u32(stamp, self.offset("export_proto_sysid"), domain >> 8 if version == 5 else domain)
        put_u8(stamp, self.offset("engine_type"), domain & 0xFF if version == 5 else 0)
        put_u8(stamp, self.offset("sampling_direction"), UNKNOWN_DIRECTION if version > SFLOW else 0)
        put_octets(stamp, self.offset("sender_address"), e.address, 16)
        at = self.home(e.address, e.version, e.domain)
        while self.slots[at] != NO_SLOT:
            at = (at + 1) & self.mask
        self.slots[at] = slot
        self.count += 1
        return slot

    def forget(self, uint32_t slot):
        cdef exporter *e = self.of(slot)
        cdef uint64_t at = self.home(e.address, e.version, e.domain), gap, home
        cdef const exporter *other
        while self.slots[at] != slot:
            at = (at + 1) & self.mask
        gap = at
        while True:
            at = (at + 1) & self.mask
            if self.slots[at] == NO_SLOT:
                break
            other = &self.items[self.slots[at]]
            home = self.home(other.address, other.version, other.domain)
            if ((at - home) & self.mask) >= ((at - gap) & self.mask):
                self.slots[gap] = self.slots[at]
                gap = at
        self.slots[gap] = NO_SLOT
        free_exporter(e)
        memset(e, 0, sizeof(exporter))
        self.free_slots[self.free_count] = slot
        self.free_count += 1
        self.count -= 1

    def idle(self, int64_t since, size_t most):
        """Slots that were last heard before a time, oldest slots first."""
        cdef uint32_t slot
        found = []
        for slot in range(self.used_end):
            if self.items[slot].is_used and self.items[slot].last_seen < since:
                found.append(slot)
                if len(found) == most:
                    break
        return found

    def see(self, uint32_t slot, int64_t when):
        cdef exporter *e = self.of(slot)
        e.last_seen = max(e.last_seen, when)

    def set_address(self, uint32_t slot, bytes shown not None, bytes compared not None):
        cdef exporter *e = self.of(slot)
        if len(shown) != 16 or len(compared) != 16:
            raise ValueError("an address has 16 octets")
        put_octets(e.stamp, self.offset("peer_src_ip"), <const uint8_t *>PyBytes_AS_STRING(shown), 16)
        put_octets(e.stamp, self.offset("exporter_address"), <const uint8_t *>PyBytes_AS_STRING(compared), 16)

    def set_sender(self, uint32_t slot, bytes sender not None):
        if len(sender) != 16:
            raise ValueError("an address has 16 octets")
        memcpy(self.of(slot).sender, PyBytes_AS_STRING(sender), 16)

    def set_facts(self, uint32_t slot, Facts near, Facts far):
        cdef exporter *e = self.of(slot)
        e.near = &near.c if near is not None else NULL
        e.far = &far.c if far is not None else NULL

    def set_plans(self, uint32_t slot, dict plans not None):
        cdef exporter *e = self.of(slot)
        cdef uint32_t room = 4, at
        cdef uint16_t template_id
        cdef Plan p
        while room < 2 * len(plans):
            room *= 2
        ids = <uint16_t *>calloc(room, sizeof(uint16_t))
        pointers = <const plan **>calloc(room, sizeof(plan *))
        if ids == NULL or pointers == NULL:
            free(ids)
            free(pointers)
            raise MemoryError
        free(e.template_ids)
        free(e.plans)
        e.template_ids, e.plans, e.template_mask = ids, pointers, room - 1
        for template_id, p in plans.items():
            at = template_id & e.template_mask
            while ids[at]:
                at = (at + 1) & e.template_mask
            ids[at], pointers[at] = template_id, &p.c

    def set_rates(self, uint32_t slot, rate, list rules not None):
        cdef exporter *e = self.of(slot)
        cdef interface_rate *array = NULL
        cdef size_t i
        if rules:
            array = <interface_rate *>calloc(len(rules), sizeof(interface_rate))
            if array == NULL:
                raise MemoryError
            for i in range(len(rules)):
                of_rule = rules[i]
                if of_rule.in_iface is None:
                    array[i].any_in = True
                else:
                    array[i].in_iface, array[i].not_in = of_rule.in_iface, of_rule.not_in
                if of_rule.out_iface is None:
                    array[i].any_out = True
                else:
                    array[i].out_iface, array[i].not_out = of_rule.out_iface, of_rule.not_out
                array[i].rate = of_rule.rate
        free(e.rules)
        e.rules, e.rule_count = array, len(rules)
        e.rate_is_given, e.rate = rate is not None, rate or 0

    def statistics(self, uint32_t slot):
        cdef exporter *e = self.of(slot)
        return {
            "datagrams": e.datagrams,
            "octets": e.octets,
            "records": e.records,
            "jumps_forward": e.jumps_forward,
            "jumps_backward": e.jumps_backward,
            "missing": e.missing,
            "unknown_template": e.unknown_template,
            "refused": e.refused,
            "last_seen": e.last_seen,
            "port": e.port,
        }

    def offset(self, str name not None):
        return self.offsets.get(name, -1)

    cdef exporter *of(self, uint32_t slot) except NULL:
        if slot >= self.capacity or not self.items[slot].is_used:
            raise KeyError(slot)
        return &self.items[slot]


cdef void free_exporter(exporter *e) noexcept nogil:
    free(e.stamp)
    free(e.template_ids)
    free(e.plans)
    free(e.rules)
    free_sources(&e.sources)
