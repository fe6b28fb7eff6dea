# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records as keys: the octets of the asked-for columns side by side, packed column by column for a block of records.

A record may count for several keys, its variants, which take a column from different places of the row.  Texts are
in a key by their ids, and whoever keeps a key holds them.
"""

cimport cython
from flowcorr.columns._texts cimport hold_text, release_text
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import secrets

cdef enum:
    OCTETS_OF_SECONDS = 0                # stands for a time of which whole seconds remain
    OCTETS_OF_DSCP = 3                   # stands for one of which the highest six bits remain (RFC 2474 section 3)
    FIRST_WITHOUT_COUNTERS = 100         # of the types of records
    SECOND = 1000000                     # microseconds

#: Octets of a step, and those that it takes of a row.
STEP_OCTETS = {OCTETS_OF_SECONDS: 8, 1: 1, 2: 2, OCTETS_OF_DSCP: 1, 4: 4, 8: 8, 16: 16}


@cython.final
@cython.no_gc                            # it knows texts alone, and bins need it up to their end
cdef class Keys:
    def __cinit__(self, layout not None, Texts texts not None, plan not None):
        cdef size_t i, variant
        self.octets, self.flag_at = plan.octets, plan.flag
        if self.octets % 8 or self.flag_at >= self.octets:
            raise ValueError(f"{plan.octets} octets of a key")
        self.texts = texts
        self.seed = secrets.randbits(64)
        self.record_type_at = layout.offset("record_type")
        if self.record_type_at < 0:
            raise ValueError("rows have no type of record")
        self.variants = len(plan.steps[0][2]) if plan.steps else 1
        self.step_count, self.text_count = len(plan.steps), len(plan.texts)
        self.steps = <step *>malloc(max(1, self.step_count * self.variants) * sizeof(step))
        self.text_at = <uint32_t *>malloc(max(1, self.text_count) * sizeof(uint32_t))
        if self.steps == NULL or self.text_at == NULL:
            raise MemoryError
        for i, (octets, to_key, sources) in enumerate(plan.steps):
            width = STEP_OCTETS.get(octets, 0)
            if not width or to_key + width > plan.octets:
                raise ValueError(f"{octets} octets at {to_key} of a key of {plan.octets}")
            for variant in range(self.variants):
                if not 0 <= sources[variant] <= layout.stride - width:
                    raise ValueError(f"{octets} octets at {sources[variant]} of a row of {layout.stride}")
                self.steps[variant * self.step_count + i] = step(sources[variant], to_key, octets)
        for i, at in enumerate(plan.texts):
            if at + sizeof(uint32_t) > plan.octets:
                raise ValueError(f"a text at {at} of a key of {plan.octets}")
            self.text_at[i] = at

    def __dealloc__(self):
        free(self.steps)
        free(self.text_at)

    cdef void pack(self, const item *items, size_t n, uint8_t *keys) noexcept nogil:
        """Write the keys of records, one behind the other."""
        cdef size_t i, j, width = self.octets
        cdef const step *s
        cdef uint8_t *to
        for i in range(self.step_count):
            s = &self.steps[i]
            to = keys + s.to_key
            if self.variants > 1:
                for j in range(n):
                    pack_one(to + j * width, items[j].row, &self.steps[items[j].variant * self.step_count + i])
            elif s.octets == 16:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 16)
            elif s.octets == 8:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 8)
            elif s.octets == 4:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 4)
            elif s.octets == 2:
                for j in range(n):
                    memcpy(to + j * width, items[j].row + s.from_row, 2)
            else:
                for j in range(n):
                    pack_one(to + j * width, items[j].row, s)
        to = keys + self.flag_at
        for j in range(n):
            to[j * width] = items[j].row[self.record_type_at] >= FIRST_WITHOUT_COUNTERS

    cdef void hold_texts(self, const uint8_t *key) noexcept nogil:
        """Keep the texts of a key."""
        cdef size_t i
        cdef uint32_t id
        for i in range(self.text_count):
            memcpy(&id, key + self.text_at[i], sizeof(id))
            hold_text(self.texts, id)

    cdef void release_texts(self, const uint8_t *key) noexcept nogil:
        """Let go of the texts of a key."""
        cdef size_t i
        cdef uint32_t id
        for i in range(self.text_count):
            memcpy(&id, key + self.text_at[i], sizeof(id))
            release_text(self.texts, id)


cdef void pack_one(uint8_t *to, const uint8_t *row, const step *s) noexcept nogil:
    cdef int64_t when
    if s.octets == OCTETS_OF_SECONDS:
        memcpy(&when, row + s.from_row, 8)
        when -= when % SECOND
        memcpy(to, &when, 8)
    elif s.octets == OCTETS_OF_DSCP:
        to[0] = row[s.from_row] >> 2
    else:
        memcpy(to, row + s.from_row, s.octets)
