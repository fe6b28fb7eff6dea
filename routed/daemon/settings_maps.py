"""Settings of maps: where they are, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.plumbing.maps import Limits
from routed.service.settings import MapSettings

if TYPE_CHECKING:
    from routed.plumbing.config import Configuration


def map_limits(c: Configuration) -> Limits:
    """Tell how much of a map is read."""
    return Limits(c.of("maps_entries", int), c.of("maps_row_len", int))


def map_settings(c: Configuration, protocol: str) -> MapSettings:
    """Tell which map tags peers, which sessions are passed on, and how maps are read."""
    return MapSettings(
        tag_map=c.path(f"{protocol}_daemon_tag_map"),
        refresh=c.of("maps_refresh", bool),
        limits=map_limits(c),
        recirculate=not c.of("pre_tag_map_dont_recirculate", bool),
        xconnect_map=c.path("bgp_daemon_xconnect_map") if protocol == "bgp" else None,
    )
