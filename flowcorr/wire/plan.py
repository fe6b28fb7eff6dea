"""What of a template's records goes where in a row, decided once.

A plan is made of steps for the compiled reader (`_records.pyx`).  Which element fills a column depends only on which
ones the template has, so no record is asked twice.  What does depend on the record is the family, where a template has
room for both, and whether a packet was in an SRv6 tunnel: those are the states of a record, and a step says in which of
them it is done.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from flowcorr.columns.column import Kind
from flowcorr.columns.layout import Layout
from flowcorr.columns.record_type import MPLS, RecordType
from flowcorr.wire import sources
from flowcorr.wire._plan import Plan
from flowcorr.wire.custom_primitive import CustomPrimitive, Semantics
from flowcorr.wire.decode_settings import DecodeSettings
from flowcorr.wire.elements import DELAY_MEAN, DELAY_SUM, IE, Key
from flowcorr.wire.packet_columns import PLACES, packet_columns, packet_values
from flowcorr.wire.reverse import counts_reverse, reverse_keys
from flowcorr.wire.sources import Family, Moment, Source
from flowcorr.wire.template import VARIABLE_LENGTH, Template

#: No field, in a plan.
NO_FIELD: Final = 0xFFFF
#: The family of a record is told by the record.
_BY_RECORD: Final = 1

# States: none, IPv4, IPv6; the same for IP in SRv6, and for Ethernet in SRv6.
_ALWAYS: Final = 0b111_111_111
_IN_FAMILY: Final = {Family.ANY: _ALWAYS, Family.IPV4: 0b010_010_010, Family.IPV6: 0b100_100_100}
_NOT_AROUND_FRAME: Final = 0b000_111_111
_IN_TUNNEL: Final = 0b111_111_000

#: Octets that a field must have for a step; any other number of them, up to eight, is an integer.
_EXACT: Final = {"ipv4": 4, "copy": None, "label top": 3, "segment id": 8, "ntp": 8}
_ANY_LENGTH: Final = {"", "text", "string", "segments", "frame", "next hop", "application"}

_Step: TypeAlias = tuple[str, int, int, int, int, int]


class PlanMaker:
    """Makes plans for one layout and one configuration."""

    def __init__(self, layout: Layout, settings: DecodeSettings) -> None:
        self._layout = layout
        self._settings = settings

    def plan(self, template: Template, *, is_v5: bool = False) -> Plan:
        """Return how to read the records of a template."""
        reverse = None
        if self._settings.split_biflows and counts_reverse(template):
            reverse = _Builder(self._layout, self._settings, template, reverse_keys(template)).build()
        keys = [field.key for field in template.fields]
        return _Builder(self._layout, self._settings, template, keys, is_v5=is_v5).build(reverse)


def _short(key: Key) -> int | Key:
    """Return how an element is looked up: exporters decide how often that is done, and a number is found sooner."""
    return key if key.enterprise else key.element


class _Builder:
    """Collects the steps of one plan."""

    def __init__(
        self,
        layout: Layout,
        settings: DecodeSettings,
        template: Template,
        keys: Sequence[Key | None],
        *,
        is_v5: bool = False,
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._template = template
        self._is_v5 = is_v5
        self._steps: list[_Step] = []
        self._extras: list[int] = []
        self._filled: set[str] = set()
        self._fields: dict[int | Key, list[int]] = {}  # by number, elements of enterprises by key
        # scope fields of NetFlow v9 are no elements
        first = template.scope if template.is_v9 else 0
        for index, (key, field) in enumerate(zip(keys, template.fields, strict=True)):
            if key is not None and field.length and index >= first:
                self._fields.setdefault(_short(key), []).append(index)

    def build(self, reverse: Plan | None = None) -> Plan:
        frame_field = self._field((IE.DATA_LINK_FRAME_SECTION, IE.LAYER2_PACKET_SECTION_DATA))
        record_type = self._record_type(frame_field)
        has_counters = record_type < RecordType.EVENT
        self._families()
        self._outer_protocol()
        for source in sources.SOURCES:
            self._add(source)
        if self._outer != NO_FIELD:
            for source in sources.TUNNEL_SOURCES:
                self._add(source, instance=0, when=_IN_TUNNEL)
        self._add_vlan()
        self._add_nat()
        self._add_next_hops()
        self._add_labels()
        self._add_vrfs(frame_field)
        self._add_times()
        self._add_delay()
        self._add_constants()
        has_rate = self._add_rate()
        if has_counters:
            self._add_counters()
        self._add_custom()
        if frame_field != NO_FIELD:
            self._step("frame", frame_field, aux=self._field((IE.DATA_LINK_FRAME_TYPE,)))
        return Plan(
            self._template,
            [field.length for field in self._template.fields],
            self._steps,
            self._extras,
            {name: self._layout.offset(name) for name in PLACES},
            packet_columns(self._layout, set() if self._is_v5 else self._filled),
            packet_values(self._layout, self._settings.custom) if frame_field != NO_FIELD else [],
            {
                "is_options": self._template.is_options,
                "is_v5": self._is_v5,
                "record_type": record_type,
                "family": self._family,
                "first_is_ipv6": self._first_is_ipv6,
                "has_addresses": self._has_addresses,
                "has_counters": has_counters,
                "has_rate": has_rate,
                "version_field": self._field((IE.IP_VERSION,)),
                "ipv4_field": self._field((IE.SOURCE_IPV4_ADDRESS,)),
                "ipv6_field": self._field((IE.SOURCE_IPV6_ADDRESS,)),
                "vlan_field": self._field((IE.VLAN_ID,)),
                "post_vlan_field": self._field((IE.POST_VLAN_ID,)),
                "outer_protocol_field": self._outer,
                "has_inner_ip": self._has_inner_ip,
                "rebase_port": self._settings.rebase_port,
            },
            reverse,
        )

    # what the template has

    def _has(self, elements: Sequence[int]) -> bool:
        return not self._fields.keys().isdisjoint(elements)

    def _field(self, elements: Sequence[int | Key], do: str = "", width: int = 0, instance: int = -1) -> int:
        """Return the field of the first element that the template has in a length that will do."""
        for element in elements:
            for index in self._fields.get(element, ())[instance:][:1]:
                if self._fits(self._template.fields[index].length, do, width):
                    return index
        return NO_FIELD

    @staticmethod
    def _fits(length: int, do: str, width: int) -> bool:
        if length == VARIABLE_LENGTH or do in _ANY_LENGTH:
            return True
        if do == "copy":
            return length == width
        return length == _EXACT[do] if do in _EXACT else length <= 8

    def _record_type(self, frame_field: int) -> int:
        if self._template.is_options:
            return RecordType.OPTION
        if self._is_v5:
            return RecordType.IPV4_V5
        if self._has((IE.NAT_EVENT,)) or not self._has(sources.COUNTING):
            return RecordType.EVENT
        if frame_field != NO_FIELD:
            return RecordType.FRAME
        if self._has((IE.IP_VERSION, *sources.IPV4_ADDRESSES, *sources.IPV6_ADDRESSES)):
            return RecordType.IPV4 + (MPLS if self._has((IE.MPLS_TOP_LABEL_STACK_SECTION,)) else 0)
        return RecordType.L2

    def _families(self) -> None:
        has_ipv4, has_ipv6 = self._has(sources.IPV4_ADDRESSES), self._has(sources.IPV6_ADDRESSES)
        self._has_addresses = has_ipv4 or has_ipv6
        is_told = (has_ipv4 and has_ipv6) or (not self._has_addresses and self._has((IE.IP_VERSION,)))
        self._family = _BY_RECORD if is_told else 4 if has_ipv4 else 6 if has_ipv6 else 0
        addresses = (
            IE.SOURCE_IPV4_ADDRESS,
            IE.SOURCE_IPV6_ADDRESS,
            IE.DESTINATION_IPV4_ADDRESS,
            IE.DESTINATION_IPV6_ADDRESS,
        )
        order = [
            field.element for field in self._template.fields if not field.enterprise and field.element in addresses
        ]
        self._first_is_ipv6 = bool(order) and order[0] in sources.IPV6_ADDRESSES

    def _outer_protocol(self) -> None:
        """Find what tells a packet in SRv6: the protocol of the first of several IP headers, which is an IPv6 one."""
        self._outer, self._has_inner_ip = NO_FIELD, False
        if not self._first_is_ipv6 or self._is_v5 or self._template.is_options:
            return
        twice = any(
            len(self._fields.get(element, ())) > 1 for element in (IE.SOURCE_IPV6_ADDRESS, IE.DESTINATION_IPV6_ADDRESS)
        )
        self._has_inner_ip = twice or self._has(sources.IPV4_ADDRESSES)
        self._outer = self._field((IE.PROTOCOL_IDENTIFIER,), "unsigned", instance=0)

    # steps

    def _step(self, do: str, field: int, *, aux: int = 0) -> None:
        """Add a step that writes wherever it must."""
        self._steps.append((do, 0, 0, _ALWAYS, field, aux))

    def _extra(self, *values: int) -> int:
        at = len(self._extras)
        self._extras.extend(values)
        return at

    def _write(self, name: str, do: str, field: int, *, when: int = _ALWAYS, aux: int = 0) -> None:
        column = self._layout.columns.get(name)
        if column is not None and field != NO_FIELD:
            self._filled.add(name)
            self._steps.append((do, self._layout.offset(name), column.kind.width, when, field, aux))

    def _add(self, source: Source, *, instance: int = -1, when: int = _ALWAYS) -> None:
        column = self._layout.columns.get(source.column)
        if column is None:
            return
        field = self._field(source.elements, source.do, column.kind.width, instance)
        when &= _IN_FAMILY[source.family] & (_NOT_AROUND_FRAME if source.inner else _ALWAYS)
        self._write(source.column, source.do, field, when=when)

    def _add_vlan(self) -> None:
        direction = self._field((IE.FLOW_DIRECTION,))
        ingress, egress = (IE.VLAN_ID, IE.DOT1Q_VLAN_ID), (IE.POST_VLAN_ID, IE.POST_DOT1Q_VLAN_ID)
        if direction == NO_FIELD:
            either = (IE.VLAN_ID, IE.POST_VLAN_ID, IE.DOT1Q_VLAN_ID, IE.POST_DOT1Q_VLAN_ID)
            self._write("vlan", "unsigned", self._field(either, "unsigned"))
        else:
            extra = self._extra(direction, self._field(ingress, "unsigned"), self._field(egress, "unsigned"))
            self._write("vlan", "vlan by direction", 0, aux=extra)

    def _add_nat(self) -> None:
        for name, elements in sources.NAT_ADDRESSES.items():
            field = self._field(elements, "next hop")
            if field != NO_FIELD:
                self._write(name, "ipv4" if self._template.fields[field].length == 4 else "copy", field)

    def _add_next_hops(self) -> None:
        bgp, ip = sources.BGP_NEXT_HOPS, sources.IP_NEXT_HOPS
        peer = tuple(b + i if self._settings.use_ip_next_hop else b for b, i in zip(bgp, ip, strict=True))
        for name, (ipv4, ipv6) in (("bgp_next_hop", bgp), ("next_hop", ip), ("peer_dst_ip", peer)):
            if name not in self._layout:
                continue
            for elements, when in (
                (ipv4 + ipv6, _ALWAYS & ~_IN_FAMILY[Family.IPV6]),
                (ipv6 + ipv4, _IN_FAMILY[Family.IPV6]),
            ):
                fields = [field for element in elements if (field := self._field((element,), "next hop")) != NO_FIELD]
                if fields:
                    self._write(name, "next hop", 0, when=when, aux=self._extra(len(fields), *fields))

    def _add_labels(self) -> None:
        fields = [field for label in sources.LABELS if (field := self._field((label,), "label top")) != NO_FIELD]
        if fields:
            extra = self._extra(len(fields), *fields)
            self._write("mpls_label_bottom", "label bottom", 0, aux=extra)
            self._write("mpls_label_stack", "label stack", 0, aux=extra)
        segment = self._field((IE.LAYER2_SEGMENT_ID,), "segment id")
        self._write("vxlan", "segment id", segment, aux=1)
        self._write("nvgre", "segment id", segment, aux=2)

    def _add_vrfs(self, frame_field: int) -> None:
        ingress = self._field((IE.INGRESS_VRF_ID,), "unsigned")
        egress = self._field((IE.EGRESS_VRF_ID,), "unsigned")
        names = [self._layout.offset(name) for name in ("vrf_name", "ingress_vrf_name", "egress_vrf_name")]
        if max(names) >= 0 and not self._is_v5:
            self._step("vrf names", 0, aux=self._extra(ingress, egress, *names))
        rd = self._field((IE.MPLS_VPN_ROUTE_DISTINGUISHER,), "copy", Kind.RD.width)
        if frame_field == NO_FIELD and {rd, ingress, egress} != {NO_FIELD} and "mpls_vpn_rd" in self._layout:
            direction, origin = self._field((IE.FLOW_DIRECTION,)), self._layout.offset("mpls_vpn_rd_origin")
            self._write("mpls_vpn_rd", "rd", 0, aux=self._extra(rd, ingress, egress, direction, origin))

    def _add_times(self) -> None:
        for name, moment, names in (
            ("timestamp_start", sources.START, ("milliseconds", "observation", "microseconds", "seconds")),
            ("bin_time", sources.START, ("milliseconds", "microseconds", "observation", "seconds")),
            ("timestamp_end", sources.END, ("milliseconds", "microseconds", "seconds")),
            ("time_end", sources.END, ("milliseconds", "microseconds", "seconds")),
        ):
            if name in self._layout:
                self._add_time(name, moment, names)

    def _add_time(self, name: str, moment: Moment, order: tuple[str, ...]) -> None:
        chooses_bin = name in {"bin_time", "time_end"}
        if chooses_bin and self._settings.time_of_arrival:
            return
        uptime = self._field((moment.uptime,), "uptime")
        if self._template.is_v9 or self._is_v5:
            in_seconds = chooses_bin and self._settings.time_from_uptime_seconds
            if uptime != NO_FIELD:
                self._write(name, "uptime seconds" if in_seconds else "uptime", uptime)
            elif not in_seconds:
                self._add_clock_time(name, moment, order)
            return
        start_of_uptime = self._field((IE.SYSTEM_INIT_TIME_MILLISECONDS,), "milliseconds")
        before_export = self._field((moment.before_export,), "before export")
        if NO_FIELD not in {uptime, start_of_uptime}:
            self._write(name, "uptime since", uptime, aux=start_of_uptime)
        elif not self._add_clock_time(name, moment, order):
            if before_export != NO_FIELD:
                self._write(name, "before export", before_export)
            elif self._settings.uptime_from_options:
                self._write(name, "uptime since told", uptime)

    def _add_clock_time(self, name: str, moment: Moment, order: tuple[str, ...]) -> bool:
        """Write the first of several elements that tell the time of day; False when there is none."""
        of_order = {
            "milliseconds": ((moment.milliseconds,), "milliseconds"),
            "observation": ((IE.OBSERVATION_TIME_MILLISECONDS,), "milliseconds"),
            "microseconds": ((moment.microseconds, moment.nanoseconds), "ntp"),
            "seconds": ((moment.seconds,), "seconds"),
        }
        for elements, do in (of_order[each] for each in order):
            if do == "ntp" and self._is_pair(moment.microseconds):
                self._write(name, "seconds and microseconds", self._fields[moment.microseconds][-1])
                return True
            field = self._field(elements, do)
            if field != NO_FIELD:
                self._write(name, do, field)
                return True
        return False

    def _is_pair(self, element: int) -> bool:
        """Tell whether a time is sixteen octets: seconds and microseconds, as some probes send it."""
        fields = self._fields.get(element, [])
        return bool(fields) and self._template.fields[fields[-1]].length == 16

    def _add_delay(self) -> None:
        mean = self._field((IE.PATH_DELAY_MEAN_DELTA_MICROSECONDS, DELAY_MEAN), "unsigned")
        total = self._field((IE.PATH_DELAY_SUM_DELTA_MICROSECONDS, DELAY_SUM), "unsigned")
        if {mean, total} != {NO_FIELD}:
            extra = self._extra(mean, total, self._field(sources.PACKETS, "unsigned"))
            self._write("path_delay_avg_usec", "average delay", 0, aux=extra)

    def _add_constants(self) -> None:
        self._write("flowset_id", "constant", 0, aux=self._template.id)
        is_biflow = self._has((IE.INITIATOR_OCTETS,)) and self._has((IE.RESPONDER_OCTETS,))
        self._write("biflow", "constant", 0, aux=int(is_biflow))
        if not self._settings.ignore_exporter_address:
            self._write("peer_src_ip", "ipv4", self._field((IE.EXPORTER_IPV4_ADDRESS,), "ipv4"))
            if not self._has((IE.EXPORTER_IPV4_ADDRESS,)):
                self._write("peer_src_ip", "copy", self._field((IE.EXPORTER_IPV6_ADDRESS,), "copy", 16))

    def _add_rate(self) -> bool:
        if not {"sampling_rate", "renormalize_rate"} & set(self._layout.columns) and not self._settings.renormalize:
            return False
        sampler = self._field((IE.SAMPLER_ID, IE.SELECTOR_ID), "unsigned")
        if sampler != NO_FIELD:
            self._step("sampler", sampler)
            return True
        interval = self._field((IE.SAMPLER_RANDOM_INTERVAL, IE.SAMPLING_INTERVAL), "unsigned")
        if interval != NO_FIELD:
            self._step("interval", interval)
            return True
        return False

    def _add_counters(self) -> None:
        octets: tuple[int, ...] = sources.OCTETS
        packets: tuple[int, ...] = sources.PACKETS
        if self._settings.asa_bi_flow:
            octets, packets = (*octets, sources.ASA_OCTETS), (*packets, sources.ASA_PACKETS)
        self._write("bytes", "unsigned", self._field(octets, "unsigned"))
        self._write("packets", "unsigned", self._field(packets, "unsigned"))
        self._write("flows", "flows", self._field((IE.DELTA_FLOW_COUNT,), "unsigned"))

    def _add_custom(self) -> None:
        for primitive in self._settings.custom:
            if primitive.field is None:
                continue
            fields = self._fields.get(_short(Key(primitive.field.enterprise, primitive.field.element)), [])
            if fields and len(fields) > primitive.field.instance:
                self._add_custom_field(primitive, fields[primitive.field.instance])

    def _add_custom_field(self, primitive: CustomPrimitive, field: int) -> None:
        column, length = primitive.column, self._template.fields[field].length
        any_length = primitive.semantics is Semantics.RAW or length == VARIABLE_LENGTH or not primitive.length
        if column.name not in self._layout or (not any_length and length != primitive.length):
            return
        if column.kind is Kind.TEXT:
            do = "string" if primitive.semantics is Semantics.STR else "text"
        elif column.kind is Kind.ADDRESS:
            do = "ipv4" if primitive.length == 4 else "copy"
        elif column.kind is Kind.MAC:
            do = "copy"
        else:
            do = "unsigned exactly"
        self._write(column.name, do, field, aux=primitive.length or 0)
