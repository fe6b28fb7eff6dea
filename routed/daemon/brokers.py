"""The sinks of brokers: carrier, spool and queue of each, put together from settings."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, gatherResults

from routed.daemon.encodings import schemas_of
from routed.plumbing.abandoned import SpoolWatch
from routed.plumbing.amqp_settings import AmqpSettings
from routed.plumbing.build import build
from routed.plumbing.names import Variable
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import NO_WATCH, PoolThreads, Watch, report_sink
from routed.plumbing.sink_broker import BrokerOptions, BrokerSink
from routed.plumbing.spool import Spool
from routed.service.dump_place import BrokerDump
from routed.service.outlet import Addresses, BrokerOutlet
from routed.service.settings import DumpFormat, SpoolPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from routed.daemon.settings import CommonSettings
    from routed.plumbing.carrier import Carrier
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.log import Level, Log
    from routed.plumbing.metrics import Registry
    from routed.service.clock import DaemonReactor
    from routed.service.dump import OpenBrokerDump
    from routed.service.settings import BrokerSettings

#: What a queue holds beyond its size before it loses rows: whoever is made to wait has one buffer of them under way, a
#: megabyte and the routes of one message, and the lines about sessions wait for nobody. Units: octets.
SPARE: Final = 8 << 20


class Brokers:
    """All brokers that the records of a plane go to."""

    def __init__(self, reactor: DaemonReactor, settings: CommonSettings, log: Log, metrics: Registry) -> None:
        self._reactor, self._log, self._metrics = reactor, log, metrics
        self._settings = settings
        self._process, self._writer = settings.process, writer_id(settings)
        self._in_thread = PoolThreads(reactor)
        self._dump_sinks: list[BrokerSink] = []
        self._spools = SpoolWatch(reactor, self._in_thread, log.warning)

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
        self._spools.close()
        return gatherResults([sink.close() for sink in self._dump_sinks]).addCallback(lambda _: None)

    def _addresses(self, settings: BrokerSettings) -> Addresses:
        is_json = settings.output is DumpFormat.JSON  # records of Avro say themselves who wrote them
        return Addresses(settings.target, settings.key, self._writer if is_json else "")

    def _open(self, settings: BrokerSettings, watch: Watch, *, patient: bool) -> BrokerSink:
        size, spool = settings.queue_size, None
        if settings.spool.directory is not None:
            directory = settings.spool.directory / f"{self._process.spool_name}-{settings.label}"
            spool = Spool(directory, settings.spool.size, owner=self._process.owner)
            self._spools.add(settings.spool.directory)
        sink = BrokerSink(
            settings.label,
            self._carrier(settings),
            spool,
            clock=self._reactor,
            in_thread=self._in_thread,
            watch=Watch(partial(report_sink, self._log), watch.on_full, watch.on_drained),
            options=BrokerOptions(
                bounds=Bounds(limit=size + SPARE, full=size // 2, drained=size // 8),
                drops=settings.spool.policy is SpoolPolicy.DROP,
                patient=patient,
            ),
        )
        labels = {"sink": settings.label}
        self._metrics.add("sink", sink.counters, labels)
        self._metrics.add("queue", sink.levels, labels)
        if sink.spooler is not None:
            self._metrics.add("spool", sink.spooler.counters, labels)
        return sink

    def _carrier(self, settings: BrokerSettings) -> Carrier:
        if isinstance(settings.transport, AmqpSettings):
            return self._amqp(settings.transport)
        carrier = self._kafka(settings, settings.transport)
        return self._registered(carrier, settings) if settings.registry else carrier

    def _registered(self, carrier: Carrier, settings: BrokerSettings) -> Carrier:
        """Let records wait until a schema registry has told the numbers of their schemas."""
        from routed.plumbing.registered import RegisteredCarrier  # noqa: PLC0415 (few want a client of HTTP)
        from routed.plumbing.schema_registry import SchemaRegistry, Subject, http_agent  # noqa: PLC0415 (the same)

        schemas = schemas_of(self._settings, dumps="dump" in settings.label)
        subjects = {
            schema.key: Subject(f"{settings.target.text}-{name}", schema.text) for name, schema in schemas.items()
        }
        agent = http_agent(self._reactor)
        registry = SchemaRegistry(settings.registry, subjects, clock=self._reactor, agent=agent)
        return RegisteredCarrier(carrier, registry, f"{settings.label}_avro_schema_registry")

    def _amqp(self, transport: AmqpSettings) -> Carrier:
        from routed.plumbing.amqp_connection import connector  # noqa: PLC0415 (a library that no other part needs)
        from routed.plumbing.sink_amqp import AmqpCarrier  # noqa: PLC0415 (the same)

        return AmqpCarrier(transport, connector(self._reactor, transport), self._reactor)

    def _kafka(self, settings: BrokerSettings, transport: KafkaSettings) -> Carrier:
        from routed.plumbing.sink_kafka import KafkaCarrier  # noqa: PLC0415 (a library that no other part needs)

        say: Callable[[Level, str], None] = self._log.write
        reactor = self._reactor
        carrier = KafkaCarrier(transport, begin=reactor.callWhenRunning, post=reactor.callFromThread, say=say)
        self._metrics.add("kafka", carrier.counters, {"sink": settings.label})
        return carrier


def writer_id(settings: CommonSettings) -> str:
    """Return who writes records, now that the process is the one that will."""
    values = {
        Variable.PROCESS_NAME: settings.process.name,
        Variable.WRITER_PID: str(os.getpid()),
        Variable.BUILD: build(),
    }
    return settings.writer_id.expand(values)
