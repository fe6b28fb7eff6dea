"""The BMP plane of a daemon: listener or capture, collector, message log and dumps, put together from settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from routed.daemon.collecting import CollectingPlane
from routed.daemon.door import Capture
from routed.plumbing.lifecycle import in_order
from routed.service.bmp_collector import BmpCollector
from routed.service.bmp_listener import BmpListener
from routed.service.flow_tables import BmpFlowTables
from routed.service.listener import Policy
from routed.service.measures import measure_bmp
from routed.service.tls import TlsIdentity
from routed.service.visible import BmpTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.daemon.foundation import Foundation
    from routed.daemon.map_files import Maps
    from routed.daemon.settings import BmpSettings
    from routed.plumbing.log import Log
    from routed.service.clock import DaemonReactor


class BmpPlane(CollectingPlane["BmpSettings"]):
    """BMP as the settings want it.

    Args:
        seed: of the hashes of its own stores.
        foundation: what it shares with other planes; its own unless given.
        on_end: called when a capture has been played and nothing is left to do.
    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: BmpSettings,
        log: Log,
        *,
        seed: int,
        foundation: Foundation | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        replay = settings.replay
        capture = None if replay is None else Capture(reactor, replay, log=log, on_end=self._played)
        super().__init__(reactor, settings, log, "BMP", seed=seed, foundation=foundation, door=capture)
        self._on_end = on_end
        self._bmp_collector = BmpCollector(
            reactor,
            self.rib,
            settings.station,
            log=log,
            reporter=self._reporter,
            tagging=self._tagging,
            message_log=self._message_log,
            wall_clock=self._door.now,
        )
        # what is captured was deciphered before, or is of no use
        self._identity = None if settings.tls is None or capture is not None else TlsIdentity(settings.tls)
        listener = BmpListener(
            reactor,
            self._door.listen,
            self.policy(settings),
            reporter=self._reporter,
            subscriber=self._bmp_collector,
            identity=self._identity,
        )
        self.complete(self._bmp_collector, listener)
        measure_bmp(self.metrics, self._bmp_collector, self._door.now)
        self.show(BmpTables(self._bmp_collector, wall_clock=self._door.now))
        self.flow_tables = BmpFlowTables(self._bmp_collector)

    def policy(self, settings: BmpSettings) -> Policy:
        """Return who may connect."""
        return Policy(settings=settings.listener, allows=self._maps.allows)

    def prepare(self, settings: BmpSettings) -> Callable[[], None]:
        """Read maps and certificates again."""
        take_over = super().prepare(settings)
        if self._identity is None or settings.tls is None:
            return take_over
        return in_order(partial(self._identity.take, TlsIdentity(settings.tls)), take_over)

    def _take_over(self, settings: BmpSettings, maps: Maps) -> None:
        self._bmp_collector.configure(settings.station)
        super()._take_over(settings, maps)

    def _played(self) -> None:
        self._bmp_collector.idle().addCallback(lambda _: self._on_end())
