"""Who we are in a network of IS-IS, and where its neighbours are."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from routed.plumbing.values import Address
from routed.wire.isis.authentication import Key


class Tunnel(NamedTuple):
    """A GRE tunnel: the addresses of its ends, and its key if it has one (RFC 2890)."""

    local: Address
    remote: Address
    key: int | None = None


#: The name of an interface, or a tunnel.
Place: TypeAlias = str | Tunnel


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

    @property
    def domain_key(self) -> Key | None:
        """Return what signs LSPs and sequence numbers PDUs, None for nothing."""
        return self.domain_keys[0] if self.domain_keys else None
