"""Both clients of Kafka with the brokers that the library itself plays, in its own process."""

import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaException

from routed.plumbing import _librdkafka
from routed.plumbing.kafka_client import Callbacks, Client
from routed.plumbing.kafka_confluent import ConfluentClient
from routed.plumbing.kafka_messages import Message, Values
from routed.plumbing.kafka_native import NativeClient

#: For what other threads do. Units: seconds.
PATIENCE = 60.0
PLAYED = {"test.mock.num.brokers": "1", "linger.ms": "1", "enable.idempotence": "true", "log_level": "0"}


class Told:
    """What a client tells."""

    def __init__(self, make: Callable[..., Client], **properties: str) -> None:
        self.finished: list[int] = []
        self.refused: list[tuple[int, int]] = []
        self.failed: list[str] = []
        self.statistics: list[str] = []
        self.callbacks = Callbacks(
            finished=self.finished.append,
            refused=lambda number, rows, _: self.refused.append((number, rows)),
            failed=self.failed.append,
            error=lambda _: None,
            statistics=self.statistics.append,
            log=lambda _: None,
        )
        self.client = make(
            PLAYED | {name.replace("_", "."): value for name, value in properties.items()}, self.callbacks
        )

    def put(self, number: int, messages: Values | list[Message], *, counts_rows: bool = False) -> int:
        load = self.client.load(number, len(messages), counts_rows=counts_rows)
        return self.client.produce("topic", 0, load, messages, 0)

    def wait(self, until: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline
            self.client.poll(0.01)


def values(*rows: bytes, gap: int = 1, key: bytes | None = None) -> Values:
    """Lay rows out one after the other."""
    ends, at = array("I"), -gap
    for row in rows:
        at += gap + len(row)
        ends.append(at)
    return Values((b"\n" * gap).join(rows), ends.tobytes(), gap, key)


@pytest.fixture(params=[NativeClient, ConfluentClient])
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Told]]:
    made: list[Told] = []

    def one(**properties: str) -> Told:
        made.append(Told(request.param, **properties))
        return made[-1]

    yield one
    for told in made:
        told.client.close()


def test_a_load_is_finished_when_all_its_messages_are_confirmed(start: Callable[..., Told]) -> None:
    told = start()
    rows = [b"%d" % number for number in range(3_000)]
    assert told.put(1, values(*rows, key=b"key")) == 3_000
    assert told.put(2, values(b"a", b"bc", gap=0)) == 2
    assert told.put(3, [Message(b"value", b"key"), Message(None, b"key"), Message(b"bare")]) == 3
    told.wait(lambda: len(told.finished) == 3)
    assert (told.finished, told.refused, told.failed) == ([1, 2, 3], [], [])


def test_messages_that_wait_for_others_are_sent_when_asked_for(start: Callable[..., Told]) -> None:
    told = start(linger_ms="200000")
    told.put(1, values(b"a", b"b"))
    told.client.poll(0.1)
    assert told.finished == []

    def is_finished() -> bool:
        told.client.flush(0.01)
        return bool(told.finished)

    told.wait(is_finished)
    assert (told.finished, told.failed) == ([1], [])


def test_what_is_too_long_is_refused_with_its_rows_and_the_rest_goes_on(start: Callable[..., Told]) -> None:
    told = start(message_max_bytes="1000")
    long = b"{}\n" * 499 + b"{}"
    assert told.put(1, values(b"{}", long, b"{}"), counts_rows=True) == 3
    assert told.put(2, [Message(long)]) == 1
    told.wait(lambda: len(told.finished) == 2)
    assert (told.refused, told.failed) == ([(1, 500), (2, 1)], [])


def test_a_full_queue_takes_the_rest_later_and_in_order(start: Callable[..., Told]) -> None:
    told = start(queue_buffering_max_messages="10")
    messages = values(*[b"row"] * 25)
    load = told.client.load(1, 25, counts_rows=False)
    at = told.client.produce("topic", 0, load, messages, 0)
    assert at == 10
    while at < 25:
        told.client.poll(0.01)
        at = told.client.produce("topic", 0, load, messages, at)
    told.wait(lambda: told.finished)
    each = [Message(b"row")] * 25
    load = told.client.load(2, 25, counts_rows=False)
    at = 0
    while at < 25:
        told.client.poll(0.01)
        at = told.client.produce("topic", 0, load, each, at)
    told.wait(lambda: len(told.finished) == 2)


def test_messages_that_are_given_up_spoil_their_load(start: Callable[..., Told]) -> None:
    """A topic that has one partition has no other."""
    told = start()
    assert told.client.partitions("topic", PATIENCE) > 0
    load = told.client.load(1, 2, counts_rows=False)
    try:
        told.client.produce("topic", 999, load, values(b"a", b"b"), 0)
    except KafkaException as error:
        told.failed.append(str(error))
    told.wait(lambda: told.failed)
    assert told.finished == []


def test_nothing_is_told_after_the_end(start: Callable[..., Told]) -> None:
    told = start(test_mock_num_brokers="0", bootstrap_servers="127.0.0.1:1")
    told.put(1, values(b"a", b"b"))
    told.client.close()
    assert (told.finished, told.failed) == ([], [])


def test_a_broker_that_is_not_there_is_an_error_of_the_question(start: Callable[..., Told]) -> None:
    told = start(test_mock_num_brokers="0", bootstrap_servers="127.0.0.1:1")
    for topic in ("topic", None):
        with pytest.raises(KafkaException):
            told.client.partitions(topic, 0.05)


def test_statistics_come_by_themselves(start: Callable[..., Told]) -> None:
    told = start(statistics_interval_ms="10")
    told.client.partitions(None, PATIENCE)
    told.wait(lambda: told.statistics)
    assert '"brokers"' in told.statistics[0]


@pytest.mark.parametrize(("octets", "ends"), [(b"abc", [1, 0]), (b"abc", [4])])
def test_values_lie_in_their_buffer(octets: bytes, ends: list[int]) -> None:
    told = Told(NativeClient)
    with pytest.raises(ValueError, match="in their buffer"):
        told.put(1, Values(octets, array("I", ends).tobytes(), 0, None))
    told.client.close()


@pytest.mark.parametrize("begin", [-1, 3])
def test_a_load_begins_in_itself(begin: int) -> None:
    told = Told(NativeClient)
    load = told.client.load(1, 2, counts_rows=False)
    with pytest.raises(ValueError, match="in itself"):
        told.client.produce("topic", 0, load, values(b"a", b"b"), begin)
    told.client.close()


def test_a_closed_producer_takes_nothing() -> None:
    told = Told(NativeClient)
    told.client.close()
    told.client.close()
    for call in (
        lambda: told.put(1, values(b"a")),
        lambda: told.client.poll(0),
        lambda: told.client.flush(0),
        lambda: told.client.partitions("t", 0),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_a_library_that_is_not_there_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> None:
        raise ImportError("no such file")

    monkeypatch.setattr(_librdkafka, "open_library", broken)
    with pytest.raises(ImportError):
        Told(NativeClient)
