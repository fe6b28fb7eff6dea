"""The brokers that the records of a plane go to: an outlet for its message log, places for its dumps."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults

from routed.daemon.broker_sinks import BrokerSinks
from routed.daemon.encodings import schemas_of
from routed.plumbing.build import build
from routed.plumbing.names import Variable
from routed.plumbing.sink import NO_WATCH, Watch
from routed.service.dump_place import BrokerDump
from routed.service.outlet import Addresses, BrokerOutlet
from routed.service.settings import DumpFormat

if TYPE_CHECKING:
    from datetime import datetime

    from routed.daemon.settings import CommonSettings
    from routed.plumbing.log import Log
    from routed.plumbing.metrics import Registry
    from routed.plumbing.sink_broker import BrokerSink
    from routed.service.clock import DaemonReactor
    from routed.service.dump import OpenBrokerDump
    from routed.service.settings import BrokerSettings


class Brokers:
    """All brokers that the records of a plane go to."""

    def __init__(self, reactor: DaemonReactor, settings: CommonSettings, log: Log, metrics: Registry) -> None:
        self._settings, self._writer = settings, writer_id(settings)
        self._sinks = BrokerSinks(reactor, settings.process, log, metrics)
        self._dump_sinks: list[BrokerSink] = []

    def outlet(self, settings: BrokerSettings) -> BrokerOutlet:
        """Make the way of a message log to a broker."""
        return BrokerOutlet(settings.label, self._addresses(settings), partial(self._open, settings, patient=False))

    def dump(self, settings: BrokerSettings, *, patient: bool) -> OpenBrokerDump:
        """Make the way of dumps to a broker; `patient` ones rather wait for it than to go through the disk."""
        sink, addresses = self._open(settings, NO_WATCH, patient=patient), self._addresses(settings)
        self._dump_sinks.append(sink)

        def open_dump(when: datetime) -> BrokerDump:
            return BrokerDump(settings.label, sink, addresses, when)

        return open_dump

    def reopen(self) -> None:
        """Go on with fresh connections."""
        for sink in self._dump_sinks:
            sink.reopen()

    def close(self) -> Deferred[None]:
        """Close the sinks of dumps; those of message logs are theirs to close."""
        self._sinks.close()
        return gatherResults([sink.close() for sink in self._dump_sinks]).addCallback(lambda _: None)

    def _addresses(self, settings: BrokerSettings) -> Addresses:
        is_json = settings.output is DumpFormat.JSON  # records of Avro say themselves who wrote them
        return Addresses(settings.target, settings.key, self._writer if is_json else "")

    def _open(self, settings: BrokerSettings, watch: Watch, *, patient: bool) -> BrokerSink:
        schemas = schemas_of(self._settings, dumps="dump" in settings.label) if settings.registry else {}
        return self._sinks.open(settings, schemas, watch, patient=patient)


def writer_id(settings: CommonSettings) -> str:
    """Return who writes records, now that the process is the one that will."""
    values = {
        Variable.PROCESS_NAME: settings.process.name,
        Variable.WRITER_PID: str(os.getpid()),
        Variable.BUILD: build(),
    }
    return settings.writer_id.expand(values)
