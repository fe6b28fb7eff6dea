"""What the planes that collect routes have in common: sessions in, tables, message log and dumps out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.defer import maybeDeferred

from routed.daemon.door import ListeningSocket
from routed.daemon.glass import Glass
from routed.daemon.map_files import Maps
from routed.daemon.outputs import Outputs
from routed.plumbing.metrics import Registry
from routed.service.dump import Source
from routed.service.reports import Reporter
from routed.service.tagging import Tagging

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from routed.daemon.door import Door
    from routed.daemon.settings import CommonSettings
    from routed.plumbing.log import Log
    from routed.rib._rib import Rib
    from routed.service.clock import DaemonReactor
    from routed.service.listener import Listener
    from routed.service.visible import Tables


#: What the daemon of a protocol is called.
DAEMONS: Final = {"BGP": "pmbgpd", "BMP": "pmbmpd"}


class Collecting(Source, Protocol):
    """Who keeps the tables."""

    def start(self) -> None:
        """Begin to give memory back that is not in use any more."""

    def retag(self) -> None:
        """Tag everything anew, after the tag map has been read again."""

    def stop(self) -> Deferred[None]:
        """From now on sessions end with the daemon; fires when no work is under way any more."""


class CollectingPlane:
    """A plane that collects routes; `complete` makes it whole.

    Args:
        door: where sessions come from, a listening socket unless given.
    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(
        self, reactor: DaemonReactor, settings: CommonSettings, log: Log, protocol: str, door: Door | None = None
    ) -> None:
        self.metrics = Registry()
        self._reactor, self._log, self._refreshes = reactor, log, settings.maps.refresh
        self._glass = Glass(reactor, settings, log, self.metrics, DAEMONS[protocol])
        self._protocol, self._reporter = protocol, Reporter(log, protocol)
        self._maps = Maps(settings.listener, settings.maps, log)
        if door is None:
            door = ListeningSocket(reactor, settings.listener, self._maps, log=log, reporter=self._reporter)
        self._door = door
        self._outputs = Outputs(reactor, settings, log, self.metrics, door.now)
        self._tagging = Tagging(
            self._maps.tags,
            label_as_map=settings.render.label_as_map,
            label_filter=None if settings.message_log is None else settings.message_log.label_filter,
        )
        self._message_log = self._outputs.message_log()

    def complete(self, collector: Collecting, listener: Listener) -> None:
        """Take what is particular to the protocol."""
        self._collector, self._listener = collector, listener
        self._dumper = self._outputs.dumper(collector, self._protocol)
        self.metrics.add("daemon", listener.counters)

    def show(self, rib: Rib, tables: Tables) -> None:
        """Let a looking glass answer questions about the tables, if there is to be one."""
        self._glass.show(rib, tables)

    def start(self) -> None:
        """Begin to let sessions in."""
        self._listener.startService()
        self._glass.start()
        self._collector.start()
        if self._dumper is not None:
            self._dumper.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        self._glass.stop()
        swept = self._collector.stop()
        if self._dumper is not None:
            await self._dumper.stop()
        stopped = maybeDeferred(self._listener.stopService)
        self._door.close()
        await stopped
        await swept
        if self._message_log is not None:
            await self._message_log.close()
        await self._outputs.close()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        if self._message_log is not None:
            self._message_log.reopen()
        self._outputs.reopen()

    def reload(self) -> None:
        """Read what SIGUSR2 is for again, if that is wanted."""
        if self._refreshes:
            self.refresh()

    def refresh(self) -> None:
        """Read the maps again."""
        self._log.write_all(self._maps.reload())
        self._door.reload()
        self._glass.refresh()
        self._collector.retag()
