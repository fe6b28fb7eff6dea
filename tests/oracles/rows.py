"""JSON rows of the message log and of dumps, the slow and obvious way: a dictionary in key order through `json`."""

import json
import socket
from dataclasses import dataclass
from typing import Any

from tests.oracles.as_path import path_text
from tests.oracles.nlri import LABELLED_SAFIS
from tests.oracles.rib import Route

ORIGINS = {0: "i", 1: "e", 2: "u"}
WELL_KNOWN_COMMUNITIES = {
    bytes.fromhex("00000000"): "internet",
    bytes.fromhex("ffffff01"): "no-export",
    bytes.fromhex("ffffff02"): "no-advertise",
    bytes.fromhex("ffffff03"): "local-AS",
}
TARGETS = {0x02: "RT", 0x03: "SoO"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The encoding options of the configuration."""

    as_path_as_array: bool = False
    comms_as_array: bool = False
    comms_num: bool = False
    origin_int: bool = False


def row(head: dict[str, Any], route: Route, style: Style) -> str:
    """One row without its line end: `head` as it is, then the route."""
    return json.dumps({**head, **route_fields(route, style)}, ensure_ascii=False)


def route_fields(route: Route, style: Style) -> dict[str, Any]:
    """The fields of a route in their order; absent information is an absent key."""
    nlri, stored = route
    path = path_text(stored.as_path)
    fields = {
        "afi": nlri.family[0],
        "safi": nlri.family[1],
        "ip_prefix": f"{address_text(nlri.address)}/{nlri.length}",
        "as_path_id": nlri.path_id,
        "bgp_nexthop": address_text(stored.next_hop),
        "as_path": path.split() if style.as_path_as_array else path,
        "comms": _communities(stored.communities, _community, style),
        "ecomms": _communities(stored.extended_communities, _extended_community, style),
        "lcomms": _communities(stored.large_communities, _large_community, style),
        "origin": stored.origin if style.origin_int or stored.origin is None else ORIGINS[stored.origin],
        "local_pref": stored.local_pref,
        "med": stored.med,
        "aigp": stored.aigp,
        "psid_li": stored.label_index or None,
        "otc": stored.otc or None,
        "rd": None if nlri.rd is None else rd_text(nlri.rd),
        "rd_origin": None if nlri.rd is None else "bgp",
        "mpls_label": str(nlri.labels[-1]) if nlri.family[1] in LABELLED_SAFIS else None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def address_text(address: bytes) -> str:
    if not address:
        return "0.0.0.0"
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def rd_text(rd: bytes) -> str:
    kind, value = int.from_bytes(rd[:2], "big"), rd[2:]
    if kind == 0:
        return f"0:{_number(value[:2])}:{_number(value[2:])}"
    if kind == 1:
        return f"1:{address_text(value[:4])}:{_number(value[4:])}"
    if kind == 2:
        return f"2:{_number(value[:4])}:{_number(value[4:])}"
    if kind == 0x0800:
        return f"vrfid:{_number(value[2:])}"
    return "unknown"


def _communities(values: tuple[bytes, ...] | None, text: Any, style: Style) -> str | list[str] | None:
    if values is None:
        return None
    words = [text(value, style) for value in sorted(set(values))]
    return words if style.comms_as_array else " ".join(words)


def _community(value: bytes, style: Style) -> str:
    if value in WELL_KNOWN_COMMUNITIES and not style.comms_num:
        return WELL_KNOWN_COMMUNITIES[value]
    return f"{_number(value[:2])}:{_number(value[2:])}"


def _extended_community(value: bytes, style: Style) -> str:
    kind, subtype, rest = value[0], value[1], value[2:]
    parts = {0x00: _as2_value, 0x01: _ipv4_value, 0x02: _as4_value}
    text = parts.get(kind & ~0x40)  # transitive or not (RFC 4360 2)
    if style.comms_num:
        return f"{kind}:{subtype}:{text(rest) if text else '0x' + rest.hex()}"
    return f"{TARGETS[subtype]}:{text(rest)}" if text and subtype in TARGETS else "?"


def _as2_value(octets: bytes) -> str:
    return f"{_number(octets[:2])}:{_number(octets[2:])}"


def _ipv4_value(octets: bytes) -> str:
    return f"{address_text(octets[:4])}:{_number(octets[4:])}"


def _as4_value(octets: bytes) -> str:
    return f"{_number(octets[:4])}:{_number(octets[4:])}"


def _large_community(value: bytes, _: Style) -> str:
    return f"{_number(value[:4])}:{_number(value[4:8])}:{_number(value[8:])}"


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")
