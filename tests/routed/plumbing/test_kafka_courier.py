"""The Kafka courier with a library that does what a test says; the real one is in tests/peers."""

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from routed.plumbing import kafka_courier as module
from routed.plumbing.carrier import Reports
from routed.plumbing.kafka_client import Callbacks
from routed.plumbing.kafka_courier import Courier
from routed.plumbing.kafka_messages import Message, Values
from routed.plumbing.kafka_producer import Made
from routed.plumbing.kafka_settings import KafkaSettings
from routed.plumbing.kafka_statistics import KafkaCounters
from routed.plumbing.log import Level
from routed.plumbing.parcel import OVERHEAD, Address, Parcel

SETTINGS = KafkaSettings(servers="h:1", keys="k_", partition=0, retry=60)


class Load:
    """What a parcel became."""

    def __init__(self, number: int, left: int) -> None:
        self.number, self.left = number, left


class Sent(NamedTuple):
    """A message that the library has."""

    topic: str
    partition: int
    message: Message
    load: Load


class Library:
    """A client that keeps messages until a test decides."""

    def __init__(self, callbacks: Callbacks) -> None:
        self.callbacks = callbacks
        self.messages: list[Sent] = []
        self.room = 1_000_000
        self.count = 4
        self.missing: KafkaError | None = None
        self.asked: list[str | None] = []
        self.flushed = 0
        self.due: list[Callable[[], None]] = []
        self.is_closed = False

    def load(self, number: int, messages: int, *, counts_rows: bool) -> Load:
        assert not counts_rows
        return Load(number, messages)

    def produce(self, topic: str, partition: int, load: Load, messages: Values | list[Message], begin: int) -> int:
        each = messages.each() if isinstance(messages, Values) else messages
        taken = each[begin : begin + self.room]
        self.messages += [Sent(topic, partition, message, load) for message in taken]
        self.room -= len(taken)
        return begin + len(taken)

    def poll(self, _timeout: float) -> None:
        due, self.due = self.due, []
        for one in due:
            one()

    def flush(self, timeout: float) -> None:
        assert timeout
        self.flushed += 1

    def partitions(self, topic: str | None, timeout: float) -> int:
        assert timeout
        self.asked.append(topic)
        if self.missing is not None:
            raise KafkaException(self.missing)
        return self.count

    def close(self) -> None:
        self.is_closed = True

    def answer(self, count: int = 1_000_000, failure: str = "", refusal: str = "") -> None:
        """Let the next messages be confirmed, given up, or refused."""
        for sent in self.messages[:count]:
            self.due.append(lambda sent=sent: self.end_one(sent, failure, refusal))
        del self.messages[:count]
        self.room = 1_000_000

    def end_one(self, sent: Sent, failure: str, refusal: str) -> None:
        sent.load.left -= 1
        if failure:
            self.callbacks.failed(failure)
        if refusal:
            self.callbacks.refused(sent.load.number, 1, refusal)
        if not sent.load.left and not failure:
            self.callbacks.finished(sent.load.number)

    @property
    def values(self) -> list[bytes | None]:
        return [sent.message.value for sent in self.messages]


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: KafkaSettings = SETTINGS) -> None:
        self.made: list[Library] = []
        self.problems: tuple[str, ...] = ()
        self.refuses: Exception | None = None
        self.told: list[tuple[Any, ...]] = []
        self.said: list[tuple[Level, str]] = []
        self.now = 100.0
        self.counters = KafkaCounters()

        def make(_: KafkaSettings, callbacks: Callbacks) -> Made:
            if self.refuses is not None:
                raise self.refuses
            self.made.append(Library(callbacks))
            return Made(self.made[-1], self.problems, logs_statistics=True)

        monkeypatch.setattr(module, "make_producer", make)
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        reports = Reports(
            delivered=lambda numbers: self.told.append(("delivered", *numbers)),
            refused=lambda *facts: self.told.append(("refused", *facts)),
            up=lambda: self.told.append(("up",)),
            down=lambda reason: self.told.append(("down", reason)),
        )
        self.courier = Courier(
            settings,
            self.counters,
            lambda call, *arguments: call(*arguments),
            reports,
            lambda level, text: self.said.append((level, text)),
        )

    @property
    def library(self) -> Library:
        return self.made[-1]

    def prove(self, *rows: bytes) -> None:
        """Let partitions take something, so that they get more than one parcel."""
        self.put(*rows or (b"x\n",), number=0)
        self.turn()
        self.library.answer()
        self.turn(2)
        self.told.clear()

    def put(self, *rows: bytes, number: int = 1, key: bytes = b"") -> None:
        address = Address("topic", key, b"192.0.2.1 179")
        self.courier.put([Parcel(number, address, b"".join(rows), len(rows))])

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.courier.turn()

    def delivered(self) -> list[int]:
        return [number for what, *numbers in self.told if what == "delivered" for number in numbers]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_a_parcel_is_delivered_when_its_last_row_is(rig: Rig) -> None:
    rig.put(b"a\n", b"b\n")
    rig.turn()
    assert rig.library.values == [b"a", b"b"]
    rig.library.answer(1)
    rig.turn(2)
    assert rig.delivered() == []
    rig.library.answer(1)
    rig.turn(2)
    assert rig.delivered() == [1]


def test_a_full_queue_of_the_library_is_waited_for(rig: Rig) -> None:
    rig.prove()
    rig.library.room = 2
    rig.put(b"a\n", b"b\n", b"c\n")
    rig.put(b"d\n", number=2)
    rig.turn(3)
    assert rig.library.values == [b"a", b"b"]
    rig.library.answer()
    rig.turn(2)
    assert rig.library.values == [b"c", b"d"]
    assert rig.delivered() == []
    rig.library.answer()
    rig.turn(2)
    assert rig.delivered() == [1, 2]


def test_a_new_producer_is_made_when_a_full_queue_has_taken_the_rest(rig: Rig) -> None:
    rig.turn()
    rig.library.room = 1
    rig.put(b"a\n", b"b\n")
    rig.turn()
    rig.courier.renew()
    rig.library.answer()
    rig.turn(2)
    assert rig.library.values == [b"b"]
    rig.library.answer()
    rig.turn(3)
    assert len(rig.made) == 2
    assert rig.delivered() == [1]


@pytest.mark.parametrize(("size", "taken"), [(module.AHEAD - OVERHEAD, [1]), (module.AHEAD - OVERHEAD - 1, [1, 2])])
def test_the_library_is_given_little_ahead_of_its_reports(rig: Rig, size: int, taken: list[int]) -> None:
    rig.prove()
    for number in (1, 2, 3):
        rig.put(bytes(size), number=number)
    rig.turn(2)
    assert [sent.load.number for sent in rig.library.messages] == taken
    for _ in range(3):
        rig.library.answer()
        rig.turn(2)
    assert rig.delivered() == [1, 2, 3]


@pytest.mark.parametrize("in_bulk", [True, False])
def test_rows_of_a_dump_wait_only_while_others_come(monkeypatch: pytest.MonkeyPatch, *, in_bulk: bool) -> None:
    rig = Rig(monkeypatch, replace(SETTINGS, in_bulk=in_bulk))
    rig.prove()
    before = rig.library.flushed
    rig.put(b"a\n")
    rig.turn()
    assert rig.library.flushed == before  # there may be more rows
    rig.turn()
    assert rig.library.flushed == before + in_bulk
    rig.library.answer()
    rig.turn(3)
    assert rig.delivered() == [1]
    assert rig.library.flushed == before + in_bulk


@pytest.mark.parametrize("count", [1, 4, 7])
def test_without_a_key_a_source_stays_in_one_partition(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    rig = Rig(monkeypatch, KafkaSettings(servers="h:1", keys="k_"))
    rig.turn()
    rig.library.count = count
    for number in range(3):
        rig.put(b"a\n", number=number)
    rig.turn(2)
    assert {sent.partition for sent in rig.library.messages} == {zlib.crc32(b"192.0.2.1 179") % count}
    assert rig.library.asked.count("topic") == 1


def test_with_a_key_the_library_chooses_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, KafkaSettings(servers="h:1", keys="k_"))
    rig.put(b"a\n", key=b"192_0_2_1")
    rig.turn(2)
    [sent] = rig.library.messages
    assert (sent.partition, sent.message.key) == (-1, b"192_0_2_1")


def test_a_topic_that_is_being_made_is_asked_for_again_before_anybody_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, KafkaSettings(servers="h:1", keys="k_"))
    rig.turn()
    rig.library.missing = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    rig.put(b"a\n")
    rig.told.clear()
    while not rig.told:
        rig.turn()
        rig.now += module.TOPIC_PAUSE
    assert rig.now - 100 > module.TOPIC_PATIENCE
    assert rig.told[0][0] == "down"
    assert "topic: " in rig.told[0][1]
    rig.library.missing = None
    rig.now += module.PROBE
    rig.turn(2)
    assert rig.library.values == [b"a"]


def test_topics_take_turns_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, KafkaSettings(servers="h:1", keys="k_", partition=0, topics=2))
    rig.prove(b"x\n", b"y\n")
    rig.put(b"a\n", b"b\n", b"c\n")
    rig.put(b"d\n", number=2)
    rig.turn()
    topics = {sent.message.value: sent.topic for sent in rig.library.messages}
    assert topics == {b"a": "topic_0", b"b": "topic_1", b"c": "topic_0", b"d": "topic_1"}
    rig.library.answer()
    rig.turn(2)
    assert rig.delivered() == [1, 2]


def test_a_row_that_no_broker_takes_is_refused_and_the_others_go_on(rig: Rig) -> None:
    rig.put(b"a\n", b"b\n")
    rig.turn()
    rig.library.answer(1, refusal="too large")
    rig.library.answer()
    rig.turn(2)
    assert [told[:3] for told in rig.told if told[0] == "refused"] == [("refused", 1, 1)]
    assert rig.delivered() == [1]
    assert len(rig.made) == 1


def test_a_failure_for_good_makes_a_new_producer_that_begins_where_the_last_one_ended(rig: Rig) -> None:
    rig.put(b"a\n")
    rig.put(b"b\n", number=2)
    rig.put(b"c\n", number=3)
    rig.turn()
    first = rig.library
    first.answer(1)
    rig.turn(2)
    first.callbacks.error(KafkaError(KafkaError._FATAL, "out of order", fatal=True))
    rig.turn(2)
    assert first.is_closed
    assert rig.told[-1] == ("down", "out of order")
    rig.now += SETTINGS.retry  # not sooner than that after the first was made
    rig.turn(2)
    assert len(rig.made) == 2
    assert rig.library.values == [b"b"]
    rig.turn(2)
    assert rig.delivered() == [1]
    rig.library.answer()
    rig.turn(3)
    assert rig.library.values == [b"c"]
    rig.library.answer()
    rig.turn(2)
    assert rig.delivered() == [1, 2, 3]


def test_a_partition_that_has_taken_nothing_gets_one_parcel(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, KafkaSettings(servers="h:1", keys="k_"))
    rig.turn()
    rig.library.count = 1
    for number in (1, 2, 3):
        rig.put(b"%d\n" % number, number=number)
    rig.turn(5)
    assert rig.library.values == [b"1"]
    rig.library.answer()
    rig.turn(3)
    assert rig.library.values == [b"2", b"3"]


def test_a_message_that_is_given_up_is_produced_again(rig: Rig) -> None:
    rig.now += 1000
    rig.put(b"a\n", b"b\n")
    rig.turn()
    rig.now += SETTINGS.retry
    rig.library.answer(1, failure="topic: not authorized")
    rig.turn(3)
    assert len(rig.made) == 2
    assert rig.library.values == [b"a", b"b"]


def test_a_producer_that_cannot_be_made_is_tried_again(rig: Rig) -> None:
    rig.refuses = FileNotFoundError(2, "No such file", "/x")
    rig.put(b"a\n")
    rig.turn(3)
    assert rig.told == [("down", "k_config_file: [Errno 2] No such file: '/x'")]
    rig.refuses = None
    rig.now += SETTINGS.retry
    rig.turn()
    assert rig.library.values == [b"a"]


def test_problems_of_the_properties_are_told_once(rig: Rig) -> None:
    rig.problems = ("k_config_file: f:1: no such property",)
    rig.turn()
    rig.courier.renew()
    rig.now += SETTINGS.retry
    rig.turn(3)
    assert len(rig.made) == 2
    assert rig.said == [(Level.WARN, "k_config_file: f:1: no such property")]


def test_a_new_producer_is_made_when_the_old_one_has_delivered(rig: Rig) -> None:
    rig.put(b"a\n")
    rig.turn()
    rig.courier.renew()
    rig.put(b"b\n", number=2)
    rig.turn(2)
    assert len(rig.made) == 1
    rig.library.answer()
    rig.turn(3)
    assert len(rig.made) == 2
    assert rig.library.values == [b"b"]
    assert rig.delivered() == [1]


def test_a_new_producer_is_made_at_once_when_the_broker_is_away(rig: Rig) -> None:
    """What is under way would wait for ever, with a wrong password for instance."""
    rig.turn()
    rig.library.missing = KafkaError(KafkaError._TRANSPORT)
    rig.library.callbacks.error(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    rig.put(b"a\n")
    rig.now += module.PROBE
    rig.turn()
    rig.courier.renew()
    rig.turn(2)
    assert len(rig.made) == 2
    assert rig.library.values == [b"a"]


def test_a_broker_that_does_not_answer_is_told_with_the_complaint_of_the_library(rig: Rig) -> None:
    rig.turn()
    assert rig.told == [("up",)]
    rig.library.missing = KafkaError(KafkaError._TRANSPORT)
    rig.library.callbacks.error(
        KafkaError(KafkaError._AUTHENTICATION, "wrong password, 3 identical error(s) suppressed")
    )
    rig.library.callbacks.error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    rig.now += module.PROBE
    rig.turn()
    assert rig.told[-1] == ("down", "wrong password")
    rig.library.missing = None
    rig.now += module.PROBE
    rig.turn()
    assert rig.told[-1] == ("up",)


def test_a_complaint_that_was_nothing_is_not_told(rig: Rig) -> None:
    rig.turn()
    rig.library.callbacks.error(KafkaError(KafkaError._ALL_BROKERS_DOWN))  # an idle connection was closed
    rig.now += module.PROBE
    rig.turn(2)
    assert rig.told == [("up",)]


def test_statistics_become_counters_and_go_on_with_the_next_producer(rig: Rig) -> None:
    def statistics(sent: int) -> str:
        broker = (
            '{"nodeid": 1, "state": "UP", "tx": 3, "txerrs": 1, "txretries": 0, "req_timeouts": 2, "rtt": {"avg": 700}}'
        )
        return f'{{"txmsgs": {sent}, "txmsg_bytes": 9, "msg_cnt": 5, "msg_size": 6, "brokers": {{"h:1/1": {broker}}}}}'

    rig.turn()
    rig.library.callbacks.statistics(statistics(10))
    rig.library.callbacks.statistics(statistics(15))
    rig.courier.renew()
    rig.turn(2)
    rig.library.callbacks.statistics(statistics(4))
    counters = rig.counters
    assert (counters.messages_sent, counters.producers, counters.request_timeouts) == (19, 2, 4)
    assert (counters.messages_queued, counters.brokers_connected, counters.round_trip_us) == (5, 1, 700)
    assert rig.said[0] == (Level.INFO, statistics(10))


def test_an_empty_parcel_is_delivered(rig: Rig) -> None:
    rig.put()
    rig.turn(2)
    assert rig.delivered() == [1]
