"""Parsers of values that only the routing daemons have."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from routed.plumbing.amqp_settings import parse_hosts
from routed.plumbing.kafka_settings import parse_servers
from routed.plumbing.log_output import FACILITIES
from routed.plumbing.names import (
    DATED_VARIABLES,
    FLOW_KEY_VARIABLES,
    FLOW_TARGET_VARIABLES,
    PEER_VARIABLES,
    WRITER_VARIABLES,
    NameTemplate,
    Variable,
    parse_name,
)
from routed.plumbing.registry_settings import RegistryUrl, parse_urls
from routed.plumbing.values import ENDPOINT, PATH, TEXT, Parser, at_least, between, list_of, one_of, word, zero_or
from routed.service.isis_settings import Tunnel
from routed.service.settings import DumpFormat, SpoolPolicy
from routed.session.negotiation import MAX_HOST_NAME
from routed.wire.bgp.codepoints import Role
from routed.wire.isis.authentication import MAX_SECRET
from routed.wire.isis.names import parse_entity_title

#: Adjacencies of one daemon: each neighbour shows the same network.
MAX_CIRCUITS: Final = 16
#: A key of GRE has 32 bits (RFC 2890 section 2.1).
MAX_GRE_KEY: Final = 2**32 - 1
#: What Linux lets an interface be called (dev_valid_name: 15 octets without slash, colon and blanks).
_INTERFACE: Final = re.compile(r"[^/:\s]{1,15}")
_COMMUNITY: Final = re.compile(r"[0-9]+:[0-9]+")


def _parse_peer_name(text: str) -> NameTemplate:
    return parse_name(PATH.parse(text), PEER_VARIABLES)


def _parse_dated_name(text: str) -> NameTemplate:
    return parse_name(PATH.parse(text), DATED_VARIABLES, dated=True)


def _parse_flow_target(text: str) -> NameTemplate:
    return parse_name(TEXT.parse(text), FLOW_TARGET_VARIABLES)


def _parse_flow_key(text: str) -> NameTemplate:
    return parse_name(TEXT.parse(text), FLOW_KEY_VARIABLES)


def _parse_dated(text: str) -> NameTemplate:
    return parse_name(PATH.parse(text), {"tzone": Variable.TIME_ZONE}, dated=True)


def _parse_writer_id(text: str) -> NameTemplate:
    name = parse_name(TEXT.parse(text), WRITER_VARIABLES)
    if name.unknown:
        raise ValueError(f"unknown variable {name.unknown[0]}")
    return name


def _parse_brokers(text: str) -> str:
    parse_servers(text)
    return text


def _parse_hosts(text: str) -> str:
    parse_hosts(text)
    return text


def _parse_community(text: str) -> str:
    if not _COMMUNITY.fullmatch(text) or any(int(half) > 0xFFFF for half in text.split(":")):
        raise ValueError(f"{text} is not a community")
    return text


def _parse_hostname(text: str) -> str:
    if not 1 <= len(text.encode()) <= MAX_HOST_NAME:
        raise ValueError
    return text


def _parse_iso_net(text: str) -> str:
    """Check an IS-IS network entity title: area, 6 octets of system id, selector 00 (ISO/IEC 10589 7.1)."""
    parse_entity_title(text)
    return text


def _parse_shared_secret(text: str) -> str:
    if not 1 <= len(text.encode()) <= MAX_SECRET:
        raise ValueError
    return text


def _parse_tunnels(text: str) -> tuple[Tunnel, ...]:
    tunnels = tuple(_parse_tunnel(each.strip()) for each in text.split(";"))
    if len(tunnels) > MAX_CIRCUITS or len(set(tunnels)) < len(tunnels):
        raise ValueError(f"more than {MAX_CIRCUITS} tunnels, or one of them twice")
    return tunnels


def _parse_tunnel(text: str) -> Tunnel:
    addresses, key = text.split(",")[:2], text.split(",")[2:]
    ends = [ipaddress.ip_address(address.strip()) for address in addresses]
    if len(ends) < 2 or ends[0].version != ends[1].version or ends[0] == ends[1]:
        raise ValueError(f"{text} is not two addresses of one family")
    numbers = [between(0, MAX_GRE_KEY).parse(number.strip()) for number in key]
    if len(numbers) > 1:
        raise ValueError(f"{text} has more than one key")
    return Tunnel(ends[0], ends[1], *numbers)


def _parse_interfaces(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not _INTERFACE.fullmatch(name) or name in {".", ".."}:
            raise ValueError(f"[{name}] names no interface")
    if len(names) > MAX_CIRCUITS or len(set(names)) < len(names):
        raise ValueError(f"more than {MAX_CIRCUITS} interfaces, or one of them twice")
    return names


def _parse_router_id(text: str) -> ipaddress.IPv4Address:
    address = ipaddress.IPv4Address(text)
    if address.is_unspecified:
        raise ValueError("0.0.0.0 identifies no router")
    return address


def _parse_vxlan_port(text: str) -> int:
    kind, _, port = text.partition(",")
    if kind.strip().lower() != "vxlan" or not 0 < int(port) < 1 << 16:
        raise ValueError
    return int(port)


PEER_NAME: Final[Parser[NameTemplate]] = Parser(
    "a name with $peer_src_ip, $peer_tcp_port or the other names of the two", _parse_peer_name
)
DATED_NAME: Final[Parser[NameTemplate]] = Parser(
    "a name with $peer_src_ip, $peer_tcp_port, $tzone and % conversions of strftime", _parse_dated_name
)
FLOW_TARGET: Final[Parser[NameTemplate]] = Parser(
    f"a name with {', '.join('$' + name for name in FLOW_TARGET_VARIABLES)}", _parse_flow_target
)
FLOW_KEY: Final[Parser[NameTemplate]] = Parser(
    f"a text with {', '.join('$' + name for name in FLOW_KEY_VARIABLES)}", _parse_flow_key
)
VXLAN_PORT: Final[Parser[int]] = Parser("`vxlan,` and a UDP port", _parse_vxlan_port)
#: Of what no peer has a part in.
OWN_DATED_NAME: Final[Parser[NameTemplate]] = Parser("a name with $tzone and % conversions of strftime", _parse_dated)
WRITER_ID: Final[Parser[NameTemplate]] = Parser("a text with $proc_name, $writer_pid, $pmacct_build", _parse_writer_id)
AMQP_HOSTS: Final[Parser[str]] = Parser("a host, or a comma-separated list of host:port", _parse_hosts)
REGISTRY_URLS: Final[Parser[tuple[RegistryUrl, ...]]] = Parser(
    "an address such as http://127.0.0.1:8081, or a list", parse_urls
)
KAFKA_BROKERS: Final[Parser[str]] = Parser("a host, or a comma-separated list of host:port", _parse_brokers)
COMMUNITY: Final[Parser[str]] = Parser("a community such as 65000:666", _parse_community)
COMMUNITIES: Final = list_of(COMMUNITY, 16)
#: As many entries as a label filter of the reference implementation may have.
LABEL_FILTER: Final = list_of(TEXT, 96)

#: As many caches as anybody prefers.
CACHES: Final = list_of(ENDPOINT, 16)

SYSLOG_FACILITY: Final = one_of(*FACILITIES)
THREAD_STACK: Final = at_least(1, unit="octets")
SOCKET_BUFFER: Final = between(1, 2**31 - 1, unit="octets")
#: RFC 791 section 3.1: the precedence is the upper three bits of the type of service.
PRECEDENCE: Final = between(0, 7)
#: RFC 4271 section 4.2: the hold time is zero or at least three seconds.
HOLD_TIME: Final = zero_or(between(3, 65_535, unit="seconds"))
#: RFC 5082 section 3: a peer n hops away arrives with a time to live of at least 255 - n.
GTSM_HOPS: Final = between(0, 254, unit="hops")
REFRESH_TIME: Final = zero_or(between(60, 86_400, unit="seconds"))

HOSTNAME: Final[Parser[str]] = Parser(f"a name of at most {MAX_HOST_NAME} octets", _parse_hostname)
#: RFC 9234 section 4.1: the role of the speaker that says it.
ROLE: Final = word(
    {
        "provider": Role.PROVIDER,
        "rs": Role.ROUTE_SERVER,
        "rs-client": Role.ROUTE_SERVER_CLIENT,
        "customer": Role.CUSTOMER,
        "peer": Role.PEER,
    }
)
_AVRO: Final = {"avro": DumpFormat.AVRO, "avro_bin": DumpFormat.AVRO, "avro_json": DumpFormat.AVRO_JSON}
LOG_OUTPUT: Final = word({"json": DumpFormat.JSON, **_AVRO})
DUMP_OUTPUT: Final = word({"json": DumpFormat.JSON, **_AVRO, "mrt": DumpFormat.MRT})
SPOOL_POLICY: Final = word({"wait": SpoolPolicy.WAIT, "drop": SpoolPolicy.DROP})
TABLE_HASH: Final = one_of("path_id", "mpls_vpn_rd")

#: RFC 6793 section 1: asplain, four octets; 0 means that none is configured.
AS_NUMBER: Final = between(0, 2**32 - 1)
#: RFC 6286 section 2.1: a BGP identifier is any non-zero unsigned 32-bit integer.
ROUTER_ID: Final[Parser[ipaddress.IPv4Address]] = Parser("an IPv4 address other than 0.0.0.0", _parse_router_id)
ISO_NET: Final[Parser[str]] = Parser("an ISO network entity title such as 49.0001.0100.0000.1001.00", _parse_iso_net)
TUNNELS: Final[Parser[tuple[Tunnel, ...]]] = Parser(
    "local and remote address and, if there is one, the key, such as 192.0.2.1,192.0.2.2 or 192.0.2.1,192.0.2.2,7, "
    "with semicolons between several",
    _parse_tunnels,
)
INTERFACES: Final[Parser[tuple[str, ...]]] = Parser("a comma-separated list of interfaces", _parse_interfaces)
#: What fits into one TLV of authentication behind its type (ISO/IEC 10589 section 9.7, RFC 5304 section 2).
SHARED_SECRET: Final[Parser[str]] = Parser("a text of 1 to 254 octets", _parse_shared_secret)
