"""A client of Kafka by librdkafka's own interface, in the copy that confluent-kafka brings (`_librdkafka`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, cimpl

from routed.plumbing import _librdkafka
from routed.plumbing.kafka_client import LAST_TURN, REFUSALS
from routed.plumbing.kafka_messages import Values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routed.plumbing._librdkafka import Load
    from routed.plumbing.kafka_client import Callbacks
    from routed.plumbing.kafka_messages import Message

#: Types of events, as the library numbers them.
ERROR, STATISTICS = 0x8, 0x40
_MS: Final = 1000


class NativeClient:
    """A producer.

    Raises: ImportError when the library's functions are not to be found, KafkaException when it does not take the
    properties.
    """

    def __init__(self, properties: Mapping[str, str], callbacks: Callbacks) -> None:
        _librdkafka.open_library(os.fsencode(cimpl.__file__))
        self._handle, self._callbacks = _librdkafka.Handle(dict(properties)), callbacks

    def load(self, number: int, messages: int, *, counts_rows: bool) -> Load:
        """Begin a load of so many messages."""
        return self._handle.load(number, messages, counts_rows)

    def produce(self, topic: str, partition: int, load: Load, messages: Values | list[Message], begin: int) -> int:
        """Hand over messages from the one at `begin` on."""
        if isinstance(messages, Values):
            values = messages
            at, refused = self._handle.produce(
                topic, partition, load, values.octets, values.ends, values.gap, values.key, begin
            )
        else:
            rest = [(message.value, message.key) for message in messages[begin:]]
            at, refused = self._handle.produce_list(topic, partition, load, rest)
            at += begin
        for code, rows in refused:
            self._fail(load, code, rows, topic)
        if refused and not load.left:
            self._finish(load)
        return at

    def poll(self, timeout: float) -> None:
        """Wait for something to be told, and tell all there is."""
        done, failed, told = self._handle.poll(int(timeout * _MS))
        for load, code, rows, topic in failed:
            self._fail(load, code, rows, topic)
        for load in done:
            self._finish(load)
        for kind, what in told:
            if kind == ERROR:
                self._callbacks.error(what)
            elif kind == STATISTICS:
                self._callbacks.statistics(what)
            elif what:
                self._callbacks.log(what)

    def flush(self, timeout: float) -> None:
        """Have messages sent that wait for others."""
        self._handle.flush(int(timeout * _MS))

    def partitions(self, topic: str | None, timeout: float) -> int:
        """Ask a broker how many partitions a topic has; without one, whether it answers."""
        return self._handle.partitions(topic, int(timeout * _MS))

    def close(self) -> None:
        """Give up what is not delivered, and end."""
        self._handle.close(int(LAST_TURN * _MS))

    def _fail(self, load: Load, code: int, rows: int, topic: str) -> None:
        reason = KafkaError(code).str()
        if code in REFUSALS:
            self._callbacks.refused(load.number, rows, reason)
        else:
            load.is_spoiled = True
            self._callbacks.failed(f"{topic}: {reason}")

    def _finish(self, load: Load) -> None:
        if not load.is_spoiled:
            self._callbacks.finished(load.number)
