"""What the planes that collect routes have in common: sessions in, tables, message log and dumps out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from twisted.internet.defer import maybeDeferred

from routed.daemon.door import ListeningSocket
from routed.daemon.foundation import Foundation
from routed.daemon.map_files import Maps
from routed.daemon.outputs import Outputs
from routed.plumbing.lifecycle import in_order
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
    """A plane that collects routes; `complete` makes it whole, `show` lets it be seen.

    Args:
        seed: of the hashes of its own stores.
        foundation: what it shares with other planes; its own unless given.
        door: where sessions come from, a listening socket unless given.
    Raises: StartError when something that the settings name cannot be had.
    """

    tables: Tables  # as a looking glass sees them

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: S,
        log: Log,
        protocol: str,
        *,
        seed: int,
        foundation: Foundation | None = None,
        door: Door | None = None,
    ) -> None:
        self._own: Foundation | None = None
        if foundation is None:
            foundation = self._own = Foundation(
                reactor,
                settings.glass,
                settings.rpki,
                settings.isis,
                log,
                seed=seed,
                folds=settings.folds_next_hops,
                daemon=DAEMONS[protocol],
            )
        self.metrics, self.rib = foundation.metrics, foundation.rib
        self._labels = {} if self._own is not None else {"protocol": protocol}
        self._reactor, self._log, self._dump_settings = reactor, log, settings.dump
        self._protocol, self._reporter = protocol, Reporter(log, protocol)
        self._maps = Maps(settings.listener, settings.maps)
        log.write_all(self._maps.lines)
        if door is None:
            door = ListeningSocket(reactor, settings.listener, self._maps, log=log, reporter=self._reporter)
        self._door = door
        self._rpki, self._validation = foundation.rpki, foundation.validation
        self._revalidation: Revalidation | None = None
        self._outputs = Outputs(reactor, settings, log, self.metrics, door.now, validation=self._validation)
        self._tagging = Tagging(self._maps.tags, label_as_map=settings.render.label_as_map, label_filter=None)
        self._configure_tags(settings)
        self._message_log = self._outputs.message_log(protocol)

    def complete(self, collector: Collecting, listener: Listener) -> None:
        """Take what is particular to the protocol."""
        self._collector, self._listener = collector, listener
        self._dumper = self._outputs.dumper(self._dump_settings, collector, self._protocol)
        self.metrics.add("daemon", listener.counters, self._labels)

    def show(self, tables: Tables) -> None:
        """Say how the tables are seen, and let a looking glass of its own show them."""
        self.tables = tables
        if self._own is not None:
            self._own.show([tables])
        if self._rpki is not None and self._rpki.logs_changes and self._message_log is not None:
            self._revalidation = Revalidation(self._reactor, self.rib, self._collector)
            self._rpki.validation.followers.append(self._revalidation)
            self.metrics.add("rpki_changes", self._revalidation.counters, self._labels)

    @property
    def payloads(self) -> Callable[[], Vrps] | None:
        """Return what says by which payloads origins are validated now; None: origins are not validated."""
        validation = self._validation
        return None if validation is None else lambda: validation.current.vrps

    def start(self) -> None:
        """Begin to let sessions in."""
        if self._own is not None:
            self._own.start()
        self._listener.startService()
        self._collector.start()
        if self._dumper is not None:
            self._dumper.start()

    async def stop(self) -> None:
        """End all sessions and write what is still to be written."""
        if self._own is not None:
            self._own.stop()
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
        if self._own is not None:
            await self._own.finish()

    def reopen(self) -> None:
        """Go on in new files of the same names."""
        if self._message_log is not None:
            self._message_log.reopen()
        if self._own is not None:
            self._own.reopen()
        self._outputs.reopen()

    def serve_reload(self, reload: Reload) -> None:
        """Let a looking glass of its own ask for a reload."""
        if self._own is not None:
            self._own.serve_reload(reload)

    def prepare(self, settings: S) -> Callable[[], None]:
        """Read again what belongs to the settings, in any thread; return what takes both over, in the reactor's.

        Raises: StartError when something cannot be had, and nothing has changed.
        """
        maps = Maps(settings.listener, settings.maps, strict=True)
        own = () if self._own is None else (self._own.prepare(settings.isis),)
        return in_order(*own, partial(self._take_over, settings, maps))

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
