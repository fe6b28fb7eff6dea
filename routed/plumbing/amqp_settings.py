"""What the operator says of an AMQP broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpTls:
    """How brokers are known and how we are, in files of PEM; without `authorities` those of the system count."""

    authorities: Path | None = None
    certificate_chain: Path | None = None
    private_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpSettings:
    """Where records of one kind go, and how.

    `keys` begins the names of the keys that say so; `hosts` are tried in turn; 0 seconds of `heartbeat` are none.
    `persistent`: messages and exchange survive a restart of the broker. `routing_keys`: how many are used in turn.
    Units: octets, seconds.
    """

    keys: str
    hosts: tuple[tuple[str, int], ...]
    virtual_host: str = "/"
    user: str = "guest"
    password: str = "guest"  # noqa: S105 (the broker's own default)
    exchange: str = "pmacct"
    exchange_type: str = "direct"
    persistent: bool = False
    frame_max: int = 131_072
    heartbeat: int = 0
    retry: int = 60
    routing_keys: int = 0
    tls: AmqpTls | None = None


def parse_hosts(text: str, port: int = 5_672) -> tuple[tuple[str, int], ...]:
    """Understand a host, or a list with commas between; an IPv6 address with a port is in brackets.

    Raises: ValueError.
    """
    return tuple(_parse_host(item.strip(), port) for item in text.split(","))


def _parse_host(item: str, port: int) -> tuple[str, int]:
    host, colon, own = item.rpartition(":")
    if item.startswith("[") and item.endswith("]"):
        host, colon = item[1:-1], ""
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif not colon or ":" in host:  # an IPv6 address without brackets has no port
        host, colon = item, ""
    if not host or any(character.isspace() or character in "[]/" for character in host):
        raise ValueError(f"{item} names no host")
    if colon and not (own.isdigit() and 1 <= int(own) <= 65_535):
        raise ValueError(f"{item} has no valid port")
    return host, int(own) if colon else port
