"""The IS-IS plane of a daemon: circuits, database, routes, logs and dumps, put together from settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from routed.plumbing.dump_file import DumpFile
from routed.plumbing.lifecycle import in_order
from routed.plumbing.sink import FileOptions, PoolThreads, Watch, report_sink
from routed.plumbing.sink_file import FileSink
from routed.service.isis import Isis
from routed.service.isis_dump import IsisDumper
from routed.service.isis_log import LogFollower, MessageFollower
from routed.service.isis_map import IgpMap
from routed.service.isis_measures import measure_isis
from routed.service.records import TimeFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.daemon.settings_isis import IsisPlaneSettings
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.service.clock import DaemonReactor


class IsisPlane:
    """IS-IS as the settings want it.

    Args:
        seed: of the hashes of the stores.
    Raises: StartError when a socket cannot be had, or a map not be read.
    """

    def __init__(self, reactor: DaemonReactor, settings: IsisPlaneSettings, log: Log, *, seed: int) -> None:
        threads, options = PoolThreads(reactor), FileOptions(owner=settings.owner)
        times = TimeFormat(settings.timestamps)
        self._reactor, self._log = reactor, log
        self.isis = Isis(reactor, settings.isis, threads, seed=seed)
        self._lines = LogFollower(self.isis, log, tells_all=settings.tells_all)
        self.isis.followers.append(self._lines)
        self._map: IgpMap | None = None
        if settings.map is not None:
            self._map = IgpMap(reactor, settings.map, self.isis, settings.isis.addresses[0], log)
        self._sink: FileSink | None = None
        if settings.message_log is not None:
            watch = Watch(on_state=partial(report_sink, log))
            self._sink = FileSink(
                str(settings.message_log), clock=reactor, in_thread=threads, watch=watch, options=options
            )
            self.isis.followers.append(MessageFollower(self.isis, self._sink, times, seconds=reactor.seconds))
        self._dumper: IsisDumper | None = None
        if settings.dump_file is not None and settings.refresh_time:
            self._dumper = IsisDumper(
                reactor,
                self.isis,
                settings.dump_file,
                settings.refresh_time,
                open_dump=lambda name: DumpFile(name, in_thread=threads, options=options),
                in_thread=threads,
                times=times,
                log=log,
            )

    def measure(self, metrics: Registry) -> None:
        """Let everything be measured."""
        measure_isis(metrics, self.isis, self._reactor.seconds)
        if self._dumper is not None:
            metrics.add("isis_dump", self._dumper.counters)
        if self._sink is not None:
            metrics.add("isis_msglog", self._sink.counters)

    def start(self) -> None:
        """Look for neighbours."""
        self.isis.start()
        if self._dumper is not None:
            self._dumper.start()
        if self._map is not None:
            self._map.start()
        else:
            circuits = ", ".join(str(link) for link in self.isis.circuits)
            self._log.info(f"IS-IS level 2 on {circuits}")

    def stop(self) -> None:
        """Take leave of them."""
        if self._map is not None:
            self._map.stop()
        self.isis.stop()

    def prepare(self, settings: IsisPlaneSettings) -> Callable[[], None]:
        """Read the map again if there is one, in any thread; return what takes over all that may change.

        Raises: MapError when it cannot be used, and nothing has changed.
        """
        with_map = () if self._map is None or settings.map is None else (self._map.prepare(settings.map),)
        return in_order(*with_map, partial(self._settle, settings))

    def _settle(self, settings: IsisPlaneSettings) -> None:
        self._lines.tells_all = settings.tells_all
        self.isis.settle(settings.isis)

    async def finish(self) -> None:
        """Write what is still to be written."""
        if self._dumper is not None:
            await self._dumper.stop()
        if self._sink is not None:
            await self._sink.close()

    def reopen(self) -> None:
        """Go on in a new file of the same name."""
        if self._sink is not None:
            self._sink.reopen()
