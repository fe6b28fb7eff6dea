"""Plugins that write to brokers: what the keys of `kafka` and `amqp` say, and the sink of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from twisted.internet.threads import blockingCallFromThread

from flowcorr.daemon.key_problem import KeyProblemError
from flowcorr.service.broker_writer import BrokerOutput, BrokerWriter, written_schemas
from flowcorr.service.entry_names import missing_primitive
from flowcorr.service.render import Output
from routed.daemon.plane import BrokerSettings, BrokerSinks, plugin_broker

if TYPE_CHECKING:
    from typing import Any

    from flowcorr.correlate.aggregate import Aggregate, KeyPlan
    from flowcorr.service.render import RowSettings
    from routed.plumbing.config import Configuration
    from routed.plumbing.names import NameTemplate
    from routed.plumbing.output_file import Owner

KINDS: Final = ("kafka", "amqp")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlugin:
    """Which broker rows go to, and what they are there. `schema_file` begins the names of files with the schemas."""

    broker: BrokerSettings
    output: BrokerOutput
    schema_file: Path | None
    owner: Owner

    @property
    def names(self) -> tuple[NameTemplate | None, ...]:
        """Return the names with variables."""
        return self.output.target, self.output.key


def broker_plugin(c: Configuration, kind: str, name: str, aggregate: Aggregate, owner: Owner) -> BrokerPlugin:
    """Build what a plugin of a broker is told.

    Raises: KeyProblemError.
    """
    broker, several = plugin_broker(c, kind, name), c.of(f"{kind}_multi_values", int)
    output = Output(c.of(f"{kind}_output", str))
    schema_file = c.maybe("avro_schema_file", str)
    target = "kafka_topic" if kind == "kafka" else "amqp_routing_key"
    for key, template in ((target, broker.target), ("kafka_partition_key", broker.key)):
        if template is not None:
            check_name(template, key, aggregate)
    if c.of("kafka_partition_dynamic", bool) and kind == "kafka":
        if broker.key is None:
            raise KeyProblemError("kafka_partition_dynamic", "needs kafka_partition_key, which chooses the partition")
        if c.is_set("kafka_partition"):
            raise KeyProblemError("kafka_partition_dynamic", "does not go with kafka_partition")
    if broker.registry:
        _check_registry(output, several, has_variables=bool(broker.target.variables))
    by_client = kind == "kafka" and output is not Output.AVRO  # it puts rows together itself
    return BrokerPlugin(
        broker=broker,
        output=BrokerOutput(
            output=output,
            target=broker.target,
            key=broker.key,
            markers=c.of("print_markers", bool),
            bundle=0 if by_client else several,
            post_tag=c.maybe("post_tag", int) or 0,
            post_tag2=c.maybe("post_tag2", int) or 0,
        ),
        schema_file=None if schema_file is None else Path(schema_file),
        owner=owner,
    )


def check_name(template: NameTemplate, key: str, aggregate: Aggregate) -> None:
    """Refuse a name that asks for what the plugin does not sum by.

    Raises: KeyProblemError.
    """
    missing = missing_primitive(template, aggregate)
    if missing is not None:
        raise KeyProblemError(key, f"${missing} needs {missing} in aggregate")


def _check_registry(output: Output, several: int, *, has_variables: bool) -> None:
    key = "kafka_avro_schema_registry"
    if output is not Output.AVRO:
        raise KeyProblemError(key, "is for records of Avro: kafka_output: avro")
    if several:
        raise KeyProblemError(key, "has a number for each record: it does not go with kafka_multi_values")
    if has_variables:
        raise KeyProblemError(key, "names schemas by their topic: it does not go with variables in kafka_topic")


def broker_writer(  # noqa: PLR0917 (what a plugin has)
    reactor: Any,
    sinks: BrokerSinks,
    settings: BrokerPlugin,
    rows: RowSettings,
    aggregate: Aggregate,
    plan: KeyPlan,
) -> BrokerWriter:
    """Make the writer of a plugin with its sink, which begins to connect."""
    schemas = {schema.name: schema for schema in written_schemas(aggregate, plan, rows)}
    place = sinks.open(settings.broker, schemas, patient=True)

    return BrokerWriter(
        settings.output, rows, aggregate, plan, place, partial(blockingCallFromThread, reactor), reactor
    )
