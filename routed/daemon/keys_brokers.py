"""Keys that all records on their way to a broker have, by prefix: how it is reached, and where they wait for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from routed.daemon.values import AMQP_HOSTS, KAFKA_BROKERS, REGISTRY_URLS, SPOOL_POLICY
from routed.plumbing.values import BOOLEAN, OFF, PATH, PORT, TEXT, at_least, between, one_of
from routed.service.settings import SpoolPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routed.plumbing.config import Key


def kafka_keys(key: Callable[..., Key], prefix: str) -> Iterator[Key]:
    """Go through those of Kafka."""
    yield key(f"{prefix}topic_rr", at_least(0), 0, "topics to write to in turn, `_0` and so on")
    yield key(f"{prefix}broker_host", KAFKA_BROKERS, "127.0.0.1", "Kafka broker, or a list with ports")
    yield key(f"{prefix}broker_port", PORT, 9_092, "port of a single broker")
    yield key(f"{prefix}config_file", PATH, None, "settings of librdkafka: `global|topic, key, value`")
    yield key(
        f"{prefix}avro_schema_registry",
        REGISTRY_URLS,
        None,
        "address of a schema registry, or a comma-separated list; records begin with the number of their schema",
    )


def amqp_keys(key: Callable[..., Key], prefix: str) -> Iterator[Key]:
    """Go through those of AMQP."""
    ours = partial(key, ours=True)
    yield key(f"{prefix}routing_key_rr", at_least(0), 0, "routing keys to write to in turn, `_0` and so on")
    yield key(f"{prefix}host", AMQP_HOSTS, "127.0.0.1", "AMQP broker, or a list with ports, tried in turn")
    yield key(f"{prefix}port", PORT, 5_672, f"port where `{prefix}host` names none")
    yield key(f"{prefix}vhost", TEXT, "/", "virtual host")
    yield key(f"{prefix}user", TEXT, "guest", "user")
    yield key(f"{prefix}passwd", TEXT, "guest", "password")
    yield key(f"{prefix}exchange", TEXT, "pmacct", "exchange")
    yield key(f"{prefix}exchange_type", one_of("direct", "fanout", "topic"), "direct", "type of the exchange")
    yield key(f"{prefix}persistent_msg", BOOLEAN, OFF, "messages and exchange survive a restart of the broker")
    yield key(f"{prefix}frame_max", between(4_096, 2**31 - 1, unit="octets"), 131_072, "largest frame")
    yield key(
        f"{prefix}heartbeat_interval", between(0, 65_535, unit="seconds"), 0, "seconds between heartbeats; 0: none"
    )
    yield ours(f"{prefix}tls", BOOLEAN, OFF, "talk TLS to the broker")
    yield ours(f"{prefix}tls_ca_file", PATH, None, "authorities that the broker's certificate is to be of")
    yield ours(f"{prefix}tls_certificate_file", PATH, None, "our certificate, for brokers that want one")
    yield ours(f"{prefix}tls_key_file", PATH, None, "its private key")


def queue_keys(key: Callable[..., Key], prefix: str) -> Iterator[Key]:
    """Go through those of what waits for a slow broker."""
    ours = partial(key, ours=True)
    yield ours(
        f"{prefix}queue_size",
        at_least(1, unit="octets"),
        67_108_864,
        "octets of records that wait in memory for a slow disk or broker",
    )
    yield ours(
        f"{prefix}spool_directory",
        PATH,
        "/var/spool/routed",
        "where records wait on disk for a broker, in a directory for each daemon and sink",
    )
    yield ours(
        f"{prefix}spool_size",
        at_least(0, unit="octets"),
        1_073_741_824,
        "octets that may wait there for one sink; 0 is no spool",
    )
    yield ours(
        f"{prefix}spool_policy",
        SPOOL_POLICY,
        SpoolPolicy.WAIT,
        "when that is full, `wait` makes those wait who send records, `drop` drops new records and counts them",
    )
