"""What the thread of a Kafka carrier does with its producer: produce, poll, report, and begin anew.

The library connects, reconnects and repeats requests by itself, in order (`kafka_producer`). What it gives up all the
same is told apart:

- a message that no broker will ever take (too large, malformed): its rows are refused, the others go on;
- anything else (a fatal error of the idempotent producer, a topic that may not be written to): the producer is thrown
  away, and all that is not confirmed is produced anew, in order, by the next one: at once after the first such failure,
  then every `retry` seconds. Nothing is lost; some may arrive twice.

A partition that has taken nothing of this producer yet gets one parcel, and no other until that is confirmed: a broker
that is about to lead a new partition may refuse a first request and take the one behind it, and then it never takes the
first (KAFKA-15591).

Records of one source stay in one partition: that of `kafka_partition`, or that of the record key, or without a key the
one that a hash of the source selects.
"""

from __future__ import annotations

import re
import time
import zlib
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from routed.plumbing.kafka_client import Callbacks
from routed.plumbing.kafka_messages import Values, deal, messages_of
from routed.plumbing.kafka_producer import make_producer, text_of
from routed.plumbing.kafka_statistics import StatisticsReader
from routed.plumbing.log import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routed.plumbing.carrier import Reports
    from routed.plumbing.kafka_client import Client
    from routed.plumbing.kafka_messages import Message
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.kafka_statistics import KafkaCounters
    from routed.plumbing.parcel import Parcel

#: How long a look for brokers may take, and how long until the next. Units: seconds.
PROBE: Final = 2.0
#: How long a topic may be unknown before anybody hears of it: brokers make topics when they are first asked for.
#: Units: seconds.
TOPIC_PATIENCE: Final = 5.0
TOPIC_PAUSE: Final = 0.1
#: Octets that the library has at a time: a few of its batches. The idempotent producer sends the batches of a partition
#: one after the other, and while those that wait are older than `linger.ms` its thread asks without a pause whether it
#: may send: with more of them, that costs as much processor time as all the rest.
AHEAD: Final = 4 << 20
#: How long a turn waits for reports, with a broker and without. Units: seconds.
TURN: Final = 0.005
DOWN_TURN: Final = 0.05
#: What the library adds to a complaint that it has kept to itself before.
_REPEATS: Final = re.compile(r", [0-9]+ identical error\(s\) suppressed")
#: How long the library is told to send what it has, be it a full batch or not. Units: seconds.
FLUSH: Final = 0.001


@dataclass(slots=True)
class _Part:
    """Messages of a parcel for one partition, and how many of them the library has."""

    topic: str
    partition: int
    messages: Values | list[Message]
    load: Any
    begin: int = 0


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
        self._client: Client | None = None
        self._loads: dict[int, Parcel] = {}  # that the library has
        self._ahead = 0  # octets of these
        self._rest: deque[_Part] = deque()  # of these, what it had no room for yet
        self._queue: deque[Parcel] = deque()  # that it has not
        self._partitions: dict[str, int] = {}  # how many a topic has
        self._places: dict[int, set[tuple[str, int]]] = {}  # topics and partitions that a parcel in the library goes to
        self._proven: set[tuple[str, int]] = set()  # those that have taken something of this producer
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
        return not self._loads and (not self._queue or self._client is None)

    def turn(self) -> None:
        """Produce what there is, and hear what has become of what there was."""
        if self._client is None and not self._make():
            return
        assert self._client is not None
        if not self._produce(self._client):
            self._wait(self._client)
        self._report()
        if self._failure or (self._is_stale and (not self._loads or self._is_up is False)):
            self._drop()
        elif self._suspect or not self._is_up:
            self._look(self._client)

    def recover(self, reason: str) -> None:
        """Begin with a new producer after a bug of ours."""
        self._failure = reason
        if self._client is not None:
            self._drop()

    def close(self) -> None:
        """Let go of the producer and of everything that it has."""
        if self._client is not None:
            self._drop()

    def _make(self) -> bool:
        """Make a producer, if it is time to."""
        if time.monotonic() < self._make_at:
            return False
        callbacks = Callbacks(
            finished=self._finish,
            refused=self._refuse,
            failed=self._fail,
            error=self._complain,
            statistics=self._count,
            log=partial(self._say, Level.DEBUG),  # what matters comes as an error too
        )
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
        self._client, self._logs_statistics = made.client, made.logs_statistics
        self._made_at = time.monotonic()
        self._statistics.begin()
        self._suspect, self._failure, self._is_stale, self._look_at = True, "", False, 0.0
        return True

    def _drop(self) -> None:
        """Throw the producer away; what it has not delivered comes first at the next one."""
        assert self._client is not None
        client, self._client = self._client, None
        client.close()
        self._report()
        if self._failure:
            self._go_down(self._failure)
            self._make_at = max(time.monotonic(), self._made_at + self._settings.retry)
        undelivered = list(self._loads.values())
        self._loads.clear()
        self._places.clear()
        self._proven.clear()
        self._rest.clear()
        self._ahead = 0
        self._queue.extendleft(reversed(undelivered))
        self._partitions.clear()

    def _produce(self, client: Client) -> bool:
        """Hand parcels to the library while it has room; whether it took any."""
        some = False
        while not self._failure and (self._rest or self._begin(client)) and self._hand_over(client):
            some = True
            client.poll(0)
        return some

    def _wait(self, client: Client) -> None:
        """Wait for reports; when none come, rows of a dump need not wait for others any more."""
        client.poll(TURN if self._is_up else DOWN_TURN)
        if self._settings.in_bulk and self._is_up and self._loads and not self.done:
            client.flush(FLUSH)

    def _begin(self, client: Client) -> bool:
        """Make messages of the next parcel; false when there is none, or it is not known where they go."""
        if not self._queue or self._is_stale or self._ahead >= AHEAD:
            return False
        parcel = self._queue[0]
        messages = messages_of(parcel, self._settings)
        batches = self._by_topic(parcel.address.target, messages)
        partitions = {topic: self._partition(client, topic, parcel) for topic, _ in batches}
        if None in partitions.values():
            return False
        places = {(topic, partition or 0) for topic, partition in partitions.items()}
        if self._loads and not places <= self._proven:
            return False
        self._queue.popleft()
        self._loads[parcel.number], self._places[parcel.number] = parcel, places
        self._ahead += parcel.weight
        if not messages:
            self._finish(parcel.number)
            return True
        counts_rows = bool(self._settings.multi_values) and not parcel.framing.ends
        load = client.load(parcel.number, len(messages), counts_rows=counts_rows)
        self._rest.extend(_Part(topic, partitions[topic] or 0, batch, load) for topic, batch in batches if batch)
        return True

    def _hand_over(self, client: Client) -> bool:
        """Hand over what is left of a parcel; whether there was room for any of it."""
        some = not self._rest
        while self._rest:
            part = self._rest[0]
            try:
                at = client.produce(part.topic, part.partition, part.load, part.messages, part.begin)
            except KafkaException as error:
                self._fail(f"{part.topic}: {text_of(error)}")
                return False
            some = some or at > part.begin
            part.begin = at
            if at < len(part.messages):
                break  # the rest follows when reports have made room
            self._rest.popleft()
        return some

    def _by_topic(self, name: str, messages: Values | list[Message]) -> list[tuple[str, Values | list[Message]]]:
        """Deal messages to the topics of a name, one after the other."""
        count = self._settings.topics
        if not count:
            return [(name, messages)]
        turns = self._turns.setdefault(name, cycle([f"{name}_{number}" for number in range(count)]))
        each = messages.each() if isinstance(messages, Values) else messages
        return list(deal(each, list(islice(turns, len(each)))).items())

    def _partition(self, client: Client, topic: str, parcel: Parcel) -> int | None:
        """Choose the partition of a parcel: -1 for that of the record key, None when it is not known yet."""
        if self._settings.partition >= 0 or parcel.address.key or self._settings.route_key:
            return self._settings.partition
        count = self._partitions.get(topic)
        if count is None:
            count = self._ask(client, topic)
        return None if count is None else zlib.crc32(parcel.address.source) % count

    def _ask(self, client: Client, topic: str) -> int | None:
        """Ask how many partitions a topic has."""
        if time.monotonic() < self._look_at:
            return None
        self._look_at = time.monotonic() + PROBE
        try:
            count = client.partitions(topic, PROBE)
        except KafkaException as error:
            if error.args[0].code() > 0:  # a broker has answered, and says so
                self._miss(topic, text_of(error))
                return None
            client.poll(0)  # for what the library has to complain about
            self._go_down(self._complaint or text_of(error))
            return None
        if not count:
            self._miss(topic, "it has no partitions")
            return None
        self._go_up()
        self._look_at = 0.0
        self._missed.pop(topic, None)
        self._partitions[topic] = count
        return count

    def _miss(self, topic: str, reason: str) -> None:
        """Ask again for a topic soon, and complain when that has been in vain for too long."""
        now = time.monotonic()
        if now - self._missed.setdefault(topic, now) > TOPIC_PATIENCE:
            self._go_down(f"{topic}: {reason}")
        else:
            self._look_at = now + TOPIC_PAUSE

    def _look(self, client: Client) -> None:
        """Find out whether a broker answers, after a complaint of the library and until one does."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + PROBE
        try:
            client.partitions(next(iter(self._partitions), None), PROBE)
        except KafkaException as error:
            client.poll(0)
            self._go_down(self._complaint or text_of(error))
        else:
            self._look_at = 0.0
            self._go_up()

    def _report(self) -> None:
        if not self.done:
            return
        done, self.done = self.done, []
        for number in done:
            parcel = self._loads.pop(number, None)
            self._proven |= self._places.pop(number, set())
            self._ahead -= 0 if parcel is None else parcel.weight
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
            self._complaint = _REPEATS.sub("", error.str())
        self._suspect = True

    def _count(self, text: str) -> None:
        self._statistics.take(text)
        if self._logs_statistics:
            self._say(Level.INFO, text)

    def _finish(self, number: int) -> None:
        """Hear that nothing is left of a parcel."""
        self.done.append(number)

    def _refuse(self, number: int, rows: int, reason: str) -> None:
        """Hear that rows of a parcel will never be taken."""
        self._post(self._reports.refused, number, rows, reason)

    def _fail(self, reason: str) -> None:
        """Hear that this producer has given messages up."""
        self._failure = self._failure or reason
