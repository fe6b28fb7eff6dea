"""A client of Kafka by the interface of confluent-kafka: a dictionary and a report for each message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Producer

from routed.plumbing.kafka_client import LAST_TURN, REFUSALS
from routed.plumbing.kafka_messages import Values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message as Report

    from routed.plumbing.kafka_client import Callbacks
    from routed.plumbing.kafka_messages import Message


class _Load:
    """Messages on their way; called with the report of each."""

    __slots__ = ("_client", "_counts_rows", "_is_spoiled", "_left", "number")

    def __init__(self, client: ConfluentClient, number: int, left: int, *, counts_rows: bool) -> None:
        self._client, self.number, self._left, self._counts_rows = client, number, left, counts_rows
        self._is_spoiled = False

    def __call__(self, error: KafkaError | None, report: Report) -> None:
        self.end_one(error, report.topic() or "", report.value())

    def end_one(self, error: KafkaError | None, topic: str, value: bytes | None) -> None:
        """Hear what has become of a message."""
        callbacks = self._client.callbacks
        if callbacks is None:
            return  # it was closed
        self._left -= 1
        if error is not None and error.code() in REFUSALS:
            callbacks.refused(self.number, self._rows_in(value), error.str())
        elif error is not None:
            self._is_spoiled = True
            callbacks.failed(f"{topic}: {error.str()}")
        if not self._left and not self._is_spoiled:
            callbacks.finished(self.number)

    def _rows_in(self, value: bytes | None) -> int:
        return 0 if value is None else 1 + (value.count(b"\n") if self._counts_rows else 0)


class ConfluentClient:
    """A producer.

    Raises: KafkaException, TypeError or ValueError when the library does not take the properties.
    """

    def __init__(self, properties: Mapping[str, str], callbacks: Callbacks) -> None:
        self.callbacks: Callbacks | None = callbacks
        self._producer = Producer(
            dict(properties), error_cb=callbacks.error, stats_cb=callbacks.statistics, logger=_Log(callbacks)
        )

    def load(self, number: int, messages: int, *, counts_rows: bool) -> _Load:
        """Begin a load of so many messages."""
        return _Load(self, number, messages, counts_rows=counts_rows)

    def produce(self, topic: str, partition: int, load: _Load, messages: Values | list[Message], begin: int) -> int:
        """Hand over messages from the one at `begin` on."""
        each = messages.each() if isinstance(messages, Values) else messages
        batch: list[dict[str, Any]] = [{"value": message.value, "key": message.key} for message in each[begin:]]
        self._producer.produce_batch(topic, batch, partition=partition, on_delivery=load)
        for at, message in enumerate(batch, begin):
            error = message.get("_error")
            if error is None:
                continue
            if error.code() == KafkaError._QUEUE_FULL:  # noqa: SLF001 (its public name)
                return at
            load.end_one(error, topic, message["value"])
        return begin + len(batch)

    def poll(self, timeout: float) -> None:
        """Wait for something to be told, and tell all there is."""
        self._producer.poll(timeout)

    def flush(self, timeout: float) -> None:
        """Have messages sent that wait for others."""
        self._producer.flush(timeout)

    def partitions(self, topic: str | None, timeout: float) -> int:
        """Ask a broker how many partitions a topic has; without one, whether it answers."""
        if topic is None:
            self._producer.list_topics(timeout=timeout)
            return 0
        found = self._producer.list_topics(topic, timeout=timeout).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def close(self) -> None:
        """Give up what is not delivered, and end."""
        self.callbacks = None
        self._producer.purge()
        self._producer.flush(LAST_TURN)


class _Log:
    """Takes lines of the library's own log, as a logger of the standard library would."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    def log(self, _level: int, _format: str, facility: str, _name: str, text: str) -> None:
        """Take a line."""
        self._callbacks.log(f"{facility}: {text}")
