"""Routes and flows by chance, the same ones for one seed: prefixes that nest, addresses inside and outside of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST, Family
from tests.flowcorr.exports import export_set, template, v9
from tests.peers.route import Route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Network = IPv4Network | IPv6Network

#: What prefixes nest in, and how deep.
BASES: Final = {
    "10.0.0.0/8": 4,
    "172.16.0.0/12": 4,
    "198.18.0.0/15": 4,
    "2001:db8:1000::/36": 3,
    "2a00::/16": 3,
}
#: Addresses in none of them.
ELSEWHERE: Final = {4: "203.0.113.9", 6: "fd12::9"}
ASES: Final = (64500, 64501, 65001, 4200000001, 3356)

#: Elements of a record and their octets; those of addresses depend on the family.
FIELDS: Final = {
    "src_mac": (56, 6),
    "dst_mac": (80, 6),
    "vlan": (58, 2),
    "in": (10, 4),
    "out": (14, 4),
    "proto": (4, 1),
    "src_port": (7, 2),
    "dst_port": (11, 2),
    "src_as": (16, 4),
    "dst_as": (17, 4),
    "direction": (61, 1),
    "octets": (1, 4),
    "packets": (2, 4),
}
ADDRESSES: Final = {
    4: {"src": (8, 4), "dst": (12, 4), "src_mask": (9, 1), "dst_mask": (13, 1), "bgp_next_hop": (18, 4)},
    6: {"src": (27, 16), "dst": (28, 16), "src_mask": (29, 1), "dst_mask": (30, 1), "bgp_next_hop": (63, 16)},
}
TEMPLATES: Final = {4: 256, 6: 257}
RECORDS: Final = 8  # of a datagram


@dataclass(frozen=True, slots=True)
class Flow:
    """A record that an exporter sends; values are numbers, MAC addresses octets, addresses text."""

    exporter: str
    version: int
    values: Mapping[str, Any]

    @property
    def octets(self) -> bytes:
        """Return the record in the order of its template."""
        return b"".join(
            _encode(self.values[name], width) for name, (_, width) in {**ADDRESSES[self.version], **FIELDS}.items()
        )


def _encode(value: object, width: int) -> bytes:
    if isinstance(value, str):
        return ip_address(value).packed
    return value if isinstance(value, bytes) else int(str(value)).to_bytes(width, "big")


class World:
    """What is announced and sent."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.networks: list[Network] = []
        for base, depth in BASES.items():
            self._nest(ip_network(base), depth)

    def routes(self, *versions: int, external: bool = False) -> list[Route]:
        """Return routes to some of the networks."""
        networks = [network for network in self.networks if network.version in versions]
        return [self._route(network, external=external) for network in networks if self.chance.random() < 0.6]

    def moved(self, routes: Sequence[Route], family: Family, label: int, rd: str = "") -> list[Route]:
        """Return some of the routes in another family."""
        chosen = [route for route in routes if self.chance.random() < 0.5]
        return [replace(route, family=family, labels=(label,), rd=rd) for route in chosen]

    def flows(self, count: int, *exporters: str, versions: Sequence[int] = (4, 6)) -> list[Flow]:
        """Return the flows of so many datagrams of each exporter."""
        return [
            Flow(exporter, version, self._values(version))
            for exporter in exporters
            for version in self.chance.choices(versions, k=count)
            for _ in range(RECORDS)
        ]

    def payloads(self) -> list[dict[str, object]]:
        """Return payloads that validate origins, several around one another and of one prefix."""
        return [
            {
                "asn": f"AS{self.chance.choice(ASES)}",
                "prefix": str(network),
                "maxLength": min(network.max_prefixlen, network.prefixlen + self.chance.randint(0, 14)),
                "ta": "tests",
            }
            for network in self.chance.choices(self.networks, k=len(self.networks) // 2)
        ]

    def _nest(self, network: Network, depth: int) -> None:
        self.networks.append(network)
        for _ in range(self.chance.randint(1, 3) if depth else 0):
            length = min(network.max_prefixlen, network.prefixlen + self.chance.randint(1, 10))
            offset = self.chance.getrandbits(length - network.prefixlen) << network.max_prefixlen - length
            inner = ip_network((int(network.network_address) + offset, length))
            if inner not in self.networks:
                self._nest(inner, depth - 1)

    def _route(self, network: Network, *, external: bool) -> Route:
        chance, is_ipv4 = self.chance, network.version == 4
        return Route(
            prefix=str(network),
            next_hop=f"192.0.2.{chance.randint(2, 40)}" if is_ipv4 else f"2001:db8::{chance.randint(2, 40)}",
            family=IPV4_UNICAST if is_ipv4 else IPV6_UNICAST,
            as_path=" ".join(str(chance.choice(ASES)) for _ in range(chance.randint(0, 5))),
            local_pref=None if external else chance.choice((100, 200, 4294967295)),
            med=chance.choice((None, 0, 30)),
            communities=" ".join(sorted({f"65000:{chance.randint(1, 9)}" for _ in range(chance.randint(0, 3))})),
            extended_communities=chance.choice(("", "RT:65000:7")),
            large_communities=chance.choice(("", "65000:1:2", "65000:1:2 65000:3:4")),
        )

    def _values(self, version: int) -> dict[str, Any]:
        chance = self.chance
        return {
            "src": self._address(version),
            "dst": self._address(version),
            "src_mask": chance.choice((0, 8, 12, 16, 24, 32)),
            "dst_mask": chance.choice((0, 8, 12, 16, 24, 32)),
            "bgp_next_hop": {4: "192.0.2.201", 6: "fd12::201"}[version],
            "src_mac": bytes([2, 0, 0, 0, 0, chance.randint(1, 3)]),
            "dst_mac": bytes([2, 0, 0, 0, 1, chance.randint(1, 3)]),
            "vlan": chance.choice((300, 400)),
            "in": chance.randint(1, 4),
            "out": chance.randint(1, 4),
            "proto": chance.choice((1, 6, 17, 47)),
            "src_port": chance.choice((53, 80, 1024)),
            "dst_port": chance.choice((53, 80, 443)),
            "src_as": chance.choice((0, 64999, 4200000002)),
            "dst_as": chance.choice((0, 64998)),
            "direction": chance.randint(0, 1),
            "octets": chance.randint(40, 9000),
            "packets": chance.randint(1, 9),
        }

    def _address(self, version: int) -> str:
        network = self.chance.choice([one for one in self.networks if one.version == version])
        if self.chance.random() < 0.1:
            return ELSEWHERE[version]
        return str(network[self.chance.randrange(network.num_addresses)])


def datagrams(flows: Sequence[Flow]) -> list[tuple[str, bytes]]:
    """Return what exporters send, templates first (NetFlow version 9, RFC 3954)."""
    templates = [
        export_set(0, template(TEMPLATES[version], *ADDRESSES[version].values(), *FIELDS.values()))
        for version in sorted({flow.version for flow in flows})
    ]
    found = [(exporter, v9(*templates, sequence=0)) for exporter in dict.fromkeys(flow.exporter for flow in flows)]
    for at in range(0, len(flows), RECORDS):
        first, records = flows[at], b"".join(flow.octets for flow in flows[at : at + RECORDS])
        found.append((first.exporter, v9(export_set(TEMPLATES[first.version], records), sequence=1 + at)))
    return found
