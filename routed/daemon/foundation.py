"""What the planes of one process stand on: stores, metrics, validated payloads, IS-IS, and the glass that shows all.

A daemon of one plane has its own; the planes of a flow daemon share one, so that a prefix or an attribute set is stored
once whichever protocol brought it, a cache is asked once, and questions are about all tables there are. The routes of
IS-IS are in stores of their own: they are those of the network, and no peer's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routed.daemon.glass import Glass
from routed.daemon.isis_plane import IsisPlane
from routed.daemon.rpki import Rpki, RpkiSettings
from routed.plumbing.lifecycle import in_order
from routed.plumbing.metrics import Registry
from routed.rib._rib import Rib
from routed.service.joint_tables import JointTables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from routed.daemon.settings_glass import GlassSettings
    from routed.daemon.settings_isis import IsisPlaneSettings
    from routed.plumbing.log import Log
    from routed.service.clock import DaemonReactor
    from routed.service.commands import Reload
    from routed.service.visible import Tables


class Foundation:
    """Stores that are empty, and nothing to be seen until `show`.

    Args:
        seed: of the hashes of the stores.
        folds: as of `Rib`.
        daemon: its name, as metrics have it.
    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(
        self,
        reactor: DaemonReactor,
        glass: GlassSettings,
        rpki: RpkiSettings | None,
        isis: IsisPlaneSettings | None,
        log: Log,
        *,
        seed: int,
        folds: bool,
        daemon: str,
    ) -> None:
        self.metrics = Registry()
        self.rib = Rib(seed, folds=folds)
        self.rpki = None if rpki is None else Rpki(reactor, rpki, log, self.metrics)
        self.validation = None if self.rpki is None else self.rpki.validation
        self.isis = None if isis is None else IsisPlane(reactor, isis, log, seed=seed)
        if self.isis is not None:
            self.isis.measure(self.metrics)
        self._glass = Glass(reactor, glass, log, self.metrics, daemon)

    def show(self, planes: Sequence[Tables]) -> None:
        """Let questions be asked about the tables of planes, or about the process alone when there are none.

        Raises: StartError, likewise.
        """
        if planes or self.isis is not None:
            tables = planes[0] if len(planes) == 1 else JointTables(planes)
            self._glass.show(self.rib, tables, self.validation, None if self.isis is None else self.isis.isis)
        else:
            self._glass.show_status()

    def start(self) -> None:
        """Begin to connect to caches, to look for IS-IS neighbours and to answer."""
        if self.rpki is not None:
            self.rpki.start()
        if self.isis is not None:
            self.isis.start()
        self._glass.start()

    def stop(self) -> None:
        """End all that."""
        self._glass.stop()
        if self.isis is not None:
            self.isis.stop()
        if self.rpki is not None:
            self.rpki.stop()

    async def finish(self) -> None:
        """Write what is still to be written, once everything has been stopped."""
        if self.isis is not None:
            await self.isis.finish()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        if self.isis is not None:
            self.isis.reopen()

    def serve_reload(self, reload: Reload) -> None:
        """Let a looking glass ask for a reload."""
        self._glass.serve_reload(reload)

    def prepare(self, isis: IsisPlaneSettings | None) -> Callable[[], None]:
        """Read tokens, payloads and the map of the IGP again, in any thread; return what takes all over.

        That is for the reactor's thread.
        Raises: StartError when something cannot be had, and nothing has changed.
        """
        steps = [self._glass.prepare()]
        if self.rpki is not None:
            steps.append(self.rpki.prepare())
        if self.isis is not None and isis is not None:
            steps.append(self.isis.prepare(isis))
        return in_order(*steps)
