"""What a flow daemon uses of this package: the frame of a command, and the routing planes in its own process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from routed.daemon.command import Command
from routed.daemon.settings import (
    BgpSettings,
    BmpSettings,
    log_settings,
    pmbgpd_settings,
    pmbmpd_settings,
    problem_lines,
    process_settings,
)
from routed.daemon.switches import NFACCTD, SFACCTD
from routed.plumbing.lifecycle import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routed.daemon.bgp_plane import BgpPlane
    from routed.daemon.bmp_plane import BmpPlane
    from routed.plumbing.config import Configuration
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.rib._rib import Rib
    from routed.rib._vrps import Vrps
    from routed.service.clock import DaemonReactor
    from routed.service.commands import Reload as AskReload
    from routed.service.flow_tables import FlowTables

__all__ = [
    "NFACCTD",
    "SFACCTD",
    "Command",
    "RoutingPlanes",
    "RoutingSettings",
    "log_settings",
    "problem_lines",
    "process_settings",
    "routing_settings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Of each plane what it is told, None for one that is not wanted."""

    bgp: BgpSettings | None
    bmp: BmpSettings | None

    @property
    def connections(self) -> int:
        """Return how many connections there may be at a time."""
        return sum(one.connections for one in (self.bgp, self.bmp) if one is not None)


@dataclass(frozen=True, slots=True)
class RoutingPlane:
    """A plane as flows see it."""

    name: str
    rib: Rib
    tables: FlowTables
    metrics: Registry
    payloads: Callable[[], Vrps] | None  # that origins are validated by


class RoutingPlanes:
    """The planes that are wanted; BGP comes first.

    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: DaemonReactor, settings: RoutingSettings, log: Log, *, seed: int) -> None:
        self._bgp: BgpPlane | None = None
        self._bmp: BmpPlane | None = None
        if settings.bgp is not None:
            from routed.daemon.bgp_plane import BgpPlane  # noqa: PLC0415 (imports the reactor)

            self._bgp = BgpPlane(reactor, settings.bgp, log, seed=seed)
        if settings.bmp is not None:
            from routed.daemon.bmp_plane import BmpPlane  # noqa: PLC0415 (the same)

            self._bmp = BmpPlane(reactor, settings.bmp, log, seed=seed)

    def __iter__(self) -> Iterator[RoutingPlane]:
        for name, plane in (("bgp", self._bgp), ("bmp", self._bmp)):
            if plane is not None:
                yield RoutingPlane(name, plane.rib, plane.flow_tables, plane.metrics, plane.payloads)

    def start(self) -> None:
        """Begin to let sessions in."""
        for plane in self._planes:
            plane.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        for plane in self._planes:
            await plane.stop()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        for plane in self._planes:
            plane.reopen()

    def serve_reload(self, reload: AskReload) -> None:
        """Let looking glasses ask for a reload."""
        for plane in self._planes:
            plane.serve_reload(reload)

    def prepare(self, settings: RoutingSettings) -> Callable[[], None]:
        """Read again what belongs to the settings, in any thread; return what takes it over, in the reactor's.

        Raises: StartError when something cannot be had, and nothing has changed.
        """
        steps: list[Callable[[], None]] = []
        if self._bgp is not None and settings.bgp is not None:
            steps.append(self._bgp.prepare(settings.bgp))
        if self._bmp is not None and settings.bmp is not None:
            steps.append(self._bmp.prepare(settings.bmp))
        return in_order(*steps)

    @property
    def _planes(self) -> Sequence[BgpPlane | BmpPlane]:
        return [plane for plane in (self._bgp, self._bmp) if plane is not None]


def routing_settings(configuration: Configuration) -> RoutingSettings:
    """Build the settings of the planes that a usable configuration switches on; a capture is one of flows."""
    wants = configuration.of
    return RoutingSettings(
        bgp=pmbgpd_settings(configuration) if wants("bgp_daemon", bool) else None,
        bmp=replace(pmbmpd_settings(configuration), replay=None) if wants("bmp_daemon", bool) else None,
    )
