"""Where the records of a plane go: its message log and its dumps, put together from settings."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from routed.daemon.broker_sinks import SPARE
from routed.daemon.brokers import Brokers, writer_id
from routed.daemon.encodings import encoding_of, schemas_of
from routed.plumbing.avro_container import Container
from routed.plumbing.dump_file import DumpFile
from routed.plumbing.metrics import SinkCounters
from routed.plumbing.queue import Bounds
from routed.plumbing.schema_files import write_schemas
from routed.plumbing.sink import FileOptions, PoolThreads, Sink, Watch, report_sink
from routed.plumbing.sink_file import FileSink
from routed.service.bmp_records import mark_keys
from routed.service.dump import Dumper
from routed.service.message_log import MessageLog
from routed.service.outlet import FileOutlet, Outlet
from routed.service.records import Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from routed.daemon.settings import CommonSettings
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.service.clock import DaemonReactor
    from routed.service.dump import Source
    from routed.service.encoding import Encoding
    from routed.service.settings import DumpSettings, MessageLogSettings
    from routed.service.validation import Validation


class Outputs:
    """Message log and dumps of one protocol, which share their sequence numbers."""

    def __init__(
        self,
        reactor: DaemonReactor,
        settings: CommonSettings,
        log: Log,
        metrics: Registry,
        wall_clock: Callable[[], float] = time.time,
        *,
        validation: Validation | None = None,
    ) -> None:
        self._reactor, self._settings, self._log = reactor, settings, log
        self._metrics, self._wall_clock, self._validation = metrics, wall_clock, validation
        self._in_thread = PoolThreads(reactor)
        self._sequence = Counter()
        self._brokers = Brokers(reactor, settings, log, metrics)

    def message_log(self, protocol: str = "BGP") -> MessageLog | None:
        """Make the message log, if there is to be one; its files are counted together, however many there are."""
        settings = self._settings.message_log
        if settings is None:
            return None
        size, total = settings.queue_size, SinkCounters()
        options = FileOptions(
            owner=self._settings.process.owner,
            bounds=Bounds(limit=size + SPARE, full=size // 2, drained=size // 8),
            container=self._container(settings, dumps=False),
        )

        def open_sink(name: str, watch: Watch) -> Sink:
            watch = Watch(on_state=partial(report_sink, self._log), on_full=watch.on_full, on_drained=watch.on_drained)
            return FileSink(
                name, clock=self._reactor, in_thread=self._in_thread, watch=watch, options=options, total=total
            )

        outlets: list[Outlet] = []
        if settings.file is not None:
            self._metrics.add("sink", total, {"sink": f"{protocol.lower()}_daemon_msglog_file"})
            outlets.append(FileOutlet(settings.file, open_sink))
        outlets += [self._brokers.outlet(broker) for broker in settings.brokers]
        return MessageLog(
            outlets,
            self._settings.render,
            self._sequence,
            self._wall_clock,
            encoding=self._encoding(settings, dumps=False),
            marker=mark_keys,
            skips_unchanged=settings.skips_unchanged,
            validation=self._validation,
        )

    def dumper(self, settings: DumpSettings | None, source: Source, protocol: str = "BGP") -> Dumper | None:
        """Make what dumps the tables of a source, if that is to be."""
        if settings is None:
            return None

        options = FileOptions(owner=self._settings.process.owner, container=self._container(settings, dumps=True))

        def open_dump(name: str, latest: str | None) -> DumpFile:
            return DumpFile(name, in_thread=self._in_thread, latest=latest, options=options)

        is_alone = settings.file is None and len(settings.brokers) == 1
        dumper = Dumper(
            self._reactor,
            settings,
            self._settings.render,
            source=source,
            open_dump=open_dump,
            brokers=[self._brokers.dump(broker, patient=is_alone) for broker in settings.brokers],
            encoding=self._encoding(settings, dumps=True),
            in_thread=self._in_thread,
            sequence=self._sequence,
            log=self._log,
            protocol=protocol,
            validation=self._validation,
        )
        self._metrics.add("dump", dumper.counters, {"protocol": protocol})
        return dumper

    def _encoding(self, settings: MessageLogSettings | DumpSettings, *, dumps: bool) -> Encoding:
        """Make the format of records, and write its schemas where they are wanted."""
        if settings.schema_file is not None:
            schemas = schemas_of(self._settings, dumps=dumps).values()
            write_schemas(settings.schema_file, schemas, self._settings.process.owner, self._log.error)
        return encoding_of(self._settings, settings.output, writer_id(self._settings), dumps=dumps)

    def _container(self, settings: MessageLogSettings | DumpSettings, *, dumps: bool) -> Container | None:
        return Container(schemas_of(self._settings, dumps=dumps).values()) if settings.container else None

    def reopen(self) -> None:
        """Go on with fresh connections for dumps."""
        self._brokers.reopen()

    def close(self) -> Deferred[None]:
        """Close what dumps were written to."""
        return self._brokers.close()
