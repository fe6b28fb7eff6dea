"""A producer of librdkafka, made from settings and the operator's file of properties.

What we set ourselves, and the file may set otherwise: the idempotent producer, which keeps the order over retries; no
time after which a message is given up, since the sink has a spool and never gives up; statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException, Producer

from routed.plumbing.kafka_confluent import ConfluentClient
from routed.plumbing.kafka_native import NativeClient
from routed.plumbing.kafka_settings import KafkaSettings, Property, advise, parse_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routed.plumbing.kafka_client import Callbacks, Client

#: How long messages wait for others; a full batch does not. Longer than a broker takes for what the courier keeps in
#: the library (`AHEAD`), for the reason that is given there. Units: milliseconds.
LINGER: Final = "50"
#: The same of a dump, where the courier says when there is nothing to wait for. Units: milliseconds.
BULK_LINGER: Final = "1000"
#: Properties that are ours unless the file says otherwise.
DEFAULTS: Final[Mapping[str, str]] = {
    "client.id": "routed",
    "log.connection.close": "false",
    "message.timeout.ms": "0",
    "queue.buffering.max.messages": "1000000",
    "reconnect.backoff.max.ms": "2000",
    "socket.keepalive.enable": "true",
    "statistics.interval.ms": "10000",
}
#: Keeps the order of messages over retries.
ORDERED: Final = {"enable.idempotence": "true"}
#: The same where the file forbids the above, at the price of speed.
ORDERED_WITHOUT_ACKS: Final = {"max.in.flight.requests.per.connection": "1"}
#: What decides that itself, or does not go with the idempotent producer.
DECIDES_ORDER: Final = frozenset(
    {
        "acks",
        "enable.idempotence",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "message.send.max.retries",
        "request.required.acks",
        "retries",
    }
)
#: Other names of properties that we set.
ALIASES: Final[Mapping[str, str]] = {
    "delivery.timeout.ms": "message.timeout.ms",
    "queue.buffering.max.ms": "linger.ms",
}
SERVERS: Final = ("bootstrap.servers", "metadata.broker.list")
#: What asks for fresh tokens by a call of ours, which those who poll for events may not get.
TOKENS: Final = "OAUTHBEARER"
MECHANISMS: Final = ("sasl.mechanism", "sasl.mechanisms")
STATISTICS: Final = "statistics.interval.ms"
#: Who has the package, and a library behind it that cannot be called, should know.
SLOWER: Final = "librdkafka is asked through confluent-kafka, which is slower"
#: What the library says of properties that are good each alone begins so.
_TOGETHER: Final = "Failed to create producer"


@dataclass(frozen=True, slots=True)
class Made:
    """A client, what was wrong with the file of properties, and whether it asks for statistics in the log."""

    client: Client
    problems: tuple[str, ...]
    logs_statistics: bool


def make_producer(settings: KafkaSettings, callbacks: Callbacks) -> Made:
    """Make a producer; a property that the library does not take is left out and told.

    Raises: OSError when there is no file of properties, KafkaException when the properties do not go together.
    """
    properties = []
    if settings.config_file is not None:
        properties = parse_properties(settings.config_file.read_text(encoding="utf-8", errors="replace"))
    problems: list[str] = []
    try:
        client = make_client(_complete(settings, properties), callbacks, problems)
    except KafkaException as error:
        good = [each for each in properties if _is_taken(each, settings, problems)]
        if len(good) == len(properties):
            raise KafkaException(_named(settings, error.args[0])) from error
        client = make_client(_complete(settings, good), callbacks, problems)
    names = {each.name for each in properties}
    return Made(client, tuple(problems), STATISTICS in names)


def make_client(properties: Mapping[str, str], callbacks: Callbacks, problems: list[str]) -> Client:
    """Make a client by the library's own interface, or where that cannot be by confluent-kafka's.

    Raises: KafkaException, TypeError or ValueError when the library does not take the properties.
    """
    if any(properties.get(name, "").upper() == TOKENS for name in MECHANISMS):
        return ConfluentClient(properties, callbacks)
    try:
        return NativeClient(properties, callbacks)
    except ImportError as error:
        problems.append(f"{SLOWER}: {error}")
        return ConfluentClient(properties, callbacks)


def text_of(error: BaseException) -> str:
    """Return what an exception of the library says."""
    cause = error.args[0] if error.args else error
    return cause.str() if hasattr(cause, "str") else str(cause)


def _complete(settings: KafkaSettings, properties: list[Property]) -> dict[str, str]:
    own = {each.name: each.value for each in properties}
    names = {ALIASES.get(name, name) for name in own}
    ordered = ORDERED_WITHOUT_ACKS if names & DECIDES_ORDER else ORDERED
    servers = {} if names & set(SERVERS) else {SERVERS[0]: settings.servers}
    linger = {"linger.ms": BULK_LINGER if settings.in_bulk else LINGER}
    ours = {name: value for name, value in {**DEFAULTS, **linger, **ordered, **servers}.items() if name not in names}
    if ordered is ORDERED_WITHOUT_ACKS and own.get("enable.idempotence") == "true":
        del ours["max.in.flight.requests.per.connection"]
    return {**ours, **own}


def _is_taken(each: Property, settings: KafkaSettings, problems: list[str]) -> bool:
    """Try one property alone."""
    try:
        Producer({each.name: each.value}, logger=_SILENT)
    except (KafkaException, TypeError, ValueError) as error:
        text = text_of(error)
        if text.startswith(_TOGETHER):
            return True  # it is good, and needs others
        advice = advise(each.name) if each.name in text and "No such" in text else ""
        problems.append(f"{settings.keys}config_file: {settings.config_file}:{each.line}: {text}{advice}: left out")
        return False
    return True


def _named(settings: KafkaSettings, error: Any) -> str:
    return f"{settings.keys}config_file: {text_of(KafkaException(error))}"


class _Silent:
    def log(self, *_: object) -> None:
        """Take no notice."""


_SILENT: Final = _Silent()
