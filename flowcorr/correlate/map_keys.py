"""The keys by which rows of maps choose flows: one row each, with the column it reads and how its value is written.

A value with `-` in front is negated where the key allows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.columns.record_type import FIRST_WITHOUT_COUNTERS, RecordType
from flowcorr.correlate._match import Test
from flowcorr.correlate.community_patterns import any_community_matches
from flowcorr.correlate.protocols import protocol_number
from flowcorr.correlate.route_distinguisher import parse_rd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_COMMUNITIES: Final = 16
#: Prefixes that are remembered while a map is read: those of exporters come again and again.
REMEMBERED: Final = 4096
IPV4_BITS: Final = 32
#: Two bits of a forwarding status are its class, the six below the reason (RFC 7270 section 4.12).
FORWARDING_REASON: Final = 0x3F
FORWARDING_CLASS: Final = 0xC0


class MapValueError(ValueError):
    """A value is none that its key may have; the text says what is valid."""


class Condition(NamedTuple):
    """One test of a rule, as `flowcorr.correlate._match.Rules` takes it."""

    test: Test
    column: str
    value: Any
    bits: int = 0
    negated: bool = False


@dataclass(frozen=True, slots=True)
class MatchKey:
    """A key of a row: what it compares, and how."""

    parse: Callable[[str], list[Condition]]
    columns: tuple[str, ...]
    negatable: bool = True

    def conditions(self, text: str) -> list[Condition]:
        """Return what must hold for a flow.

        Raises: MapValueError.
        """
        if not text.startswith("-"):
            return self.parse(text)
        if not self.negatable:
            raise MapValueError("cannot be negated")
        found = self.parse(text[1:])
        if len(found) != 1:
            raise MapValueError("cannot be negated")
        return [found[0]._replace(negated=not found[0].negated)]


def integer(column: str) -> MatchKey:
    """Return a key that compares a column with a number."""
    most = 2 ** (8 * BUILTIN[column].kind.width) - 1

    def parse(text: str) -> list[Condition]:
        return [Condition(Test.EQUAL, column, number(text, most))]

    return MatchKey(parse, (column,))


def number(text: str, most: int, base: int = 10) -> int:
    """Read a number.

    Raises: MapValueError.
    """
    try:
        value = int(text, base)
    except ValueError:
        raise MapValueError(f"'{text}' is no number") from None
    if not 0 <= value <= most:
        raise MapValueError(f"{text} is not from 0 to {most}")
    return value


#: An IPv4 prefix as people write them: most are read by the octets, which takes a tenth of the time.
_OCTET: Final = r"(0|[1-9]\d{0,2})"
_IPV4: Final = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}(?:/(\d\d?))?", re.ASCII)


@lru_cache(REMEMBERED)
def prefix_octets(text: str) -> tuple[bytes, int]:
    """Read a prefix or an address, as sixteen octets and how many of their bits it fixes.

    Raises: MapValueError.
    """
    if (found := _ipv4_prefix(text)) is not None:
        return found
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise MapValueError(f"'{text}' is neither address nor prefix") from None
    if network.version == 4:
        return IPV4_MAPPED + network.network_address.packed, 8 * len(IPV4_MAPPED) + network.prefixlen
    return network.network_address.packed, network.prefixlen


def _ipv4_prefix(text: str) -> tuple[bytes, int] | None:
    """Read an IPv4 prefix as sixteen octets; None for what is none, or not plainly one."""
    found = _IPV4.fullmatch(text)
    if found is None:
        return None
    first, second, third, fourth, bits = map(int, found.groups("32"))
    if max(first, second, third, fourth) > 0xFF or bits > IPV4_BITS:
        return None
    host_bits = IPV4_BITS - bits
    value = (first << 24 | second << 16 | third << 8 | fourth) >> host_bits << host_bits
    return IPV4_MAPPED + value.to_bytes(4), 8 * len(IPV4_MAPPED) + bits


def address_octets(address: IPv4Address | IPv6Address) -> bytes:
    """Return an address in sixteen octets."""
    return address.packed if address.version == 6 else IPV4_MAPPED + address.packed


def _prefix(column: str) -> MatchKey:
    def parse(text: str) -> list[Condition]:
        octets, bits = prefix_octets(text)
        return [Condition(Test.PREFIX, column, octets, bits)]

    return MatchKey(parse, (column,))


def _address(column: str) -> MatchKey:
    def parse(text: str) -> list[Condition]:
        try:
            return [Condition(Test.OCTETS, column, address_octets(ip_address(text)))]
        except ValueError:
            raise MapValueError(f"'{text}' is no address") from None

    return MatchKey(parse, (column,))


def _mac(column: str) -> MatchKey:
    def parse(text: str) -> list[Condition]:
        octets = text.split(":")
        if len(octets) != BUILTIN[column].kind.width:
            raise MapValueError(f"'{text}' is no MAC address")
        return [Condition(Test.OCTETS, column, bytes(number(octet, 0xFF, 16) for octet in octets))]

    return MatchKey(parse, (column,))


def _communities(column: str) -> MatchKey:
    def parse(text: str) -> list[Condition]:
        patterns = [pattern for pattern in text.split(",") if pattern]
        if not 1 <= len(patterns) <= MAX_COMMUNITIES:
            raise MapValueError(f"has {len(patterns)} communities, not 1 to {MAX_COMMUNITIES}")
        return [Condition(Test.TEXT, column, any_community_matches(patterns))]

    return MatchKey(parse, (column,), negatable=False)


def _letter(column: str, letters: str) -> MatchKey:
    def parse(text: str) -> list[Condition]:
        if len(text) != 1 or text not in letters:
            raise MapValueError(f"'{text}' is not one of {', '.join(letters)}")
        return [Condition(Test.EQUAL, column, ord(text))]

    return MatchKey(parse, (column,))


def _flag(column: str, test: Test, value: object, *, negated: bool = False) -> MatchKey:
    """Return a key that is true or false: whether a test holds."""

    def parse(text: str) -> list[Condition]:
        if text not in {"true", "false"}:
            raise MapValueError(f"'{text}' is not one of true, false")
        return [Condition(test, column, value, 0, negated != (text == "false"))]

    return MatchKey(parse, (column,))


def _protocol(text: str) -> list[Condition]:
    value = protocol_number(text)
    if value is None:
        raise MapValueError(f"'{text}' is no IP protocol")
    return [Condition(Test.EQUAL, "proto", value)]


def _tcp_flags(text: str) -> list[Condition]:
    return [Condition(Test.EQUAL, "tcpflags", number(text, 0xFF, 16))]


def _forwarding_status(text: str) -> list[Condition]:
    value = number(text, 0xFF)
    if value & FORWARDING_REASON:
        return [Condition(Test.EQUAL, "fwd_status", value)]
    return [Condition(Test.MASKED, "fwd_status", value, FORWARDING_CLASS)]


def _rd(text: str) -> list[Condition]:
    octets = parse_rd(text)
    if octets is None:
        raise MapValueError(f"'{text}' is no route distinguisher")
    return [Condition(Test.OCTETS, "mpls_vpn_rd", octets)]


def _direction(text: str) -> list[Condition]:
    """Read 0 (ingress, or not said) or 1 (egress); other directions and NetFlow v5, which has none, match neither."""
    if text not in {"0", "1"}:
        raise MapValueError(f"'{text}' is not one of 0, 1")
    said = [Condition(Test.EQUAL, "sampling_direction", ord("e"))]
    if text == "0":
        said = [Condition(Test.EQUAL, "sampling_direction", ord(other), negated=True) for other in "eu"]
    return [*said, Condition(Test.EQUAL, "record_type", RecordType.IPV4_V5, negated=True)]


#: Names of `sample_type`; the first stands for all types that have counters.
SAMPLE_TYPES: Final[Mapping[str, RecordType]] = {
    "flow-ipv4": RecordType.IPV4,
    "flow-ipv6": RecordType.IPV6,
    "flow-mpls-ipv4": RecordType.MPLS_IPV4,
    "flow-mpls-ipv6": RecordType.MPLS_IPV6,
    "event": RecordType.EVENT,
    "option": RecordType.OPTION,
}


def _sample_type(text: str) -> list[Condition]:
    enterprise, colon, form = text.partition(":")
    if colon:
        value = number(enterprise, 0xFFFFF) << 12 | number(form, 0xFFF)
        return [Condition(Test.EQUAL, "sample_type", value)]
    if text == "flow":
        return [Condition(Test.BELOW, "record_type", FIRST_WITHOUT_COUNTERS)]
    if text not in SAMPLE_TYPES:
        raise MapValueError(f"'{text}' is not one of flow, {', '.join(SAMPLE_TYPES)}, enterprise:format")
    return [Condition(Test.EQUAL, "record_type", SAMPLE_TYPES[text])]


#: All keys that compare something of a flow, but for `ip`, which chooses the exporter, and `filter`.
MATCH_KEYS: Final[Mapping[str, MatchKey]] = {
    "in": integer("in_iface"),
    "out": integer("out_iface"),
    "engine_type": integer("engine_type"),
    "engine_id": integer("export_proto_sysid"),
    "source_id": integer("export_proto_sysid"),
    "agent_id": integer("export_proto_sysid"),
    "flowset_id": integer("flowset_id"),
    "sample_type": MatchKey(_sample_type, ("sample_type", "record_type")),
    "direction": MatchKey(_direction, ("sampling_direction", "record_type"), negatable=False),
    "nexthop": _address("next_hop"),
    "bgp_nexthop": _address("peer_dst_ip"),
    "src_mac": _mac("src_mac"),
    "dst_mac": _mac("dst_mac"),
    "vlan": integer("vlan"),
    "cvlan": integer("in_cvlan"),
    "src_net": _prefix("src_host"),
    "dst_net": _prefix("dst_host"),
    "src_port": integer("src_port"),
    "dst_port": integer("dst_port"),
    "ip_proto": MatchKey(_protocol, ("proto",)),
    "tcp_flags": MatchKey(_tcp_flags, ("tcpflags",)),
    "is_multicast": _flag("dst_host", Test.MULTICAST, None),
    "fwd_status": MatchKey(_forwarding_status, ("fwd_status",)),
    "mpls_pw_id": integer("mpls_pw_id"),
    "mpls_label_bottom": integer("mpls_label_bottom"),
    "mpls_vpn_id_in": integer("ingress_vrf_id"),
    "mpls_vpn_id_out": integer("egress_vrf_id"),
    "mpls_vpn_rd": MatchKey(_rd, ("mpls_vpn_rd",), negatable=False),
    "is_bi_flow": _flag("biflow", Test.EQUAL, 1),
    "is_nsel": _flag("fw_event", Test.EQUAL, 0, negated=True),
    "is_nel": _flag("nat_event", Test.EQUAL, 0, negated=True),
    "src_as": integer("src_as"),
    "dst_as": integer("dst_as"),
    "peer_src_as": integer("peer_src_as"),
    "peer_dst_as": integer("peer_dst_as"),
    "local_pref": integer("local_pref"),
    "src_local_pref": integer("src_local_pref"),
    "comms": _communities("std_comm"),
    "src_comms": _communities("src_std_comm"),
    "src_roa": _letter("src_roa", "uiv"),
    "dst_roa": _letter("dst_roa", "uiv"),
}
