"""What looking glasses are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from routed.plumbing.http_settings import HttpSettings
from routed.plumbing.zeromq_settings import MOST_ZMQ_DESCRIPTORS, ZmqSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv6Address

    from routed.plumbing.config import Configuration
    from routed.service.settings import RenderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassSettings:
    """Where questions are asked, None for not at all, and how rows are written."""

    looking_glass: ZmqSettings | None
    http: HttpSettings | None
    render: RenderSettings

    @property
    def questioners(self) -> int:
        """Return how many descriptors those take who ask."""
        zmq = 0 if self.looking_glass is None else MOST_ZMQ_DESCRIPTORS
        return zmq + (0 if self.http is None else self.http.max_connections)


def one_glass(settings: Iterable[GlassSettings]) -> GlassSettings:
    """Return what makes one looking glass of several: of each kind of socket, the first that is wanted."""
    all_of_them = tuple(settings)
    return GlassSettings(
        looking_glass=next((one.looking_glass for one in all_of_them if one.looking_glass is not None), None),
        http=next((one.http for one in all_of_them if one.http is not None), None),
        render=all_of_them[0].render,
    )


def unused(settings: GlassSettings, one: GlassSettings) -> list[str]:
    """Return what endings of keys say otherwise than the one looking glass that there is."""
    pairs = (("lg", settings.looking_glass, one.looking_glass), ("lg_http", settings.http, one.http))
    return [name for name, wanted, used in pairs if wanted is not None and wanted != used]


def looking_glass_settings(c: Configuration, protocol: str) -> ZmqSettings | None:
    """Tell where questions are asked, if they may be."""
    prefix = f"{protocol}_daemon_lg"
    if not c.of(prefix, bool):
        return None
    return ZmqSettings(
        address=_address(c, f"{prefix}_ip"),
        port=c.of(f"{prefix}_port", int),
        user=c.maybe(f"{prefix}_user", str),
        password=c.maybe(f"{prefix}_passwd", str),
        server_key_file=c.path(f"{prefix}_curve_server_key_file"),
        client_keys=c.path(f"{prefix}_curve_client_keys"),
    )


def http_settings(c: Configuration, protocol: str) -> HttpSettings | None:
    """Tell where questions are asked over HTTP, if they may be."""
    prefix = f"{protocol}_daemon_lg_http"
    if not c.of(prefix, bool):
        return None
    return HttpSettings(
        address=_address(c, f"{prefix}_ip"),
        port=c.of(f"{prefix}_port", int),
        token_file=c.path(f"{prefix}_token_file"),
        rate=c.of(f"{prefix}_rate", int),
        max_connections=c.of(f"{prefix}_max_connections", int),
        ready_time=c.of(f"{prefix}_ready_time", int),
    )


def _address(c: Configuration, key: str) -> IPv4Address | IPv6Address:
    return c.of(key, object)  # type: ignore[return-value]  # what the key's type makes; it has a default
