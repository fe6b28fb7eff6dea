"""What the planes that collect routes have in common: sessions in, tables, message log and dumps out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from twisted.internet.defer import maybeDeferred

from routed.daemon.door import ListeningSocket
from routed.daemon.glass import Glass
from routed.daemon.map_files import Maps
from routed.daemon.outputs import Outputs
from routed.daemon.rpki import Rpki
from routed.plumbing.lifecycle import in_order
from routed.plumbing.metrics import Registry
from routed.service.dump import Source
from routed.service.reports import Reporter
from routed.service.revalidation import LoggedSource, Revalidation
from routed.service.tagging import Tagging

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from routed.daemon.door import Door
    from routed.daemon.settings import CommonSettings
    from routed.plumbing.log import Log
    from routed.rib._rib import Rib
    from routed.rib._vrps import Vrps
    from routed.service.clock import DaemonReactor
    from routed.service.commands import Reload
    from routed.service.listener import Listener, Policy
    from routed.service.visible import Tables


#: What the daemon of a protocol is called.
DAEMONS: Final = {"BGP": "pmbgpd", "BMP": "pmbmpd"}

S = TypeVar("S", bound="CommonSettings")


class Collecting(Source, LoggedSource, Protocol):
    """Who keeps the tables."""

    def start(self) -> None:
        """Begin to give memory back that is not in use any more."""

    def retag(self) -> None:
        """Tag everything anew, after the tag map has been read again."""

    def stop(self) -> Deferred[None]:
        """From now on sessions end with the daemon; fires when no work is under way any more."""


class CollectingPlane(Generic[S]):
    """A plane that collects routes; `complete` makes it whole.

    Args:
        door: where sessions come from, a listening socket unless given.
    Raises: StartError when something that the settings name cannot be had.
    """

    def __init__(self, reactor: DaemonReactor, settings: S, log: Log, protocol: str, door: Door | None = None) -> None:
        self.metrics = Registry()
        self._reactor, self._log, self._dump_settings = reactor, log, settings.dump
        self._glass = Glass(reactor, settings, log, self.metrics, DAEMONS[protocol])
        self._protocol, self._reporter = protocol, Reporter(log, protocol)
        self._maps = Maps(settings.listener, settings.maps)
        log.write_all(self._maps.lines)
        if door is None:
            door = ListeningSocket(reactor, settings.listener, self._maps, log=log, reporter=self._reporter)
        self._door = door
        self._rpki = None if settings.rpki is None else Rpki(reactor, settings.rpki, log, self.metrics)
        self._validation = None if self._rpki is None else self._rpki.validation
        self._revalidation: Revalidation | None = None
        self._outputs = Outputs(reactor, settings, log, self.metrics, door.now, validation=self._validation)
        self._tagging = Tagging(self._maps.tags, label_as_map=settings.render.label_as_map, label_filter=None)
        self._configure_tags(settings)
        self._message_log = self._outputs.message_log()

    def complete(self, collector: Collecting, listener: Listener) -> None:
        """Take what is particular to the protocol."""
        self._collector, self._listener = collector, listener
        self._dumper = self._outputs.dumper(self._dump_settings, collector, self._protocol)
        self.metrics.add("daemon", listener.counters)

    def show(self, rib: Rib, tables: Tables) -> None:
        """Let a looking glass answer questions about the tables, if there is to be one."""
        self._glass.show(rib, tables, self._validation)
        if self._rpki is not None and self._rpki.logs_changes and self._message_log is not None:
            self._revalidation = Revalidation(self._reactor, rib, self._collector)
            self._rpki.validation.followers.append(self._revalidation)
            self.metrics.add("rpki_changes", self._revalidation.counters)

    @property
    def payloads(self) -> Callable[[], Vrps] | None:
        """Return what says by which payloads origins are validated now; None: origins are not validated."""
        validation = self._validation
        return None if validation is None else lambda: validation.current.vrps

    def start(self) -> None:
        """Begin to let sessions in."""
        if self._rpki is not None:
            self._rpki.start()
        self._listener.startService()
        self._glass.start()
        self._collector.start()
        if self._dumper is not None:
            self._dumper.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        self._glass.stop()
        if self._rpki is not None:
            self._rpki.stop()
        if self._revalidation is not None:
            self._revalidation.stop()
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

    def serve_reload(self, reload: Reload) -> None:
        """Let a looking glass ask for a reload."""
        self._glass.serve_reload(reload)

    def prepare(self, settings: S) -> Callable[[], None]:
        """Read again what belongs to the settings, in any thread; return what takes both over, in the reactor's.

        Raises: StartError when something cannot be had, and nothing has changed.
        """
        maps = Maps(settings.listener, settings.maps, strict=True)
        payloads = (lambda: None) if self._rpki is None else self._rpki.prepare()
        return in_order(self._glass.prepare(), payloads, partial(self._take_over, settings, maps))

    def policy(self, settings: S) -> Policy:
        """Return who may connect."""
        raise NotImplementedError

    def _take_over(self, settings: S, maps: Maps) -> None:
        self._log.write_all(maps.lines)
        self._maps.take(maps)
        self._door.reload()
        self._configure_tags(settings)
        self._listener.configure(self.policy(settings))
        self._configure_dumps(settings)
        self._collector.retag()

    def _configure_tags(self, settings: S) -> None:
        self._tagging.configure(
            self._maps.tags,
            label_as_map=settings.render.label_as_map,
            label_filter=None if settings.message_log is None else settings.message_log.label_filter,
        )

    def _configure_dumps(self, settings: S) -> None:
        if settings.dump == self._dump_settings:
            return
        self._dump_settings = settings.dump
        if self._dumper is not None:
            self._dumper.configure(settings.dump)
            return
        self._dumper = self._outputs.dumper(settings.dump, self._collector, self._protocol)
        if self._dumper is not None:
            self._dumper.start()
