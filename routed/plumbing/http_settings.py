"""Where an HTTP server is to be had, and whom it serves how much."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where clients connect to, and what they must know.

    `rate` is what one client may ask for in a second, 0 for any number; `ready_time` how long we wait for the first
    whole table before we call ourselves ready. Units: seconds.
    """

    address: IPv4Address | IPv6Address
    port: int
    token_file: Path | None = None  # none: nobody must know anything
    rate: int = 100
    max_connections: int = 256
    ready_time: int = 300
