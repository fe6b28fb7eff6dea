"""From configuration to what collectors tell each other about templates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from routed.plumbing.statements import Kind, Problem
from routed.plumbing.values import Endpoint
from routed.plumbing.zeromq_settings import Asked, ZmqSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcorr.daemon.input_settings import InputSettings
    from flowcorr.service.udp_socket import UdpSettings
    from routed.plumbing.config import Configuration

_PREFIX = "nfacctd_templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSettings:
    """Where templates go to and come from, beside the exporters."""

    receiver: Endpoint | None = None
    port: UdpSettings | None = None
    serves: ZmqSettings | None = None
    peers: tuple[Asked, ...] = ()


def sharing_settings(c: Configuration, daemon: str, inputs: InputSettings) -> SharingSettings:
    """Tell what is shared; a daemon that reads a capture, or sFlow, shares nothing."""
    if daemon != "nfacctd" or inputs.capture is not None:
        return SharingSettings()
    port, own = c.maybe(f"{_PREFIX}_port", int), c.maybe(f"{_PREFIX}_zmq_address", Endpoint)
    user, password = c.maybe(f"{_PREFIX}_zmq_user", str), c.maybe(f"{_PREFIX}_zmq_passwd", str)
    key_file = c.maybe(f"{_PREFIX}_zmq_curve_key_file", str)
    key_path = None if key_file is None else Path(key_file)
    serves = None
    if own is not None:
        serves = ZmqSettings(
            address=ip_address(own.host),
            port=own.port,
            user=user,
            password=password,
            server_key_file=key_path,
            one_key_for_all=True,
        )
    return SharingSettings(
        receiver=c.maybe(f"{_PREFIX}_receiver", Endpoint),
        port=None if port is None else replace(inputs.udp, port=port, groups=(), receive_buffer=None),
        serves=serves,
        peers=tuple(
            Asked(place=place, user=user, password=password, key_file=key_path)
            for place in c.maybe(f"{_PREFIX}_zmq_peers", tuple) or ()
            if place != own
        ),
    )


def sharing_is_whole(c: Configuration, daemon: str) -> Iterator[Problem]:
    """Refuse what cannot be shared, half a password, and one that encryption takes the place of."""
    if daemon != "nfacctd":
        return
    for end in ("receiver", "port", "zmq_address", "zmq_peers"):
        key = f"{_PREFIX}_{end}"
        if c.is_set(key) and c.is_set("pcap_savefile"):
            yield Problem(Kind.CONFLICT, f"{c.where(key)} {key}: a capture is read, templates are shared of exporters")
    key = f"{_PREFIX}_port"
    if c.is_set(key) and c.maybe(key, int) == c.of("nfacctd_port", int):
        yield Problem(Kind.CONFLICT, f"{c.where(key)} {key}: {c.maybe(key, int)} is nfacctd_port, where flows come to")
    for key, other in ((f"{_PREFIX}_zmq_user", "zmq_passwd"), (f"{_PREFIX}_zmq_passwd", "zmq_user")):
        if c.is_set(key) and not c.is_set(f"{_PREFIX}_{other}"):
            yield Problem(Kind.CONFLICT, f"{c.where(key)} {key}: {_PREFIX}_{other} is missing")
    key, user = f"{_PREFIX}_zmq_curve_key_file", f"{_PREFIX}_zmq_user"
    if c.is_set(key) and c.is_set(user):
        yield Problem(Kind.CONFLICT, f"{c.where(key)} {key}: who has the key is asked for no {user}")
