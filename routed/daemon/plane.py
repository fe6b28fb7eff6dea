"""What a flow daemon uses of this package: the frame of a command, and the routing planes in its own process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from routed.daemon.broker_sinks import BrokerSinks
from routed.daemon.command import Command
from routed.daemon.settings import (
    BgpSettings,
    BmpSettings,
    log_settings,
    pmbgpd_settings,
    pmbmpd_settings,
    problem_lines,
    process_settings,
    render_settings,
)
from routed.daemon.settings_brokers import plugin_broker
from routed.daemon.settings_glass import GlassSettings, one_glass, unused
from routed.daemon.settings_maps import map_limits
from routed.daemon.switches import NFACCTD, SFACCTD
from routed.plumbing.lifecycle import in_order
from routed.service.flow_tables import IgpFlowTables
from routed.service.records import TimeFormat
from routed.service.settings import BrokerSettings
from routed.service.socket_options import port_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routed.daemon.bgp_plane import BgpPlane
    from routed.daemon.bmp_plane import BmpPlane
    from routed.daemon.rpki import RpkiSettings
    from routed.daemon.settings_isis import IsisPlaneSettings
    from routed.plumbing.config import Configuration
    from routed.plumbing.log import Log
    from routed.plumbing.shared_ports import Port
    from routed.rib._rib import Rib
    from routed.rib._vrps import Vrps
    from routed.rib.api import Igp
    from routed.service.clock import DaemonReactor
    from routed.service.commands import Reload as AskReload
    from routed.service.flow_tables import FlowTables

__all__ = [
    "NFACCTD",
    "SFACCTD",
    "BrokerSettings",
    "BrokerSinks",
    "Command",
    "RoutingPlanes",
    "RoutingSettings",
    "exact_times",
    "log_settings",
    "map_limits",
    "plugin_broker",
    "problem_lines",
    "process_settings",
    "routing_ports",
    "routing_settings",
]


def routing_ports(settings: RoutingSettings) -> Iterator[Port]:
    """Go through the ports that several processes share."""
    return (port_of(one.listener) for one in settings.wanted)


def exact_times(c: Configuration) -> Callable[[float], bytes]:
    """Return what writes a time, in seconds since 1970, with its microseconds as the operator wants times."""
    return TimeFormat(render_settings(c)).exact


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Of each plane what it is told, None for one that is not wanted, and of what they share.

    `warnings`: what of it is not done as it was said.
    """

    bgp: BgpSettings | None
    bmp: BmpSettings | None
    glass: GlassSettings
    rpki: RpkiSettings | None
    isis: IsisPlaneSettings | None
    daemon: str
    warnings: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[BgpSettings | BmpSettings, ...]:
        """Return what those planes are told that are wanted."""
        return tuple(one for one in (self.bgp, self.bmp) if one is not None)

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time."""
        return sum(one.connections - one.questioners for one in self.wanted) + self.glass.questioners


@dataclass(frozen=True, slots=True)
class RoutingPlane:
    """A plane as flows see it."""

    name: str
    rib: Rib
    tables: FlowTables
    payloads: Callable[[], Vrps] | None  # that origins are validated by


class RoutingPlanes:
    """The planes that are wanted; BGP comes first.

    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: DaemonReactor, settings: RoutingSettings, log: Log, *, seed: int) -> None:
        from routed.daemon.foundation import Foundation  # noqa: PLC0415 (imports the reactor)

        self._bgp: BgpPlane | None = None
        self._bmp: BmpPlane | None = None
        for text in settings.warnings:
            log.warning(text)
        self._foundation = foundation = Foundation(
            reactor,
            settings.glass,
            settings.rpki if settings.wanted else None,
            settings.isis,
            log,
            seed=seed,
            folds=any(one.folds_next_hops for one in settings.wanted),
            daemon=settings.daemon,
        )
        self.metrics = foundation.metrics
        if settings.bgp is not None:
            from routed.daemon.bgp_plane import BgpPlane  # noqa: PLC0415 (the same)

            self._bgp = BgpPlane(reactor, settings.bgp, log.part("core/BGP"), seed=seed, foundation=foundation)
        if settings.bmp is not None:
            from routed.daemon.bmp_plane import BmpPlane  # noqa: PLC0415 (the same)

            self._bmp = BmpPlane(reactor, settings.bmp, log.part("core/BMP"), seed=seed, foundation=foundation)
        foundation.show([plane.tables for plane in self._planes])

    def __iter__(self) -> Iterator[RoutingPlane]:
        for name, plane in (("bgp", self._bgp), ("bmp", self._bmp)):
            if plane is not None:
                yield RoutingPlane(name, plane.rib, plane.flow_tables, plane.payloads)
        if self.igp is not None:
            yield RoutingPlane("igp", self.igp.rib, IgpFlowTables(self.igp.table), None)

    @property
    def igp(self) -> Igp | None:
        """Return the routes of IS-IS, None when it is not wanted."""
        isis = self._foundation.isis
        return None if isis is None else isis.isis.igp

    def start(self) -> None:
        """Begin to let sessions in."""
        self._foundation.start()
        for plane in self._planes:
            plane.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        self._foundation.stop()
        for plane in self._planes:
            await plane.stop()
        await self._foundation.finish()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        self._foundation.reopen()
        for plane in self._planes:
            plane.reopen()

    def serve_reload(self, reload: AskReload) -> None:
        """Let the looking glass ask for a reload."""
        self._foundation.serve_reload(reload)

    def prepare(self, settings: RoutingSettings) -> Callable[[], None]:
        """Read again what belongs to the settings, in any thread; return what takes it over, in the reactor's.

        Raises: StartError when something cannot be had, and nothing has changed.
        """
        steps = [self._foundation.prepare(settings.isis)]
        if self._bgp is not None and settings.bgp is not None:
            steps.append(self._bgp.prepare(settings.bgp))
        if self._bmp is not None and settings.bmp is not None:
            steps.append(self._bmp.prepare(settings.bmp))
        return in_order(*steps)

    @property
    def _planes(self) -> Sequence[BgpPlane | BmpPlane]:
        return [plane for plane in (self._bgp, self._bmp) if plane is not None]


def routing_settings(configuration: Configuration, daemon: str) -> RoutingSettings:
    """Build the settings of the planes that a usable configuration switches on; a capture is one of flows."""
    wants = configuration.of
    bgp, bmp = pmbgpd_settings(configuration), replace(pmbmpd_settings(configuration), replay=None)
    glass = one_glass([bgp.glass, bmp.glass])
    return RoutingSettings(
        bgp=bgp if wants("bgp_daemon", bool) else None,
        bmp=bmp if wants("bmp_daemon", bool) else None,
        glass=glass,
        rpki=bgp.rpki,
        isis=bgp.isis,
        daemon=daemon,
        warnings=tuple(
            f"bmp_daemon_{name}*: not used, bgp_daemon_{name}* says where questions about both are asked"
            for name in unused(bmp.glass, glass)
        ),
    )
