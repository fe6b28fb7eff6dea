"""The Kafka carrier: a thread that owns a producer of librdkafka.

The thread takes parcels, hands their rows to the library in bulk and polls for delivery reports (`kafka_courier`); what
it has to say goes to the reactor's thread, many reports in one call.
"""

from __future__ import annotations

import sys
import time
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred

from routed.plumbing.kafka_courier import Courier
from routed.plumbing.kafka_statistics import KafkaCounters
from routed.plumbing.sink import log_bug

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from routed.plumbing.carrier import Reports
    from routed.plumbing.kafka_settings import KafkaSettings
    from routed.plumbing.log import Level
    from routed.plumbing.parcel import Parcel

#: How long the thread waits for work when no report is due. Units: seconds.
IDLE_TURN: Final = 0.2
#: How long the thread may keep the others from the interpreter. The default of 5 ms is felt in the reactor, which gives
#: it up with every system call. Units: seconds.
SWITCH_INTERVAL: Final = 0.0005
#: How long the thread rests after a bug of ours. Units: seconds.
BUG_PAUSE: Final = 1.0


class KafkaCarrier:
    """Brings parcels to Kafka, in a thread of its own.

    Args:
        settings: where to.
        begin: calls a function as soon as the reactor runs, when privileges have been given up.
        post: calls a function in the reactor's thread.
        say: the log; called in the reactor's thread.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        begin: Callable[..., object],
        post: Callable[..., object],
        say: Callable[[Level, str], None],
    ) -> None:
        self.counters = KafkaCounters()
        self._settings, self._begin, self._post, self._say = settings, begin, post, say
        self._orders: SimpleQueue[Callable[[Courier], None] | None] = SimpleQueue()
        self._over: Deferred[None] = Deferred()

    def start(self, reports: Reports) -> None:
        """Begin to connect."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        courier = Courier(self._settings, self.counters, self._post, reports, self._tell)
        thread = Thread(target=self._run, args=(courier,), name=self._settings.keys, daemon=True)
        self._begin(thread.start)

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels."""
        self._orders.put(lambda courier: courier.put(parcels))

    def reopen(self) -> None:
        """Go on with a fresh connection, and properties read anew, when what is under way has arrived."""
        self._orders.put(Courier.renew)

    def close(self) -> Deferred[None]:
        """Let go of everything."""
        self._orders.put(None)
        return self._over

    def _tell(self, level: Level, text: str) -> None:
        self._post(self._say, level, text)

    def _run(self, courier: Courier) -> None:
        while self._obey(courier):
            try:
                courier.turn()
            except Exception as bug:  # noqa: BLE001 (none may end the thread: nothing would be delivered any more)
                self._post(log_bug, bug, f"the thread of {self._settings.keys}")
                courier.recover(str(bug))
                time.sleep(BUG_PAUSE)
        courier.close()
        self._post(self._over.callback, None)

    def _obey(self, courier: Courier) -> bool:
        """Take all orders, wait for one when there is nothing else to do; false when it was the last."""
        wait = courier.is_idle
        while True:
            try:
                order = self._orders.get(timeout=IDLE_TURN) if wait else self._orders.get_nowait()
            except Empty:
                return True
            if order is None:
                return False
            order(courier)
            wait = False
