"""What records of options tell about an exporter: rates, names, route distinguishers, its address."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from flowcorr.collect.limits import MOST_NAME_OCTETS
from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.wire._facts import Facts
from flowcorr.wire.elements import IE, Key

if TYPE_CHECKING:
    from flowcorr.wire._facts import Kind

_ENGINE_SHIFT: Final = 56
#: Elements that say a record is about sampling.
_SAMPLING: Final = (
    IE.SAMPLER_ID,
    IE.SELECTOR_ID,
    IE.SAMPLING_INTERVAL,
    IE.SAMPLER_RANDOM_INTERVAL,
    IE.SAMPLING_PACKET_INTERVAL,
    IE.SAMPLING_SIZE,
)

_NAMES: Final[Mapping[int, "Kind"]] = {IE.VRF_NAME: "vrf_name", IE.INTERFACE_NAME: "interface_name"}

_Record: TypeAlias = Mapping[Key, bytes]


def keep(record: _Record, facts: Facts) -> None:
    """Keep what a record tells."""
    _keep_sampling(record, facts)
    _keep_application(record, facts)
    _keep_vrf(record, facts)
    _keep_name(record, IE.INGRESS_INTERFACE, IE.INTERFACE_NAME, facts)
    began = _number(record, IE.SYSTEM_INIT_TIME_MILLISECONDS)
    if 0 < began < 1 << 64:
        facts.set("uptime_began", 0, began)


def told_address(record: _Record) -> bytes | None:
    """Return the exporter's own address, if the record has one: sixteen octets."""
    ipv4 = record.get(Key(0, IE.EXPORTER_IPV4_ADDRESS), b"")
    if len(ipv4) == 4 and any(ipv4):
        return IPV4_MAPPED + ipv4
    ipv6 = record.get(Key(0, IE.EXPORTER_IPV6_ADDRESS), b"")
    return ipv6 if len(ipv6) == 16 and any(ipv6) else None


def _number(record: _Record, element: int) -> int:
    """Return an element as an integer, 0 when it is absent."""
    return int.from_bytes(record.get(Key(0, element), b""))


def _keep_sampling(record: _Record, facts: Facts) -> None:
    if not any(Key(0, element) in record for element in _SAMPLING):
        return
    rate = _rate(record)
    if rate:
        sampler = next(
            (_number(record, e) for e in (IE.SAMPLER_ID, IE.SELECTOR_ID, IE.TEMPLATE_ID) if Key(0, e) in record), 0
        )
        facts.set("sampler", sampler, rate)


def _rate(record: _Record) -> int:
    """Return how many packets one sampled packet stands for, 0 when the record does not tell.

    Source: RFC 5477 section 8.2.
    """
    random = _number(record, IE.SAMPLER_RANDOM_INTERVAL)
    interval, space = _number(record, IE.SAMPLING_PACKET_INTERVAL), _number(record, IE.SAMPLING_PACKET_SPACE)
    size, population = _number(record, IE.SAMPLING_SIZE), _number(record, IE.SAMPLING_POPULATION)
    if random:
        rate = random
    elif interval and Key(0, IE.SAMPLING_PACKET_SPACE) in record:
        rate = (interval + space) // interval
    elif size and population:
        rate = population // size
    else:
        rate = _number(record, IE.SAMPLING_INTERVAL)
    return rate if rate < 1 << 32 else 0


def _keep_application(record: _Record, facts: Facts) -> None:
    application = record.get(Key(0, IE.APPLICATION_ID), b"")
    if 2 <= len(application) <= 8 and Key(0, IE.APPLICATION_NAME) in record:
        key = application[0] << _ENGINE_SHIFT | int.from_bytes(application[1:])
        facts.set_text("application", key, _name(record[Key(0, IE.APPLICATION_NAME)]))


def _keep_vrf(record: _Record, facts: Facts) -> None:
    by_ingress = record.get(Key(0, IE.INGRESS_VRF_ID), b"").strip(b"\0")
    _keep_name(record, IE.INGRESS_VRF_ID if by_ingress else IE.EGRESS_VRF_ID, IE.VRF_NAME, facts)
    rd = record.get(Key(0, IE.MPLS_VPN_ROUTE_DISTINGUISHER), b"")
    if len(rd) == 8:
        value = int.from_bytes(rd, sys.byteorder)
        if record.get(Key(0, IE.INGRESS_VRF_ID)):
            facts.set("ingress_rd", _number(record, IE.INGRESS_VRF_ID), value)
        if record.get(Key(0, IE.EGRESS_VRF_ID)):
            facts.set("egress_rd", _number(record, IE.EGRESS_VRF_ID), value)


def _keep_name(record: _Record, number: int, name: int, facts: Facts) -> None:
    key = record.get(Key(0, number))
    if key and len(key) <= 8 and Key(0, name) in record:
        facts.set_text(_NAMES[name], int.from_bytes(key), _name(record[Key(0, name)]))


def _name(octets: bytes) -> bytes:
    """Return a name without its padding, as UTF-8 whatever was sent."""
    text = octets.partition(b"\0")[0][:MOST_NAME_OCTETS].decode("utf-8", "replace").strip()
    return text.encode()
