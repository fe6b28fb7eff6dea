"""Which looking glass is asked, and what it must be told to let us in."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 17_900
#: ZeroMQ's bound of a user and a password, in octets.
MAX_CREDENTIAL: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A looking glass. With a user or a password PLAIN is spoken, with a server key CURVE."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    user: str = ""
    password: str = ""
    server_key: Path | None = None  # a certificate with the server's public key
    client_key: Path | None = None  # a certificate with our secret key; none: one that is made up

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> tuple[str, int]:
    """Read `host`, `host:port`, `[IPv6 address]:port` or an IPv6 address.

    Raises: ValueError.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"[{text}] is not written like [2001:db8::1]:17900")
        return str(IPv6Address(host)), parse_port(rest[1:]) if rest else DEFAULT_PORT
    if text.count(":") > 1:
        return str(IPv6Address(text)), DEFAULT_PORT
    host, colon, port = text.partition(":")
    if not host:
        raise ValueError(f"[{text}] names no host")
    return host, parse_port(port) if colon else DEFAULT_PORT


def parse_port(text: str) -> int:
    """Read a TCP port.

    Raises: ValueError.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65_536):
        raise ValueError(f"port [{text}] is not a number from 1 to 65535")
    return int(text)
