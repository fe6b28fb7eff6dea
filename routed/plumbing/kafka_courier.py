"""What the thread of a Kafka carrier does with its producer: produce, poll, report, and begin anew.

The library connects, reconnects and repeats requests by itself, in order (`kafka_producer`). What it gives up all the
same is told apart:

- a message that no broker will ever take (too large, malformed): its rows are refused, the others go on;
- anything else (a fatal error of the idempotent producer, a topic that may not be written to): the producer is thrown
  away, and all that is not confirmed is produced anew, in order, by the next one: at once after the first such failure,
  then every `retry` seconds. Nothing is lost; some may arrive twice.

Records of one source stay in one partition: that of `kafka_partition`, or that of the record key, or without a key the
one that a hash of the source selects.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from routed.plumbing.kafka_messages import messages_of, rows_in
from routed.plumbing.kafka_producer import Callbacks, make_producer, text_of
from routed.plumbing.kafka_statistics import StatisticsReader
from routed.plumbing.log import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from confluent_kafka import Message, Producer

    from routed.plumbing.carrier import Reports
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.kafka_statistics import KafkaCounters
    from routed.plumbing.parcel import Parcel

#: Failures of a message that no repetition heals.
REFUSALS: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)
#: How long a look for brokers may take, and how long until the next. Units: seconds.
PROBE: Final = 2.0
#: How long a topic may be unknown before anybody hears of it: brokers make topics when they are first asked for.
#: Units: seconds.
TOPIC_PATIENCE: Final = 5.0
TOPIC_PAUSE: Final = 0.1
#: How long a turn waits for reports, with a broker and without. Units: seconds.
TURN: Final = 0.005
DOWN_TURN: Final = 0.05
#: How long the end waits for the library to let go. Units: seconds.
LAST_TURN: Final = 1.0


class _Load:
    """A parcel that the library has; called with the report of each of its messages."""

    __slots__ = ("courier", "left", "number")

    def __init__(self, courier: Courier, number: int, left: int) -> None:
        self.courier, self.number, self.left = courier, number, left

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        self.left -= 1
        if error is not None:
            self.courier.failed(self, error, message)
        elif not self.left:
            self.courier.finished(self)


class Courier:
    """What the thread does; it has no thread of its own, and tests none at all.

    Args:
        settings: where to.
        counters: what the library's statistics go to.
        post: calls a function in the reactor's thread.
        reports: the sink.
        say: the log.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        counters: KafkaCounters,
        post: Callable[..., object],
        reports: Reports,
        say: Callable[[Level, str], None],
    ) -> None:
        self.done: list[int] = []
        self._settings, self._post, self._reports, self._say = settings, post, reports, say
        self._statistics = StatisticsReader(counters)
        self._producer: Producer | None = None
        self._loads: dict[int, tuple[_Load, Parcel]] = {}  # that the library has
        self._queue: deque[Parcel] = deque()  # that it has not
        self._partitions: dict[str, int] = {}  # how many a topic has
        self._missed: dict[str, float] = {}  # since when a topic has been asked for in vain
        self._turns: dict[str, Iterator[str]] = {}  # whose turn it is among the topics of a name
        self._is_up: bool | None = None
        self._suspect = True  # the library has complained, and nobody has looked since
        self._complaint = ""
        self._failure = ""  # why this producer is of no use any more
        self._is_stale = False  # a new one is wanted when this one has nothing more to do
        self._look_at = self._make_at = 0.0
        self._made_at = float("-inf")
        self._logs_statistics = False
        self._told: set[str] = set()

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels."""
        self._queue.extend(parcels)

    def renew(self) -> None:
        """Go on with a new producer once this one has delivered what it has."""
        self._is_stale = True

    @property
    def is_idle(self) -> bool:
        """Tell whether there is nothing to do but to wait for work."""
        return not self._loads and (not self._queue or self._producer is None)

    def turn(self) -> None:
        """Produce what there is, and hear what has become of what there was."""
        if self._producer is None and not self._make():
            return
        assert self._producer is not None
        if self._is_stale or not self._produce(self._producer):
            self._producer.poll(TURN if self._is_up else DOWN_TURN)
        self._report()
        if self._failure or (self._is_stale and (not self._loads or self._is_up is False)):
            self._drop()
        elif self._suspect or not self._is_up:
            self._look(self._producer)

    def recover(self, reason: str) -> None:
        """Begin with a new producer after a bug of ours."""
        self._failure = reason
        if self._producer is not None:
            self._drop()

    def close(self) -> None:
        """Let go of the producer and of everything that it has."""
        if self._producer is not None:
            self._drop()

    def finished(self, load: _Load) -> None:
        """Hear that nothing is left to be heard of a parcel."""
        if self._has(load):
            self.done.append(load.number)

    def failed(self, load: _Load, error: KafkaError, message: Message) -> None:
        """Hear that a message was given up."""
        if not self._has(load):
            return
        if error.code() in REFUSALS:
            rows = rows_in(message.value(), self._settings)
            self._post(self._reports.refused, load.number, rows, error.str())
            if not load.left:
                self.done.append(load.number)
        else:
            self._failure = self._failure or f"{message.topic()}: {error.str()}"

    def _has(self, load: _Load) -> bool:
        """Tell whether a report is of this producer, and not of one that was thrown away."""
        return self._loads.get(load.number, (None,))[0] is load

    def _make(self) -> bool:
        """Make a producer, if it is time to."""
        if time.monotonic() < self._make_at:
            return False
        callbacks = Callbacks(error=self._complain, statistics=self._count, logger=self)
        try:
            made = make_producer(self._settings, callbacks)
        except (OSError, KafkaException, TypeError, ValueError) as error:
            reason = f"{self._settings.keys}config_file: {error}" if isinstance(error, OSError) else text_of(error)
            self._go_down(reason)
            self._make_at = time.monotonic() + max(1, self._settings.retry)
            return False
        for problem in made.problems:
            if problem not in self._told:
                self._told.add(problem)
                self._say(Level.WARN, problem)
        self._producer, self._logs_statistics = made.producer, made.logs_statistics
        self._made_at = time.monotonic()
        self._statistics.begin()
        self._suspect, self._failure, self._is_stale, self._look_at = True, "", False, 0.0
        return True

    def _drop(self) -> None:
        """Throw the producer away; what it has not delivered comes first at the next one."""
        assert self._producer is not None
        producer, self._producer = self._producer, None
        if self._failure:
            self._go_down(self._failure)
            self._make_at = max(time.monotonic(), self._made_at + self._settings.retry)
        undelivered = [parcel for _, parcel in self._loads.values()]
        self._loads.clear()
        self._queue.extendleft(reversed(undelivered))
        self._partitions.clear()
        producer.purge()
        producer.flush(LAST_TURN)

    def _produce(self, producer: Producer) -> bool:
        """Hand parcels to the library; whether there were any."""
        some = False
        while self._queue and not self._failure and self._produce_parcel(producer, self._queue[0]):
            some = True
            self._queue.popleft()
            producer.poll(0)
        return some

    def _produce_parcel(self, producer: Producer, parcel: Parcel) -> bool:
        """Hand a parcel to the library; whether it could be."""
        messages = messages_of(parcel, self._settings)
        if not messages:
            self.done.append(parcel.number)
            return True
        batches = self._by_topic(parcel.address.target, messages)
        partitions = {topic: self._partition(producer, topic, parcel) for topic, _ in batches}
        if None in partitions.values():
            return False
        load = _Load(self, parcel.number, len(messages))
        self._loads[parcel.number] = (load, parcel)
        for topic, batch in batches:
            self._hand_over(producer, topic, batch, partitions[topic], load)
        return True

    def _hand_over(
        self, producer: Producer, topic: str, messages: list[dict[str, Any]], partition: int | None, load: _Load
    ) -> None:
        assert partition is not None
        while messages and not self._failure:
            try:
                taken = producer.produce_batch(topic, messages, partition=partition, on_delivery=load)
            except KafkaException as error:
                self._failure = f"{topic}: {text_of(error)}"
                return
            if taken == len(messages):
                return
            messages = [message for message in messages if self._is_left(message, load)]
            producer.poll(TURN)  # its queue is full

    def _is_left(self, message: dict[str, Any], load: _Load) -> bool:
        """Tell whether a message has to be handed over again."""
        error = message.pop("_error", None)
        if error is None:
            return False
        if error.code() == KafkaError._QUEUE_FULL:  # noqa: SLF001 (its public name)
            return True
        if error.code() in REFUSALS:
            load.left -= 1
            self._post(self._reports.refused, load.number, rows_in(message["value"], self._settings), error.str())
            if not load.left:
                self.done.append(load.number)
        else:
            self._failure = error.str()
        return False

    def _by_topic(self, name: str, messages: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
        """Deal messages to the topics of a name, one after the other."""
        count = self._settings.topics
        if not count:
            return [(name, messages)]
        turns = self._turns.setdefault(name, cycle([f"{name}_{number}" for number in range(count)]))
        topics = list(islice(turns, len(messages)))
        return [
            (topic, [message for message, its in zip(messages, topics, strict=True) if its == topic])
            for topic in dict.fromkeys(topics)
        ]

    def _partition(self, producer: Producer, topic: str, parcel: Parcel) -> int | None:
        """Choose the partition of a parcel: -1 for that of the record key, None when it is not known yet."""
        if self._settings.partition >= 0 or parcel.address.key or self._settings.route_key:
            return self._settings.partition
        count = self._partitions.get(topic)
        if count is None:
            count = self._ask(producer, topic)
        return None if count is None else zlib.crc32(parcel.address.source) % count

    def _ask(self, producer: Producer, topic: str) -> int | None:
        """Ask how many partitions a topic has."""
        if time.monotonic() < self._look_at:
            return None
        self._look_at = time.monotonic() + PROBE
        try:
            found = producer.list_topics(topic, timeout=PROBE).topics[topic]
        except KafkaException as error:
            producer.poll(0)  # for what the library has to complain about
            self._go_down(self._complaint or text_of(error))
            return None
        if found.error is not None or not found.partitions:
            self._miss(topic, "it has no partitions" if found.error is None else found.error.str())
            return None
        self._go_up()
        self._look_at = 0.0
        self._missed.pop(topic, None)
        self._partitions[topic] = len(found.partitions)
        return len(found.partitions)

    def _miss(self, topic: str, reason: str) -> None:
        """Ask again for a topic soon, and complain when that has been in vain for too long."""
        now = time.monotonic()
        if now - self._missed.setdefault(topic, now) > TOPIC_PATIENCE:
            self._go_down(f"{topic}: {reason}")
        else:
            self._look_at = now + TOPIC_PAUSE

    def _look(self, producer: Producer) -> None:
        """Find out whether a broker answers, after a complaint of the library and until one does."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + PROBE
        known = next(iter(self._partitions), None)
        try:
            producer.list_topics(known, timeout=PROBE) if known else producer.list_topics(timeout=PROBE)
        except KafkaException as error:
            producer.poll(0)
            self._go_down(self._complaint or text_of(error))
        else:
            self._look_at = 0.0
            self._go_up()

    def _report(self) -> None:
        if not self.done:
            return
        done, self.done = self.done, []
        for number in done:
            self._loads.pop(number, None)
        self._post(self._reports.delivered, done)
        self._go_up()

    def _go_up(self) -> None:
        self._suspect, self._complaint = False, ""
        if not self._is_up:
            self._is_up = True
            self._post(self._reports.up)

    def _go_down(self, reason: str) -> None:
        self._is_up = False
        self._post(self._reports.down, reason)

    def _complain(self, error: KafkaError) -> None:
        """Hear of an error that is no message's."""
        if error.fatal():
            self._failure = error.str()
        elif error.code() != KafkaError._ALL_BROKERS_DOWN or not self._complaint:  # noqa: SLF001 (its public name)
            self._complaint = error.str()
        self._suspect = True

    def _count(self, text: str) -> None:
        self._statistics.take(text)
        if self._logs_statistics:
            self._say(Level.INFO, text)

    def log(self, _level: int, _format: str, _facility: str, _name: str, text: str) -> None:
        """Take a line of the library's own log, as a logger of the standard library would."""
        self._say(Level.DEBUG, text)  # what matters comes as an error too
