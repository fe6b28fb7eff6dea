"""Where a ZeroMQ server is to be had; apart from the server, which needs the library."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

#: Connections at a time, all clients together.
MAX_ZMQ_CONNECTIONS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ZmqSettings:
    """Where clients connect to, and what they must know."""

    address: IPv4Address | IPv6Address
    port: int
    user: str | None = None
    password: str | None = None
    server_key_file: Path | None = None  # CURVE: our secret key
    client_keys: Path | None = None  # a folder of the public keys of clients; none lets every client in
