"""Where ZeroMQ servers are to be had, ours and others; apart from what needs the library."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from routed.plumbing.values import Endpoint

#: Connections at a time, all clients together.
MAX_ZMQ_CONNECTIONS: Final = 512
#: Descriptors that they take: the library's and one of ours for each.
MOST_ZMQ_DESCRIPTORS: Final = 2 * MAX_ZMQ_CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class ZmqSettings:
    """Where clients connect to, and what they must know."""

    address: IPv4Address | IPv6Address
    port: int
    user: str | None = None
    password: str | None = None
    server_key_file: Path | None = None  # CURVE: our secret key
    client_keys: Path | None = None  # a folder of the public keys of clients; none lets every client in
    one_key_for_all: bool = False  # instead: clients have our own key, and who has another does not get in


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where another server is, and what it wants to know of us."""

    place: Endpoint
    user: str | None = None
    password: str | None = None
    key_file: Path | None = None  # CURVE: the secret key that both sides have
