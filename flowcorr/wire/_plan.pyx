# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""How the records of a template become rows: a list of steps, each of which takes a field of a record to a column.

What a template has of what a row wants is decided once, when the template comes (`plan.py`); here it becomes what
`_records.pyx` reads record after record.
"""

from flowcorr.wire._packet cimport fill_packet_values
from libc.stdlib cimport calloc, free

#: Codes of steps by the names that `plan.py` has for them.
CODES = {
    "unsigned": UNSIGNED,
    "unsigned exactly": UNSIGNED_EXACTLY,
    "flows": FLOWS,
    "ipv4": IPV4,
    "copy": COPY,
    "text": TEXT,
    "string": STRING,
    "segments": SEGMENTS,
    "direction": DIRECTION,
    "seconds": SECONDS,
    "milliseconds": MILLISECONDS,
    "ntp": NTP,
    "seconds and microseconds": SECONDS_AND_MICROSECONDS,
    "uptime": UPTIME,
    "uptime seconds": UPTIME_SECONDS,
    "uptime since": UPTIME_SINCE,
    "uptime since told": UPTIME_SINCE_TOLD,
    "before export": BEFORE_EXPORT,
    "label top": LABEL_TOP,
    "label bottom": LABEL_BOTTOM,
    "label stack": LABEL_STACK,
    "next hop": NEXT_HOP,
    "segment id": SEGMENT_ID,
    "interface name": NAME_OF_INTERFACE,
    "vrf names": NAMES_OF_VRF,
    "application": NAME_OF_APPLICATION,
    "rd": RD,
    "average delay": AVERAGE_DELAY,
    "sampler": SAMPLER_RATE,
    "interval": INTERVAL_RATE,
    "frame": FRAME,
    "constant": CONSTANT,
    "vlan by direction": VLAN_BY_DIRECTION,
}


cdef class Plan:
    def __cinit__(
        self, template not None, list lengths not None, list steps not None, list extras not None, dict places not None,
        dict frame not None, list packet_values not None, dict traits not None, Plan reverse=None,
    ):
        cdef size_t i
        cdef uint32_t offset = 0
        cdef field_place *place
        cdef step *s
        if not 0 < len(lengths) <= MOST_FIELDS:
            raise ValueError(f"a plan for {len(lengths)} fields")
        self.template, self.reverse = template, reverse
        self.c.reverse = &reverse.c if reverse is not None else NULL
        self.c.traits, self.c.places, self.c.frame = traits, places, frame
        self.c.field_count, self.c.step_count = len(lengths), len(steps)
        self.c.packet_value_count = len(packet_values)
        self.c.packet_values = fill_packet_values(packet_values)
        self.c.fields = <field_place *>calloc(len(lengths), sizeof(field_place))
        self.c.steps = <step *>calloc(len(steps) + 1, sizeof(step))
        self.c.extras = <uint32_t *>calloc(len(extras) + 1, sizeof(uint32_t))
        if self.c.fields == NULL or self.c.steps == NULL or self.c.extras == NULL:
            raise MemoryError
        for i in range(len(lengths)):
            place = &self.c.fields[i]
            place.offset, place.length = offset, lengths[i]
            offset += 1 if place.length == VARIABLE else place.length
            self.c.is_variable = self.c.is_variable or place.length == VARIABLE
        self.c.octets = offset
        if not offset:
            raise ValueError("a plan for records of no octets")
        for i in range(len(steps)):
            s = &self.c.steps[i]
            name, s.target, s.width, s.when, s.field, s.aux = steps[i]
            if s.field >= self.c.field_count:
                raise ValueError(f"no field {s.field}")
            s.code = CODES[name]
            s.length, s.offset = self.c.fields[s.field].length, self.c.fields[s.field].offset
        for i in range(len(extras)):
            self.c.extras[i] = extras[i] & 0xFFFFFFFF

    def __dealloc__(self):
        free(self.c.fields)
        free(self.c.steps)
        free(self.c.extras)
        free(self.c.packet_values)

    @property
    def octets(self):
        return self.c.octets

    @property
    def is_options(self):
        return self.c.traits.is_options
