"""Who we are in a network of IS-IS, and where its neighbours are."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from routed.wire.isis.authentication import Key

Address: TypeAlias = IPv4Address | IPv6Address
#: The name of an interface, or local and remote address of a GRE tunnel.
Place: TypeAlias = str | tuple[Address, Address]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsisSettings:
    """Who we are, and on what circuits.

    Addresses are packed. The first key of each sort signs, all are believed. Units: octets, seconds.
    """

    system_id: bytes
    area: bytes
    addresses: tuple[bytes, ...]
    hostname: str
    circuits: tuple[Place, ...]
    mtu: int
    is_padded: bool
    hello_interval: int
    hello_multiplier: int
    hello_keys: tuple[Key, ...] = ()
    domain_keys: tuple[Key, ...] = ()
