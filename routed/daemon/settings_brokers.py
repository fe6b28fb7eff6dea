"""From configuration to settings: the brokers that records go to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from routed.plumbing.amqp_settings import AmqpSettings, AmqpTls, parse_hosts
from routed.plumbing.config import DEFAULT_CORE_NAME
from routed.plumbing.kafka_settings import KafkaSettings, parse_servers
from routed.plumbing.names import NameTemplate, file_name_of
from routed.plumbing.statements import OF_COUNT
from routed.service.settings import BrokerSettings, DumpFormat, SpoolPolicy, SpoolSettings

if TYPE_CHECKING:
    from routed.plumbing.config import Configuration
    from routed.plumbing.registry_settings import RegistryUrl

#: What `kafka_retry` and `amqp_retry` of message logs are when nobody sets them. Units: seconds.
DUMP_RETRY: Final = 60
#: Encodings of the rows of plugins.
_OUTPUTS: Final = {"json": DumpFormat.JSON, "avro": DumpFormat.AVRO, "avro_json": DumpFormat.AVRO_JSON}


def spool_name(c: Configuration) -> str:
    """Return how the names of a daemon's spools begin: its own name, or else the path of its configuration.

    A restart finds its spools again, and two daemons on a machine do not meet in one.
    """
    name = c.of("core_proc_name", str)
    is_given = c.is_set("core_proc_name") and c.where("core_proc_name") != OF_COUNT
    if is_given or not c.file:
        return file_name_of(name)
    return file_name_of(f"{c.file}{name.removeprefix(DEFAULT_CORE_NAME)}")


def broker_settings(c: Configuration, prefix: str) -> tuple[BrokerSettings, ...]:
    """Tell which brokers the records of one kind go to."""
    topic = c.maybe(f"{prefix}kafka_topic", NameTemplate)
    routing_key = c.maybe(f"{prefix}amqp_routing_key", NameTemplate)
    output = c.of(f"{prefix}output", DumpFormat)
    brokers = []
    if topic is not None:
        transport = replace(kafka_settings(c, prefix), route_key=c.of(f"{prefix}kafka_route_key", bool))
        key, registry = c.maybe(f"{prefix}kafka_partition_key", NameTemplate), _registry(c, prefix)
        brokers.append(_broker(c, prefix, transport, topic, key=key, registry=registry, output=output))
    if routing_key is not None:
        brokers.append(_broker(c, prefix, amqp_settings(c, prefix), routing_key, output=output))
    return tuple(brokers)


def plugin_broker(c: Configuration, kind: str, name: str) -> BrokerSettings:
    """Tell which broker the rows of a plugin go to, by its kind and name."""
    output = _OUTPUTS[c.of(f"{kind}_output", str)]
    label = f"{kind}-{name}"
    if kind == "amqp":
        routing_key = c.of("amqp_routing_key", NameTemplate)
        return _broker(c, "plugin_", amqp_settings(c, ""), routing_key, label=label, output=output)
    return _broker(
        c,
        "plugin_",
        kafka_settings(c, ""),
        c.of("kafka_topic", NameTemplate),
        key=c.maybe("kafka_partition_key", NameTemplate),
        registry=_registry(c, ""),
        label=label,
        output=output,
    )


def _registry(c: Configuration, prefix: str) -> tuple[RegistryUrl, ...]:
    return c.maybe(f"{prefix}kafka_avro_schema_registry", tuple) or ()


def _broker(
    c: Configuration,
    prefix: str,
    transport: KafkaSettings | AmqpSettings,
    target: NameTemplate,
    *,
    output: DumpFormat,
    key: NameTemplate | None = None,
    registry: tuple[RegistryUrl, ...] = (),
    label: str = "",
) -> BrokerSettings:
    size = c.of(f"{prefix}spool_size", int)
    return BrokerSettings(
        label=label or transport.keys.removesuffix("_"),
        target=target,
        key=key,
        transport=transport,
        queue_size=c.of(f"{prefix}queue_size", int),
        spool=SpoolSettings(
            directory=c.path(f"{prefix}spool_directory") if size else None,
            size=size,
            policy=c.of(f"{prefix}spool_policy", SpoolPolicy),
        ),
        output=output,
        registry=registry,
    )


def kafka_settings(c: Configuration, prefix: str) -> KafkaSettings:
    """Tell how records of one kind get to Kafka."""
    prefix += "kafka_"
    return KafkaSettings(
        servers=parse_servers(c.of(f"{prefix}broker_host", str), c.of(f"{prefix}broker_port", int)),
        keys=prefix,
        config_file=c.path(f"{prefix}config_file"),
        topics=c.of(f"{prefix}topic_rr", int),
        partition=c.of(f"{prefix}partition", int),
        multi_values=c.of(f"{prefix}multi_values", int),
        in_bulk="msglog" not in prefix,
        retry=c.of(f"{prefix}retry", int) if "msglog" in prefix else DUMP_RETRY,
    )


def amqp_settings(c: Configuration, prefix: str) -> AmqpSettings:
    """Tell how records of one kind get to an AMQP broker."""
    prefix += "amqp_"
    return AmqpSettings(
        keys=prefix,
        hosts=parse_hosts(c.of(f"{prefix}host", str), c.of(f"{prefix}port", int)),
        virtual_host=c.of(f"{prefix}vhost", str),
        user=c.of(f"{prefix}user", str),
        password=c.of(f"{prefix}passwd", str),
        exchange=c.of(f"{prefix}exchange", str),
        exchange_type=c.of(f"{prefix}exchange_type", str),
        persistent=c.of(f"{prefix}persistent_msg", bool),
        frame_max=c.of(f"{prefix}frame_max", int),
        heartbeat=c.of(f"{prefix}heartbeat_interval", int),
        retry=c.of(f"{prefix}retry", int) if "msglog" in prefix else DUMP_RETRY,
        routing_keys=c.of(f"{prefix}routing_key_rr", int),
        tls=_tls(c, prefix) if c.of(f"{prefix}tls", bool) else None,
    )


def _tls(c: Configuration, prefix: str) -> AmqpTls:
    return AmqpTls(
        authorities=c.path(f"{prefix}tls_ca_file"),
        certificate_chain=c.path(f"{prefix}tls_certificate_file"),
        private_key=c.path(f"{prefix}tls_key_file"),
    )
