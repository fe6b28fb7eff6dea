"""Settings of IS-IS."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

from routed.plumbing.names import NameTemplate
from routed.service.isis_map import IgpMapSettings
from routed.service.isis_settings import IsisSettings
from routed.wire.isis.authentication import Key
from routed.wire.isis.codepoints import AuthenticationType
from routed.wire.isis.names import parse_entity_title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routed.plumbing.config import Configuration
    from routed.plumbing.maps import Limits
    from routed.plumbing.output_file import Owner
    from routed.service.settings import RenderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class IsisPlaneSettings:
    """What IS-IS is told, and where it tells what. Units: seconds."""

    isis: IsisSettings
    map: IgpMapSettings | None
    tells_all: bool  # in the log
    message_log: Path | None
    dump_file: NameTemplate | None
    refresh_time: int
    timestamps: RenderSettings  # as far as they say how times are written
    owner: Owner  # of files


def isis_settings(c: Configuration, render: RenderSettings, owner: Owner, limits: Limits) -> IsisPlaneSettings | None:
    """Tell what IS-IS is told, if it is switched on."""
    if not c.of("isis_daemon", bool):
        return None
    title = parse_entity_title(c.of("isis_daemon_net", str))
    address = c.of("isis_daemon_ip", object)
    assert isinstance(address, IPv4Address | IPv6Address), "it is checked"
    message_log = c.maybe("isis_daemon_msglog_file", str)
    return IsisPlaneSettings(
        isis=IsisSettings(
            system_id=title.system_id,
            area=title.area,
            addresses=(address.packed,),
            hostname=c.maybe("isis_daemon_hostname", str) or "",
            circuits=(*(c.maybe("isis_daemon_iface", tuple) or ()), *(c.maybe("isis_daemon_gre", tuple) or ())),
            mtu=c.of("isis_daemon_mtu", int),
            is_padded=c.of("isis_daemon_hello_padding", bool),
            hello_interval=c.of("isis_daemon_hello_interval", int),
            hello_multiplier=c.of("isis_daemon_hello_multiplier", int),
            hello_keys=tuple(_keys(c, "isis_daemon_hello_password")),
            domain_keys=tuple(_keys(c, "isis_daemon_domain_password")),
        ),
        map=_map_settings(c, owner, limits),
        tells_all=c.of("isis_daemon_msglog", bool),
        message_log=None if message_log is None else Path(message_log),
        dump_file=c.maybe("isis_dump_file", NameTemplate),
        refresh_time=c.of("isis_dump_refresh_time", int),
        timestamps=render,
        owner=owner,
    )


def _map_settings(c: Configuration, owner: Owner, limits: Limits) -> IgpMapSettings | None:
    path, record = c.maybe("igp_daemon_map", str), c.maybe("igp_daemon_map_msglog", str)
    if path is None:
        return None
    return IgpMapSettings(Path(path), limits, None if record is None else Path(record), owner)


def _keys(c: Configuration, password: str) -> Iterator[Key]:
    secret = c.maybe(password, str)
    if secret is None:
        return
    kind = c.of("isis_daemon_auth_type", str)
    plain = {"text": AuthenticationType.CLEAR_TEXT, "md5": AuthenticationType.HMAC_MD5}
    if kind in plain:
        yield Key(plain[kind], secret.encode())
    else:
        yield Key(AuthenticationType.GENERIC, secret.encode(), c.of("isis_daemon_auth_key_id", int), kind)
