"""What a Kafka carrier has to know, and the file of properties of librdkafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.plumbing.suggest import nearest

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PORT: Final = 9_092
#: What a line of the file of properties may begin with; others are comments.
SCOPES: Final = ("global", "topic")
#: Properties that people set, to find the one that was meant. The library alone knows them all.
KNOWN_PROPERTIES: Final = (
    "acks",
    "allow.auto.create.topics",
    "batch.num.messages",
    "batch.size",
    "bootstrap.servers",
    "broker.address.family",
    "broker.address.ttl",
    "client.id",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "delivery.timeout.ms",
    "enable.idempotence",
    "enable.ssl.certificate.verification",
    "linger.ms",
    "log_level",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "metadata.max.age.ms",
    "partitioner",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.cipher.suites",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "statistics.interval.ms",
    "topic.metadata.refresh.interval.ms",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How records get to Kafka.

    `servers`: host:port, host:port... `keys`: the beginning of the names of the keys that say so, for what is wrong
    with them. `topics`: 0, or records go to so many topics in turn. `partition`: -1 for the one of the record's key.
    `multi_values`: 0, or the octets of one message, which then has several rows. `route_key`: the record key is that of
    the route, and a route that is gone is followed by a record without value. `in_bulk`: records come in dumps. Units:
    `retry` in seconds.
    """

    servers: str
    keys: str
    config_file: Path | None = None
    topics: int = 0
    partition: int = -1
    multi_values: int = 0
    route_key: bool = False
    in_bulk: bool = False
    retry: int = 60


class Property(NamedTuple):
    """A property of librdkafka, and the line of the file that sets it."""

    name: str
    value: str
    line: int


def parse_servers(text: str, port: int = DEFAULT_PORT) -> str:
    """Return a list of brokers the way the library wants it.

    A single host gets `port`; in a list, and where a host has its port already, that counts, else 9092. Each may have a
    protocol in front (`ssl://`).

    Raises: ValueError.
    """
    items = [item.strip() for item in text.split(",")]
    return ",".join(_parse_server(item, port if len(items) == 1 else DEFAULT_PORT) for item in items)


def parse_properties(text: str) -> list[Property]:
    """Read `global|topic, name, value` lines; everything else is a comment. A value may hold commas."""
    properties = []
    for number, line in enumerate(text.splitlines(), 1):
        scope, _, rest = line.partition(",")
        name, comma, value = rest.partition(",")
        if scope.strip() in SCOPES and comma:
            properties.append(Property(name.strip(), value.strip(), number))
    return properties


def advise(name: str) -> str:
    """Say which property may have been meant."""
    meant = nearest(name, KNOWN_PROPERTIES)
    return "" if meant is None or meant == name else f"; did you mean {meant}?"


def _parse_server(item: str, port: int) -> str:
    protocol, separator, host = item.rpartition("://")
    bare, colon, own_port = host.rpartition(":")
    if host.startswith("["):
        if host.endswith("]"):
            bare, colon = host, ""
    elif host.count(":") > 1:  # an IPv6 address without brackets has no port
        bare, colon = f"[{host}]", ""
    elif not colon:
        bare = host
    if not bare or any(character.isspace() for character in bare):
        raise ValueError(f"{item} names no host")
    if colon and not (own_port.isdigit() and 1 <= int(own_port) <= 65_535):
        raise ValueError(f"{item} has no valid port")
    return f"{protocol}{separator}{bare}:{own_port if colon else port}"
