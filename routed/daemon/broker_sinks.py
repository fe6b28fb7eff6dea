"""Sinks of brokers: carrier, spool and queue of each, put together from settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from routed.plumbing.abandoned import SpoolWatch
from routed.plumbing.amqp_settings import AmqpSettings
from routed.plumbing.queue import Bounds
from routed.plumbing.sink import NO_WATCH, PoolThreads, Watch, report_sink
from routed.plumbing.sink_broker import BrokerOptions, BrokerSink
from routed.plumbing.spool import Spool
from routed.service.settings import SpoolPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from routed.plumbing.avro import Schema
    from routed.plumbing.carrier import Carrier
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.log import Level, Log
    from routed.plumbing.metrics import Registry
    from routed.plumbing.process import ProcessSettings
    from routed.service.clock import DaemonReactor
    from routed.service.settings import BrokerSettings

#: What a queue holds beyond its size before it loses rows: whoever is made to wait has one buffer of them under way, a
#: megabyte and the routes of one message, and the lines about sessions wait for nobody. Units: octets.
SPARE: Final = 8 << 20


class BrokerSinks:
    """Makes the sinks of a process."""

    def __init__(self, reactor: DaemonReactor, process: ProcessSettings, log: Log, metrics: Registry) -> None:
        self._reactor, self._process, self._log, self._metrics = reactor, process, log, metrics
        self._in_thread = PoolThreads(reactor)
        self._spools = SpoolWatch(reactor, self._in_thread, log.warning)

    def open(
        self, settings: BrokerSettings, schemas: Mapping[str, Schema], watch: Watch = NO_WATCH, *, patient: bool
    ) -> BrokerSink:
        """Make a sink, which begins to connect.

        Args:
            settings: of the broker.
            schemas: of its records, by name, for a schema registry.
            watch: told when it is full.
            patient: producers would rather wait than have their rows go through the disk.
        """
        size, spool = settings.queue_size, None
        if settings.spool.directory is not None:
            directory = settings.spool.directory / f"{self._process.spool_name}-{settings.label}"
            spool = Spool(directory, settings.spool.size, owner=self._process.owner)
            self._spools.add(settings.spool.directory)
        sink = BrokerSink(
            settings.label,
            self._carrier(settings, schemas),
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

    def close(self) -> None:
        """Take no more notice of spools that are nobody's; sinks are closed by those who have them."""
        self._spools.close()

    def _carrier(self, settings: BrokerSettings, schemas: Mapping[str, Schema]) -> Carrier:
        if isinstance(settings.transport, AmqpSettings):
            return self._amqp(settings.transport)
        carrier = self._kafka(settings, settings.transport)
        return self._registered(carrier, settings, schemas) if settings.registry else carrier

    def _registered(self, carrier: Carrier, settings: BrokerSettings, schemas: Mapping[str, Schema]) -> Carrier:
        """Let records wait until a schema registry has told the numbers of their schemas."""
        from routed.plumbing.registered import RegisteredCarrier  # noqa: PLC0415 (few want a client of HTTP)
        from routed.plumbing.schema_registry import SchemaRegistry, Subject, http_agent  # noqa: PLC0415 (the same)

        subjects = {
            schema.key: Subject(f"{settings.target.text}-{name}", schema.text) for name, schema in schemas.items()
        }
        agent = http_agent(self._reactor)
        registry = SchemaRegistry(settings.registry, subjects, clock=self._reactor, agent=agent)
        return RegisteredCarrier(carrier, registry, f"{settings.transport.keys}avro_schema_registry")

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
